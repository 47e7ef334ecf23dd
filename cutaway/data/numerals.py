"""Columns of numbers as people write them: 1,234.50 $ and 12,5 % and 1.2M and N/A.

How a column is to be read is decided once, over all its cells, as a `NumberRecipe`. The recipe is
stored with a run and reads any later table alike, also one with a single row.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from cutaway.data.durations import find_durations
from cutaway.data.missing_words import LIKELY, means_missing
from cutaway.data.number_recipe import (
    NumberRecipe,
    factors,
    read_cells,
    without_numbers,
    without_words,
)
from cutaway.data.numeral_cells import NumeralCells, plain_text, split_cells
from cutaway.data.numeral_codes import is_code, is_grouped_code
from cutaway.data.numeral_styles import find_style, grouping
from cutaway.data.numeral_units import find_unit, is_known_unit
from cutaway.data.sentinels import find_sentinels
from cutaway.errors import expect_choice

READABLE = 0.95  # of the known cells, so that a column is one of numbers
MIN_DISTINCT = 10  # integers with an unknown unit: fewer may be classes, as 2WD and 4WD
SAMPLE = 2000  # cells that tell a text from numbers
SAMPLE_READABLE = 0.8
Found = tuple[NumberRecipe, Any]  # and the numbers of the cells that are known


def find_numbers(
    series,
    *,
    missing: Sequence[str] = (),
    decimal: str | None = None,
    sentinels: bool = True,
) -> NumberRecipe | None:
    """How to read a column as numbers; None if it is no column of numbers.

    It is one if at least 95% of its cells are numbers in one style and unit, or durations. Empty
    cells and words such as N/A, #DIV/0!, - and missing do not count; words that may be a class
    (missing, -) may not outnumber the numbers. Codes are none (ZIP 00501), nor are dates, versions
    and ranges.

    Args:
        series: polars strings or durations; of numbers only the sentinels are looked for.
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
        found = recipe, recipe.parse(series)
    elif series.dtype in (pl.String, pl.Categorical, pl.Enum):
        found = _find(without_words(series.cast(pl.String), words), words, decimal)
    elif series.dtype == pl.Duration:
        recipe = dataclasses.replace(_plain(False, words, None), duration=find_durations(series))
        found = recipe, recipe.parse(series)
    else:
        found = None
    if found is None:
        return None
    recipe, numbers = found
    numbers = without_numbers(numbers, words).drop_nulls()
    if numbers.is_empty():
        return None
    if not sentinels or recipe.duration is not None:
        return recipe
    return dataclasses.replace(recipe, sentinels=tuple(find_sentinels(numbers.to_numpy())))


def _find(text, words: tuple[str, ...], decimal: str | None) -> Found | None:
    known = text.drop_nulls() if text.null_count() else text
    found = _find_plain(known, words, decimal)
    if found is None:
        known = plain_text(known)
        missing = means_missing(known)
        if missing.any():
            likely = known.str.to_lowercase().is_in(list(LIKELY)).sum()
            known = known.filter(~missing)
            if likely > len(known) or (likely and known.n_unique() < 2):
                return None
            found = _find_plain(known, words, decimal)
    if found is None:
        found = _find_disguised(known, words, decimal)
    if found is None:
        duration = find_durations(known)
        if duration is not None:
            recipe = dataclasses.replace(_plain(False, words, None), duration=duration)
            return recipe, recipe.parse(known)
    return None if found is None or (found[0].integer and is_code(known)) else found


def _find_plain(known, words: tuple[str, ...], decimal: str | None) -> Found | None:
    """Numbers as a computer writes them, found by casts only, which are much faster."""
    import polars as pl

    if known.is_empty():
        return None
    if known.head(SAMPLE).cast(pl.Int64, strict=False).null_count() == 0:
        whole = known.cast(pl.Int64, strict=False)
        if not whole.null_count():
            return _plain(True, words, decimal), whole
    if decimal == ",":  # 1.234 may be 1234
        return None
    numbers = known.cast(pl.Float64, strict=False)
    if numbers.null_count() or not _all_finite(numbers):
        return None
    if (numbers == numbers.floor()).all() and is_code(known):  # longer than 64 bits
        return None
    return _plain(False, words, decimal), numbers


def _plain(integer: bool, words: tuple[str, ...], decimal: str | None) -> NumberRecipe:
    thousands = grouping(decimal if integer else ".")
    return NumberRecipe(decimal or ".", thousands, "", False, integer, words, ())


def _find_disguised(known, words: tuple[str, ...], decimal: str | None) -> Found | None:
    """Numbers with units or separators, or with cells that are none.

    Args:
        known: strings of `plain_text`, without words for missing values.
    """
    sample = known.gather_every(max(1, len(known) // SAMPLE))
    if sample.is_empty() or _readable(split_cells(sample).bodies) < SAMPLE_READABLE:
        return None
    cells = split_cells(known)
    if _readable(cells.bodies) < READABLE:
        return None
    unit, scaled = _unit_of(cells)
    bodies = cells.bodies.filter(factors(cells, unit, scaled).is_not_null()).drop_nulls()
    if len(bodies) < READABLE * len(known):
        return None
    mark, thousands = find_style(bodies, decimal)
    recipe = NumberRecipe(mark, thousands, unit, scaled, False, words, ())
    numbers = read_cells(recipe, cells)
    distinct = numbers.drop_nulls().n_unique()
    if _readable(numbers) < READABLE or distinct < 2:
        return None
    fractions = bool(bodies.str.contains(rf"[\{mark}eE]").any())
    plain = not bodies.str.contains(r"[.,' eE]").any()
    if unit and plain and distinct < MIN_DISTINCT and not is_known_unit(unit):
        return None
    # all in parentheses: no negative amounts
    if all(form.in_parentheses for form in cells.forms):
        return None
    if thousands == " " and is_grouped_code(bodies):
        return None
    return dataclasses.replace(recipe, integer=not scaled and not fractions), numbers


def _unit_of(cells: NumeralCells) -> tuple[str, bool]:
    codes = cells.codes.filter(cells.bodies.is_not_null())
    table = codes.alias("code").value_counts(name="count")
    counts: dict[tuple[str, str], int] = {}
    for code, count in sorted(table.rows()):
        form = cells.forms[code]
        key = form.before, form.after
        counts[key] = counts.get(key, 0) + count
    return find_unit(counts)


def _all_finite(numbers) -> bool:
    # the sum is much faster, but may overflow
    return math.isfinite(numbers.sum()) or bool(numbers.is_finite().all())


def _readable(values) -> float:
    """The fraction of values that are known."""
    return 1 - values.null_count() / max(1, len(values))
