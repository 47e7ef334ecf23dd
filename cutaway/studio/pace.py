"""Pace: how many steps per second a studio trains, and how many of its time frames may take."""

import time

CHUNK_SECONDS = 0.008  # of steps in a row: a click is answered within a frame
FULL = 0.08  # most of the time that frames may take at full speed
PACED = 0.5  # the same while the training waits between its steps
FEWEST, MOST = 10.0, 0.4  # so many frames per second there are at least, for at most this much
LATE = 0.25  # seconds of steps that are made up for, when others took the time
REST = 3.0  # times as long as it trains it rests while a change that somebody waits for is compiled


class Pace:
    """How fast is trained.

    Attributes:
        unit: "epochs" or "steps".
        per_second: of them; None: as fast as it goes.
        frames: most frames per second.
        leaves_room: whether it rests between its steps, for what is compiled beside.
    """

    def __init__(self, unit: str = "epochs", per_second: float | None = 30.0, frames: float = 30.0):
        self.unit, self.per_second, self.frames = unit, per_second, frames
        self._credit, self._at = 1.0, time.monotonic()
        self._step_seconds = 0.0  # of one step, measured
        self._next_frame = 0.0
        self.leaves_room = False
        self._rests_until = 0.0

    def set(self, unit: str, per_second: float | None) -> None:
        """Another speed from now on."""
        self.unit, self.per_second = unit, per_second
        self.begin()

    def begin(self) -> None:
        """It goes on after a pause."""
        self._credit, self._at = 1.0, time.monotonic()

    def steps(self, per_epoch: int) -> int:
        """Number of steps to run now; 0: it is not time yet."""
        now = time.monotonic()
        if now < self._rests_until:
            return 0
        until_frame = self._next_frame - now  # a frame that is due does not wait for a whole chunk
        chunk = until_frame if 0 < until_frame < CHUNK_SECONDS else CHUNK_SECONDS
        most = max(1, round(chunk / self._step_seconds)) if self._step_seconds else 1
        if self.per_second is None:
            return most
        rate = self.per_second * (per_epoch if self.unit == "epochs" else 1)
        credit = self._credit + (now - self._at) * rate
        self._credit, self._at = min(credit, max(1.0, LATE * rate)), now
        return min(int(self._credit), most)

    def ran(self, steps: int, seconds: float) -> None:
        """So many steps have run, in this time."""
        self._credit -= steps
        self._rests_until = time.monotonic() + REST * seconds if self.leaves_room else 0.0
        one = seconds / steps
        self._step_seconds = 0.7 * self._step_seconds + 0.3 * one if self._step_seconds else one

    def forget(self) -> None:
        """The network has changed: its steps take another time."""
        self._step_seconds = 0.0

    def wait(self, per_epoch: int) -> float:
        """Seconds until the next step."""
        now = time.monotonic()
        rest = max(0.0, self._rests_until - now)
        if self.per_second is None:
            return rest
        rate = self.per_second * (per_epoch if self.unit == "epochs" else 1)
        missing = (1 - self._credit) / rate - (now - self._at)
        return min(max(rest, missing), 1.0)

    def is_time_for_frame(self, now: float) -> bool:
        """Whether the next frame is due while the training runs."""
        return now >= self._next_frame

    def made_frame(self, began: float, seconds: float) -> None:
        """A frame was made in this time."""
        part = FULL if self.per_second is None else PACED
        cheap = max(1 / self.frames, seconds / part)
        self._next_frame = began + min(cheap, max(1 / FEWEST, seconds / MOST))

    def frame_wait(self, now: float) -> float:
        """Seconds until the next frame is due."""
        return max(0.0, self._next_frame - now)
