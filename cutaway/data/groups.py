"""Several series in one table, told apart by a group column."""

import dataclasses
from collections.abc import Hashable

import numpy as np

from cutaway.data.times import equal_steps
from cutaway.errors import DataError


@dataclasses.dataclass(frozen=True)
class SeriesPart:
    """One series among those of a table.

    Attributes:
        label: its value in the group column; None if the table is one series.
        rows: its rows in the table, in the order of time.
    """

    label: Hashable
    rows: np.ndarray


def parts_of(frame, group: str | None) -> list[SeriesPart]:
    """The series of a table: one for each value of its group column, in the order of appearance."""
    if group is None:
        return [SeriesPart(None, np.arange(frame.height))]
    column = frame[group]
    places = frame.select(group).with_row_index("_").group_by(group, maintain_order=True)
    found = [SeriesPart(key[0], rows["_"].to_numpy().astype(int)) for key, rows in places]
    if column.null_count():
        raise DataError(
            f"the column {group!r} is empty in {column.null_count()} of {frame.height} rows",
            expected="the name of a series in each row",
            fix="fill them, or delete these rows",
        )
    return found


def find_group(frame, time: str, times) -> str | None:
    """The column that makes (time, group) unique, where times repeat; None if there is none.

    Texts go before integers, few groups before many. The times of a group of an integer must be
    equally spaced: any count could make rows unique.
    """
    import polars as pl

    found = []
    for column in frame.get_columns():
        if column.name == time or column.null_count():
            continue
        texts = column.dtype in (pl.String, pl.Categorical, pl.Enum)
        if not (texts or column.dtype.is_integer()):
            continue
        groups = column.n_unique()
        if not 2 <= groups <= frame.height // 3:
            continue
        pairs = pl.DataFrame({"time": times, "group": column})
        if pairs.n_unique() < pairs.height:
            continue
        each = pairs.sort("time").group_by("group")
        if not texts and not all(equal_steps(rows["time"]) for _, rows in each):
            continue
        found.append((not texts, groups, column.name))
    return min(found)[2] if found else None
