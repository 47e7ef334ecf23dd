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


def split_in_order(values, fractions) -> list[np.ndarray]:
    """Sets that follow each other: the last ones hold the largest values.

    Rows with equal values stay in one set: the later one, unless an earlier one would be empty.

    Args:
        values: (rows,) numbers, such as times.
        fractions: of the rows, for the second set and the following ones.

    Returns:
        Sorted indices of the rows of each set, the earliest first.

    Raises:
        DataError: too few different values for that many sets.
    """
    values = np.asarray(values)
    for fraction in fractions:
        expect_range(fraction, what="fraction", above=0, below=1)
    distinct, places = np.unique(values, return_inverse=True)
    sets = len(fractions) + 1
    if len(distinct) < sets:
        raise DataError(
            f"{len(distinct)} different values cannot be split into {sets} sets",
            expected=f"at least {sets} of them",
        )
    ends = np.cumsum(np.bincount(places)) / len(values)  # fraction of the rows up to each value
    first = 1 - np.cumsum(np.asarray(fractions)[::-1])[::-1]  # where each later set begins
    cuts = [int(np.searchsorted(ends, start + 1e-9)) for start in first]
    for k in range(len(cuts)):  # each set has a value at least
        cuts[k] = max(cuts[k], 1 if k == 0 else cuts[k - 1] + 1)
    for k in reversed(range(len(cuts))):
        cuts[k] = min(cuts[k], len(distinct) - (len(cuts) - k))
    number = np.searchsorted(cuts, places, side="right")
    return [np.flatnonzero(number == k) for k in range(sets)]


def split_groups(groups, fractions, *, seed: int) -> list[np.ndarray]:
    """Sets of whole groups, drawn at random: no group has rows in two sets.

    Args:
        groups: (rows,) the group of each row.
        fractions: of the rows, for the second set and the following ones; as nearly as the sizes
            of the groups allow.
        seed: random seed.

    Returns:
        Sorted indices of the rows of each set, the one that the fractions leave first.

    Raises:
        DataError: too few groups for that many sets.
    """
    for fraction in fractions:
        expect_range(fraction, what="fraction", above=0, below=1)
    _, places, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    sets = len(fractions) + 1
    if len(sizes) < sets:
        raise DataError(
            f"{len(sizes)} groups cannot be split into {sets} sets", expected=f"at least {sets}"
        )
    # the largest groups first, since they fit into few sets; equal ones in random order
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    left = np.array([1 - sum(fractions), *fractions]) * len(places)
    number, empty = np.zeros(len(sizes), int), set(range(sets))
    for n, group in enumerate(order):
        # the set with most room left; at the end those that have no group yet
        waiting = sorted(empty) if len(order) - n <= len(empty) else range(sets)
        chosen = max(waiting, key=lambda k: left[k])
        number[group] = chosen
        left[chosen] -= sizes[group]
        empty.discard(chosen)
    return [np.flatnonzero(number[places] == k) for k in range(sets)]
