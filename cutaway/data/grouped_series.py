"""Several series in one table: splits in time and windows within each."""

import dataclasses

import numpy as np

from cutaway.data.forecast import chronological_split
from cutaway.data.groups import SeriesPart
from cutaway.data.series import windows
from cutaway.errors import DataError


@dataclasses.dataclass(frozen=True)
class TimeSplit:
    """Which rows train, validate and test, each series split in time by itself.

    Attributes:
        place: (rows,) index of each row in its series.
        split: (rows,) number of training rows in the series of each row; 0 if it is left out.
        end: (rows,) number of rows before the test rows; 0 if it is left out.
        used: (rows,) whether its series is used.
    """

    place: np.ndarray
    split: np.ndarray
    end: np.ndarray
    used: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """(rows,) whether it is a training row."""
        return self.used & (self.place < self.split)

    def windows(self, first, horizon: int) -> tuple:
        """(training, validation, test): indices of windows whose horizons begin in rows `first`.

        Windows whose horizons lie in two of the parts are in none.
        """
        place, split, end = self.place[first], self.split[first], self.end[first]
        used = self.used[first]
        return (
            np.flatnonzero(used & (place + horizon <= split)),
            np.flatnonzero(used & (place >= split) & (place + horizon <= end)),
            np.flatnonzero(used & (place >= end)),
        )


def split_parts(
    parts: list[SeriesPart], test, validation, fits
) -> tuple[TimeSplit, list[SeriesPart]]:
    """Split each series in time.

    Args:
        test, validation: fractions or numbers of the last rows of each series; test may be 0.
        fits: function (rows, end, split) of a series that raises DataError if it is too short.

    Returns:
        the TimeSplit, and the series that are left out since they are too short.

    Raises:
        DataError: all are too short.
    """
    count = sum(len(part.rows) for part in parts)
    place, split, end = (np.zeros(count, int) for _ in range(3))
    used, short, error = np.zeros(count, bool), [], None
    for part in sorted(parts, key=lambda part: -len(part.rows)):
        length = len(part.rows)
        place[part.rows] = np.arange(length)
        try:
            last = chronological_split(length, test) if test else length
            first = chronological_split(last, validation)
            fits(length, last, first)
        except DataError as found:
            error = error or found  # of the longest series
            short.append(part)
            continue
        split[part.rows], end[part.rows], used[part.rows] = first, last, True
    if error is not None and len(short) == len(parts):
        raise error
    return TimeSplit(place, split, end, used), short


def windows_of_parts(values, parts: list[SeriesPart], window: int, horizon: int, targets) -> tuple:
    """Sliding windows that never reach from one series into another.

    Returns:
        x (windows, window, channels), y (windows, horizon, targets), and the row of the first value
        of each horizon.

    Raises:
        DataError: all series are shorter than a window and its horizon.
    """
    least = window + horizon
    long_enough = [part for part in parts if len(part.rows) >= least]
    if not long_enough:  # the error is that of the longest series
        long_enough = [max(parts, key=lambda part: len(part.rows))]
    pairs = [windows(values[p.rows], window, horizon, targets=targets) for p in long_enough]
    x, y = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return x, y, np.concatenate([part.rows[window:][: 1 - horizon or None] for part in long_enough])
