"""What the columns of a table are: numbers, categories, dates, identifiers, ..."""

import dataclasses

from cutaway.errors import DataError, OptionError, did_you_mean, expect_choice

KINDS = ("number", "boolean", "category", "date", "presence", "identifier", "text", "constant")
KINDS += ("empty", "ignored")
USED = ("number", "boolean", "category", "date", "presence")
MANY_LEVELS = 0.5  # texts of which more than this share differ are no categories
MOST_LEVELS = 1000
SOME_KNOWN = (0.05, 0.95)  # between these shares, whether a text is there says something


@dataclasses.dataclass(frozen=True)
class Column:
    """A column and what it was taken for.

    Attributes:
        name: its name.
        kind: one of KINDS; number, boolean, category and date are used.
        reason: why, in words.
        missing: rows without a value (NaN and infinity count as missing).
        distinct: different values.
    """

    name: str
    kind: str
    reason: str
    missing: int
    distinct: int


def find_columns(frame, *, kinds=None, ignore=()) -> list[Column]:
    """The columns of a polars frame, each with its kind.

    Args:
        kinds: {name: kind} to overrule what is found.
        ignore: names of columns to leave out.

    Raises:
        DataError: a named column does not exist.
        OptionError: an unknown kind.
    """
    kinds = dict(kinds or {})
    for name in [*kinds, *ignore]:
        if name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    for kind in kinds.values():
        expect_choice(kind, USED, what="kind")
    found = []
    for name in frame.columns:
        column = _look(frame[name])
        if name in ignore:
            column = dataclasses.replace(column, kind="ignored", reason="you asked for it")
        elif name in kinds:
            _expect_fitting(frame[name], kinds[name])
            column = dataclasses.replace(column, kind=kinds[name], reason="you said so")
        found.append(column)
    return found


def clean(series):
    """The column with NaN and infinity as missing, dates in text parsed, texts without blanks."""
    import polars as pl

    if series.dtype.is_float():
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
    known = series.drop_nulls()
    distinct = known.n_unique()

    def column(kind, reason):
        return Column(name, kind, reason, missing, distinct)

    if distinct == 0:
        return column("empty", "it has no values")
    if distinct == 1:
        return column("constant", f"every value is {known[0]}")
    if series.dtype == pl.Boolean:
        return column("boolean", "yes or no")
    if series.dtype.is_temporal():
        if series.dtype in (pl.Date, pl.Datetime):
            return column("date", "dates")
        return column("text", f"values of type {series.dtype}, of which nothing is made")
    if series.dtype.is_numeric():
        if series.dtype.is_integer() and _counts_up(known, rows):
            return column("identifier", f"{distinct:,} different numbers that count up by one")
        return column("number", f"numbers from {known.min():g} to {known.max():g}")
    if series.dtype != pl.String:
        return column("text", f"values of type {series.dtype}, of which nothing is made")
    if as_dates(known).null_count() == 0:
        return column("date", "dates")
    many = distinct > MOST_LEVELS or (distinct > 20 and distinct > MANY_LEVELS * len(known))
    if many and SOME_KNOWN[0] < len(known) / rows < SOME_KNOWN[1]:
        return column("presence", f"{distinct:,} different texts, and {missing:,} rows have none")
    if distinct == len(known) and distinct > 20:
        return column("identifier", f"all {distinct:,} values are different")
    if many:
        return column("text", f"{distinct:,} different texts in {len(known):,} rows: too many")
    return column("category", f"{distinct} different texts")


def _counts_up(known, rows) -> bool:
    """Whether whole numbers are a running number: no repeats, no gaps, in order."""
    if len(known) < 20 or len(known) != rows:
        return False
    return bool((known.diff().drop_nulls() == 1).all())


def as_dates(series):
    """A date column as pl.Date; text that is no date becomes missing."""
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
