"""The parts of a number as people write it: sign, currency, digits, exponent, unit."""

MAX_LENGTH = 40  # a longer text is no number

_CODES = (
    "USD EUR GBP JPY CNY RMB CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY RUB UAH INR PKR "
    "BDT LKR IDR MYR SGD THB PHP VND KRW TWD HKD BRL MXN ARS CLP COP PEN ZAR NGN KES EGP AED SAR "
    "QAR ILS BTC ETH"
)
CURRENCY_WORDS = frozenset(
    {code.casefold() for code in _CODES.split()}
    | {"rs", "rs.", "kr", "kr.", "fr", "fr.", "sfr", "sfr.", "zł", "kč", "ft", "lei", "лв", "руб"}
)
_SYMBOL = r"\p{Lu}{0,3} ?\p{Sc}"  # $, US$, R$
_WORDS = "|".join(sorted((w.replace(".", r"\.") for w in CURRENCY_WORDS), key=len, reverse=True))
CURRENCY = rf"(?:{_SYMBOL}|(?i:{_WORDS}))"
_UNIT = r"(?:[\p{L}\p{Sc}%‰°℃℉+]|/ ?\p{L})[\p{L}\p{M}\p{N}\p{Sc}%°/^·²³. -]{0,19}"
_CELL = (
    r"^(?<open>\()?(?<sign>[-+])?\s*"
    rf"(?<before>{CURRENCY})?\s*(?<paren>\()?(?<inner>[-+])?\s*"
    r"(?<body>[.,]?\d[\d.,' ]*?(?:[eE][-+]?\d{1,3})?)"
    r"(?:[.,]-{1,2})?(?<minus>-)?"  # 5.- as in Switzerland; 5.00- as in ledgers
    rf"\s*(?<after>{_UNIT})?\s*(?<close>\))?$"
)
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACES += "\u202f\u205f\u3000\t"
_MINUSES = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
_APOSTROPHES = "\u2018\u2019\u02bc\u00b4`"
_INVISIBLE = "\ufeff\u200b\u200e\u200f"
_PLAIN = {
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_MINUSES, "-"),
    **dict.fromkeys(_APOSTROPHES, "'"),
    **dict.fromkeys(_INVISIBLE, ""),
}


def plain_text(series):
    """Texts with one kind of space, minus and apostrophe each, without spaces around them."""
    text = series.str.replace_many(list(_PLAIN), list(_PLAIN.values()))
    return text.str.strip_chars()


def split_cells(text):
    """The parts of each number: a frame with one row per text, null where a text is no number.

    Args:
        text: strings as `plain_text` returns them.

    Returns:
        polars.DataFrame with columns before, after (currency or unit, "" if there is none), body
        (digits with separators and exponent), negative, in_parentheses.
    """
    import polars as pl

    cells = pl.DataFrame([text.alias("text")]).select(
        pl.when(pl.col("text").str.len_chars() <= MAX_LENGTH)
        .then(pl.col("text"))
        .str.extract_groups(_CELL)
        .alias("cell")
    )
    cells = cells.unnest("cell")
    closed = pl.col("close").is_not_null()
    opened = pl.col("open").is_not_null().cast(int) + pl.col("paren").is_not_null().cast(int)
    trailing = pl.col("minus").is_not_null()
    signs = sum(
        (pl.col(name).is_not_null().cast(int) for name in ("sign", "inner", "minus")),
        start=closed.cast(int),
    )
    well = (
        (opened == closed.cast(int))
        & (signs <= 1)
        & (~trailing | pl.col("body").str.contains("[.,]"))  # 5- may be a grade
    )
    minus = (pl.col("sign") == "-").fill_null(False) | (pl.col("inner") == "-").fill_null(False)
    return cells.select(
        pl.when(well).then(pl.col("body")).alias("body"),
        pl.col("before").fill_null("").str.strip_chars(),
        pl.col("after").fill_null("").str.strip_chars(),
        (closed | trailing | minus).alias("negative"),
        closed.alias("in_parentheses"),
    )
