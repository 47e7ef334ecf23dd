"""A time series to forecast."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import BY_CONTENTS, DataKind, NetworkInput, Sign
from cutaway.runs.options.series import SeriesOptions

if TYPE_CHECKING:
    from cutaway.runs.series import SeriesRows


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
        """A first column of equally spaced dates and a numeric column, and nothing else."""
        from cutaway.data.series import as_times, equal_steps, step_between

        if source.target is not None or not source.is_table:
            return None
        frame = source.frame
        if frame.width != 2:
            return None
        columns = source.columns
        numbers = [c.name for c in columns[1:] if frame[c.name].dtype.is_numeric()]
        if len(numbers) != 1:
            return None
        times = as_times(frame[columns[0].name])
        if times is None or not times.is_sorted() or not equal_steps(times):
            return None
        step = step_between(times)
        spacing = f"one per {step}" if step else "equally spaced"
        return Sign(f"{columns[0].name!r} holds dates, {spacing}, and {numbers[0]!r} numbers")

    def preprocessing(self):
        from cutaway.runs.series import SeriesRows

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

    def describe_outputs(self, rows: "SeriesRows", loss):
        mean, scale = rows.target.mean, rows.target.scale
        return [
            f"{rows.target.name}, {rows.horizon} steps ahead, standardized: "
            f"value = output x {scale!r} + {mean!r}"
        ]


def _build(spec):
    from cutaway.models import Forecaster

    return Forecaster(
        spec["channels"],
        spec["outputs"],
        hidden=spec["hidden"],
        target=spec["target"],
        dropout=spec["dropout"],
    )
