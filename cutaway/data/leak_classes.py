"""A single column that tells the class of a row: measured on held-out rows, as a tree of it would.

Rows are counted as evidence only where always predicting the largest class is wrong: a few rows, or
a few rows of a rare class, prove nothing.
"""

import numpy as np

from cutaway.data.found_leak import Leak, leave_out, some_rows
from cutaway.data.leak_chances import leak_of_filled, leak_of_levels

NEIGHBORS = 5  # rows of the most similar values whose classes are counted
# Rows that the majority class gets wrong. A column with one value for each class needs fewer than
# one of many values: the petals of 150 irises are separable, and are no leak.
LEAST_RENAMED, LEAST_PREDICTED = 30, 150
# Errors, relative to those of the majority class.
RENAMED, PREDICTED = 0.02, 0.01
LEVELED = ("category", "boolean")  # of which a few rows with the same value prove more


def class_leak(name: str, values, kind: str, y, target, columns: int = 1) -> Leak | None:
    """Whether one column alone tells the class.

    Args:
        values: (rows,) float64, of categories their codes; infinite where missing.
        kind: of the column; of a category neighboring values have nothing in common.
        y: (rows,) class numbers.
        target: the data.Target.
        columns: number of columns that are asked, among which some agree by chance.
    """
    is_category = kind == "category"
    found = (
        renamed_classes(name, values, y, target.name)
        or leak_of_filled(name, values, kind, y, target, columns)
        or (leak_of_levels(name, values, y, target.name, columns) if kind in LEVELED else None)
    )
    if found is not None:
        return found
    classes = len(target.classes)
    counts = np.bincount(y, minlength=classes)
    wrong = len(y) - int(counts.max())  # of the majority class
    levels = len(np.unique(values[np.isfinite(values)]))
    if wrong < LEAST_PREDICTED or (is_category and 2 * levels > len(y)):
        return None
    errors = int((held_out_classes(values, y, classes, ties_only=is_category) != y).sum())
    apart = not is_category and in_intervals(values, y)
    if errors > PREDICTED * wrong and not (apart and errors <= RENAMED * wrong):
        return None
    right = len(y) - errors
    return Leak(
        "function",
        (name,),
        right / len(y),
        f"accuracy of `{name}` alone on held-out rows",
        f"`{name}` alone predicts `{target.name}` in {some_rows(right, len(y))} held out "
        f"(the most frequent class: {int(counts.max()):,})",
        leave_out((name,)),
    )


def renamed_classes(name: str, values, y, target: str) -> Leak | None:
    """Whether each value of the column stands for one class.

    Args:
        values: (rows,) float64, infinite where missing.
        y: (rows,) class numbers.
        target: its name.
    """
    counts = np.bincount(y)
    wrong = len(y) - int(counts.max())
    known = np.isfinite(values)
    levels = np.unique(values[known])
    if wrong < LEAST_RENAMED or len(levels) != np.count_nonzero(counts):
        return None
    if len(y) - len(levels) < LEAST_RENAMED:  # the first row of each value agrees in any table
        return None
    usual = _usual_class(levels, values, y, len(counts))
    right = int((usual[np.searchsorted(levels, values[known])] == y[known]).sum())
    if len(np.unique(usual)) < len(levels) or len(y) - right > RENAMED * wrong:
        return None
    return Leak(
        "copy",
        (name,),
        right / len(y),
        f"fraction of rows in which `{name}` tells `{target}`",
        f"each value of `{name}` stands for one class of `{target}` in "
        f"{some_rows(right, len(y))}, as in a copy of it",
        leave_out((name,)),
    )


def _usual_class(levels, values, y, classes) -> np.ndarray:
    """(levels,) the most frequent class of each."""
    known = np.isfinite(values)
    table = np.zeros((len(levels), classes), int)
    np.add.at(table, (np.searchsorted(levels, values[known]), y[known]), 1)
    return table.argmax(axis=1)


def in_intervals(values, y) -> bool:
    """Whether the values of each class lie in one interval that no other class enters."""
    order = np.lexsort((y, values))
    values, y = values[order], y[order]
    changes = y[1:] != y[:-1]
    if (changes & (values[1:] == values[:-1])).any():
        return False
    return int(changes.sum()) == len(np.unique(y)) - 1


def held_out_classes(values, y, classes: int, *, ties_only: bool = False) -> np.ndarray:
    """(rows,) the class predicted for each row by similar values among the other half of the rows.

    Args:
        ties_only: count only equal values, as for categories.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.leak_classes import held_out_classes
        >>> values = np.arange(40.0)
        >>> predicted = held_out_classes(values, (values >= 20).astype(int), 2)
        >>> int((predicted[:15] == 0).sum() + (predicted[25:] == 1).sum())
        30
    """
    half = np.random.default_rng(0).permutation(len(y)) % 2
    found = np.zeros(len(y), int)
    for k in (0, 1):
        own, other = half == k, half != k
        found[own] = _vote(values[other], y[other], values[own], classes, ties_only)
    return found


def _vote(values, y, asked, classes, ties_only) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    values, y = values[order], y[order]
    # below[i, c]: rows of class c among the first i
    below = np.zeros((len(y) + 1, classes), np.int32)
    below[np.arange(1, len(y) + 1), y] = 1
    np.cumsum(below, axis=0, out=below)
    low, high = np.searchsorted(values, asked, "left"), np.searchsorted(values, asked, "right")
    if not ties_only:
        middle = (low + high) // 2
        low = np.maximum(0, np.minimum(low, middle - NEIGHBORS // 2))
        high = np.minimum(len(y), np.maximum(high, middle + NEIGHBORS // 2 + 1))
    votes = below[high] - below[low]
    votes[~votes.any(axis=1)] = below[-1]  # a level that is not among them
    return votes.argmax(axis=1)
