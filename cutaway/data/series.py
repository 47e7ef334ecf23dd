"""Time series: reading, windows and scaling."""

import dataclasses

import numpy as np

from cutaway.data.dates import DateRecipe, find_dates
from cutaway.data.float32 import expect_float32
from cutaway.data.groups import find_group, parts_of
from cutaway.data.read import read_table
from cutaway.data.times import EQUAL_FRACTION, as_times, step_between
from cutaway.errors import DataError, OptionError, did_you_mean, expect_range
from cutaway.files.content import naming_source

# usual seasons for each step between two dates, in steps
SEASONS = {"hour": (24, 168), "day": (7, 365), "week": (52,), "month": (12,), "quarter": (4,)}


@dataclasses.dataclass(frozen=True)
class Series:
    """One or more series over the same times.

    Attributes:
        values: (time, channels) float64.
        names: of the channels.
        times: as many dates or times as values, or None.
        step: "hour", "day", "week", "month", "quarter", "year", or None for any other.
        time: name of the column of the times, or None.
        dates: how the times are written, or None.
        group: name of the column that tells several series of one table apart, or None.
        groups: as many values of that column as values, or None.
    """

    values: np.ndarray
    names: list
    times: list | None
    step: str | None
    time: str | None = None
    dates: DateRecipe | None = None
    group: str | None = None
    groups: list | None = None


@naming_source("a series")
def read_series(source, *, time=None, columns=None, group=None, dates=None) -> Series:
    """Read the series in a table with one row per time, or per time and group.

    Args:
        source: path of a table, or a frame or dict of columns.
        time: date column; by default the first column, if it holds dates, or with groups the first
            that does.
        columns: the series; by default all other numeric columns.
        group: column that tells several series apart, each with its own rows; by default, where
            times repeat, the one that makes time and group unique.
        dates: how the times are written, a DateRecipe; by default found over the whole column.

    Raises:
        DataError: no such column, no numbers, missing values, times that are not in order or
            repeat.
    """
    frame = read_table(source)
    for name in [n for n in (time, group, *(columns or ())) if n is not None]:
        if name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    time, times, dates = _find_times(frame, time, group, dates)
    if times is not None:
        group = _choose_group(frame, time, times) if group is None else group
        _expect_order(times, time, frame, group)
    if columns is None:
        numeric = [n for n, dtype in frame.schema.items() if dtype.is_numeric()]
        columns = [n for n in numeric if n not in (time, group)]
    for name in columns:
        _expect_numbers(frame[name], times)
    if not columns:
        raise DataError("the table has no numeric column", expected="at least one series")
    values = frame.select(columns).to_numpy().astype(np.float64)
    one = slice(None) if group is None else (frame[group] == frame[group].mode()[0]).to_numpy()
    return Series(
        values,
        list(columns),
        None if times is None else times.to_list(),
        None if times is None else step_between(times.filter(one) if group else times),
        time,
        dates,
        group,
        None if group is None else frame[group].to_list(),
    )


def _find_times(frame, time, group, dates) -> tuple:
    """(name of the date column, its times, how they are written), each None if there is none."""
    if time is not None:
        return time, *_expect_times(frame[time], dates)
    first, *others = frame.columns
    if dates is not None or find_dates(frame[first]) is not None:
        return first, *_expect_times(frame[first], dates)
    for name in others:  # store, day, sales
        recipe = None if frame[name].dtype.is_numeric() else find_dates(frame[name])
        if recipe is None:
            continue
        times = as_times(frame[name], recipe)
        if times is not None and (group or find_group(frame, name, times)):
            return name, times, recipe
    return None, None, None


def _expect_times(column, dates) -> tuple:
    """(times, how they are written) of a date column."""
    recipe = dates or find_dates(column)
    if recipe is None:
        raise DataError(
            f"the column {column.name!r} does not hold dates, for example {column[0]!r}",
            expected="dates like 2024-01-31, or times like 2024-01-31 13:00",
        )
    times = recipe.parse(column)
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        shown = "no date" if column.dtype.is_temporal() else repr(column[row])
        raise DataError(
            f"the column {column.name!r} holds {shown} in row {row + 1}, "
            f"{times.null_count()} cells that are no dates",
            expected=f"{recipe.sentence()}, in every row",
            fix="fix these cells, or delete their rows",
        )
    return as_times(column, recipe), recipe


def _choose_group(frame, time, times) -> str | None:
    """The group column of a table whose times repeat; None if they do not."""
    repeated = 1 - times.n_unique() / max(1, len(times))
    if not repeated:
        return None
    group = find_group(frame, time, times)
    if group is None and repeated > 1 - EQUAL_FRACTION:
        raise DataError(
            f"the times in {time!r} repeat: {len(times):,} rows hold {times.n_unique():,} times",
            expected="one row per time, or a column that tells several series apart",
            fix="name that column: group=COLUMN (--group COLUMN)",
        )
    return group


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


def _expect_order(times, name, frame, group):
    for part in parts_of(frame, group):
        own = times if group is None else times[part.rows]
        where = "" if group is None else f" of {group} {part.label!r}"
        if not own.is_sorted():
            at = next(k for k in range(1, len(own)) if own[k] < own[k - 1])
            raise DataError(
                f"the times in {name!r}{where} are not in order: {own[at]} follows {own[at - 1]}",
                expected="rows sorted by time",
                fix="sort the table by that column",
            )
        if group is not None and own.n_unique() < len(own):
            raise DataError(
                f"the times in {name!r}{where} repeat: {len(own):,} rows hold "
                f"{own.n_unique():,} times",
                expected="one row per time in each group",
                fix="name the column that tells the series apart: group=COLUMN (--group COLUMN)",
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
