"""What a search may try for an option, said without the library that searches."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values; `start` is tried first, by default the first of them."""

    values: tuple
    start: Any = None

    def first(self):
        return self.values[0] if self.start is None else self.start


@dataclasses.dataclass(frozen=True)
class Real:
    """A number from `low` to `high`, evenly or by its logarithm; `start` is tried first."""

    low: float
    high: float
    start: float
    log: bool = False

    def first(self):
        return self.start


@dataclasses.dataclass(frozen=True)
class Integer(Real):
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    start: int
