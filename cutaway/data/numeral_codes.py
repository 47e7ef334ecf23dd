"""Strings of digits that are no numbers: ZIP codes, telephone numbers, keys."""

from cutaway.data.missing_words import means_missing

SHARE = 0.95  # of the cells, for a law that holds but for errors
MIN_PHONE = 10  # digits behind a +
MIN_LONG = 19  # digits of the largest 64-bit integer
MIN_GROUPED = 9  # digits in groups, as 732 829 320


def is_code(series) -> bool:
    """Whether a column of strings holds codes that consist of digits, and no numbers.

    They are codes if leading zeros would be lost: some begin with 0, and all have the same length
    or more than 5% begin with 0. Also if all begin with + and have ten digits or more, or if they
    have one length and are too long for 64-bit integers.

    Args:
        series: polars strings.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.numeral_codes import is_code
        >>> is_code(pl.Series(["00501", "10001", "94105"])), is_code(pl.Series(["0", "10", "0.5"]))
        (True, False)
    """
    first = series.str.starts_with("0") & (series.str.len_bytes() > 1)
    first |= series.str.starts_with("+") | series.str.starts_with(" ")
    if not first.any() and (series.str.len_bytes().max() or 0) < MIN_LONG:
        return False  # much faster to find out
    text = series.str.strip_chars()
    zeros = int(text.str.contains(r"^0\d+$").sum())
    long = int(text.str.contains(r"^\+?\d{10,}$").sum())
    if not zeros and not long:
        return False
    known = text.drop_nulls()
    known = known.filter(~means_missing(known))
    most = SHARE * len(known)
    digits = known.filter(known.str.contains(r"^\d+$"))
    if len(digits) < most:
        return bool(known.str.contains(rf"^\+\d{{{MIN_PHONE},}}$").sum() >= most)
    lengths = digits.str.len_bytes()
    usual = lengths.mode().max()
    one_length = bool((lengths == usual).sum() >= SHARE * len(digits))
    if zeros > (1 - SHARE) * len(digits):
        return True
    if not one_length:
        return False
    if digits.filter(lengths == usual).str.starts_with("0").any() and usual > 1:
        return True
    return digits.cast(int, strict=False).null_count() > (1 - SHARE) * len(digits)


def is_grouped_code(bodies) -> bool:
    """Whether groups of digits with spaces are codes: all of one length, of nine digits or more.

    Args:
        bodies: polars strings of digits and spaces, without nulls.
    """
    lengths = bodies.str.replace_all(" ", "").str.len_bytes()
    return lengths.n_unique() == 1 and lengths[0] >= MIN_GROUPED and len(bodies) > 2
