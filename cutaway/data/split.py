"""Training and validation rows."""

import numpy as np

from cutaway.errors import DataError, OptionError, expect_range


def stratified_split(y, fraction: float, *, seed: int, stratify: bool = True):
    """Split rows at random into training and validation rows.

    Args:
        y: (rows,) targets; class numbers if stratify.
        fraction: of the rows, for validation, in (0, 1).
        seed: random seed.
        stratify: whether to use the same fraction of every class. A class with one row stays in
            the training rows.

    Returns:
        (training, validation): sorted index arrays.

    Raises:
        OptionError: fraction outside (0, 1).
        DataError: too few rows for both sides.
    """
    expect_range(fraction, what="validation fraction", above=0, below=1)
    rows = len(y)
    count = max(1, round(rows * fraction))
    if rows - count < 1:
        raise DataError(
            f"{rows} rows cannot be split into training and validation rows",
            expected="at least 2 rows",
        )
    rng = np.random.default_rng(seed)
    if not stratify:
        order = rng.permutation(rows)
        return np.sort(order[count:]), np.sort(order[:count])
    y = np.asarray(y)
    if y.ndim != 1:
        raise OptionError(
            f"stratified_split: y has shape {y.shape}", expected="one class number per row"
        )
    # shuffle the rows of each class and give each row its rank within the class, as a fraction;
    # the rows with the lowest fractions are for validation: about the same fraction of every class
    order = rng.permutation(rows)
    _, classes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    place = np.zeros(rows)
    for k, size in enumerate(sizes):
        members = order[classes[order] == k]
        # + 1: the last row of a class has rank 1, so it is the last choice for validation
        place[members] = (np.arange(size) + 1 - rng.uniform(0, 0.5)) / size
        if size == 1:
            place[members] = 2
    by_place = order[np.argsort(place[order], kind="stable")]
    return np.sort(by_place[count:]), np.sort(by_place[:count])
