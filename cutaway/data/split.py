"""Rows to train on and rows to hold out."""

import numpy as np

from cutaway.errors import DataError, OptionError, expect_range


def stratified_split(y, fraction: float, *, seed: int, stratify: bool = True):
    """Divide rows at random into those to train on and those held out.

    Args:
        y: (rows,) targets; class numbers if stratify.
        fraction: share of the rows to hold out, in (0, 1).
        seed: the same seed gives the same split.
        stratify: hold out the same share of every class. A class with one row stays in training.

    Returns:
        (training, held): sorted index arrays.

    Raises:
        OptionError: fraction outside (0, 1).
        DataError: too few rows for both sides.
    """
    expect_range(fraction, what="share of rows to hold out", above=0, below=1)
    rows = len(y)
    count = max(1, round(rows * fraction))
    if rows - count < 1:
        raise DataError(
            f"{rows} rows cannot be divided into rows to train on and rows held out",
            expected="at least 2 rows",
        )
    rng = np.random.default_rng(seed)
    if not stratify:
        order = rng.permutation(rows)
        return np.sort(order[count:]), np.sort(order[:count])
    y = np.asarray(y)
    if y.ndim != 1:
        raise OptionError(
            f"stratified_split: y has shape {y.shape}", expected="one class number for each row"
        )
    # shuffled rows, class by class, each row with its place within its class as a share:
    # the lowest shares are held out, so every class gives about the same share
    order = rng.permutation(rows)
    _, classes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    place = np.zeros(rows)
    for k, size in enumerate(sizes):
        members = order[classes[order] == k]
        # +1: the last row of a class has place 1, so that it is held out last
        place[members] = (np.arange(size) + 1 - rng.uniform(0, 0.5)) / size
        if size == 1:
            place[members] = 2
    by_place = order[np.argsort(place[order], kind="stable")]
    return np.sort(by_place[count:]), np.sort(by_place[:count])
