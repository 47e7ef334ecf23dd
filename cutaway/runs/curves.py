"""Series that have a class (heartbeats, gestures, sensor curves): ready to train on."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data import TableArrays, read_ucr, read_ucr_pair
from cutaway.errors import DataError, expect_choice
from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options import TrainingOptions
from cutaway.runs.preprocessing import Preprocessing, class_target, expect_format
from cutaway.runs.split import kept_back, split_validation
from cutaway.train.blocks import expect_batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurveOptions(TrainingOptions):
    """Options of a training on series that have a class; None lets the data decide.

    Attributes:
        model: "curve_cnn", see models.cnn.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1000, 50, 500
    LEAST_BATCH, MOST_BATCH = 16, 128

    weight_decay: float = 0.01
    dropout: float = 0.0
    model: str = "curve_cnn"

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("curve_cnn",), what="model for labeled series")


class CurveRows(Preprocessing):
    """How long the series are, and what their classes are.

    Attributes:
        length: steps of each series.
    """

    examples = "series"

    def __init__(self, length: int, target):
        self.length = length
        self.target = target

    @classmethod
    def from_json(cls, value: dict) -> "CurveRows":
        expect_format(value, "labeled series")
        target = class_target("class", value["classes"], np.zeros(0, int))
        target.counts[:] = value["counts"]
        return cls(value["length"], target)

    def to_json(self) -> dict:
        return {
            "kind": "labeled series",
            "format": 1,
            "length": self.length,
            "classes": self.classes,
            "counts": self.target.counts,
        }

    def read(self, source):
        """The series of a file, or the test file of a folder."""
        path = Path(source)
        found = read_ucr_pair(path)[1] if path.is_dir() else read_ucr(path, classes=self.classes)
        return curve_frame(found)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        x = frame["values"].to_numpy()[:, :, None]  # (rows, time, 1)
        if x.shape[1] != self.length:
            raise DataError(
                f"series of {x.shape[1]} steps", expected=f"{self.length} steps, as in training"
            )
        y = None
        if with_target:
            y = np.array([self.classes.index(name) for name in frame["class"]], np.int32)
        return TableArrays(x, y, np.arange(len(x)), [])


def curve_frame(found):
    """LabeledSeries as a frame with the columns values and class."""
    import polars as pl

    names = [found.classes[k] for k in found.y]
    return pl.DataFrame({"values": found.x[:, :, 0], "class": names})


def prepare_curves(path, options: CurveOptions | None = None, *, why: str = "") -> Experiment:
    """Read and split series that have a class, and build the network for them.

    Args:
        path: of a file of the UCR archive, or of a folder with its training and test file.
    """
    options = CurveOptions() if options is None else options
    path = Path(path)
    first, test = read_ucr_pair(path) if path.is_dir() else (read_ucr(path), None)
    frame = curve_frame(first)
    rows = CurveRows(first.x.shape[1], class_target("class", first.classes, first.y))
    arrays = rows.transform(frame)
    kept = dataclasses.replace(options, test=0.0) if test is not None else options
    training, held, tested = split_validation(arrays.y, kept, stratify=True)
    expect_batch(options.batch(len(training)), len(training))
    rows.target = class_target("class", first.classes, arrays.y[training])
    test_arrays, notes = kept_back(arrays.x, arrays.y, tested, "series")
    if test is not None:
        found = rows.transform(curve_frame(test))
        test_arrays = (found.x, found.y)
        notes.append(f"the test file ({len(found.x):,} series) is used at the end alone")
    seed(options.seed)
    known = arrays.x[training]
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["multiclass"],
        "channels": 1,
        "outputs": len(first.classes),
        "widths": [128, 256, 128],
        "dropout": options.dropout,
        "mean": [float(known.mean())],
        "std": [float(known.std()) or 1.0],
    }
    return Experiment(
        kind="labeled series",
        source=str(path),
        target="class",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=training,
        held=held,
        row_numbers=np.arange(len(frame)) + 1,
        x=arrays.x,
        y=arrays.y,
        spec=spec,
        net=build_network(spec),
        notes=notes,
        why=why,
        test=test_arrays,
    )
