"""`python -m cutaway`, but with a checkpoint after each group of epochs.

A checkpoint is written every 10 seconds; a training that takes one second would have only its last.
"""

import contextlib
import signal
from collections.abc import Iterator

from cutaway.cli import main


@contextlib.contextmanager
def saving_often() -> Iterator[None]:
    """Context in which checkpoints are written after each group of epochs."""
    from cutaway.train import Checkpoints

    defaults = Checkpoints.__init__.__kwdefaults__
    assert defaults is not None
    before = defaults["every_seconds"]
    defaults["every_seconds"] = 0.0
    try:
        yield
    finally:
        defaults["every_seconds"] = before


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while what the command would import is imported
    with saving_often():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
