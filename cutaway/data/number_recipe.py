"""How a column of strings is read as numbers: decided once, stored, and applied to any table."""

import dataclasses
import shlex
from typing import Any

from cutaway.data.columns import clean
from cutaway.data.durations import DurationRecipe
from cutaway.data.json_types import Finite
from cutaway.data.missing_words import USUAL, means_missing
from cutaway.data.numeral_cells import NumeralCells, plain_text, split_cells
from cutaway.data.numeral_styles import body_pattern
from cutaway.data.numeral_units import PERCENT, factor_of
from cutaway.errors import expect_choice, option_name

MAX_QUOTED = 3


@dataclasses.dataclass(frozen=True)
class NumberRecipe:
    """How a column of strings is read as numbers.

    Attributes:
        decimal: the decimal sign, "." or ",".
        thousands: the sign between groups of digits; "" if there is none.
        unit: what may stand before or after a number: "$", "km", "%"; "" if nothing. Numbers
            without it are read too, but for percentages: 0.5 beside 50% has two readings.
        scaled: whether k, M, Mio. and the like multiply a number.
        integer: whether all numbers were integers.
        missing: texts that mean a missing value by the user's word.
        sentinels: numbers that mean a missing value, see find_sentinels.
        duration: how the column writes durations such as 26:30; None: it holds no durations.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.numerals import find_numbers
        >>> recipe = find_numbers(pl.Series("price", ["1.234,50 €", "99,90 €", "n/a"]))
        >>> recipe.parse(pl.Series("price", ["2,50", "1.000 €", "?"])).to_list()
        [2.5, 1000.0, None]
    """

    decimal: str
    thousands: str
    unit: str
    scaled: bool
    integer: bool
    missing: tuple[str, ...]
    sentinels: tuple[Finite, ...]
    duration: DurationRecipe | None = None

    def __post_init__(self):
        expect_choice(self.decimal, (".", ","), what="decimal sign")
        marks = [mark for mark in ("", ",", ".", " ", "'") if mark != self.decimal]
        expect_choice(self.thousands, marks, what="thousands separator")

    @property
    def percent(self) -> bool:
        """Whether the numbers are percentages: 12.5% is read as 12.5."""
        return self.unit == "%"

    def parse(self, series):
        """The numbers of a column.

        Args:
            series: polars strings or numbers, or durations where the recipe is of some.

        Returns:
            polars.Series: Int64 if the recipe's and these numbers are integers, otherwise Float64;
            null where a cell is empty, a word, a sentinel, or unreadable.
        """
        return _read(self, series).numbers

    def marked(self, decimal: str) -> "NumberRecipe":
        """The same for numbers with another decimal mark, and thousands as they go with it."""
        if decimal == self.decimal or self.duration is not None:
            return self
        thousands = self.decimal if self.thousands == decimal else self.thousands
        return dataclasses.replace(self, decimal=decimal, thousands=thousands)

    def sentences(self, series) -> list[str]:
        """Notes for the user: what was read how, and what became missing.

        Args:
            series: the column as it came.

        Example:
            >>> import polars as pl
            >>> from cutaway.data.numerals import find_numbers
            >>> column = pl.Series("price", ["$1.99", "$1,250.00", "missing"])
            >>> for sentence in find_numbers(column).sentences(column):
            ...     print(sentence)
            price: read as numbers without the unit '$', for example '$1,250.00' as 1250
            price: 1 of 3 values is not a number ('missing'), treated as missing
        """
        reading = _read(self, series)
        if self.duration is None:
            first = _example(self, series.name, reading)
        else:
            first = [_of_duration(self.duration, series.name, reading)]
        return first + _losses(series, reading)

    def losses(self, series) -> list[str]:
        """The notes on what became missing."""
        return _losses(series, _read(self, series))


@dataclasses.dataclass(frozen=True)
class _Reading:
    """A column that was read.

    Attributes:
        numbers: Int64 or Float64, null where missing.
        rows: the rows that hold more than a cast reads: separators, units, words.
        cells: their texts.
        unreadable: for each of them, whether it is neither a number nor a word.
        sentinels: {sentinel: number of rows}.
    """

    numbers: Any
    rows: Any
    cells: Any
    unreadable: Any
    sentinels: dict[float, int]


def _read(recipe: NumberRecipe, series) -> _Reading:
    import polars as pl

    if recipe.duration is not None and series.dtype == pl.Duration:
        numbers = recipe.duration.parse(series)
    elif series.dtype.is_numeric() or series.dtype == pl.Boolean:
        numbers = _of_type(recipe.integer, clean(series))
    else:
        numbers = None
    if numbers is not None:
        rows, cells = pl.Series(dtype=pl.UInt32), pl.Series(dtype=pl.String)
        unreadable = pl.Series(dtype=pl.Boolean)
    else:
        numbers, rows, cells, unreadable = _read_texts(recipe, series.cast(pl.String))
    numbers = without_numbers(numbers, recipe.missing)
    counts = {}
    for sentinel in recipe.sentinels:
        hit = (numbers == sentinel).fill_null(False)
        counts[sentinel] = int(hit.sum())
        if counts[sentinel]:
            numbers = numbers.set(hit, None)
    return _Reading(numbers.alias(series.name), rows, cells, unreadable, counts)


def _read_texts(recipe: NumberRecipe, text):
    """The first four attributes of a _Reading."""
    import polars as pl

    text = without_words(text, recipe.missing)
    numbers = _plain_numbers(recipe, text)
    rows = (numbers.is_null() & text.is_not_null()).arg_true()
    cells = plain_text(text.gather(rows))
    if rows.is_empty():
        return numbers, rows, cells, pl.Series(dtype=pl.Boolean)
    if recipe.duration is not None:
        found = recipe.duration.parse(cells)
    else:
        found = read_cells(recipe, split_cells(cells))
    unreadable = found.is_null() & ~means_missing(cells)
    found = _of_type(recipe.integer, found)
    if numbers.dtype != found.dtype:
        numbers = numbers.cast(pl.Float64)
    return numbers.scatter(rows, found), rows, cells, unreadable


def without_words(text, words: tuple[str, ...]):
    """Texts, missing where they are one of the words."""
    if not words:
        return text
    return text.set(text.str.strip_chars().is_in(list(words)).fill_null(False), None)


def without_numbers(numbers, words: tuple[str, ...]):
    """Numbers, missing where they equal one of the words: -999.0 for the word -999."""
    for word in words:
        try:
            number = float(word)
        except ValueError:
            continue
        numbers = numbers.set((numbers == number).fill_null(False), None)
    return numbers


def _plain_numbers(recipe: NumberRecipe, text):
    """The numbers that need no more than a cast, which is much faster; null for all others."""
    import polars as pl

    comma = recipe.decimal == "," and not recipe.integer
    if recipe.unit in PERCENT or comma or recipe.duration is not None:
        dtype = pl.Int64 if recipe.integer else pl.Float64
        return pl.Series([None], dtype=dtype).new_from_index(0, len(text))
    if recipe.integer:
        return text.cast(pl.Int64, strict=False)
    return clean(text.cast(pl.Float64, strict=False))


def read_cells(recipe: NumberRecipe, cells: NumeralCells):
    """The numbers of cells in the recipe's style and unit as Float64, null for all others."""
    import polars as pl

    bodies = cells.bodies
    fits = bodies.str.contains(body_pattern(recipe.decimal, recipe.thousands))
    bodies = bodies.set(~fits.fill_null(False), None)
    if recipe.thousands:
        bodies = bodies.str.replace_all(recipe.thousands, "", literal=True)
    if recipe.decimal != ".":
        bodies = bodies.str.replace(recipe.decimal, ".", literal=True)
    numbers = bodies.cast(pl.Float64, strict=False) * factors(cells, recipe.unit, recipe.scaled)
    if recipe.unit in PERCENT:
        bare = cells.of_forms([not form.before + form.after for form in cells.forms], pl.Boolean)
        numbers = numbers.set((bare & (numbers != 0)).fill_null(False), None)
    if cells.negative.any():
        numbers = (-numbers).zip_with(cells.negative.fill_null(False), numbers)
    return clean(numbers)


def factors(cells: NumeralCells, unit: str, scaled: bool):
    """For each cell, what its number is multiplied by; null if it has another unit."""
    import polars as pl

    values = [factor_of(form.before, form.after, unit, scaled) for form in cells.forms]
    return cells.of_forms(values, pl.Float64)


def _of_type(integer: bool, numbers):
    """Int64 if integers are expected and these are some, otherwise Float64."""
    import polars as pl

    if not integer or numbers.dtype == pl.Int64:
        return numbers if integer else numbers.cast(pl.Float64)
    whole = numbers.cast(pl.Int64, strict=False)
    same = whole.null_count() == numbers.null_count() and (whole == numbers).all()
    return whole if same else numbers.cast(pl.Float64)


def _losses(series, reading: _Reading) -> list[str]:
    """What became missing: words, what is unreadable, sentinels."""
    name, rows, found = series.name, len(series), []
    cells = reading.cells
    words = means_missing(cells) & ~cells.str.to_lowercase().is_in(list(USUAL))
    strange = cells.filter(words | reading.unreadable)
    if len(strange):
        is_not = "is not a number" if len(strange) == 1 else "are not numbers"
        found.append(
            f"{name}: {len(strange):,} of {rows:,} values {is_not} ({_quoted(strange)}), "
            "treated as missing"
        )
    rest = reading.numbers.drop_nulls()
    for sentinel, count in reading.sentinels.items():
        if count:
            times = "row" if count == 1 else "rows"
            beside = f", apart from the others ({rest.min():g} to {rest.max():g})" * bool(len(rest))
            found.append(f"{name}: {sentinel:g} in {count:,} {times}{beside}, treated as missing")
    return found


def _example(recipe: NumberRecipe, name: str, reading: _Reading) -> list[str]:
    """How the longest number was read that is written otherwise than a computer does."""
    import polars as pl

    numbers = reading.numbers.gather(reading.rows)
    dtype = pl.Int64 if recipe.decimal == "," else pl.Float64
    written = reading.cells.cast(dtype, strict=False).is_null() & numbers.is_not_null()
    cells = reading.cells.filter(written)
    if cells.is_empty():
        return []
    place = int(cells.str.len_chars().arg_max() or 0)
    how = ""
    if recipe.percent:
        how = " in percent"
    elif recipe.unit:
        how = f" without the unit {recipe.unit!r}"
    shown = f"{numbers.filter(written)[place]:.15g}"
    return [f"{name}: read as numbers{how}, for example {cells[place]!r} as {shown}"]


def _of_duration(recipe: DurationRecipe, name: str, reading: _Reading) -> str:
    """That durations are numbers, and in which unit."""
    numbers = reading.numbers.gather(reading.rows)
    cells = reading.cells.filter(numbers.is_not_null())
    found = f"{name}: durations, read as numbers of {recipe.unit}"
    if cells.is_empty():
        return found
    place = int(cells.str.len_chars().arg_max() or 0)
    found += f", for example {cells[place]!r} as {numbers.drop_nulls()[place]:.6g}"
    if recipe.short == "m:ss":
        found += "; those of two parts as minutes and seconds"
    other = shlex.quote(f"{option_name(name)}=category")
    return f"{found}; if they are none: --column {other}"


def _quoted(texts) -> str:
    """The most frequent texts in quotes."""
    counts = texts.alias("text").value_counts(name="count")
    counts = counts.sort(["count", "text"], descending=[True, False])
    words = [repr(text) for text in counts["text"].head(MAX_QUOTED)]
    more = len(counts) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more else "")
