"""Time-series classification (heartbeats, gestures, sensor signals): options and preparation."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data import TableArrays, UCRDataset, read_ucr, read_ucr_pair
from cutaway.errors import DataError
from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.time_series_classification import TimeSeriesClassificationOptions
from cutaway.runs.preprocessing import Preprocessing, class_target, expect_format
from cutaway.runs.split import make_test_set, split_validation
from cutaway.train.blocks import expect_batch


class TimeSeriesClassificationRows(Preprocessing):
    """Preprocessing for time-series classification: the length of the series and the classes.

    Attributes:
        length: time steps of each series.
    """

    examples = "series"

    def __init__(self, length: int, target):
        self.length = length
        self.target = target

    @classmethod
    def from_json(cls, value: dict) -> "TimeSeriesClassificationRows":
        expect_format(value, "time-series-classification")
        target = class_target("class", value["classes"], np.zeros(0, int))
        target.counts[:] = value["counts"]
        return cls(value["length"], target)

    def to_json(self) -> dict:
        return {
            "kind": "time-series-classification",
            "format": 1,
            "length": self.length,
            "classes": self.classes,
            "counts": self.target.counts,
        }

    def read(self, source):
        """The series in a file, or in the test file of a folder."""
        path = Path(source)
        read = read_ucr_pair(path)[1] if path.is_dir() else read_ucr(path, classes=self.classes)
        return ucr_frame(read)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        x = frame["values"].to_numpy()[:, :, None]  # (rows, time, 1)
        if x.shape[1] != self.length:
            raise DataError(
                f"the series have {x.shape[1]} steps",
                expected=f"{self.length} steps, as in training",
            )
        y = None
        if with_target:
            classes = self.class_names()
            y = np.array([classes.index(name) for name in frame["class"]], np.int32)
        return TableArrays(x, y, np.arange(len(x)), [])


def ucr_frame(data: UCRDataset):
    """A UCRDataset as a polars frame with the columns values and class."""
    import polars as pl

    names = [data.classes[k] for k in data.y]
    return pl.DataFrame({"values": data.x[:, :, 0], "class": names})


def prepare_time_series_classification(
    path, options: TimeSeriesClassificationOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read and split labeled time series, and build a network for them.

    Args:
        path: a file of the UCR archive, or a folder with its training and test files.
    """
    options = TimeSeriesClassificationOptions() if options is None else options
    path = Path(path)
    first, test = read_ucr_pair(path) if path.is_dir() else (read_ucr(path), None)
    frame = ucr_frame(first)
    rows = TimeSeriesClassificationRows(
        first.x.shape[1], class_target("class", first.classes, first.y)
    )
    arrays = rows.transform(frame)
    own = dataclasses.replace(options, test=0.0) if test is not None else options
    training, validation, test_rows = split_validation(arrays.targets, own, stratify=True)
    expect_batch(options.batch(len(training)), len(training))
    rows.target = class_target("class", first.classes, arrays.targets[training])
    test_arrays, notes = make_test_set(arrays.x, arrays.targets, test_rows, "series")
    if test is not None:
        found = rows.transform(ucr_frame(test))
        test_arrays = (found.x, found.y)
        notes.append(f"test file: {len(found.x):,} series, used for the final scores only")
    seed(options.seed)
    x_train = arrays.x[training]
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["multiclass"],
        "channels": 1,
        "outputs": len(first.classes),
        "widths": [128, 256, 128],
        "dropout": options.dropout,
        "mean": [float(x_train.mean())],
        "std": [float(x_train.std()) or 1.0],
    }
    return Experiment(
        kind="time-series-classification",
        source=str(path),
        target="class",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=training,
        validation=validation,
        row_numbers=np.arange(len(frame)) + 1,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=build_network(spec),
        notes=notes,
        why=why,
        test=test_arrays,
    )
