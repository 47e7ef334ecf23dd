"""A recording: some hundred frames of a studio as one HTML file that needs no Python."""

import base64
import re
import struct
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from cutaway.errors import CutawayError, RunError, expect_range
from cutaway.files import write_atomically
from cutaway.studio.session import Session
from cutaway.studio.subject import Subject
from cutaway.studio.views import VIEWS
from cutaway.studio.views.contract import Scene
from cutaway.studio.wire import ALIGNMENT, DTYPES, unpacked

STATIC = Path(__file__).parent / "static"
PER_SECOND = 15.0
MOST_FRAMES = 600
MOST_BYTES = 2**26
KEPT = ("hello", "lane", "lanes", "state", "finding", "finding_gone", "surface", "frame")
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
        most: frames; what comes later is not recorded.

    Attributes:
        messages: what is recorded, in its order.
        frames: those of them that are frames.
        errors: what went wrong in the session meanwhile.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.studio.recorder import Recorder
        >>> with ct.studio("xor") as studio:
        ...     recorder = Recorder(studio.session)
        ...     recorder.close()
    """

    def __init__(self, session, *, per_second: float = PER_SECOND, most: int = MOST_FRAMES):
        self.per_second, self.most = per_second, most
        self.messages: list[bytes] = []
        self.frames: list[bytes] = []
        self.errors: list[str] = []
        self._size = 0
        self._last_at = -1.0
        self._skipped: bytes | None = None  # the newest frame, if it came too soon
        self._is_empty = True  # no frame with views has come
        self._has_come = threading.Event()
        self._client = session.connect(self._take)
        self._client.receive({"type": "hello"})

    def wait_for(self, frames: int) -> None:
        """Wait for so many frames, for an error, or for the end of the session."""
        while len(self) < frames and not self._is_over and not self.errors:
            self._has_come.wait(0.5)
            self._has_come.clear()

    def wait_for_views(self) -> None:
        """Wait for the first frame that shows something; or as `wait_for`."""
        while self._is_empty and not self._is_over and not self.errors:
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
        if kind == "frame":
            self._client.receive({"type": "ack", "n": header["n"]})
            if self._is_empty and any(lane["views"] for lane in header["lanes"]):
                self._forget_empty_frames()
            self._skipped = None if self._is_kept(header) else message
            if self._skipped is not None:
                return
            self._last_at = header["at"]
            self.frames.append(message)
        if kind in KEPT:
            self.messages.append(message)
            self._size += len(message)

    def _forget_empty_frames(self) -> None:
        """Drop the frames from before a page was opened, which show nothing."""
        self._is_empty, self._last_at = False, -1.0
        empty = set(self.frames)
        self.messages = [message for message in self.messages if message not in empty]
        self._size = sum(map(len, self.messages))
        self.frames.clear()

    def _is_kept(self, header: dict) -> bool:
        """Whether a frame is one of the recording: neither one too many nor too close."""
        return not self._is_full and header["at"] - self._last_at >= 0.9 / self.per_second

    @property
    def _is_full(self) -> bool:
        return len(self) >= self.most or self._size > MOST_BYTES

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
        if not len(self):
            raise RunError(
                "the recording has no frames",
                expected="a studio that was shown something",
                fix="look at something first: session.look_at(views=...), or open the page",
            )
        write_atomically(path, self.html(title).encode())
        return Path(path)

    def html(self, title: str) -> str:
        """The page: style, script and frames in one file."""
        # the state at the end is shown, however soon it came after the frame before
        last = [] if self._skipped is None or self._is_full else [self._skipped]
        content = {
            "per_second": self.per_second,
            "messages": base64.b64encode(compressed([*self.messages, *last])).decode(),
        }
        text = msgspec.json.encode(content).decode()
        names = ("studio.js", "studio.css", "licenses.txt")
        script, style, licenses = map(self._static, names)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="icon" href="data:,">'
            f"<title>{_escaped(title)}</title><style>{style}</style></head>"
            f'<body><div id="studio"></div>'
            f'<script type="application/json" id="recording">{text}</script>'
            f"<script>{licenses}{_inside_script(script)}</script></body></html>\n"
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
        recorder = Recorder(session, per_second=per_second, most=frames)
        names = [name for name, view in VIEWS.items() if view.fits(_first_scene(session))]
        rate = per_second * epochs
        recorder.command({"type": "look", "views": names})
        recorder.command({"type": "speed", "unit": "epochs", "per_second": rate})
        recorder.wait_for_views()  # the state at the beginning
        recorder.command({"type": "play"})
        recorder.wait_for(frames)
        recorder.close()
        return recorder.write(path, title=subject.title)
    finally:
        session.close()


def _first_scene(session: Session) -> Scene:
    return next(iter(session.lanes)).scene(session.look)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _inside_script(script: str) -> str:
    """JavaScript in which no text ends the element that it stands in."""
    script = re.sub(r"</(script)", r"<\\/\1", script, flags=re.IGNORECASE)
    return script.replace("<!--", r"<\!--")


def compressed(messages: Iterable[bytes]) -> bytes:
    """Messages as a raw stream of deflate, each behind its length (u32).

    An array of a frame stands as the differences of its bytes to those of the array of the same
    name and size in the frame before, modulo 256: most change little.

    Example:
        >>> import zlib
        >>> from cutaway.studio.recorder import compressed
        >>> from cutaway.studio.wire import packed
        >>> message = packed({"type": "state"})
        >>> zlib.decompress(compressed([message]), -15)[4:] == message
        True
    """
    before: dict[str, np.ndarray] = {}
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = []
    for message in messages:
        changed = _differences(message, before)
        parts += [stream.compress(struct.pack("<I", len(changed))), stream.compress(changed)]
    return b"".join([*parts, stream.flush()])


def _differences(message: bytes, before: dict[str, np.ndarray]) -> bytes:
    (length,) = struct.unpack_from("<I", message)
    header = msgspec.json.decode(message[4 : 4 + length])
    if header["type"] != "frame":
        return message
    begin = 4 + length + -(4 + length) % ALIGNMENT
    content = np.frombuffer(message, np.uint8)
    found = content.copy()
    for name, dtype, shape, offset in header["arrays"]:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(DTYPES[dtype]).itemsize
        part = slice(begin + offset, begin + offset + size)
        if name in before and len(before[name]) == size:
            found[part] -= before[name]
        before[name] = content[part]
    return found.tobytes()
