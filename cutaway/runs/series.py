"""Time-series forecasting, from a table with a row per time: options and preparation."""

import dataclasses
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from cutaway.data import Scaling, TableArrays, read_series, read_table, windows
from cutaway.data.fingerprint import hash_examples
from cutaway.data.float32 import to_float32
from cutaway.data.forecast import chronological_split, expect_long_enough, find_season
from cutaway.data.json_types import Count, Finite, Positive, Size
from cutaway.data.leak_series import find_future
from cutaway.data.series import step_between
from cutaway.data.target import Target
from cutaway.errors import DataError, OptionError
from cutaway.metrics import regression_scores
from cutaway.nn import seed
from cutaway.runs.charts import forecasts
from cutaway.runs.experiment import IN_MEMORY, Experiment
from cutaway.runs.interval import PredictionInterval, interval_json
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.preprocessing import Preprocessing, expect_format, with_columns
from cutaway.runs.schema import read_form
from cutaway.runs.split import expect_in_order, make_test_set
from cutaway.train.blocks import expect_batch

# usual forecast horizons
HORIZONS = {"hour": 24, "day": 7, "week": 4, "month": 12, "quarter": 4}
LEAST_WINDOW = 24
LONGEST_SEASON = 200  # an LSTM learns little over more steps; excludes a yearly season of days
OFFSETS = {
    "hour": (1, "h"),
    "day": (1, "d"),
    "week": (7, "d"),
    "month": (1, "mo"),
    "quarter": (3, "mo"),
    "year": (12, "mo"),
}


class SeriesForm(msgspec.Struct):
    """preprocessing.json of a time series."""

    column: str
    columns: list[str]
    time: str | None
    every: tuple[Size, Literal["h", "d", "mo", "s"]] | None
    month_end: bool
    window: Size
    horizon: Size
    season: Size
    mean: list[Finite]
    std: list[Positive]
    count: Count
    interval: PredictionInterval | None = None

    def __post_init__(self):
        if not len(self.columns) == len(set(self.columns)) == len(self.mean) == len(self.std):
            raise ValueError("columns, mean and std of different lengths, or a column twice")
        if self.column not in self.columns or self.time in self.columns:
            raise ValueError("the column to forecast is not one of the columns, or the time is")
        if (self.time is None) != (self.every is None):
            raise ValueError("a time without steps, or steps without a time")
        if self.season > self.window:
            raise ValueError(f"a season of {self.season} in a window of {self.window}")
        if self.interval is not None and len(self.interval.lower) != self.horizon:
            raise ValueError("an interval for another horizon")


@dataclasses.dataclass(kw_only=True)
class SeriesRows(Preprocessing):
    """Preprocessing of a time series: windows, scaling, and the spacing of its dates.

    Attributes:
        columns: the input columns, the target among them.
        time: the date column, or None.
        every: (count, unit) between two dates, units as in polars ("h", "d", "mo", "s"); None
            without dates.
        month_end: whether all dates are last days of months.
        window, horizon, season: see SeriesOptions.
        scaling: of the columns, fitted on the training rows.
        target: the Target: mean and scale of the column to forecast.
    """

    columns: list
    time: str | None
    every: tuple | None
    month_end: bool
    window: int
    horizon: int
    season: int
    scaling: Scaling
    target: Target
    interval: PredictionInterval | None = None

    examples = "windows"
    headings = ("column", "kind", "use", "mean", "std")

    @property
    def baseline(self) -> str:
        if self.season == 1:
            return "naive forecast, the last value"
        return f"seasonal naive forecast, season {self.season}"

    @property
    def outputs(self) -> int:
        return self.horizon

    @property
    def channel(self) -> int:
        """Index of the column to forecast."""
        return self.columns.index(self.target.name)

    @classmethod
    def from_json(cls, value: dict) -> "SeriesRows":
        expect_format(value, "series")
        found = read_form(value, SeriesForm)
        scaling = Scaling(tuple(found.mean), tuple(found.std))
        channel = found.columns.index(found.column)
        return cls(
            columns=found.columns,
            time=found.time,
            every=found.every,
            month_end=found.month_end,
            window=found.window,
            horizon=found.horizon,
            season=found.season,
            scaling=scaling,
            target=series_target(found.column, scaling, channel, found.count),
            interval=found.interval,
        )

    def to_json(self) -> dict:
        return {
            "kind": "series",
            "format": 1,
            "column": self.target.name,
            "columns": self.columns,
            "time": self.time,
            "every": self.every,
            "month_end": self.month_end,
            "window": self.window,
            "horizon": self.horizon,
            "season": self.season,
            "mean": list(self.scaling.mean),
            "std": list(self.scaling.std),
            "count": self.target.counts[0],
            "interval": interval_json(self.interval),
        }

    def read(self, source):
        """A frame with a row per time; `transform` makes the examples."""
        return series_frame(read_series(source, time=self.time, columns=self.columns), self.time)

    def hashes(self, frame, *, sampled=None):
        columns = [*([] if self.time is None else [self.time]), *self.columns]
        return hash_examples(frame, unit="time steps", columns=columns)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """Windows of the series.

        Returns:
            with the target: every window that a complete horizon follows, and the row of the first
            value of that horizon; without: the last window and the last row.
        """
        scaled = self.scaling.scale(frame.select(self.columns).to_numpy())
        values = to_float32(scaled, "the series, scaled as in training,")
        if with_target:
            x, y = windows(values, self.window, self.horizon, targets=[self.channel])
            rows = np.arange(len(x)) + self.window
            return TableArrays(np.ascontiguousarray(x), y[:, :, 0].copy(), rows, [])
        if len(values) < self.window:
            raise DataError(
                f"the series has {len(values)} values",
                expected=f"at least {self.window}, the input window of the network",
                fix="provide more past values",
            )
        return TableArrays(values[None, -self.window :], None, np.array([len(values) - 1]), [])

    def untransform_target(self, y) -> np.ndarray:
        """(rows, horizon) in the unit of the series, also for a horizon of 1."""
        return super().untransform_target(y).reshape(len(y), self.horizon)

    def naive(self, x) -> np.ndarray:
        """(rows, horizon): the seasonal naive forecast after each window, in its unit."""
        ahead = np.arange(self.horizon)
        back = self.window + ahead - self.season * (ahead // self.season + 1)
        return self.untransform_target(x[:, back, self.channel])

    def score(self, y, outputs, x) -> dict:
        """Scores over all forecast steps; the baseline is the seasonal naive forecast."""
        truth = self.truth(y)
        baseline = float(np.abs(truth - self.naive(x)).mean())
        scores = regression_scores(truth.ravel(), outputs.ravel())
        return {**scores, "baseline_mean_absolute_error": baseline}

    def predictions(self, frame, outputs):
        """The values after the end of the series, with their dates if there are dates."""
        import polars as pl

        found = {name: values[0] for name, values in self.prediction_columns(outputs).items()}
        if self.time is None:
            return pl.DataFrame({"step": np.arange(self.horizon) + 1, **found})
        return with_columns(pl.DataFrame({self.time: self._dates(frame)}), found)

    def _dates(self, frame):
        import polars as pl

        assert self.every is not None  # where there is a date column
        count, unit = self.every
        last = frame[self.time].tail(1)
        ahead = [last.dt.offset_by(f"{count * (k + 1)}{unit}") for k in range(self.horizon)]
        dates = pl.concat(ahead)
        return dates.dt.month_end() if self.month_end else dates

    def summary_rows(self) -> list:
        rows = []
        for name, mean, std in zip(self.columns, self.scaling.mean, self.scaling.std, strict=True):
            use = f"input window {self.window}"
            if name == self.target.name:
                use += f", forecast horizon {self.horizon}"
            rows.append((name, "series", use, f"{mean:.4g}", f"{std:.4g}"))
        return rows

    def chart(self, frame, truth, outputs) -> str:
        times = None if self.time is None else [str(t) for t in frame[self.time]]
        return forecasts(truth, outputs, self.target.name, times)


def series_target(name: str, scaling: Scaling, channel: int, count: int) -> Target:
    """The Target for the column to forecast."""
    mean, scale = scaling.mean[channel], scaling.std[channel]
    return Target(name, "regression", None, mean, scale, [count], [])


def series_frame(series, time):
    """A Series as a polars frame: its times, if it has any, and a column per channel."""
    import polars as pl

    columns = {} if time is None else {time: series.times}
    return pl.DataFrame(columns | dict(zip(series.names, series.values.T, strict=True)))


def prepare_series(path, options: SeriesOptions | None = None, *, why: str = "") -> Experiment:
    """Read a series, cut it into windows, split these by time, and build a network for them.

    The validation windows are those whose targets all lie in the last part of the series; windows
    whose targets lie only partly in it are not used.

    Args:
        path: of a table with a row per time, or a frame or dict of columns.
        options: SeriesOptions.
        why: why the data were detected as a series.

    Raises:
        DataError: times out of order, missing values, a series that is too short or constant.
        OptionError: no such column, or several columns and no choice.
    """
    options = SeriesOptions() if options is None else options
    expect_in_order(options.split, "a time series")
    table = read_table(path)
    series = read_series(table)
    column = _choose_column(series, options.column)
    channel = series.names.index(column)
    time = None if series.times is None else table.columns[0]
    length = len(series.values)
    end = chronological_split(length, options.test) if options.test else length
    split = chronological_split(end, options.validation)
    known = series.values[:split]
    if known[:, channel].std() == 0:
        raise DataError(
            f"the series {column!r} is constant: {known[0, channel]:g} in all {split} training "
            "rows",
            expected="values that differ",
        )
    if options.horizon is not None:
        expect_long_enough(end, split, options.window or 1, options.horizon)
    window, horizon, season = _choose_sizes(options, series, channel, split)
    expect_long_enough(end, split, window, horizon)
    if options.test:
        expect_long_enough(length, end, window, horizon)
    frame = series_frame(series, time)
    scaling = Scaling.fit(known)
    every, month_end = (None, False) if time is None else _spacing(frame[time])
    rows = SeriesRows(
        columns=series.names,
        time=time,
        every=every,
        month_end=month_end,
        window=window,
        horizon=horizon,
        season=season,
        scaling=scaling,
        target=series_target(column, scaling, channel, split),
    )
    arrays = rows.transform(frame)
    training = np.flatnonzero(arrays.rows + horizon <= split)
    validation = np.flatnonzero((arrays.rows >= split) & (arrays.rows + horizon <= end))
    test_set, test_notes = make_test_set(
        arrays.x, arrays.targets, np.flatnonzero(arrays.rows >= end), "windows"
    )
    expect_batch(options.batch(len(training)), len(training))
    notes = [f"the last {end - split:,} of {end:,} time steps are used for validation", *test_notes]
    if time is not None and series.step is None:
        notes.append(f"the dates in {time!r} are not equally spaced")
    leaks = find_future(series, column)
    notes += [leak.sentence for leak in leaks]
    seed(options.seed)
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["regression"],
        "channels": len(series.names),
        "outputs": horizon,
        "hidden": options.hidden,
        "target": channel,
        "dropout": options.dropout,
    }
    return Experiment(
        kind="series",
        source=str(path) if isinstance(path, str | Path) else IN_MEMORY,
        target=column,
        options=options,
        frame=frame[arrays.rows],
        preprocessing=rows,
        training=training,
        validation=validation,
        row_numbers=arrays.rows + 1,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=build_network(spec),
        notes=notes,
        leaks=tuple(leaks),
        why=why,
        test=test_set,
        known=(frame, np.arange(split)),
    )


def _choose_column(series, column) -> str:
    if column is None and len(series.names) == 1:
        return series.names[0]
    if column is not None and column in series.names:
        return column
    raise OptionError(
        "no column to forecast was given"
        if column is None
        else f"there is no numeric column {column!r}",
        expected="one of " + ", ".join(series.names),
        fix=f"name it: column={series.names[-1]!r} (--column {series.names[-1]})",
    )


def _choose_sizes(options, series, channel, split) -> tuple:
    """(window, horizon, season), as given or as they suit the series."""
    validation = len(series.values) - split
    horizon = options.horizon or min(HORIZONS.get(series.step, 1), max(1, validation // 2))
    known = series.values[:split, [channel]]
    season = options.season or find_season(
        known, series.step, horizon, longest=options.window or LONGEST_SEASON
    )
    # for a short series: leave at least half of it to cut windows from
    room = max(season, split // 2 - horizon + 1)
    window = options.window or max(1, min(max(2 * season, LEAST_WINDOW), room))
    return window, horizon, season


def _spacing(times) -> tuple:
    """((count, unit) from one of the times to the next, whether all are last days of months)."""
    import polars as pl

    step = step_between(times)
    if step is not None:
        ends = OFFSETS[step][1] == "mo" and bool((times == times.dt.month_end()).all())
        return OFFSETS[step], ends
    if len(times) < 2:
        return (1, "d"), False
    seconds = times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy() / 1e6
    usual = max(1, round(float(np.median(np.diff(seconds)))))
    return ((round(usual / 86_400), "d") if times.dtype == pl.Date else (usual, "s")), False
