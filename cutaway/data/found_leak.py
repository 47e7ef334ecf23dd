"""Leak: a sign that the target is already in the inputs, or rows of one set in another."""

import dataclasses
import shlex

from cutaway.errors import option_name

KINDS = ("copy", "function", "row_order", "formula", "duplicates", "contradiction", "future")


@dataclasses.dataclass(frozen=True)
class Leak:
    """What was found, with the number that shows it.

    Attributes:
        kind: one of KINDS: a column that is the target under another name or scale; that predicts
            it nearly perfectly; that counts rows which are sorted by the target; columns whose sum
            or product is the target; validation or test rows that are training rows too; equal
            features with different targets; a series that is ahead of the one to forecast.
        columns: names of the columns; () where whole rows are meant.
        number: the measured value.
        measured: what the number is, in words.
        found: what was found, as a clause.
        fix: what to do about it.

    Example:
        >>> from cutaway.data.found_leak import Leak
        >>> Leak("copy", ("sum",), 1.0, "fraction of rows", "`sum` equals `y`", "drop it").sentence
        '`sum` equals `y`: drop it'
    """

    kind: str
    columns: tuple[str, ...]
    number: float
    measured: str
    found: str
    fix: str

    @property
    def sentence(self) -> str:
        """What was found and what to do about it."""
        return f"{self.found}: {self.fix}"


def leave_out(columns) -> str:
    """The advice to train without these columns."""
    what = "it" if len(columns) == 1 else "them"
    known = "it is" if len(columns) == 1 else "they are"
    names = shlex.quote(",".join(map(option_name, columns)))
    return f"leave {what} out with --ignore {names} unless {known} known before the prediction"


def some_rows(count: int, rows: int) -> str:
    """Example:
    >>> from cutaway.data.found_leak import some_rows
    >>> some_rows(1200, 1201)
    '1,200 of 1,201 rows'
    """
    return f"{count:,} of {rows:,} rows"
