"""Messages on their way from the session's thread to one browser."""

import asyncio
import contextlib
import threading

import msgspec

MOST_WAITING = 256  # messages that are no frames; who lets more pile up does not read

TOO_SLOW = 1013  # the code of WebSockets for "try again later"
GOING_AWAY = 1001


class _Head(msgspec.Struct):
    type: str


def kind_of(message: bytes) -> str:
    """The "type" in the header of a message of the server."""
    view = memoryview(message)
    length = int.from_bytes(view[:4], "little")
    return msgspec.json.decode(view[4 : 4 + length], type=_Head).type


class Outbox:
    """A queue in which a slow reader finds the newest frame instead of all frames.

    A frame is a whole state, so the one before it, if it is still waiting, is dropped. All other
    messages (stories, findings, changes of a network) are kept in order.

    Args:
        loop: of the reader.
        most_waiting: of the messages that are no frames; with one more the outbox ends, because the
            reader does not read.

    Attributes:
        code, reason: with which the WebSocket is closed, once the outbox has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most_waiting: int = MOST_WAITING):
        self.most_waiting = most_waiting
        self.code: int | None = None
        self.reason = ""
        self._loop = loop
        self._lock = threading.Lock()
        self._filled = asyncio.Event()
        self._waiting: list[tuple[bool, bytes]] = []

    def put(self, message: bytes) -> None:
        """Add a message, from any thread; returns at once."""
        is_frame = kind_of(message) == "frame"
        with self._lock:
            if self.code is not None:
                return
            if is_frame:
                self._waiting = [one for one in self._waiting if not one[0]]
            elif sum(not one[0] for one in self._waiting) >= self.most_waiting:
                self._waiting.clear()
                self.code, self.reason = TOO_SLOW, "too many messages were not read"
            if self.code is None:
                self._waiting.append((is_frame, message))
        self._wake()

    def end(self, code: int = GOING_AWAY, reason: str = "the studio has ended") -> None:
        """Accept no more messages, from any thread; those that are waiting can still be read."""
        with self._lock:
            if self.code is None:
                self.code, self.reason = code, reason
        self._wake()

    async def next(self) -> bytes | None:
        """The next message, as soon as there is one; None when the outbox has ended."""
        while True:
            self._filled.clear()
            with self._lock:
                if self._waiting:
                    return self._waiting.pop(0)[1]
                if self.code is not None:
                    return None
            await self._filled.wait()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._filled.set)
