"""Columns of numbers as people write them: 1,234.50 $ and 12,5 % and 1.2M and N/A.

How a column is to be read is decided once, over all its cells, as a `NumberRecipe`. The recipe is
stored with a run and reads any later table alike, also one with a single row.
"""

import dataclasses
from collections.abc import Sequence

from cutaway.data.missing_words import LIKELY, means_missing
from cutaway.data.number_recipe import MAX_FORMS, NumberRecipe, factors, read_cells
from cutaway.data.numeral_cells import plain_text, split_cells
from cutaway.data.numeral_codes import is_code, is_grouped_code
from cutaway.data.numeral_styles import find_style, grouping
from cutaway.data.numeral_units import find_unit, is_known_unit
from cutaway.data.sentinels import find_sentinels
from cutaway.errors import expect_choice

READABLE = 0.95  # of the known cells, so that a column is one of numbers
MIN_DISTINCT = 10  # numbers with a unit that nobody knows: fewer may be classes, as 2WD and 4WD
SAMPLE = 2000  # cells that tell a text from numbers
SAMPLE_READABLE = 0.8


def find_numbers(
    series,
    *,
    missing: Sequence[str] = (),
    decimal: str | None = None,
    sentinels: bool = True,
) -> NumberRecipe | None:
    """How to read a column as numbers; None if it is no column of numbers.

    It is one if at least 95% of its cells are numbers in one style and unit. Empty cells and words
    such as N/A, #DIV/0!, - and missing do not count; words that may be a class (missing, -) may
    not outnumber the numbers. Codes are none (ZIP 00501), nor are dates, versions and ranges.

    Args:
        series: polars strings; of numbers only the sentinels are looked for.
        missing: texts that mean a missing value, as they are written in the cells.
        decimal: "." or ",", how the other columns of the table write (see find_decimal). It
            decides where the column does not: whether 1,234 is 1234 or 1.234.
        sentinels: whether to look for them; False to take every number as it is.
    """
    import polars as pl

    if decimal is not None:
        expect_choice(decimal, (".", ","), what="decimal sign")
    words = tuple(word.strip() for word in missing)
    if series.dtype.is_numeric():
        recipe = _plain(series.dtype.is_integer(), words, None)
    elif series.dtype in (pl.String, pl.Categorical, pl.Enum):
        recipe = _find_recipe(series.cast(pl.String), words, decimal)
    else:
        recipe = None
    if recipe is None:
        return None
    numbers = recipe.parse(series).drop_nulls()
    if numbers.is_empty():
        return None
    found = find_sentinels(numbers.cast(pl.Float64).to_numpy()) if sentinels else []
    return dataclasses.replace(recipe, sentinels=tuple(found))


def _find_recipe(text, words: tuple[str, ...], decimal: str | None) -> NumberRecipe | None:
    if words:
        text = text.set(text.str.strip_chars().is_in(words).fill_null(False), None)
    known = text.drop_nulls() if text.null_count() else text
    recipe = _find_plain(known, words, decimal)
    if recipe is not None:
        return None if recipe.integer and is_code(known) else recipe
    known = plain_text(known)
    missing = means_missing(known)
    if missing.any():
        likely = known.str.to_lowercase().is_in(list(LIKELY)).sum()
        known = known.filter(~missing)
        if likely > len(known) or (likely and known.n_unique() < 2):
            return None
    recipe = _find_plain(known, words, decimal) or _find_disguised(known, words, decimal)
    return None if recipe is None or is_code(known) else recipe


def _find_plain(known, words: tuple[str, ...], decimal: str | None) -> NumberRecipe | None:
    """The recipe of numbers that a computer wrote, by casts only, which are much faster."""
    import polars as pl

    if known.is_empty():
        return None
    if decimal == ",":  # 1.234 may be 1234
        whole = known.cast(pl.Int64, strict=False)
        return None if whole.null_count() else _plain(True, words, decimal)
    numbers = known.cast(pl.Float64, strict=False)
    if numbers.null_count() or not numbers.is_finite().all():
        return None
    integer = bool((numbers == numbers.floor()).all())
    if integer:
        whole = known.cast(pl.Int64, strict=False).null_count() == 0
        if not whole and is_code(known):  # longer than 64 bits
            return None
        integer = whole
    return _plain(integer, words, decimal)


def _plain(integer: bool, words: tuple[str, ...], decimal: str | None) -> NumberRecipe:
    thousands = grouping(decimal if integer else ".")
    return NumberRecipe(decimal or ".", thousands, "", False, integer, words, ())


def _find_disguised(known, words: tuple[str, ...], decimal: str | None) -> NumberRecipe | None:
    """The recipe of numbers with units or separators, or with cells that are none.

    Args:
        known: strings of `plain_text`, without words for missing values.
    """
    sample = known.gather_every(max(1, len(known) // SAMPLE))
    if sample.is_empty() or _readable(split_cells(sample)["body"]) < SAMPLE_READABLE:
        return None
    cells = split_cells(known)
    if _readable(cells["body"]) < READABLE:
        return None
    unit, scaled = _unit_of(cells)
    factor = factors(cells, unit, scaled)
    fitting = cells.filter(factor.is_not_null() & cells["body"].is_not_null())
    if len(fitting) < READABLE * len(known):
        return None
    bodies = fitting["body"]
    mark, thousands = find_style(bodies, decimal)
    recipe = NumberRecipe(mark, thousands, unit, scaled, False, words, ())
    numbers = read_cells(recipe, cells)
    distinct = numbers.drop_nulls().n_unique()
    if _readable(numbers) < READABLE or distinct < 2:
        return None
    if unit and not is_known_unit(unit) and distinct < MIN_DISTINCT:
        return None
    if fitting["in_parentheses"].all():  # no negative amounts, if there are no others
        return None
    if thousands == " " and is_grouped_code(bodies):
        return None
    integer = not scaled and not bodies.str.contains(rf"[\{mark}eE]").any()
    return dataclasses.replace(recipe, integer=integer)


def _unit_of(cells) -> tuple[str, bool]:
    forms = cells.filter(cells["body"].is_not_null()).group_by("before", "after").len()
    forms = forms.sort(["len", "before", "after"], descending=[True, False, False]).head(MAX_FORMS)
    return find_unit({(before, after): count for before, after, count in forms.rows()})


def _readable(values) -> float:
    """The fraction of values that are known."""
    return 1 - values.null_count() / max(1, len(values))
