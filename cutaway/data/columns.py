"""Detection of column kinds: numbers, categories, dates, identifiers, ..."""

import dataclasses
import math

from cutaway.data.dates import find_dates, find_times
from cutaway.errors import DataError, OptionError, did_you_mean, expect_choice

KINDS = ("number", "boolean", "category", "date", "presence", "identifier", "text", "constant")
KINDS += ("empty", "ignored")
USED = ("number", "boolean", "category", "date", "presence")
MAX_DISTINCT = 0.5  # strings with a larger fraction of distinct values are not categories
MAX_LEVELS = 1000
PRESENT = (0.05, 0.95)  # between these fractions of present texts, presence is a feature


@dataclasses.dataclass(frozen=True)
class Column:
    """A column and its detected kind.

    Attributes:
        name: its name.
        kind: one of KINDS; those in USED become features.
        reason: why this kind was detected.
        missing: rows without a value (NaN and infinity count as missing).
        distinct: number of distinct values.
    """

    name: str
    kind: str
    reason: str
    missing: int
    distinct: int


def find_columns(frame, *, kinds=None, ignore=()) -> list[Column]:
    """The columns of a polars frame, each with its kind.

    Args:
        kinds: {name: kind}, for columns that are detected wrongly.
        ignore: names of columns to ignore.

    Raises:
        DataError: a named column does not exist.
        OptionError: an unknown kind.
    """
    kinds, ignore = dict(kinds or {}), set(ignore)
    names = set(frame.columns)
    for name in [*kinds, *ignore]:
        if name not in names:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    for kind in kinds.values():
        expect_choice(kind, USED, what="kind")
    found = []
    for series in frame.get_columns():
        name, column = series.name, _look(series)
        if name in ignore:
            column = dataclasses.replace(column, kind="ignored", reason="ignored by request")
        elif name in kinds:
            _expect_fitting(series, kinds[name])
            column = dataclasses.replace(column, kind=kinds[name], reason="kind set by the user")
        found.append(column)
    return found


def clean(series):
    """The column with NaN and infinity as missing, decimals as floats and categories as strings."""
    import polars as pl

    if series.dtype.is_float():
        if math.isfinite(series.sum() or 0.0):  # so is every value; much faster to find out
            return series
        return series.set(~series.is_finite().fill_null(True), None)
    if series.dtype.is_decimal():
        return series.cast(pl.Float64)
    if series.dtype in (pl.Categorical, pl.Enum, pl.Object):
        return series.cast(pl.String)
    return series


def _look(series) -> Column:
    import polars as pl

    name, rows = series.name, len(series)
    series = clean(series)
    missing = series.null_count()
    known = series.drop_nulls() if missing else series  # much faster to find out
    distinct = known.n_unique()

    def column(kind, reason):
        return Column(name, kind, reason, missing, distinct)

    if distinct == 0:
        return column("empty", "no values")
    if distinct == 1:
        return column("constant", f"every value is {known[0]}")
    if series.dtype == pl.Boolean:
        return column("boolean", "yes or no")
    recipe = find_dates(known) or find_times(known)
    if recipe is not None:
        missing = recipe.parse(series).null_count()  # also cells that are no dates
        return column("date", recipe.sentence())
    if series.dtype.is_temporal():
        return column("text", f"values of type {series.dtype}, not supported")
    if series.dtype.is_numeric():
        if series.dtype.is_integer() and _counts_up(known, rows):
            return column("identifier", f"consecutive integers, {distinct:,} values")
        return column("number", f"numbers from {known.min():g} to {known.max():g}")
    if series.dtype != pl.String:
        return column("text", f"values of type {series.dtype}, not supported")
    many = distinct > MAX_LEVELS or (distinct > 20 and distinct > MAX_DISTINCT * len(known))
    if many and PRESENT[0] < len(known) / rows < PRESENT[1]:
        return column("presence", f"{distinct:,} distinct strings, {missing:,} rows without one")
    if distinct == len(known) and distinct > 20:
        return column("identifier", f"all {distinct:,} values are distinct")
    if many:
        return column("text", f"{distinct:,} distinct strings in {len(known):,} rows: too many")
    return column("category", f"{distinct} distinct strings")


def _counts_up(known, rows) -> bool:
    """Whether integers are consecutive: no repeats, no gaps, in order."""
    if len(known) < 20 or len(known) != rows:
        return False
    return bool((known.diff().drop_nulls() == 1).all())


def _expect_fitting(series, kind):
    import polars as pl

    series = clean(series)
    if kind == "number":
        fits = series.dtype.is_numeric() or series.dtype == pl.Boolean
    elif kind == "date":
        fits = (find_dates(series, sure=True) or find_times(series)) is not None
    else:
        fits = kind != "boolean" or series.drop_nulls().n_unique() <= 2
    if not fits:
        raise OptionError(
            f"column {series.name!r} of type {series.dtype} cannot be a {kind}",
            expected=f"values that are {kind}s",
            fix='"category" fits any column',
        )
