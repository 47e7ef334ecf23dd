"""A recording: some hundred frames of a studio as one HTML file that needs no Python."""

import base64
import re
import threading
import zlib
from pathlib import Path

import msgspec

from cutaway.errors import CutawayError, RunError, expect_range
from cutaway.files import write_atomically
from cutaway.studio.session import Session
from cutaway.studio.subject import Subject
from cutaway.studio.views import VIEWS
from cutaway.studio.views.contract import Scene
from cutaway.studio.wire import unpacked

STATIC = Path(__file__).parent / "static"
PER_SECOND = 15.0
MOST_FRAMES = 600
MOST_BYTES = 2**26
# the page of a recording loads nothing and asks nobody
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; base-uri 'none'; form-action 'none'"
)


class Recorder:
    """Keeps what a session tells its clients.

    Args:
        session: the Session, which has begun; what is looked at is recorded.
        per_second: frames per second of the recording.

    Attributes:
        frames: the messages, in order.
        errors: what went wrong in the session meanwhile.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.studio.recorder import Recorder
        >>> with ct.studio("xor") as studio:
        ...     recorder = Recorder(studio.session)
        ...     recorder.close()
    """

    def __init__(self, session, *, per_second: float = PER_SECOND):
        self.per_second = per_second
        self._setup: list[bytes] = []
        self.frames: list[bytes] = []
        self.errors: list[str] = []
        self._size = 0
        self._last_at = -1.0
        self._has_come = threading.Event()
        self._client = session.connect(self._take)
        self._client.receive({"type": "hello"})

    def wait_for(self, frames: int) -> None:
        """Wait until so many frames are there, or the session has ended."""
        while len(self) < frames and not self._is_over:
            self._has_come.wait(0.5)
            self._has_come.clear()

    _is_over = False

    def __len__(self):
        return len(self.frames)

    def _take(self, message: bytes) -> None:
        header, _ = unpacked(message)
        kind = header["type"]
        self._has_come.set()
        self._is_over = self._is_over or kind == "closed"
        if kind == "error":
            self.errors.append(header["text"])
        if kind != "frame":
            if kind in ("hello", "lane", "lanes", "state", "finding"):
                self._setup.append(message)
            return
        self._client.receive({"type": "ack", "n": header["n"]})
        is_full = len(self.frames) >= MOST_FRAMES or self._size > MOST_BYTES
        if is_full or header["at"] - self._last_at < 0.9 / self.per_second:
            return
        self._last_at = header["at"]
        self.frames.append(message)
        self._size += len(message)

    def command(self, command: dict) -> None:
        """Send the session a command, as a page does."""
        self._client.receive(command)

    def close(self) -> None:
        """Record nothing more."""
        self._client.leave()

    def write(self, path, *, title: str = "Cutaway studio") -> Path:
        """Write the recording, atomically.

        Args:
            path: of the HTML file, in a folder that exists.

        Raises:
            RunError: there are no frames, or the file cannot be written.
        """
        if not self.frames:
            raise RunError(
                "the recording has no frames",
                expected="a studio that was shown something",
                fix="look at something first: session.look_at(views=...), or open the page",
            )
        write_atomically(path, self.html(title).encode())
        return Path(path)

    def html(self, title: str) -> str:
        """The page: style, script and frames in one file."""
        content = {
            "per_second": self.per_second,
            "setup": [_deflated(message) for message in self._setup],
            "frames": [_deflated(message) for message in self.frames],
        }
        text = msgspec.json.encode(content).decode()
        script, style = (self._static(name) for name in ("studio.js", "studio.css"))
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_escaped(title)}</title><style>{style}</style></head>"
            f'<body><div id="studio"></div>'
            f'<script type="application/json" id="recording">{text}</script>'
            f"<script>{_inside_script(script)}</script></body></html>\n"
        )

    @staticmethod
    def _static(name: str) -> str:
        try:
            return (STATIC / name).read_text(encoding="utf-8")
        except OSError as error:
            raise CutawayError(
                f"the page's file {name} is missing",
                expected="the files of cutaway/studio/static",
                fix="install Cutaway again, or build them: npm ci && npm run build in studio/",
            ) from error


def record(
    subject: Subject, path, *, frames: int = 300, per_second: float = PER_SECOND, epochs: float = 1
) -> Path:
    """Train a subject from its beginning and record it with all views that its network has.

    Args:
        subject: the Subject.
        path: of the HTML file, in a folder that exists.
        frames: number of frames, at most 600.
        per_second: of them when it is played.
        epochs: of training between two frames.

    Raises:
        OptionError: frames out of range, or there are no rows to train on.
        RunError: the file cannot be written.
        TrainingError: the loss became NaN before the first frames.
    """
    expect_range(frames, what="frames", least=2, most=MOST_FRAMES)
    expect_range(epochs, what="epochs", above=0)
    session = Session(subject)
    session.start()
    try:
        recorder = Recorder(session, per_second=per_second)
        names = [name for name, view in VIEWS.items() if view.fits(_first_scene(session))]
        rate = per_second * epochs
        for command in (
            {"type": "look", "views": names},
            {"type": "speed", "unit": "epochs", "per_second": rate},
            {"type": "play"},
        ):
            recorder.command(command)
        recorder.wait_for(frames)
        recorder.close()
        return recorder.write(path, title=subject.title)
    finally:
        session.close()


def _first_scene(session: Session) -> Scene:
    return next(iter(session.lanes)).scene(session.look)


def _deflated(message: bytes) -> str:
    return base64.b64encode(zlib.compress(message, 9)).decode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _inside_script(script: str) -> str:
    """JavaScript in which no text ends the element that it stands in."""
    return re.sub(r"</(script)", r"<\\/\1", script, flags=re.IGNORECASE)
