"""Subject: what a studio shows and trains: a program, its data, and what they are called."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.train import Program


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a network's input, of floating-point numbers.

    Attributes:
        name: in the table.
        low, high, mean: of the training rows, in the table's unit.
        scale, shift: encoded = (value - shift) / scale.
    """

    name: str
    low: float
    high: float
    mean: float
    scale: float = 1.0
    shift: float = 0.0


@dataclasses.dataclass
class Subject:
    """What a studio shows and trains.

    Attributes:
        title: of the page.
        kind: of the data, a key of runs.KINDS, or "points" or "arrays".
        task: "binary", "multiclass", "regression", ...
        target: what is predicted.
        examples: what the rows are, in the plural: "rows", "pictures".
        program: the Program that is trained.
        x, y: (rows, ...) encoded inputs and targets of all rows that can be looked at, trees.
        training, validation: indices of rows.
        batch_size, seed: of the training.
        stream: what trains in place of the training rows, or None.
        classes: names, or None.
        inputs: of each column, if x is one array (rows, columns) of numbers; otherwise None.
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
    inputs: list[Column] | None = None

    def row_title(self, row: int) -> str:
        """What a user calls a row."""
        return f"{self.examples[:-1]} {row}"

    def picture(self, row: int) -> np.ndarray | None:
        """uint8 (height, width) or (height, width, 3); None: the row is no picture."""
        return None

    def tokens(self, row: int) -> list[str] | None:
        """The words of a text, or names of time steps; None: the row has none."""
        return None

    def predictions(self, raw: np.ndarray) -> np.ndarray:
        """Raw outputs (rows, ...) as probabilities, or values in the target's unit."""
        return raw
