"""Detection of column kinds: numbers, categories, dates, identifiers, ..."""

import dataclasses
import math
import re

from cutaway.data.dates import find_dates, find_times
from cutaway.errors import DataError, OptionError, counted, did_you_mean, expect_choice

KINDS = ("number", "boolean", "category", "date", "presence", "identifier", "text", "constant")
KINDS += ("empty", "ignored", "unsupported")
USED = ("number", "boolean", "category", "date", "presence", "text")
# kinds that a user may name, and what they are here
NAMED = {name: name for name in ("number", "boolean", "category", "date", "text")}
NAMED |= {"id": "identifier", "ignore": "ignored"}
MAX_DISTINCT = 0.5  # strings with a larger fraction of distinct values are not categories
MAX_LEVELS = 1000  # with more levels, there must be
LEVEL_ROWS = 5  # rows of each on average
TEXT_WORDS = 4  # words per value of a text, on average
ID_NAME = re.compile(
    r"(^|[^a-z])(id|uuid|guid|index|idx|key|row ?names?|row ?numbers?|row|record|(n|num|numbe)r|no"
    r"|code)$|^unnamed"
)
ID_ENDING = re.compile(r"(^|[^a-zA-Z])[iI][dD]$|[a-z]I[dD]$")
# what counts up and is a number all the same
MEASURED = re.compile(
    r"(^|[^a-z])(year|rank|age|day|time|month|week|hour|position|count|size)s?($|[^a-z])"
)
MIN_ID_ROWS = 20
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


def find_columns(frame, *, kinds=None, ignore=(), recipes: dict | None = None) -> list[Column]:
    """The columns of a polars frame, each with its kind.

    Args:
        kinds: {name: kind}, for columns that are detected wrongly, one of NAMED.
        ignore: names of columns to ignore.
        recipes: a dict to which is added how the dates of each column of them are written.

    Raises:
        DataError: a named column does not exist.
        OptionError: an unknown kind.
    """
    for kind in (kinds or {}).values():
        expect_choice(kind, (*NAMED, *NAMED.values()), what="kind")
    kinds = {name: NAMED.get(kind, kind) for name, kind in (kinds or {}).items()}
    ignore = {*ignore, *(name for name, kind in kinds.items() if kind == "ignored")}
    names = set(frame.columns)
    for name in [*kinds, *ignore]:
        if name not in names:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    found = []
    for series in frame.get_columns():
        name, column = series.name, _look(series, {} if recipes is None else recipes)
        if name in ignore:
            column = dataclasses.replace(column, kind="ignored", reason="by request")
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


def _look(series, recipes: dict) -> Column:
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
        recipes[name] = recipe
        missing = recipe.parse(series).null_count()  # also cells that are no dates
        return column("date", recipe.sentence())
    if series.dtype.is_temporal():
        return column("unsupported", f"values of type {series.dtype}, not supported")
    if series.dtype.is_numeric():
        return column(*_kind_of_numbers(known, rows, distinct))
    if series.dtype != pl.String:
        return column("unsupported", f"values of type {series.dtype}, not supported")
    return column(*_kind_of_strings(known, rows, distinct))


def _kind_of_numbers(known, rows: int, distinct: int) -> tuple[str, str]:
    """(kind, reason) of a column of numbers."""
    numbers = "number", f"numbers from {known.min():g} to {known.max():g}"
    if not known.dtype.is_integer() or len(known) < MIN_ID_ROWS:
        return numbers
    if distinct == rows:
        if ID_NAME.search(known.name.lower().replace("_", " ").strip()):
            return "identifier", f"{distinct:,} distinct integers, and a name that says so"
        named = MEASURED.search(known.name.lower())
        if known.max() - known.min() == rows - 1 and not named and known.min() in (0, 1):
            return "identifier", f"the integers {known.min()} to {known.max()}, each once"
    elif ID_ENDING.search(known.name.strip()) and distinct <= len(known) / LEVEL_ROWS:
        return "category", f"{distinct:,} distinct integers, and a name that says identifier"
    return numbers


def _kind_of_strings(known, rows: int, distinct: int) -> tuple[str, str]:
    """(kind, reason) of a column of strings, neither numbers nor dates."""
    many = distinct > MAX_LEVELS or (
        distinct > MIN_ID_ROWS and distinct > MAX_DISTINCT * len(known)
    )
    if distinct > len(known) / 2 and distinct > 3 and words_each(known) >= TEXT_WORDS:
        return "text", f"{distinct:,} distinct texts, {words_each(known):.0f} words on average"
    if not many:
        return "category", f"{distinct} distinct strings"
    if distinct * LEVEL_ROWS <= len(known):
        return (
            "category",
            f"{distinct:,} distinct strings, {len(known) / distinct:.0f} rows of each",
        )
    if words_each(known) >= TEXT_WORDS:
        return "text", f"{distinct:,} distinct texts, {words_each(known):.0f} words on average"
    if PRESENT[0] < len(known) / rows < PRESENT[1]:
        missing = rows - len(known)
        return "presence", f"{distinct:,} distinct strings, {counted(missing, 'row')} without one"
    if distinct == len(known):
        return "identifier", f"all {distinct:,} values are distinct"
    return "identifier", f"{distinct:,} distinct strings in {len(known):,} rows: too many"


def words_each(series) -> float:
    """Mean number of words per value of a text column."""
    return float(series.head(5000).str.count_matches(r"\S+").mean() or 0)


def _expect_fitting(series, kind):
    import polars as pl

    series = clean(series)
    if kind in ("identifier", "ignored"):
        fits = True
    elif kind == "text":
        fits = series.dtype == pl.String
    elif kind == "number":
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
