"""Prediction intervals by split conformal prediction."""

import math
from typing import Annotated

import msgspec
import numpy as np

from cutaway.data.json_types import Count, Finite
from cutaway.errors import expect_range

LEVEL = 0.9


class PredictionInterval(msgspec.Struct, frozen=True):
    """Intervals around predicted numbers that hold the true one in a fraction of all cases.

    Split conformal prediction: the errors, truth - prediction, of the n validation rows, which the
    weights were not fitted to, are sorted. Around a prediction p of a new row the interval is

        [p + e_(n + 1 - k), p + e_(k)],   k = ⌈(n + 1)(1 + level) / 2⌉

    where e_(k) is the k-th smallest error. Whatever the network and the distribution, a new row
    drawn like those n lies inside with a probability of at least `level`, on average over such
    sets of n rows, and of at most level + 2 / (n + 1) if no two errors are equal. The two ends are
    chosen apart, since errors of a skewed target are skewed too. The intervals are equally wide
    for all rows.

    What weakens the promise: the epoch whose weights are kept has the lowest loss on these rows,
    so their errors are a little too small (0.9013 of new rows were inside where 500 rows validated,
    benchmarks/intervals.py); and later rows, other groups and overlapping windows of a series are
    not drawn like the validation rows.

    Attributes:
        level: the fraction.
        lower, upper: what is added to a prediction, in the target's unit; for a forecast one number
            for each step ahead.
        rows: n.

    References:
        Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World"; Lei et al. 2018,
        "Distribution-free predictive inference for regression", theorem 2.2; Romano, Patterson &
        Candès 2019, "Conformalized quantile regression", theorem 2, for the two ends.

    Example:
        >>> import numpy as np
        >>> from cutaway.runs.interval import PredictionInterval
        >>> errors = np.arange(-9.0, 10.0)
        >>> found = PredictionInterval.fit(errors, np.zeros(19))
        >>> [end.tolist() for end in found.around(np.array([100.0]))]
        [[91.0], [109.0]]
    """

    level: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    lower: list[Finite]
    upper: list[Finite]
    rows: Count

    def __post_init__(self):
        if not len(self.lower) == len(self.upper) > 0:
            raise ValueError("ends of different lengths")
        if any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError("an interval that ends before it begins")

    @classmethod
    def fit(cls, truth, predicted, level: float = LEVEL) -> "PredictionInterval | None":
        """The intervals from rows that the weights were not fitted to.

        Args:
            truth, predicted: (rows,) or (rows, steps), in the target's unit.
            level: the fraction of new rows to lie inside.

        Returns:
            None if there are too few rows: at least 2 / (1 - level) - 1, so 19 for 90%.
        """
        expect_range(level, what="level", above=0, below=1)
        errors = np.asarray(truth, np.float64) - np.asarray(predicted, np.float64)
        errors = np.sort(errors.reshape(len(errors), -1), axis=0)  # (rows, steps)
        rows = len(errors)
        # half a rounding is taken off: 0.95 * 20 is 19, not 20
        k = math.ceil((rows + 1) * (1 + level) / 2 - 1e-9)
        if k > rows or not np.isfinite(errors).all():
            return None
        return cls(level, errors[rows - k].tolist(), errors[k - 1].tolist(), rows)

    def around(self, predicted) -> tuple[np.ndarray, np.ndarray]:
        """(lower, upper) ends for predictions (rows,) or (rows, steps)."""
        predicted = np.asarray(predicted, np.float64)
        ends = (np.asarray(end) for end in (self.lower, self.upper))
        lower, upper = (predicted + (end[0] if predicted.ndim == 1 else end) for end in ends)
        return lower, upper

    def scores(self, truth, predicted) -> dict[str, float]:
        """How often the truth lies inside, and how wide the intervals are.

        Returns:
            {"interval_coverage": fraction, "interval_width": in the target's unit, mean}
        """
        lower, upper = self.around(predicted)
        truth = np.asarray(truth, np.float64)
        inside = (lower <= truth) & (truth <= upper)
        return {
            "interval_coverage": float(inside.mean()),
            "interval_width": float((upper - lower).mean()),
        }


def interval_json(interval: PredictionInterval | None) -> dict | None:
    """The interval as JSON values."""
    return None if interval is None else msgspec.to_builtins(interval)


def stored_interval(value: dict) -> PredictionInterval | None:
    """The interval of a preprocessing.json; None if it has none.

    Raises:
        ValueError: it is something else.
    """
    return msgspec.convert(value.get("interval"), type=PredictionInterval | None)
