"""Groups of rows by one column, and the one on which another model is better by most."""

import dataclasses
import itertools
import math

import numpy as np

from cutaway.data.columns import clean

FEW_VALUES = 5  # a number with no more distinct values has a group for each
LEAST_ROWS = 20
LEAST_FRACTION = 0.05  # of the rows
LEVEL = 0.05  # of all groups together


@dataclasses.dataclass(frozen=True)
class RowGroup:
    """Rows that have something in common.

    Attributes:
        column: of the table.
        rule: in words: "age > 38", "sex = male", "age is missing".
        members: (rows,) whether each row belongs to it.
    """

    column: str
    rule: str
    members: np.ndarray


@dataclasses.dataclass(frozen=True)
class GroupDifference:
    """How much another model is better on a group of rows.

    Attributes:
        rule: of the group, in words.
        column: of the table.
        rows: number of test rows in it.
        mean: of the differences of the losses, positive if the other model is better.
        low, high: interval of the mean, 95% for all groups together (Bonferroni).
    """

    rule: str
    column: str
    rows: int
    mean: float
    low: float
    high: float


def groups_of(frame, kinds: dict[str, str]) -> list[RowGroup]:
    """Rows by quarters of numbers, by levels of categories, and by missing values.

    Args:
        frame: polars frame.
        kinds: {column: kind}; see data.columns.

    Example:
        >>> import polars as pl
        >>> from cutaway.search.row_groups import groups_of
        >>> frame = pl.DataFrame({"age": range(8), "sex": ["m", "f"] * 4})
        >>> [group.rule for group in groups_of(frame, {"age": "number", "sex": "category"})]
        ['age ≤ 1.75', '1.75 < age ≤ 3.5', '3.5 < age ≤ 5.25', 'age > 5.25', 'sex = f', 'sex = m']
    """
    found = []
    for name, kind in kinds.items():
        series = clean(frame[name])
        if kind == "number" and series.dtype.is_numeric():
            found += _of_numbers(series.cast(float).to_numpy(), name)
        elif kind in ("number", "category", "boolean"):
            levels = sorted(map(str, series.drop_nulls().unique().to_list()))
            texts = np.array([str(value) for value in series.to_list()])
            found += [RowGroup(name, f"{name} = {level}", texts == level) for level in levels]
        if kind in ("number", "category", "boolean", "presence") and series.null_count():
            absent = series.is_null().to_numpy()
            found.append(RowGroup(name, f"{name} is missing", absent))
            if kind == "presence":
                found.append(RowGroup(name, f"{name} is there", ~absent))
    return found


def _of_numbers(values, name: str) -> list[RowGroup]:
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    if len(distinct) <= FEW_VALUES:
        return [RowGroup(name, f"{name} = {value:g}", values == value) for value in distinct]
    edges = np.unique([float(f"{q:.3g}") for q in np.quantile(known, (0.25, 0.5, 0.75))])
    found = [RowGroup(name, f"{name} ≤ {edges[0]:g}", values <= edges[0])]
    for low, high in itertools.pairwise(edges):
        inside = (values > low) & (values <= high)
        found.append(RowGroup(name, f"{low:g} < {name} ≤ {high:g}", inside))
    return [*found, RowGroup(name, f"{name} > {edges[-1]:g}", values > edges[-1])]


def largest_difference(groups: list[RowGroup], differences) -> GroupDifference | None:
    """The group with the largest mean difference, of those where it is above 0 beyond noise.

    So many groups are looked at that one looks bad by chance: the intervals hold for all of them
    together, by Bonferroni's correction of Student's t.

    Args:
        groups: of the rows.
        differences: (rows,) loss of one model minus that of the other.

    Returns:
        None if there is no such group; groups with few rows are left out.
    """
    from scipy.stats import t

    differences = np.asarray(differences, float)
    least = max(LEAST_ROWS, LEAST_FRACTION * len(differences))
    large = [g for g in groups if least <= g.members.sum() < len(differences)]
    best = None
    for group in large:
        inside = differences[group.members]
        rows, mean = len(inside), float(inside.mean())
        half = float(t.ppf(1 - LEVEL / 2 / len(large), rows - 1))
        half *= float(inside.std(ddof=1)) / math.sqrt(rows)
        if mean - half > 0 and (best is None or mean > best.mean):
            best = GroupDifference(group.rule, group.column, rows, mean, mean - half, mean + half)
    return best
