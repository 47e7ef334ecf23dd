"""`python -m cutaway` is `cutaway`."""

from cutaway.cli import main

main()
