"""Words that stand for a missing value, in columns of numbers and in columns of text."""

from collections.abc import Iterable

from cutaway.data.numeral_cells import CURRENCY_SIGNS

# usual for a missing value, in whatever column; compared in lower case
USUAL = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
# missing in a column of numbers, however many there are: no other meaning is known
CERTAIN = USUAL | {
    *("n.a.", "n.a", "#n/a", "#na", "#n/a n/a", "<na>", "nat", "-nan", "1.#qnan", "-1.#ind"),
    *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#error!", "(null)", "\\n"),
}
# missing in a column of numbers, unless they outnumber the numbers: they may be a class
LIKELY = frozenset(
    {
        *("-", "--", "---", ".", "..", "...", ":", "*", "**", "missing", "unknown", "unk"),
        *("n.d.", "n.d", "nd", "n/d", "no data", "not available", "not applicable", "nil"),
        *("undefined", "tbd", "tba", "(blank)", "k.a.", "k. a.", "keine angabe", "s/d"),
        *("inf", "+inf", "-inf", "infinity", "-infinity", "+infinity"),
    }
)


def means_missing(series):
    """Where a text of a column of numbers stands for a missing value; a missing one does not.

    Args:
        series: polars strings, without spaces around them.
    """
    words = series.str.to_lowercase()
    missing = words.is_in(list(CERTAIN | LIKELY))
    # "$ -" and "-%" of spreadsheets
    missing |= words.str.contains(
        rf"^[{CURRENCY_SIGNS}% ]*(?:-+|n/?a|nan|null)[{CURRENCY_SIGNS}% ]*$"
    )
    return missing.fill_null(False)


def as_texts(series, *, missing: Iterable[str] = ()):
    """A column of text or of classes: without spaces around its values, missing where it is empty.

    Words such as NA and None stay, since a class may have that name.

    Args:
        series: polars strings.
        missing: words that mean a missing value, as they are written in the cells.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.missing_words import as_texts
        >>> as_texts(pl.Series([" EU", "NA", "", "?"]), missing=["?"]).to_list()
        ['EU', 'NA', None, None]
    """
    text = series.str.strip_chars()
    words = ["", *(word.strip() for word in missing)]
    return text.set(text.is_in(words).fill_null(False), None)


def missing_words_of_text(series) -> dict[str, int]:
    """The words of a text column that often mean a missing value, with their counts.

    `as_texts` keeps them: they are for a note that says so.

    Args:
        series: polars strings.
    """
    text = series.str.strip_chars()
    text = text.filter(means_missing(text) & (text != ""))
    counts = text.alias("text").value_counts(sort=True, name="count")
    return dict(zip(counts["text"].to_list(), counts["count"].to_list(), strict=True))
