"""Whether a notebook still shows a widget, which is known from what it says."""

import asyncio
import sys
import time
from collections.abc import Callable

SILENT_SECONDS = 3.0  # without a report from an idle kernel: nobody looks any more


class Hearing:
    """Whether somebody is there who says something at least once a second.

    What a notebook says reaches a busy kernel late, so silence counts only from when on the
    kernel's own loop has turned, with no cell running that waits for something.

    Args:
        loop: the kernel's; None: there is none, and it is assumed that somebody is there.
        is_busy: whether a cell is running.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._loop, self._is_busy, self._clock = loop, is_busy, clock
        self._last = clock()
        self._is_asked = False  # whether the loop was asked to turn
        self._idle_since: float | None = None  # and since when it has turned without a word

    def note(self) -> None:
        """Something was said."""
        self._last, self._is_asked, self._idle_since = self._clock(), False, None

    def is_there(self) -> bool:
        """Whether it can be assumed that somebody is there; from any thread."""
        now = self._clock()
        if self._idle_since is not None:
            return now - self._idle_since < SILENT_SECONDS
        if self._loop is None or self._is_asked or now - self._last < SILENT_SECONDS:
            return True
        self._is_asked = True
        try:
            self._loop.call_soon_threadsafe(self._turned)
        except RuntimeError:  # the loop is closed: the kernel ends
            return False
        return True

    def _turned(self) -> None:
        if not self._is_asked:
            return  # something was said meanwhile
        if self._is_busy():
            self.note()  # a cell waits, and what is said waits with it
        else:
            self._idle_since = self._clock()


class CellWatch:
    """Whether a cell is running in this kernel of Jupyter; elsewhere never."""

    def __init__(self):
        found = sys.modules.get("IPython")
        shell = None if found is None else found.get_ipython()
        self._events = None if shell is None else shell.events
        self._is_running = shell is not None  # it is made by a cell
        if self._events is not None:
            self._events.register("pre_execute", self._begin)
            self._events.register("post_execute", self._end)

    def is_running(self) -> bool:
        """Whether a cell is running."""
        return self._is_running

    def close(self) -> None:
        """Watch no longer."""
        if self._events is not None:
            self._events.unregister("pre_execute", self._begin)
            self._events.unregister("post_execute", self._end)
            self._events = None

    def _begin(self) -> None:
        self._is_running = True

    def _end(self) -> None:
        self._is_running = False


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that this thread runs in."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
