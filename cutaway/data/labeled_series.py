"""What the forms of labeled time series have in common: numbers of a line, labels, classes."""

import dataclasses

import numpy as np

from cutaway.data.float32 import expect_float32
from cutaway.data.folders import natural_key
from cutaway.errors import DataError


@dataclasses.dataclass(frozen=True)
class UCRDataset:
    """Labeled time series.

    Attributes:
        x: (rows, time, channels) float32; one channel in files of the UCR archive.
        y: (rows,) int32 class numbers.
        classes: the labels in the file, sorted.
    """

    x: np.ndarray
    y: np.ndarray
    classes: list


def numbers_of(path, line: int, cells) -> np.ndarray:
    """The values of a series, of line `line` of a file, as float64.

    Raises:
        DataError: a cell that is not a number; missing values, written "NaN" or "?".
    """
    try:
        values = np.array([float("nan" if cell.strip() == "?" else cell) for cell in cells])
    except ValueError as error:
        raise DataError(
            f"{path}: line {line}: {error}", expected="numbers beside the label"
        ) from error
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: line {line} has {(~np.isfinite(values)).sum()} missing values",
            expected="a number at every time",
            fix="fill the gaps; pad or cut series of different length",
        )
    expect_float32(values, f"{path}: line {line}")
    return values


def label_of(cell: str) -> str:
    """ "1.0000000e+00" of older files is the label 1."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return str(int(number)) if number.is_integer() else cell


def labeled_series(path, x, labels: list[str], classes=None) -> UCRDataset:
    """The series of a file with their class numbers.

    Args:
        x: (rows, time, channels).
        classes: those of the training file, for the same class numbers.

    Raises:
        DataError: only one class; a class that is not in `classes`.
    """
    known = sorted(set(labels), key=natural_key) if classes is None else list(classes)
    if len(known) == 1:
        raise DataError(
            f"{path} holds only one class, {known[0]!r}, in all {len(labels)} lines",
            expected="at least two classes",
        )
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise DataError(
            f"{path} has the class {unknown[0]!r}, which is not in the training data",
            expected="one of " + ", ".join(known),
        )
    y = np.array([known.index(label) for label in labels], np.int32)
    return UCRDataset(np.asarray(x, np.float32), y, known)
