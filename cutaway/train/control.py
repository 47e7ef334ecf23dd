"""Control over a running training: pause it between two steps, and go on step by step."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

from cutaway.errors import TrainingError


class Control:
    """Lets the thread of a fit go on as far as other threads allow. Each Trainer has one.

    Attributes:
        is_used: whether this fit has been paused: it then runs its steps one epoch at a time.
        pending: (EpochSteps, rows) of the batch that is next while the fit is paused, otherwise
            None.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._allowed: float = math.inf  # steps that may still run
        self._is_taken = self._is_running = False
        self._thread: int | None = None  # of the fit
        self.is_used = False
        self.pending: Any = None

    def __getstate__(self):
        """A copy controls no fit yet."""
        return {}

    def __setstate__(self, state):
        self.__init__()

    # for the thread of the fit

    @contextlib.contextmanager
    def fit(self) -> Iterator[None]:
        """Context of the one fit of a Trainer.

        Raises:
            TrainingError: another one has not ended.
        """
        with self._changed:
            if self._is_taken:
                raise TrainingError(
                    "this Trainer is training already",
                    expected="one fit of a Trainer at a time",
                    fix="wait until it has ended, or make another Trainer with a network of its "
                    "own",
                )
            self._is_taken, self.is_used = True, False
            self._thread = threading.get_ident()
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = self._is_running = False
                self._allowed, self.pending = math.inf, None
                self._changed.notify_all()

    def begin(self) -> None:
        """From now on, the fit may be paused and stopped."""
        with self._changed:
            self._is_running = True
            self._changed.notify_all()

    def permitted(self, steps: int, pending) -> int:
        """How many of the next `steps` may run; waits until at least one may."""
        with self._changed:
            while self._allowed < 1:
                self.pending = pending
                self._changed.notify_all()
                self._changed.wait()
            self.pending = None
            count = int(min(steps, self._allowed))
            self._allowed -= count
            return count

    # for other threads

    def wait_until_running(self, has_failed: Callable[[], bool]) -> None:
        """Wait until a fit runs, or has failed before."""
        with self._changed:
            while not self._is_running and not has_failed():
                self._changed.wait(timeout=0.01)

    @property
    def is_paused(self) -> bool:
        """Whether the fit waits between two steps."""
        return self.pending is not None

    def pause(self) -> None:
        """Stop the fit before its next step, and wait until it is there or has ended.

        Raises:
            TrainingError: no fit is running.
        """
        with self._changed:
            self._expect_running()
            self._allowed, self.is_used = 0, True
            self._changed.wait_for(lambda: self.is_paused or not self._is_running)

    def resume(self) -> None:
        """Let a paused fit go on to its end."""
        with self._changed:
            self._allowed, self.pending = math.inf, None
            self._changed.notify_all()

    def advance(self, steps: int) -> None:
        """Let a paused fit go on for so many steps, and wait until it is paused again.

        Raises:
            TrainingError: it is not paused.
        """
        with self._changed:
            self._expect_paused()
            self._allowed, self.pending = steps, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.is_paused or not self._is_running)

    def batch(self) -> tuple:
        """(x, y, rows) of the batch that is next.

        Raises:
            TrainingError: the fit is not paused.
        """
        with self._changed:
            self._expect_paused()
            steps, rows = self.pending
            return (*steps.data, rows)

    def expect_paused(self) -> None:
        """Raise TrainingError unless a fit waits between two steps."""
        with self._changed:
            self._expect_paused()

    def expect_own_thread(self, name: str) -> None:
        """Raise TrainingError if a fit of another thread runs, of which `name` is to be replaced.

        Within the thread of the fit, callbacks run between two steps.
        """
        with self._changed:
            if self._is_taken and self._thread != threading.get_ident():
                raise TrainingError(
                    f"{name} was assigned while a fit runs in another thread",
                    expected=f"another {name} between two fits, or assigned by a callback",
                    fix="stop the fit, assign it, and go on with fit(more=...); numbers such as "
                    "trainer.optimizer.lr may be assigned at any time",
                )

    @contextlib.contextmanager
    def between_steps(self) -> Iterator[None]:
        """Context in which no fit takes a step: there is none, or it is paused and stays so.

        Raises:
            TrainingError: a fit runs.
        """
        with self._changed:
            if self._is_taken:
                self._expect_paused()
            yield

    def _expect_running(self):
        if not self._is_running:
            raise TrainingError(
                "this Trainer is not training",
                expected="a fit that runs in another thread",
                fix="begin one: trainer.start(x, y, epochs=...)",
            )

    def _expect_paused(self):
        self._expect_running()
        if not self.is_paused:
            raise TrainingError(
                "this training is not paused",
                expected="a fit that waits between two steps",
                fix="call trainer.pause() first",
            )
