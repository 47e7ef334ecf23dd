"""Columns that tell the class of a few dozen rows, where chance would hardly ever do so.

The chance is that of labels dealt out to the rows at random, a bound of Fisher's exact test: of all
ways to deal them, at most (ways to give each level a class) x (ways to choose the wrong rows) agree
with the column as well as the real ones. It is multiplied by the number of columns that are asked.
"""

import math

import numpy as np

from cutaway.data.found_leak import Leak, leave_out, some_rows

LEAST_ROWS = 30
CHANCE = 1e-6  # of one such column in a table without a leak
WRONG = 0.02  # rows that disagree, relative to those that the majority class gets wrong


def log_chance(counts, levels: int, errors: int) -> float:
    """A bound of the logarithm of the chance that levels tell classes with as few errors.

    Args:
        counts: rows of each class.
        levels: groups of rows, each with one class.
        errors: rows of another class than that of their level.

    Example:
        >>> import math
        >>> from cutaway.data.leak_chances import log_chance
        >>> round(math.exp(log_chance([2, 2], 2, 0)), 3), math.comb(4, 2)  # 4 ways, 6 labelings
        (0.667, 6)
    """
    counts = [int(count) for count in counts if count]
    rows, classes = sum(counts), len(counts)
    dealt = math.lgamma(rows + 1) - sum(math.lgamma(count + 1) for count in counts)
    wrong = [
        math.lgamma(rows + 1) - math.lgamma(k + 1) - math.lgamma(rows - k + 1)
        + k * math.log(max(1, classes - 1))
        for k in range(errors + 1)
    ]  # fmt: skip
    agreeing = levels * math.log(classes) + float(np.logaddexp.reduce(wrong))
    return min(0.0, agreeing - dealt)


def leak_of_filled(name: str, values, kind: str, y, target, columns: int) -> Leak | None:
    """Whether a column is filled in for the rows of one class alone, or for all but one.

    Args:
        values: (rows,) float64, infinite where missing; of the kind "presence" 0 where it is.
        y: (rows,) class numbers.
        target: the data.Target.
        columns: that are asked.
    """
    filled = values > 0 if kind == "presence" else np.isfinite(values)
    if len(y) < LEAST_ROWS or filled.all() or not filled.any():
        return None
    counts = np.bincount(y, minlength=len(target.classes))
    inside = np.bincount(y[filled], minlength=len(counts))
    # rows that disagree with "filled in for this class alone" and "for all others alone"
    alone = counts - inside + inside.sum() - inside
    others = len(y) - alone
    is_alone = bool(alone.min() <= others.min())
    disagreeing = alone if is_alone else others
    number = int(disagreeing.argmin())
    errors, own = int(disagreeing[number]), int(counts[number])
    if not own or errors > WRONG * min(own, len(y) - own):
        return None
    asked = columns * np.count_nonzero(counts)
    chance = log_chance([own, len(y) - own], 2, errors) + math.log(asked)
    if chance > math.log(CHANCE):
        return None
    of_class, rest = int(inside[number]), int(inside.sum() - inside[number])
    return Leak(
        "function",
        (name,),
        1 - errors / len(y),
        f"fraction of rows in which `{name}` fits this",
        f"`{name}` is {'filled in' if is_alone else 'empty'} for {target.classes[number]!r} of "
        f"`{target.name}` alone: {of_class:,} of its {own:,} rows have a value, and {rest:,} of "
        f"the {len(y) - own:,} others",
        leave_out((name,)),
    )


def leak_of_levels(name: str, values, y, target: str, columns: int) -> Leak | None:
    """Whether each value of a category, also a missing one, has one class.

    Args:
        values: (rows,) codes, infinite where missing.
        y: (rows,) class numbers.
        target: its name.
        columns: that are asked.
    """
    if len(y) < LEAST_ROWS:
        return None
    levels, places = np.unique(values, return_inverse=True)
    counts = np.bincount(y)
    if 2 * len(levels) > len(y):
        return None
    table = np.zeros((len(levels), len(counts)), int)
    np.add.at(table, (places, y), 1)
    right = int(table.max(axis=1).sum())
    errors = len(y) - right
    if errors > 0.5 * WRONG * (len(y) - counts.max()):
        return None
    if log_chance(counts, len(levels), errors) + math.log(columns) > math.log(CHANCE):
        return None
    return Leak(
        "function",
        (name,),
        right / len(y),
        f"fraction of rows in which `{name}` tells `{target}`",
        f"each of the {len(levels)} values of `{name}` has rows of one class of `{target}` alone, "
        f"in {some_rows(right, len(y))}",
        leave_out((name,)),
    )
