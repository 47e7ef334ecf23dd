"""The future in a series: a column that already holds later values of the one to forecast."""

import numpy as np

from cutaway.data.found_leak import Leak
from cutaway.data.series import Series

MOST_STEPS = 60  # ahead that are looked at
LEAST_TIMES = 60
MOST_TIMES = 5000  # the last ones are looked at
OWN_PAST = 24  # values of the series itself by which its future is predicted instead
UNEXPLAINED = 1e-3  # of the variance: what the column may leave of the future
BETTER = 0.05  # of what the series' own past leaves
EXACT = 1e-9  # a past that leaves less tells everything
LIKELY = 0.5  # a shift that leaves more is not looked at closely


def find_future(series: Series, column: str) -> list[Leak]:
    """The columns that equal the series to forecast some steps ahead, up to scale and offset.

    A column counts only if it tells the future much better than the past of the series does: the
    future of a straight line or of a sine is in its past.

    Args:
        series: from read_series.
        column: the name of the series to forecast.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.leak_series import find_future
        >>> from cutaway.data.series import Series
        >>> y = np.random.default_rng(0).normal(size=200).cumsum()
        >>> ahead = np.append(y[1:], 0.0)
        >>> series = Series(np.stack([y, ahead], 1), ["y", "ahead"], None, None)
        >>> [(leak.columns, leak.number) for leak in find_future(series, "y")]
        [(('ahead',), 1.0)]
    """
    values = series.values[-MOST_TIMES:]
    y = values[:, series.names.index(column)]
    if len(y) < LEAST_TIMES:
        return []
    found = []
    for channel, name in enumerate(series.names):
        if name == column or values[:, channel].std() == 0:
            continue
        steps = _steps_ahead(values[:, channel], y)
        if steps is not None:
            found.append(_future(name, column, *steps))
    return found


def _future(name, column, steps, left) -> Leak:
    moved = "step" if steps == 1 else "steps"
    return Leak(
        "future",
        (name,),
        float(steps),
        f"steps by which `{name}` is ahead of `{column}`",
        f"`{name}` tells `{column}` {steps} {moved} ahead (R² {min(1 - left, 0.9999):.4f} or more)",
        f"remove `{name}` from the table unless it is a plan or a forecast that is known in time",
    )


def _steps_ahead(x, y) -> tuple[int, float] | None:
    """(steps, unexplained fraction of the variance) of the shift that fits best, if it fits."""
    most = min(MOST_STEPS, len(y) // 4)
    rough = [1 - _correlation(x[: len(y) - k], y[k:]) ** 2 for k in range(1, most + 1)]
    steps = int(np.argmin(rough)) + 1
    if rough[steps - 1] > LIKELY:
        return None
    left = _unexplained(x[: len(y) - steps, None], y[steps:])
    if left > UNEXPLAINED:
        return None
    past = min(OWN_PAST, len(y) // 10)
    own = np.lib.stride_tricks.sliding_window_view(y, past)[: len(y) - past + 1 - steps]
    own_left = _unexplained(own, y[past - 1 + steps :])
    if own_left < EXACT or left > BETTER * own_left:
        return None
    return steps, left


def _correlation(x, y) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else 0.0


def _unexplained(x, y) -> float:
    """Fraction of the variance of y that least squares leaves, in the 98% of rows that fit best.

    A shift leaves the last rows without a value, which tables fill somehow.
    """
    variance = float(y.var())
    if variance == 0:
        return 1.0
    design = np.column_stack([x, np.ones(len(y))])
    rows = np.arange(len(y))
    off = np.zeros(len(y))
    for _ in range(3):
        off = (design @ np.linalg.lstsq(design[rows], y[rows], rcond=None)[0] - y) ** 2
        rows = np.argsort(off, kind="stable")[: int(0.98 * len(y))]
    return float(off[rows].mean()) / variance
