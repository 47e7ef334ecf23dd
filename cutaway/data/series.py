"""Time series: reading, windows and scaling."""

import dataclasses

import numpy as np

from cutaway.data.dates import find_dates
from cutaway.data.float32 import expect_float32
from cutaway.data.read import read_table
from cutaway.errors import DataError, OptionError, did_you_mean, expect_range
from cutaway.files.content import naming_source

# usual seasons for each step between two dates, in steps
SEASONS = {"hour": (24, 168), "day": (7, 365), "week": (52,), "month": (12,), "quarter": (4,)}
EQUAL_FRACTION = 0.95  # a daily series without 29 February still counts as equally spaced


@dataclasses.dataclass(frozen=True)
class Series:
    """One or more series over the same times.

    Attributes:
        values: (time, channels) float64.
        names: of the channels.
        times: as many dates or times as values, or None.
        step: "hour", "day", "week", "month", "quarter", "year", or None for any other.
    """

    values: np.ndarray
    names: list
    times: list | None
    step: str | None


@naming_source("a series")
def read_series(source, *, time=None, columns=None) -> Series:
    """Read the series in a table with one row per time.

    Args:
        source: path of a table, or a frame or dict of columns.
        time: date column; by default the first column, if it holds dates.
        columns: the series; by default all other numeric columns.

    Raises:
        DataError: no such column, no numbers, missing values, times that are not in order.
    """
    frame = read_table(source)
    for name in [*([] if time is None else [time]), *(columns or ())]:
        if name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    times = as_times(frame[time or frame.columns[0]])
    if times is None and time is not None:
        raise DataError(
            f"the column {time!r} does not hold dates, for example {frame[time][0]!r}",
            expected="dates like 2024-01-31, or times like 2024-01-31 13:00",
        )
    if times is not None:
        time = time or frame.columns[0]
        _expect_order(times, time)
    if columns is None:
        columns = [n for n, dtype in frame.schema.items() if n != time and dtype.is_numeric()]
    for name in columns:
        _expect_numbers(frame[name], times)
    if not columns:
        raise DataError("the table has no numeric column", expected="at least one series")
    values = frame.select(columns).to_numpy().astype(np.float64)
    return Series(
        values,
        list(columns),
        None if times is None else times.to_list(),
        None if times is None else step_between(times),
    )


def as_times(column):
    """A column as polars dates or, with a time of day, as times; None if some are neither."""
    import polars as pl

    recipe = None if column.null_count() else find_dates(column)
    if recipe is None:
        return None
    times = recipe.parse(column)
    if times.null_count():
        return None
    return times if recipe.has_time else times.cast(pl.Date)


def step_between(times):
    """The name of the step between nearly all consecutive times, or None."""
    import polars as pl

    if len(times) < 3:
        return None
    seconds = times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy() // 10**6
    steps = np.diff(seconds)
    limits = {  # months and years are of unequal length
        "hour": (3600, 3600),
        "day": (86_400, 86_400),
        "week": (7 * 86_400, 7 * 86_400),
        "month": (28 * 86_400, 31 * 86_400),
        "quarter": (90 * 86_400, 92 * 86_400),
        "year": (365 * 86_400, 366 * 86_400),
    }
    for name, (least, most) in limits.items():
        if ((steps >= least) & (steps <= most)).mean() >= EQUAL_FRACTION:
            return name
    return None


def equal_steps(times) -> bool:
    """Whether the times are in order and nearly all equally spaced."""
    import polars as pl

    if len(times) < 3:
        return False
    if step_between(times) is not None:
        return True
    steps = np.diff(times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy())
    values, counts = np.unique(steps, return_counts=True)
    best = counts.argmax()
    return bool(values[best] > 0 and counts[best] >= EQUAL_FRACTION * len(steps))


def windows(values, window: int, horizon: int = 1, *, stride: int = 1, targets=None):
    """Sliding windows and the values that follow them.

        x[k] = values[k stride : k stride + window]
        y[k] = values[k stride + window : k stride + window + horizon, targets]

    Args:
        values: (time, channels) or (time,).
        window: time steps per input window.
        horizon: time steps to forecast.
        stride: time steps from one window to the next.
        targets: indices of the channels to forecast; by default all.

    Returns:
        x (rows, window, channels), y (rows, horizon, targets); views of the values.

    Raises:
        DataError: the series is shorter than a window and its horizon.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import windows
        >>> x, y = windows(np.arange(5.0), window=3, horizon=1)
        >>> x[:, :, 0].tolist(), y[:, :, 0].tolist()
        ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0], [4.0]])
    """
    values = as_channels(values)
    expect_range(window, what="window", least=1)
    expect_range(horizon, what="horizon", least=1)
    expect_range(stride, what="stride", least=1)
    if len(values) < window + horizon:
        raise DataError(
            f"the series has {len(values)} values",
            expected=f"at least {window + horizon}: a window of {window}, a horizon of {horizon}",
            fix=f"use a window of at most {len(values) - horizon}"
            if len(values) > horizon
            else "use a longer series",
        )
    both = np.lib.stride_tricks.sliding_window_view(values, window + horizon, axis=0)[::stride]
    both = np.moveaxis(both, -1, 1)  # (rows, window + horizon, channels)
    y = both[:, window:]
    return both[:, :window], y if targets is None else y[:, :, list(targets)]


def as_channels(values) -> np.ndarray:
    """(time, channels) from (time,) or (time, channels)."""
    values = np.asarray(values)
    if values.ndim == 1:
        return values[:, None]
    if values.ndim != 2:
        raise OptionError(
            f"the series has shape {values.shape}", expected="(time,) or (time, channels)"
        )
    return values


@dataclasses.dataclass(frozen=True)
class Scaling:
    """(values - mean) / std per channel, fitted on the training rows only.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Scaling
        >>> scaling = Scaling.fit(np.array([[1.0], [3.0]]))
        >>> scaling.scale(np.array([[5.0]])).tolist(), scaling.unscale(np.array([[3.0]])).tolist()
        ([[3.0]], [[5.0]])
    """

    mean: tuple
    std: tuple

    @classmethod
    def fit(cls, values) -> "Scaling":
        values = as_channels(values)
        std = values.std(axis=0)
        std = np.where(std > 0, std, 1.0)
        return cls(tuple(map(float, values.mean(axis=0))), tuple(map(float, std)))

    def scale(self, values) -> np.ndarray:
        """(..., channels) with mean 0 and standard deviation 1."""
        return (np.asarray(values) - np.array(self.mean)) / np.array(self.std)

    def unscale(self, values, targets=None) -> np.ndarray:
        """The inverse of `scale`: (..., channels), or (..., targets) for these channels."""
        chosen = slice(None) if targets is None else list(targets)
        return np.asarray(values) * np.array(self.std)[chosen] + np.array(self.mean)[chosen]


def _expect_order(times, name):
    if not times.is_sorted():
        at = next(k for k in range(1, len(times)) if times[k] < times[k - 1])
        raise DataError(
            f"the times in {name!r} are not in order: {times[at]} follows {times[at - 1]}",
            expected="rows sorted by time",
            fix="sort the table by that column",
        )


def _expect_numbers(series, times):
    if not series.dtype.is_numeric():
        raise DataError(
            f"the column {series.name!r} holds {series.dtype}, for example {series[0]!r}",
            expected="numbers",
        )
    values = series.cast(float).fill_null(float("nan")).to_numpy()
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        where = f"row {bad[0]}" if times is None else f"{times[int(bad[0])]}"
        raise DataError(
            f"{series.name!r} has no number in {len(bad)} of {len(values)} rows, first at {where}",
            expected="a number at every time",
            fix="fill the gaps, for example with the previous value",
        )
    expect_float32(values, f"the column {series.name!r}")
