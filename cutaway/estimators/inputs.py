"""How the rows that an estimator is given become the inputs of its network.

plain arrays    every column standardized: (x - mean) / scale
frames          the preprocessing of `cutaway train` on a table
"""

import dataclasses
import datetime
from typing import Any, ClassVar

import numpy as np

from cutaway.data import TablePreprocessing
from cutaway.data.pandas_frames import is_pandas
from cutaway.data.table_reading import TableReading, read_encoded

TARGET = "target"  # name of the target's column beside those of a frame


def is_frame(value) -> bool:
    """Whether rows are a frame of polars or pandas; imports neither."""
    kind = type(value)
    return hasattr(value, "columns") and (
        is_pandas(value) or kind.__module__.partition(".")[0] == "polars"
    )


@dataclasses.dataclass(frozen=True)
class ArrayInputs:
    """Standardized columns of an array.

    Attributes:
        mean, scale: (features,) of the training rows; a constant column has scale 1.
        features: names of the columns.
        embeddings, texts: there are none, see TablePreprocessing.
    """

    mean: np.ndarray
    scale: np.ndarray
    features: list[str]
    embeddings: ClassVar[tuple] = ()
    texts: ClassVar[tuple] = ()

    @classmethod
    def fit(cls, rows: np.ndarray, weights: np.ndarray, names) -> "ArrayInputs":
        """The inputs for these training rows (rows, features), counted by their weights."""
        mean, scale = weighted_scale(rows, weights)
        return cls(mean, scale, [f"x{k}" for k in range(rows.shape[1])] if names is None else names)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """(rows, features) float64."""
        return (rows - self.mean) / self.scale


@dataclasses.dataclass(frozen=True)
class FrameInputs:
    """Columns of a frame, each by its kind: numbers, categories, dates, texts.

    Attributes:
        reading: how cells that are texts are read.
        preprocessing: the fitted TablePreprocessing.
        columns: names of the frame's columns.
    """

    reading: TableReading
    preprocessing: TablePreprocessing
    columns: list[str]

    @classmethod
    def fit(cls, frame, target: np.ndarray, task: str, training: np.ndarray) -> "FrameInputs":
        """The inputs for the training rows of a frame.

        Kinds of columns are detected on all rows, encoders fitted on the training rows alone, as
        `cutaway train` does it.

        Args:
            frame: of polars or pandas.
            target: (rows,) class numbers or values.
            task: "multiclass" or "regression".
            training: indices of the training rows.

        Raises:
            DataError: no usable column, or a target that is the same in all rows.
        """
        import polars as pl

        typed, reading, _ = read_encoded(frame)
        name = TARGET
        while name in typed.columns:
            name += "_"
        whole = typed.with_columns(pl.Series(name, target))
        found = TablePreprocessing.fit(whole, name, task=task)
        return cls(reading, found.refit(whole[training]), typed.columns)

    @property
    def features(self) -> list[str]:
        return self.preprocessing.features

    @property
    def embeddings(self) -> list:
        return self.preprocessing.embeddings

    @property
    def texts(self) -> list:
        return self.preprocessing.texts

    def encode(self, rows) -> np.ndarray:
        """(rows, features) float32 of a frame, or of an array with the same columns."""
        cells = self.reading.cells(rows if is_frame(rows) else self._as_frame(rows))
        return self.preprocessing.transform(self.reading.apply(cells), with_target=False).x

    def _as_frame(self, rows):
        import polars as pl

        cells = np.asarray(rows, dtype=object).T
        columns = {
            name: [None if _is_missing(cell) else cell for cell in column]
            for name, column in zip(self.columns, cells, strict=True)
        }
        return pl.DataFrame(columns, strict=False)


def _is_missing(cell) -> bool:
    """Whether a cell is None, NaN or NaT, which is no number equal to itself."""
    return cell is None or (isinstance(cell, float | datetime.datetime) and cell != cell)


def weighted_scale(values: np.ndarray, weights: np.ndarray) -> tuple[Any, Any]:
    """(mean, standard deviation) over axis 0 of values counted by weights; 1 for a constant."""
    if (weights == weights[0]).all():
        mean, scale = values.mean(axis=0), values.std(axis=0)
    else:
        mean = np.average(values, axis=0, weights=weights)
        scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    constant = scale <= 1e-12 * np.abs(mean)  # of rounding, the deviation of one value from itself
    return mean, np.where(constant, 1.0, scale)


def one_row(row, columns: list[str] | None):
    """A row as `encode` takes it: (1, features), or a frame of one row.

    Args:
        row: a dict, a pandas Series, a frame of one row, or an array (features,) or (1, features).
        columns: of the frame that was fitted; None for arrays.

    Raises:
        ValueError: more than one row.
    """
    if isinstance(row, dict):
        import polars as pl

        row = pl.DataFrame([row])
    elif is_pandas(row) and not is_frame(row):  # a Series
        row = row.to_frame().T
    if is_frame(row):
        found = row
    else:
        found = np.asarray(row, dtype=object if columns else None)
        found = found.reshape(1, -1) if found.ndim == 1 else found
    if len(found) != 1:
        raise ValueError(f"explain takes one row, and got {len(found)}: pass X[k:k + 1]")
    return found
