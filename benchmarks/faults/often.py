"""`python -m cutaway`, but with a checkpoint after each group of epochs.

A checkpoint is written every 10 seconds; a training that takes one second would have only its last.
"""

import signal

from cutaway.cli import main


def save_often() -> None:
    """From now on in this process, checkpoints are written after each group of epochs."""
    from cutaway.train import Checkpoints

    defaults = Checkpoints.__init__.__kwdefaults__
    assert defaults is not None and "every_seconds" in defaults
    defaults["every_seconds"] = 0.0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while what the command would import is imported
    save_often()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
