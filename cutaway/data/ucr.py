"""Time-series classification data in the format of the UCR archive: a label and values per line."""

import os
from pathlib import Path

import numpy as np

from cutaway.data import ts_file
from cutaway.data.labeled_series import UCRDataset, label_of, labeled_series, numbers_of
from cutaway.errors import DataError
from cutaway.files.content import decoded, naming_source, read_content

SPLIT_NAMES = ("_TRAIN", "_TEST")
SUFFIXES = (".ts", ".tsv")  # archives also hold the same series as .arff and .txt


@naming_source("labeled series")
def read_ucr(path, *, classes=None) -> UCRDataset:
    """Read a file of the UCR archive: one series per line, a label and then the values.

    They are separated by tabs, commas or spaces. Files of the UEA archive (.ts), of one or several
    channels, are read too; see ts_file.read_ts_text.

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
    text = decoded(read_content(path), path, f"new{path.suffix}")
    if path.suffix.lower() == ts_file.SUFFIX:
        return ts_file.read_ts_text(text, path, classes=classes)
    rows = [_cells(line) for line in text.splitlines() if line.strip()]
    if not rows:
        raise DataError(f"{path} is empty", expected="a label and values in every line")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]) or len(row) < 2:
            raise DataError(
                f"{path}: line {number} has {len(row) - 1} values",
                expected=f"{len(rows[0]) - 1} values, as in the first line, after the label",
                fix="pad the shorter series",
            )
    x = np.array([numbers_of(path, number, row[1:]) for number, row in enumerate(rows, 1)])
    labels = [label_of(row[0]) for row in rows]
    return labeled_series(path, x[:, :, None], labels, classes)


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
    for file in sorted(found, key=lambda file: file.suffix.lower() not in SUFFIXES):
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
