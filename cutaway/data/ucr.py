"""Time-series classification data in the format of the UCR archive: a label and values per line."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.data.float32 import expect_float32
from cutaway.data.folders import natural_key
from cutaway.errors import DataError
from cutaway.files.content import decoded, naming_source, read_content

SPLIT_NAMES = ("_TRAIN", "_TEST")


@dataclasses.dataclass(frozen=True)
class UCRDataset:
    """Labeled time series.

    Attributes:
        x: (rows, time, 1) float32.
        y: (rows,) int32 class numbers.
        classes: the labels in the file, sorted.
    """

    x: np.ndarray
    y: np.ndarray
    classes: list


@naming_source("labeled series")
def read_ucr(path, *, classes=None) -> UCRDataset:
    """Read a file of the UCR archive: one series per line, a label and then the values.

    They are separated by tabs, commas or spaces.

    Args:
        path: the file.
        classes: those of the training file, for the same class numbers.

    Raises:
        DataError: no such file; lines of different length; a cell that is not a number; missing
            values; only one class; a class that is not in `classes`.

    References:
        Dau et al. 2019, "The UCR time series archive", arXiv:1810.07758.
    """
    path = Path(path)
    lines = decoded(read_content(path), path, f"new{path.suffix}").splitlines()
    rows = [_cells(line) for line in lines if line.strip()]
    if not rows:
        raise DataError(f"{path} is empty", expected="a label and values in every line")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]) or len(row) < 2:
            raise DataError(
                f"{path}: line {number} has {len(row) - 1} values",
                expected=f"{len(rows[0]) - 1} values, as in the first line, after the label",
                fix="pad the shorter series",
            )
    x = np.array([_numbers(path, number, row[1:]) for number, row in enumerate(rows, 1)])
    labels = [_label(row[0]) for row in rows]
    known = sorted(set(labels), key=natural_key) if classes is None else list(classes)
    if len(known) == 1:
        raise DataError(
            f"{path} holds only one class, {known[0]!r}, in all {len(rows)} lines",
            expected="at least two classes",
        )
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise DataError(
            f"{path} has the class {unknown[0]!r}, which is not in the training data",
            expected="one of " + ", ".join(known),
        )
    y = np.array([known.index(label) for label in labels], np.int32)
    return UCRDataset(x[:, :, None].astype(np.float32), y, known)


def read_ucr_pair(path):
    """(training, test): the files NAME_TRAIN and NAME_TEST of a folder, or of one of the two.

    Raises:
        DataError: there is no such pair; see read_ucr.
    """
    training, test = ucr_pair(path) or (None, None)
    if training is None:
        raise DataError(
            f"{path} is not a pair of files of the UCR archive",
            expected="NAME_TRAIN.tsv and NAME_TEST.tsv in one folder",
            fix="use read_ucr for a single file",
        )
    first = read_ucr(training)
    return first, read_ucr(test, classes=first.classes)


def ucr_pair(path):
    """The paths (training, test) that belong to a folder or a file, or None."""
    path = Path(path)
    found = sorted(path.glob(f"*{SPLIT_NAMES[0]}.*")) if os.path.isdir(path) else [path]
    for file in found:
        if not file.stem.endswith(SPLIT_NAMES):
            continue
        stem = file.stem.removesuffix(SPLIT_NAMES[0]).removesuffix(SPLIT_NAMES[1])
        pair = tuple(file.with_name(f"{stem}{split}{file.suffix}") for split in SPLIT_NAMES)
        if all(os.path.isfile(p) for p in pair):
            return pair
    return None


def _cells(line: str) -> list:
    for separator in ("\t", ","):
        if separator in line:
            return [cell.strip() for cell in line.strip().split(separator)]
    return line.split()


def _label(cell: str) -> str:
    """ "1.0000000e+00" of older files is the label 1."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return str(int(number)) if number.is_integer() else cell


def _numbers(path, line, cells):
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise DataError(
            f"{path}: line {line}: {error}", expected="numbers after the label"
        ) from error
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: line {line} has {(~np.isfinite(values)).sum()} missing values",
            expected="a number at every time",
            fix="fill the gaps; pad or cut series of different length",
        )
    expect_float32(values, f"{path}: line {line}")
    return values
