"""A time series to forecast."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import BY_CONTENTS, DataKind, NetworkInput, Sign
from cutaway.runs.options.series import SeriesOptions

if TYPE_CHECKING:
    from cutaway.runs.series_rows import SeriesRows


class SeriesKind(DataKind):
    """A time series to forecast, from a table with a row per time."""

    name = "series"
    title = "a time series to forecast"
    place = 4
    asked = BY_CONTENTS
    options = SeriesOptions
    network = "an LSTM over a window of past values"
    target_option = "column"
    windows = True

    def recognize(self, source):
        """Equally spaced dates and a numeric column, and nothing else but a column of groups."""
        if source.target is not None or not source.is_table:
            return None
        if source.frame.width == 2:
            return _one_series(source.frame)
        return _several_series(source.frame) if source.frame.width == 3 else None

    def preprocessing(self):
        from cutaway.runs.series_rows import SeriesRows

        return SeriesRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.series import prepare_series

        return prepare_series(data, options, why=why)

    def networks(self):
        return {"lstm": _build}

    def network_inputs(self, rows: "SeriesRows"):
        sentences = [
            f"the last {rows.window} steps, oldest first, of these columns, each as "
            "(x - mean) / std:"
        ]
        for name, mean, std in zip(rows.columns, rows.scaling.mean, rows.scaling.std, strict=True):
            sentences.append(f"{name}: mean {mean:.6g}, std {std:.6g}")
        return [NetworkInput("window", (rows.window, len(rows.columns)), "float32", sentences)]

    def step_names(self, rows: "SeriesRows", x, frame):
        return rows.times_of_window(frame)

    def encoding(self, rows: "SeriesRows", x, frame, spec):
        from cutaway.runs.row_encoding import series_encoding

        return series_encoding(rows, x)

    def describe_outputs(self, rows: "SeriesRows", loss):
        mean, scale = rows.target.mean, rows.target.scale
        return [
            f"{rows.target.name}, {rows.horizon} steps ahead, standardized: "
            f"value = output x {scale!r} + {mean!r}"
        ]


def _one_series(frame) -> Sign | None:
    from cutaway.data.times import as_times, equal_steps

    time, name = frame.columns
    if not frame[name].dtype.is_numeric():
        return None
    times = as_times(frame[time])
    if times is None or not times.is_sorted() or not equal_steps(times):
        return None
    return Sign(f"{time!r} holds dates, {_spacing(times)}, and {name!r} numbers")


def _several_series(frame) -> Sign | None:
    from cutaway.data.groups import find_group, parts_of
    from cutaway.data.times import as_times, equal_steps

    for time in frame.columns:
        times = as_times(frame[time])
        group = None if times is None else find_group(frame, time, times)
        if times is None or group is None:
            continue
        [name] = [n for n in frame.columns if n not in (time, group)]
        each = [times[part.rows] for part in parts_of(frame, group)]
        if frame[name].dtype.is_numeric() and all(t.is_sorted() and equal_steps(t) for t in each):
            return Sign(
                f"{time!r} holds dates, {_spacing(each[0])} for each of {len(each):,} values of "
                f"{group!r}, and {name!r} numbers"
            )
    return None


def _spacing(times) -> str:
    from cutaway.data.times import step_between

    step = step_between(times)
    return f"one per {step}" if step else "equally spaced"


def _build(spec):
    from cutaway.models import Forecaster

    return Forecaster(
        spec["channels"],
        spec["outputs"],
        hidden=spec["hidden"],
        target=spec["target"],
        dropout=spec["dropout"],
    )
