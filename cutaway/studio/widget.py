"""The studio in a notebook: one widget, which shows what the page in a browser shows."""

import importlib.util
from pathlib import Path
from typing import Any

from cutaway.errors import CutawayError, install_extra
from cutaway.studio.hearing import CellWatch, Hearing, running_loop
from cutaway.studio.session import Session
from cutaway.studio.wire import packed

STATIC = Path(__file__).parent / "static"


def new_widget(session: Session, still: str = "") -> Any:
    """A widget for a session; anywidget is imported for it.

    Args:
        session: the Session.
        still: class of the elements that are hidden as long as a view of the widget is alive.

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
    import traitlets

    class StudioWidget(anywidget.AnyWidget):
        """One widget; each view of it in the notebook is the same."""

        _esm = STATIC / "widget.js"
        _still = traitlets.Unicode(still).tag(sync=True)

        def __init__(self):
            super().__init__()
            self._cell = CellWatch()
            self._hearing = Hearing(running_loop(), self._cell.is_running)
            self._client = session.connect(self._deliver, paced=True)
            self._client.is_listening = False  # until a view says hello
            self.on_msg(self._heard)

        def _heard(self, _, content, buffers):
            if not isinstance(content, dict):
                return
            self._hearing.note()
            is_new = not self._client.is_listening
            self._client.is_listening = True
            if session.is_closed:
                self._deliver(packed({"type": "closed", "why": session.why_closed}))
                return
            if is_new and content.get("type") != "hello":
                # a view that was thought to be gone has missed what was said meanwhile
                self._client.receive({"type": "hello"})
            self._client.receive(content)

        def _deliver(self, message: bytes) -> None:
            if self._client.is_listening and not self._hearing.is_there():
                self._client.is_listening = False
            if not self._client.is_listening:
                return  # a view that comes is told everything
            try:
                self.send({"type": "studio"}, buffers=[message])
            except Exception:  # the kernel ends, or the comm is closed: nobody is there
                self._client.leave()

        def close(self):
            self._cell.close()
            self._client.leave()
            super().close()

    return StudioWidget()
