"""The parts of a number as people write it: sign, currency, digits, exponent, unit."""

import dataclasses
import re
from typing import Any

MAX_LENGTH = 40  # a longer text is no number
MAX_FORMS = 100_000  # of what stands around the digits in a column; rarer ones are unreadable

_CODES = (
    "USD EUR GBP JPY CNY RMB CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY RUB UAH INR PKR "
    "BDT LKR IDR MYR SGD THB PHP VND KRW TWD HKD BRL MXN ARS CLP COP PEN ZAR NGN KES EGP AED SAR "
    "QAR ILS BTC ETH"
)
CURRENCY_WORDS = frozenset(
    {code.casefold() for code in _CODES.split()}
    | {"rs", "rs.", "kr", "kr.", "fr", "fr.", "sfr", "sfr.", "zł", "kč", "ft", "lei", "лв", "руб"}
)
CURRENCY_SIGNS = "$¢£¤¥֏؋৳฿₠-⃀﷼﹩＄￠￡￥￦"  # as in a character class
_WORDS = "|".join(sorted((w.replace(".", r"\.") for w in CURRENCY_WORDS), key=len, reverse=True))
_CURRENCY = rf"(?:[A-Z]{{0,3}} ?[{CURRENCY_SIGNS}]|(?i:{_WORDS}))"  # $, US$, R$, EUR
_HEAD = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+])?\s*(?P<before>{_CURRENCY})?\s*"
    r"(?P<paren>\()?(?P<inner>[-+])?\s*(?P<lead>[.,])?"
)
_UNIT = rf"(?:[^\W\d_]|[{CURRENCY_SIGNS}%‰°℃℉+]|/ ?[^\W\d_])[\w{CURRENCY_SIGNS}%°/^·. -]{{0,19}}"
_TAIL = re.compile(
    r"(?P<exponent>[eE][-+]?\d{1,3})?(?P<dash>--?)?(?:/-)?"  # 500/- rupees
    rf"\s*(?P<after>{_UNIT})?\s*(?P<close>\))?"
)
# deterministic at each character, so that it is matched in one pass
_PARTS = r"^(?<head>[^0-9]*)(?<body>[0-9][0-9.,' ]*)(?<tail>(?:[^0-9.,' ].*)?)$"
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


@dataclasses.dataclass(frozen=True)
class Form:
    """What stands around the digits of a cell.

    Attributes:
        before, after: currency or unit, "" if there is none.
        negative: by a minus or by parentheses.
        in_parentheses: whether the whole cell is, as negative amounts of accounts.
        lead: a decimal sign before the first digit, "" if there is none.
        exponent: "e-05" or "".
        dash: "-" or "--" behind the digits: 5.- has no cents, 5.00- is negative.
    """

    before: str
    after: str
    negative: bool
    in_parentheses: bool
    lead: str
    exponent: str
    dash: str


@dataclasses.dataclass(frozen=True)
class NumeralCells:
    """The parts of a column of numbers; all series have one row per cell.

    Attributes:
        bodies: strings of digits with separators and exponent, null where a cell is no number.
        negative: booleans.
        codes: index of the cell's form in `forms`, null where a cell is no number.
        forms: the different forms, each once.
    """

    bodies: Any
    negative: Any
    codes: Any
    forms: list[Form]

    def of_forms(self, values: list, dtype=None):
        """A value of each form as a series of the cells."""
        import polars as pl

        return pl.Series(values, dtype=dtype).gather(self.codes)


def plain_text(series):
    """Texts with one kind of space, minus and apostrophe each, without spaces around them."""
    text = series.str.replace_many(list(_PLAIN), list(_PLAIN.values()))
    return text.str.strip_chars()


def split_cells(text) -> NumeralCells:
    """The parts of each number.

    Args:
        text: polars strings as `plain_text` returns them.
    """
    import polars as pl

    parts = pl.DataFrame([text.alias("text")]).select(
        pl.when(pl.col("text").str.len_bytes() <= 2 * MAX_LENGTH)
        .then("text")
        .str.extract_groups(_PARTS)
        .alias("parts")
    )
    parts = parts.unnest("parts").select(
        pl.col("body").str.strip_chars(" "), around=pl.col("head") + "\n" + pl.col("tail")
    )
    forms = _forms(parts["around"])
    codes = parts["around"].cast(pl.Enum(list(forms)), strict=False).to_physical()
    cells = NumeralCells(parts["body"], None, codes, list(forms.values()))
    bodies = parts["body"].set(codes.is_null(), None)
    return _with_signs(dataclasses.replace(cells, bodies=bodies))


def _forms(around) -> dict[str, Form]:
    """The form of each text around digits that may stand around a number."""
    counts = around.drop_nulls().value_counts(name="count")
    counts = counts.sort(["count", around.name], descending=[True, False]).head(MAX_FORMS)
    forms = {text: _form(*text.split("\n", 1)) for text in counts[around.name]}
    return {text: form for text, form in forms.items() if form is not None}


def _form(head: str, tail: str) -> Form | None:
    left, right = _HEAD.fullmatch(head), _TAIL.fullmatch(tail)
    if left is None or right is None:
        return None
    opened = bool(left["open"]) + bool(left["paren"])
    closed = bool(right["close"])
    signs = [left["sign"], left["inner"], right["dash"] and "-", closed and "-"]
    if opened != closed or sum(map(bool, signs)) > 1:
        return None
    return Form(
        before=left["before"] or "",
        after=(right["after"] or "").strip(),
        negative=closed or "-" in (left["sign"], left["inner"]),
        in_parentheses=closed,
        lead=left["lead"] or "",
        exponent=right["exponent"] or "",
        dash=right["dash"] or "",
    )


def _with_signs(cells: NumeralCells) -> NumeralCells:
    """The cells with leading decimal sign, exponent and dash taken into bodies and negative."""
    import polars as pl

    bodies, forms = cells.bodies, cells.forms
    negative = cells.of_forms([form.negative for form in forms], pl.Boolean)
    if any(form.lead or form.exponent for form in forms):
        lead = cells.of_forms([form.lead for form in forms], pl.String)
        bodies = lead + bodies + cells.of_forms([form.exponent for form in forms], pl.String)
    if any(form.dash for form in forms):
        dash = cells.of_forms([form.dash for form in forms], pl.String)
        open_end = bodies.str.contains(r"[.,]$")
        negative |= (dash == "-") & ~open_end
        # 5- may be a grade
        well = (dash == "") | open_end | ((dash == "-") & bodies.str.contains(r"[.,]"))
        bodies = bodies.set(~well, None)
    return dataclasses.replace(cells, bodies=bodies, negative=negative)
