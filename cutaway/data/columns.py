"""Detection of column kinds: numbers, categories, dates, identifiers, ..."""

import dataclasses
import math

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
    if series.dtype.is_temporal():
        if series.dtype in (pl.Date, pl.Datetime):
            return column("date", "dates")
        return column("text", f"values of type {series.dtype}, not supported")
    if series.dtype.is_numeric():
        if series.dtype.is_integer() and _counts_up(known, rows):
            return column("identifier", f"consecutive integers, {distinct:,} values")
        return column("number", f"numbers from {known.min():g} to {known.max():g}")
    if series.dtype != pl.String:
        return column("text", f"values of type {series.dtype}, not supported")
    if as_dates(known).null_count() == 0:
        return column("date", "dates")
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


def as_dates(series):
    """A date column as pl.Date; strings that are not dates become missing."""
    import polars as pl

    if series.dtype == pl.Date:
        return series
    if series.dtype == pl.Datetime:
        return series.cast(pl.Date)
    for pattern in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m", "%Y-%m-%dT%H:%M:%S"):
        text = series
        if pattern == "%Y-%m":
            text, full = series + "-01", "%Y-%m-%d"
        else:
            full = pattern
        dates = text.str.to_date(full, strict=False)
        if dates.null_count() == series.null_count():
            return dates
    return pl.Series(series.name, [None] * len(series), dtype=pl.Date)


def _expect_fitting(series, kind):
    import polars as pl

    fits = {
        "number": series.dtype.is_numeric() or series.dtype == pl.Boolean,
        "date": series.dtype in (pl.Date, pl.Datetime, pl.String),
        "boolean": series.drop_nulls().n_unique() <= 2,
        "category": True,
    }
    if not fits[kind]:
        raise OptionError(
            f"column {series.name!r} of type {series.dtype} cannot be a {kind}",
            expected=f"values that are {kind}s",
            fix='"category" fits any column',
        )
