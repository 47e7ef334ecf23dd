"""Ctrl-C during a training."""

import signal
import threading


class Interruption:
    """The first Ctrl-C asks a training to stop after the current chunk; a second stops it at once.

    As a context, in the main thread; elsewhere it does nothing.

    Attributes:
        is_asked: whether Ctrl-C was pressed.
    """

    def __init__(self):
        self.is_asked = False
        self._before = None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_interrupt(self, number, frame):
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
