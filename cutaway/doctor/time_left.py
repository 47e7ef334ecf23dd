"""TimeLeft: how long the experiments of a diagnosis may take together."""

import contextlib
import time
from collections.abc import Iterator

from cutaway.errors import CutawayError


class NoTimeLeftError(CutawayError):
    """An experiment would take longer than what is left for all of them."""


class TimeLeft:
    """The seconds that are left for experiments.

    Args:
        seconds: for all of them; infinite: no limit.

    Attributes:
        seconds: left.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds

    @contextlib.contextmanager
    def spent(self, expected: float) -> Iterator[None]:
        """Context of an experiment, whose time is taken off.

        Args:
            expected: seconds that it takes.

        Raises:
            NoTimeLeftError: more than are left.
        """
        if expected > self.seconds:
            raise NoTimeLeftError(
                f"an experiment of {expected:.0f} s with {max(0.0, self.seconds):.0f} s left"
            )
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds -= time.perf_counter() - began
