"""Subject: what a studio shows and trains: a program, its data, and what they are called."""

import dataclasses
import math
from typing import Any

import numpy as np

from cutaway.data.robust_scaling import smooth_clip, smooth_unclip
from cutaway.train import Program


@dataclasses.dataclass(frozen=True)
class InputColumn:
    """One column of a network's input, of floating-point numbers.

    Attributes:
        name: in the table; of a column whose logarithm is taken, that of the logarithm.
        low, high, mean: of the training rows, in the table's unit.
        scale, shift: encoded = (value - shift) / scale.
        unit: what the value counts, if the column holds dates: "days since 1970-01-01".
        is_clipped: whether a smooth clip follows; with a scale of 0, every value is encoded as 0.
    """

    name: str
    low: float
    high: float
    mean: float
    scale: float = 1.0
    shift: float = 0.0
    unit: str = ""
    is_clipped: bool = False

    def encoded(self, values) -> np.ndarray:
        """Values of the table as the network gets them."""
        shifted = np.asarray(values, np.float64) - self.shift
        scaled = shifted / self.scale if self.scale else np.zeros_like(shifted)
        return smooth_clip(scaled) if self.is_clipped else scaled

    def decoded(self, values) -> np.ndarray:
        """Values that the network gets, as they are in the table."""
        scaled = np.asarray(values, np.float64)
        if self.is_clipped:
            scaled = smooth_unclip(scaled)
        return scaled * self.scale + self.shift


@dataclasses.dataclass(repr=False, eq=False)
class Subject:
    """What a studio shows and trains.

    Attributes:
        title: of the page.
        kind: of the data, a key of runs.KINDS, or "points" or "arrays".
        task: "binary", "multiclass", "regression", ..., or "" if nothing says what is predicted.
        target: what is predicted.
        examples: what the rows are, in the plural: "rows", "pictures".
        program: the Program that is trained.
        x, y: (rows, ...) encoded inputs and targets of all rows that can be looked at, trees;
            None: there are none.
        training, validation: indices of rows; no row is in both.
        batch_size, seed: of the training.
        stream: what trains in place of the training rows, or None.
        classes: names, or None.
        inputs: of each column, if x is one array (rows, columns) of numbers; otherwise None.
        input_shape: of one row of x, if it is one array; None: not known.
        threshold: probability from which on a pixel is of the second of two classes.
        is_split_meant: see TrainingPlan.is_split_meant.
        notes: sentences for the user.
    """

    title: str
    kind: str
    task: str
    target: str
    examples: str
    program: Program
    x: Any
    y: Any
    training: np.ndarray
    validation: np.ndarray
    batch_size: int = 32
    seed: int = 0
    stream: Any = None
    classes: list[str] | None = None
    inputs: list[InputColumn] | None = None
    input_shape: tuple[int, ...] | None = None
    threshold: float = 0.5
    is_split_meant: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        if self.input_shape is None and hasattr(self.x, "shape"):
            self.input_shape = tuple(self.x.shape[1:])

    def __repr__(self):
        return f"{type(self).__name__}({self.title!r}, {self.program!r})"

    @property
    def can_train(self) -> bool:
        """Whether there are rows with targets; otherwise the network can only be looked at."""
        return self.y is not None and len(self.training) > 0

    def row_title(self, row: int) -> str:
        """What a user calls a row: "row 4 of students.csv", "cats/img_12.png"."""
        return f"{self.examples[:-1]} {row}"

    def picture(self, row: int) -> np.ndarray | None:
        """uint8 (height, width) or (height, width, 3); None: the row is no picture."""
        return None

    def tokens(self, row: int) -> list[str] | None:
        """The words of a text, or names of time steps; None: the row has none.

        Padding, which comes last, has none.
        """
        return None

    def predictions(self, raw: Any) -> Any:
        """Raw outputs (rows, ...) as probabilities, or values in the target's unit.

        Of two classes there are two columns. The outputs of a detector, a tree of boxes, stay so.
        """
        return raw


def columns_of(x, training, described) -> list[InputColumn]:
    """The InputColumns of an array.

    Args:
        x: (rows, columns) floats, as the network gets them.
        training: row indices.
        described: (name, scale, shift, unit, whether clipped) of each column.
    """
    rows = np.asarray(x)[training]
    found = []
    for k, (name, scale, shift, unit, is_clipped) in enumerate(described):
        bare = InputColumn(name, 0.0, 0.0, 0.0, scale, shift, unit, is_clipped)
        values = bare.decoded(rows[:, k])
        low, high, mean = (
            _without_dust(float(f(values)), scale) for f in (np.min, np.max, np.mean)
        )
        found.append(dataclasses.replace(bare, low=low, high=high, mean=mean))
    return found


def _without_dust(value: float, scale: float) -> float:
    """A decoded value without what only single precision adds to it."""
    if scale == 0:
        return value
    return round(value, 5 - math.floor(math.log10(scale))) + 0.0  # -0.0 becomes 0.0


def as_picture(pixels) -> np.ndarray | None:
    """uint8 (height, width, 1 or 3) as (height, width) or (height, width, 3)."""
    if pixels is None:
        return None
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
