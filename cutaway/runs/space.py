"""Search spaces of training options, independent of the search library."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values; `start` is tried first, by default the first value."""

    values: tuple
    start: Any = None

    def first(self):
        return self.values[0] if self.start is None else self.start


@dataclasses.dataclass(frozen=True)
class Real:
    """A float from `low` to `high`, on a linear or log scale; `start` is tried first."""

    low: float
    high: float
    start: float
    log: bool = False

    def first(self):
        return self.start


@dataclasses.dataclass(frozen=True)
class Integer(Real):
    """An integer from `low` to `high`, both included."""

    low: int
    high: int
    start: int
