"""Ctrl-C in a command, also where a library makes an error of its own of it."""

import signal

_was_pressed = False


def note_interrupts() -> None:
    """From now on, Ctrl-C is noted before it becomes a KeyboardInterrupt.

    Not where the process was started with Ctrl-C turned off, as by `nohup`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_interrupt)


def is_interrupted() -> bool:
    """Whether Ctrl-C was pressed: libraries that are being imported raise an ImportError then."""
    return _was_pressed


def _on_interrupt(number, frame):
    global _was_pressed
    _was_pressed = True
    raise KeyboardInterrupt
