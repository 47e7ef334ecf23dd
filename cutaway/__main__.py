"""`python -m cutaway` is `cutaway`.

Python looks for modules in the current folder first when it is called so; what lies there may have
been downloaded, and a numpy.py among it would run. The installed `cutaway` does not look there.
"""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
    del sys.path[0]

from cutaway.cli import main

main()
