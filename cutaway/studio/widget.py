"""The studio in a notebook: one widget, which shows what the page in a browser shows."""

import asyncio
import importlib.util
import time
from pathlib import Path
from typing import Any

from cutaway.errors import CutawayError, install_extra
from cutaway.studio.session import Session

STATIC = Path(__file__).parent / "static"
SILENT_SECONDS = 3.0  # without a report from an idle kernel: nobody looks any more


def new_widget(session: Session) -> Any:
    """A widget for a session; anywidget is imported for it.

    Raises:
        CutawayError: the extra "notebook" is not installed.
    """
    if importlib.util.find_spec("anywidget") is None:
        raise CutawayError(
            "the studio in a notebook needs anywidget, which is not installed",
            expected="the extra notebook",
            fix=install_extra("notebook") + ", or .show() for the page in the browser",
        )
    import anywidget

    class StudioWidget(anywidget.AnyWidget):
        """One widget; each view of it in the notebook is the same."""

        _esm = STATIC / "widget.js"

        def __init__(self):
            super().__init__()
            self._hearing = _Hearing()
            self._client = session.connect(self._deliver, paced=True)
            self._client.is_listening = False  # until a view says hello
            self.on_msg(self._heard)

        def _heard(self, _, content, buffers):
            if isinstance(content, dict):
                self._hearing.note()
                self._client.is_listening = True
                self._client.receive(content)

        def _deliver(self, message: bytes) -> None:
            if self._client.is_listening and not self._hearing.is_heard():
                self._client.is_listening = False  # until its next report
            try:
                self.send({"type": "studio"}, buffers=[message])
            except Exception:  # the kernel ends, or the comm is closed: nobody is there
                self._client.leave()

        def close(self):
            self._client.leave()
            super().close()

    return StudioWidget()


class _Hearing:
    """Whether a view in the notebook is still there.

    Its reports reach a busy kernel late, so silence counts only from the moment on at which the
    kernel's own loop has turned.
    """

    def __init__(self):
        self._silent_since: float | None = None  # None: not silent, or not known whether it is
        self._last = time.monotonic()
        self._is_asked = False
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def note(self) -> None:
        """A message has come."""
        self._last, self._silent_since, self._is_asked = time.monotonic(), None, False

    def is_heard(self) -> bool:
        """Whether it can be assumed to be there."""
        now = time.monotonic()
        if self._silent_since is not None:
            return now - self._silent_since < SILENT_SECONDS
        if now - self._last > SILENT_SECONDS and self._loop is not None and not self._is_asked:
            self._is_asked = True
            try:
                self._loop.call_soon_threadsafe(self._turn)
            except RuntimeError:  # the loop is closed: the kernel has ended
                return False
        return True

    def _turn(self) -> None:
        """The kernel is idle: from now on a report would come at once."""
        if self._is_asked:
            self._silent_since = time.monotonic()
