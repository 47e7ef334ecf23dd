"""Client: one page or widget that looks at a session."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from cutaway.errors import OptionError
from cutaway.studio.wire import packed

ROOM = 3  # frames that a page may not have drawn yet
SLOWEST, FASTEST = 1.0, 15.0  # frames per second of a paced client
LIFE_SECONDS = 2.0  # without a frame to a paced client, until it hears that the session lives
BYTES_PER_SECOND = 480_000  # of frames to a paced client at first
FEWEST_BYTES, MOST_BYTES = 60_000, 2_400_000  # the same, as its reports allow: more would pile up
REPORT_SECONDS = 2.0  # a report that comes later says nothing: the kernel was busy


class Client:
    """A page or a widget. Made by `Session.connect`.

    Args:
        session: the Session.
        deliver: function (bytes) that takes a message and returns at once.
        paced: whether it gets frames at a rate of its own, without acknowledging each: messages of
            a notebook reach a busy kernel late.
    """

    def __init__(self, session, deliver: Callable[[bytes], None], *, paced: bool = False):
        self.session = session
        self.deliver = deliver
        self.paced = paced
        self.rate = 12.0  # frames per second, if paced
        self.bytes_per_second = float(BYTES_PER_SECOND)
        self.is_listening = True  # whether a paced client shows what it gets
        self._under_way: list[int] = []  # numbers of the frames that are not drawn yet
        self._next_at = 0.0
        self._sent_at = 0.0
        self._sent, self._reported_at = 0, 0.0  # frames since the last report, and when it came
        self._lock = threading.Lock()

    def receive(self, message: bytes | str | dict) -> None:
        """Take one command, JSON; what is wrong with it is answered with an error."""
        self.session.take(self, message)

    def leave(self) -> None:
        """It is gone: it gets nothing more."""
        self.session.disconnect(self)

    # for the session

    def has_room(self, now: float) -> bool:
        """Whether a frame would be drawn soon."""
        with self._lock:
            if self.paced:
                return self.is_listening and now >= self._next_at
            return len(self._under_way) < ROOM

    def send_frame(self, number: int, message: bytes, now: float) -> None:
        """Deliver a frame that there is room for."""
        with self._lock:
            self._under_way.append(number)
            self._sent_at = now
            self._sent += 1
            self._next_at = now + max(1 / self.rate, len(message) / self.bytes_per_second)
        self.deliver(message)

    def show_life(self, now: float) -> None:
        """Say that the session is still there: a widget cannot see when the kernel has ended."""
        if self.paced and self.is_listening and now - self._sent_at >= LIFE_SECONDS:
            self._sent_at = now
            self.deliver(packed({"type": "alive"}))

    def acknowledge(self, number: int) -> None:
        """The page has drawn a frame; those before it that it has not drawn were dropped."""
        with self._lock:
            self._under_way = [sent for sent in self._under_way if sent > number]

    def report(self, drawn: int, milliseconds: float, now: float) -> None:
        """The widget has drawn so many frames in the last second, each in this time."""
        with self._lock:
            sent, self._sent = self._sent, 0
            is_prompt, self._reported_at = now - self._reported_at < REPORT_SECONDS, now
            # it draws for half of the time; a single slow frame says nothing about the next ones
            if drawn > 1 and milliseconds > 500 / self.rate:
                self.rate = max(SLOWEST, 0.7 * self.rate)
            elif drawn >= 0.9 * self.rate:
                self.rate = min(FASTEST, self.rate + 1)
            if not is_prompt or not sent:
                return
            if drawn <= 0.6 * sent - 1:  # the others are still on the way
                self.bytes_per_second = max(FEWEST_BYTES, self.bytes_per_second / 2)
            elif drawn >= 0.9 * sent:
                self.bytes_per_second = min(MOST_BYTES, 1.2 * self.bytes_per_second)

    def reset(self) -> None:
        """It begins anew: nothing is on the way."""
        with self._lock:
            self._under_way = []


def parsed(message: bytes | str | dict, commands) -> Any:
    """The command of a message.

    Args:
        commands: a union of Structs, tagged by "type".

    Raises:
        OptionError: it is none.
    """
    try:
        if isinstance(message, dict):
            return msgspec.convert(message, commands)
        return msgspec.json.decode(message, type=commands)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise OptionError(
            f"the page sent what is no command: {error}",
            expected="one of the studio's commands",
            fix="reload the page: it may be of another version of Cutaway",
        ) from error
