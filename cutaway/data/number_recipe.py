"""How a column of strings is read as numbers: decided once, stored, and applied to any table."""

import dataclasses
from typing import Any

from cutaway.data.columns import clean
from cutaway.data.json_types import Finite
from cutaway.data.missing_words import USUAL, means_missing
from cutaway.data.numeral_cells import plain_text, split_cells
from cutaway.data.numeral_styles import body_pattern
from cutaway.data.numeral_units import PERCENT, factor_of
from cutaway.errors import expect_choice

MAX_QUOTED = 3
MAX_FORMS = 1000  # of what stands beside the numbers of a column


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

    def __post_init__(self):
        expect_choice(self.decimal, (".", ","), what="decimal sign")
        expect_choice(self.thousands, ("", ",", ".", " ", "'"), what="thousands separator")

    @property
    def percent(self) -> bool:
        """Whether the numbers are percentages: 12.5% is read as 12.5."""
        return self.unit == "%"

    def parse(self, series):
        """The numbers of a column.

        Args:
            series: polars strings, or numbers.

        Returns:
            polars.Series: Int64 if the recipe's and these numbers are integers, otherwise Float64;
            null where a cell is empty, a word, a sentinel, or unreadable.
        """
        return _read(self, series).numbers

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
        return _sentences(self, series, _read(self, series))


@dataclasses.dataclass(frozen=True)
class _Reading:
    """A column that was read.

    Attributes:
        numbers: Int64 or Float64, null where missing.
        unreadable: for each row, whether it holds something that is no number.
        sentinels: {sentinel: number of rows}.
    """

    numbers: Any
    unreadable: Any
    sentinels: dict[float, int]


def _read(recipe: NumberRecipe, series) -> _Reading:
    import polars as pl

    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        numbers = _of_type(recipe.integer, clean(series))
        unreadable = pl.repeat(False, len(series), eager=True)
    else:
        numbers, unreadable = _read_texts(recipe, series.cast(pl.String))
    for number in filter(None.__ne__, map(_number, recipe.missing)):
        numbers = numbers.set((numbers == number).fill_null(False), None)
    counts = {}
    for sentinel in recipe.sentinels:
        hit = (numbers == sentinel).fill_null(False)
        counts[sentinel] = int(hit.sum())
        if counts[sentinel]:
            numbers = numbers.set(hit, None)
    return _Reading(numbers.alias(series.name), unreadable, counts)


def _read_texts(recipe: NumberRecipe, text):
    """(numbers, whether each text is neither a number nor a word for a missing value)."""
    import polars as pl

    if recipe.missing:
        words = [word.strip() for word in recipe.missing]
        text = text.set(text.str.strip_chars().is_in(words).fill_null(False), None)
    numbers = _plain_numbers(recipe, text)
    rest = numbers.is_null() & text.is_not_null()
    if not rest.any():
        return numbers, rest
    rows = rest.arg_true()
    cells = plain_text(text.gather(rows))
    found = read_cells(recipe, split_cells(cells))
    unreadable = rest.scatter(rows.filter(found.is_not_null() | means_missing(cells)), False)
    found = _of_type(recipe.integer, found)
    if numbers.dtype != found.dtype:
        numbers = numbers.cast(pl.Float64)
    return numbers.scatter(rows, found), unreadable


def _plain_numbers(recipe: NumberRecipe, text):
    """The numbers that need no more than a cast, which is much faster; null for all others."""
    import polars as pl

    if recipe.unit in PERCENT or (recipe.decimal == "," and not recipe.integer):
        dtype = pl.Int64 if recipe.integer else pl.Float64
        return pl.Series([None], dtype=dtype).new_from_index(0, len(text))
    if recipe.integer:
        return text.cast(pl.Int64, strict=False)
    return clean(text.cast(pl.Float64, strict=False))


def read_cells(recipe: NumberRecipe, cells):
    """The numbers of cells in the recipe's style and unit as Float64, null for all others.

    Args:
        cells: frame of `split_cells`.
    """
    import polars as pl

    body = pl.col("body")
    digits = pl.when(body.str.contains(body_pattern(recipe.decimal, recipe.thousands))).then(body)
    if recipe.thousands:
        digits = digits.str.replace_all(recipe.thousands, "", literal=True)
    digits = digits.str.replace(recipe.decimal, ".", literal=True)
    number = digits.cast(pl.Float64, strict=False) * pl.col("factor")
    number = pl.when(pl.col("negative")).then(-number).otherwise(number)
    if recipe.unit in PERCENT:
        bare = (pl.col("before") + pl.col("after")) == ""
        number = pl.when(~bare | (number == 0)).then(number)
    cells = cells.with_columns(factors(cells, recipe.unit, recipe.scaled))
    number = cells.select(number.alias("number"))["number"]
    return clean(number)


def factors(cells, unit: str, scaled: bool):
    """For each cell, what its number is multiplied by, as a series `factor`; null if unreadable."""
    import polars as pl

    forms = cells.select("before", "after").unique()
    if len(forms) > MAX_FORMS:  # texts: the rare ones are unreadable
        forms = cells.group_by("before", "after").len().top_k(MAX_FORMS, by="len").drop("len")
    values = [factor_of(before, after, unit, scaled) for before, after in forms.rows()]
    forms = forms.with_columns(pl.Series("factor", values, dtype=pl.Float64))
    joined = cells.select("before", "after").join(
        forms, on=["before", "after"], how="left", maintain_order="left"
    )
    return joined["factor"]


def _of_type(integer: bool, numbers):
    """Int64 if integers are expected and these are some, otherwise Float64."""
    import polars as pl

    if not integer or numbers.dtype == pl.Int64:
        return numbers if integer else numbers.cast(pl.Float64)
    whole = numbers.cast(pl.Int64, strict=False)
    same = whole.null_count() == numbers.null_count() and (whole == numbers).all()
    return whole if same else numbers.cast(pl.Float64)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _sentences(recipe: NumberRecipe, series, reading: _Reading) -> list[str]:
    import polars as pl

    name, rows = series.name, len(series)
    found = []
    if series.dtype == pl.String:
        found += _example(recipe, series, reading)
        text = series.str.strip_chars()
        words = means_missing(plain_text(text)) & ~text.str.to_lowercase().is_in(list(USUAL))
        words |= reading.unreadable
        strange = text.filter(words.fill_null(False))
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


def _example(recipe: NumberRecipe, series, reading: _Reading) -> list[str]:
    """How the longest number was read that is written otherwise than a computer does."""
    import polars as pl

    text = plain_text(series)
    written = text.cast(pl.Float64, strict=False).is_null() | (recipe.decimal == ",")
    written &= text.cast(pl.Int64, strict=False).is_null() & reading.numbers.is_not_null()
    rows = written.fill_null(False).arg_true()
    if rows.is_empty():
        return []
    row = rows[int(text.gather(rows).str.len_chars().arg_max() or 0)]
    how = ""
    if recipe.percent:
        how = " in percent"
    elif recipe.unit:
        how = f" without the unit {recipe.unit!r}"
    shown = f"{reading.numbers[row]:.15g}"
    return [f"{series.name}: read as numbers{how}, for example {text[row]!r} as {shown}"]


def _quoted(texts) -> str:
    """The most frequent texts in quotes."""
    counts = texts.value_counts(name="count").sort(["count", texts.name], descending=[True, False])
    words = [repr(text) for text in counts[texts.name].head(MAX_QUOTED)]
    more = len(counts) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more else "")
