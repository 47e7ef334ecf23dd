"""Time-series classification (heartbeats, gestures, sensor signals): options and preparation."""

import os
from pathlib import Path

import numpy as np

from cutaway.data import TableArrays, UCRDataset, read_ucr, read_ucr_pair
from cutaway.data.json_types import Size
from cutaway.errors import DataError
from cutaway.runs.experiment import Experiment
from cutaway.runs.labeled_sets import prepare_over_time
from cutaway.runs.options.time_series_classification import TimeSeriesClassificationOptions
from cutaway.runs.preprocessing import (
    Preprocessing,
    class_target,
    expect_format,
    stored_classes,
)
from cutaway.runs.schema import Classes, read_form


class TimeSeriesClassificationForm(Classes):
    """preprocessing.json of time-series classification."""

    length: Size
    channels: Size = 1


class TimeSeriesClassificationRows(Preprocessing):
    """Preprocessing for time-series classification: the length of the series and the classes.

    Attributes:
        length: time steps of each series.
        channels: number of values at each time.
    """

    examples = "series"

    def __init__(self, length: int, target, channels: int = 1):
        self.length = length
        self.channels = channels
        self.target = target

    @classmethod
    def from_json(cls, value: dict) -> "TimeSeriesClassificationRows":
        expect_format(value, "time-series-classification")
        found = read_form(value, TimeSeriesClassificationForm)
        return cls(found.length, stored_classes(found), found.channels)

    def to_json(self) -> dict:
        return {
            "kind": "time-series-classification",
            "format": 1,
            "length": self.length,
            "channels": self.channels,
            "classes": self.classes,
            "counts": self.target.counts,
        }

    def read(self, source):
        """The series in a file, or in the test file of a folder."""
        path = Path(source)
        read = (
            read_ucr_pair(path)[1] if os.path.isdir(path) else read_ucr(path, classes=self.classes)
        )
        return ucr_frame(read)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        x = frame["values"].to_numpy()  # (rows, time, channels)
        if x.shape[1] != self.length:
            raise DataError(
                f"the series have {x.shape[1]} steps",
                expected=f"{self.length} steps, as in training",
            )
        if x.shape[2] != self.channels:
            raise DataError(
                f"the series have {x.shape[2]} channels",
                expected=f"{self.channels} channels, as in training",
            )
        y = self.class_numbers(frame) if with_target else None
        return TableArrays(x, y, np.arange(len(x)), [])

    def input_parts(self) -> list[tuple[str, tuple]]:
        """(channel, index in an encoded series) of each channel."""
        return [(f"channel {k + 1}", (slice(None), k)) for k in range(self.channels)]

    def reasons(self, run, x, truth, outputs):
        from cutaway.runs.importance import importance_reasons

        return importance_reasons(
            lambda rows: run.outputs, x, truth, self.input_parts(), self.classes,
            examples=self.examples, target=self.target.name, columns="channel",
        )  # fmt: skip


def ucr_frame(data: UCRDataset):
    """A UCRDataset as a polars frame with the columns values and class."""
    import polars as pl

    names = [data.classes[k] for k in data.y]
    return pl.DataFrame({"values": data.x, "class": names})


def _scale(x) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel."""
    std = x.std(axis=(0, 1))
    return x.mean(axis=(0, 1)).tolist(), np.where(std > 0, std, 1.0).tolist()


def prepare_time_series_classification(
    path, options: TimeSeriesClassificationOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read and split labeled time series, and build a network for them.

    Args:
        path: a file of the UCR or UEA archive, or a folder with its training and test files.
    """
    options = TimeSeriesClassificationOptions() if options is None else options
    path = Path(path)
    first, test = read_ucr_pair(path) if os.path.isdir(path) else (read_ucr(path), None)
    sets = {"train": ucr_frame(first)} | ({} if test is None else {"test": ucr_frame(test)})
    target = class_target("class", first.classes, first.y)
    return prepare_over_time(
        "time-series-classification",
        path,
        options,
        TimeSeriesClassificationRows(first.x.shape[1], target, first.x.shape[2]),
        sets,
        scale=_scale,
        why=why,
        tests="test file",
    )
