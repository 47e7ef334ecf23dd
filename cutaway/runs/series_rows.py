"""Preprocessing of time series: windows, scaling, and how their dates go on."""

import dataclasses
from typing import Literal

import msgspec
import numpy as np

from cutaway.data import Scaling, TableArrays, read_series
from cutaway.data.date_writing import date_writer
from cutaway.data.dates import DateRecipe
from cutaway.data.fingerprint import hash_examples
from cutaway.data.float32 import to_float32
from cutaway.data.grouped_series import windows_of_parts
from cutaway.data.groups import SeriesPart, parts_of
from cutaway.data.json_types import Count, Finite, Positive, Size
from cutaway.data.table_reading import TableReading
from cutaway.data.target import Target
from cutaway.errors import DataError
from cutaway.metrics import regression_scores
from cutaway.runs.charts import forecasts
from cutaway.runs.interval import PredictionInterval, interval_json
from cutaway.runs.preprocessing import Preprocessing, expect_format, with_columns
from cutaway.runs.row_predictions import RowPredictions
from cutaway.runs.schema import read_form


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
    group: str | None = None
    dates: DateRecipe | None = None
    interval: PredictionInterval | None = None
    reading: TableReading | None = None

    def __post_init__(self):
        if not len(self.columns) == len(set(self.columns)) == len(self.mean) == len(self.std):
            raise ValueError("columns, mean and std of different lengths, or a column twice")
        if self.column not in self.columns or self.time in self.columns:
            raise ValueError("the column to forecast is not one of the columns, or the time is")
        if (self.time is None) != (self.every is None):
            raise ValueError("a time without steps, or steps without a time")
        if self.group is not None and self.group in (self.time, *self.columns):
            raise ValueError("the group is one of the columns, or the time")
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
        group: the column that tells several series apart, or None.
        dates: how the dates are written, or None.
        reading: how the cells of the table are read; None: by their looks.
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
    group: str | None = None
    dates: DateRecipe | None = None
    interval: PredictionInterval | None = None
    reading: TableReading | None = None

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
            group=found.group,
            dates=found.dates,
            interval=found.interval,
            reading=found.reading,
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
            "group": self.group,
            "dates": None if self.dates is None else dataclasses.asdict(self.dates),
            "interval": interval_json(self.interval),
            "reading": None if self.reading is None else dataclasses.asdict(self.reading),
        }

    def read_written(self, source):
        """A frame with a row per time and group, and its cells; `transform` makes the examples."""
        cells = None
        if self.reading is not None:
            cells = self.reading.cells(source)
            source = self.reading.apply(cells)
        read = read_series(
            source, time=self.time, columns=self.columns, group=self.group, dates=self.dates
        )
        if read.group != self.group:
            raise DataError(
                f"the table holds several series, one for each value of {read.group!r}",
                expected="one series, as in training",
                fix="select the rows of one, or train on a table of several",
            )
        return series_frame(read), cells

    def predict_rows(self, run, data) -> RowPredictions:
        """The forecasts after the end of each series; written with dates as the input has them."""
        frame, cells = self.read_written(data)
        arrays = self.transform(frame, with_target=False)
        found = self.predictions(frame[arrays.rows], run.outputs(arrays.x))
        if cells is None:
            return RowPredictions(found, arrays.notes)
        notes = [*self.notes_of(cells), *arrays.notes]
        own = [name for name in (self.group, self.time) if name is not None]
        header = None
        if cells.header is not None:
            names = dict(zip(cells.frame.columns, cells.header, strict=True))
            header = [name if names[name] is None else names[name] for name in own]
        return RowPredictions(
            found,
            notes,
            cells.separator,
            encoding=cells.encoding,
            decimal=self.decimal_of(cells),
            header=header,
            written=self._as_written(found, frame, cells, arrays.rows),
        )

    def _as_written(self, found, frame, cells, rows) -> dict:
        """{column: texts} of the groups and dates of forecasts as the cells of the input are."""
        import polars as pl

        texts = {}
        written = {c.name: c for c in cells.frame.get_columns() if c.dtype == pl.String}
        if self.group in written:
            last = written[self.group].gather(rows)
            texts[self.group] = pl.Series([text for text in last for _ in range(self.horizon)])
        if self.time in written and self.dates is not None:
            writer = date_writer(written[self.time], frame[self.time], self.dates)
            dates = None if writer is None else writer(found[self.time].to_list())
            if dates is not None:
                texts[self.time] = pl.Series(dates)
        return texts

    def hashes(self, frame, *, sampled=None):
        own = [name for name in (self.group, self.time) if name is not None]
        columns = [*own, *self.columns]
        return hash_examples(frame, unit="time steps", columns=columns)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """Windows of the series, of one series after the other.

        Returns:
            with the target: every window that a complete horizon follows, and the row of the first
            value of that horizon; without: the last window and the last row of each series.
        """
        scaled = self.scaling.scale(frame.select(self.columns).to_numpy())
        values = to_float32(scaled, "the series, scaled as in training,")
        parts = parts_of(frame, self.group)
        if with_target:
            x, y, rows = windows_of_parts(
                values, parts, self.window, self.horizon, targets=[self.channel]
            )
            return TableArrays(np.ascontiguousarray(x), y[:, :, 0].copy(), rows, [])
        ready = [part for part in parts if len(part.rows) >= self.window]
        if not ready:
            raise DataError(
                f"the series has {max(len(part.rows) for part in parts)} values",
                expected=f"at least {self.window}, the input window of the network",
                fix="provide more past values",
            )
        last = np.stack([values[part.rows[-self.window :]] for part in ready])
        short = [part for part in parts if len(part.rows) < self.window]
        notes = [self.left_out(short, "too short for a window", len(parts))] if short else []
        return TableArrays(last, None, np.array([part.rows[-1] for part in ready]), notes)

    def left_out(self, short: list[SeriesPart], why: str, count: int) -> str:
        """A note about series that are left out."""
        names = ", ".join(repr(part.label) for part in short[:3])
        more = ", ..." if len(short) > 3 else ""
        return f"{len(short)} of {count} series are {why}, left out: {self.group} {names}{more}"

    def untransform_target(self, y) -> np.ndarray:
        """(rows, horizon) in the unit of the series, also for a horizon of 1."""
        return super().untransform_target(y).reshape(len(y), self.horizon)

    def input_parts(self) -> list[tuple[str, tuple]]:
        """(column, index in an encoded window) of each column."""
        return [(name, (slice(None), k)) for k, name in enumerate(self.columns)]

    def reasons(self, run, x, truth, outputs):
        from cutaway.runs.importance import importance_reasons

        return importance_reasons(
            lambda rows: run.outputs, x, truth, self.input_parts(), self.classes,
            examples=self.examples, target=self.target.name,
        )  # fmt: skip

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
        """The values after the end of each series, with their dates if there are dates."""
        import polars as pl

        groups = [] if self.group is None else frame[self.group].to_list()
        each = []
        found = self.prediction_columns(outputs)
        for k in range(len(outputs)):
            columns: dict = {} if self.group is None else {self.group: [groups[k]] * self.horizon}
            if self.time is None:
                columns["step"] = np.arange(self.horizon) + 1
            else:
                columns[self.time] = self._dates(frame[k : k + 1])
            ahead = {name: values[k] for name, values in found.items()}
            each.append(with_columns(pl.DataFrame(columns), ahead))
        return pl.concat(each)

    def _dates(self, frame):
        import polars as pl

        assert self.every is not None  # where there is a date column
        count, unit = self.every
        last = frame[self.time]
        ahead = [last.dt.offset_by(f"{count * (k + 1)}{unit}") for k in range(self.horizon)]
        dates = pl.concat(ahead)
        return dates.dt.month_end() if self.month_end else dates

    def times_of_window(self, frame) -> list[str]:
        """The times of the steps of a window, which end before the row of this frame."""
        if self.time is None or self.every is None:
            return [f"step {k + 1}" for k in range(self.window)]
        count, unit = self.every
        import polars as pl

        first = frame[self.time]
        back = [first.dt.offset_by(f"-{count * k}{unit}") for k in range(self.window, 0, -1)]
        times = pl.concat(back)
        return [str(time) for time in (times.dt.month_end() if self.month_end else times)]

    def summary_rows(self) -> list:
        rows = []
        for name, mean, std in zip(self.columns, self.scaling.mean, self.scaling.std, strict=True):
            use = f"input window {self.window}"
            if name == self.target.name:
                use += f", forecast horizon {self.horizon}"
            rows.append((name, "series", use, f"{mean:.4g}", f"{std:.4g}"))
        return rows

    def chart(self, frame, truth, outputs) -> str:
        title = self.target.name
        if self.group is not None:  # of the first series: they are not one after the other
            first = frame[self.group][0]
            shown = (frame[self.group] == first).to_numpy()
            frame, truth, outputs = frame.filter(shown), truth[shown], outputs[shown]
            title = f"{title} ({self.group} {first})"
        times = None if self.time is None else [str(t) for t in frame[self.time]]
        return forecasts(truth, outputs, title, times)


def series_target(name: str, scaling: Scaling, channel: int, count: int) -> Target:
    """The Target for the column to forecast."""
    mean, scale = scaling.mean[channel], scaling.std[channel]
    return Target(name, "regression", None, mean, scale, [count], [])


def series_frame(series):
    """A Series as a polars frame: its times and groups, if it has any, and a column per channel."""
    import polars as pl

    columns = {} if series.time is None else {series.time: series.times}
    columns |= {} if series.group is None else {series.group: series.groups}
    return pl.DataFrame(columns | dict(zip(series.names, series.values.T, strict=True)))
