"""How a column writes its numbers: which sign is decimal, which one groups thousands."""

from collections.abc import Iterable

SAME = 0.05  # a contradiction in fewer cells is a typing error
# (decimal, thousands), in order of preference
_STYLES = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))


SAMPLE = 5000  # cells of a column that show how it writes numbers


def body_pattern(decimal: str, thousands: str) -> str:
    """The regular expression of the digits of a number in a style, with its exponent.

    Numbers with an exponent have no thousands: 1,234E5 is 1.234E5. `thousands` may be "".
    """
    point = _escaped(decimal)
    fraction = rf"(?:{point}\d*)?"
    readings = [rf"(?:\d+{fraction}|{point}\d+)(?:[eE][-+]?\d+)?"]
    if thousands:
        readings.append(rf"[1-9]\d{{0,2}}(?:{_escaped(thousands)}\d{{3}})+{fraction}")
    if thousands == ",":  # 12,34,567 of India
        readings.append(rf"[1-9]\d?(?:,\d{{2}})*,\d{{3}}{fraction}")
    return rf"^(?:{'|'.join(readings)})$"


def find_style(bodies, decimal: str | None = None) -> tuple[str, str]:
    """The decimal sign, and the sign between thousands.

    It is the style that reads the most cells. If all of "1,234" and "56,789" have three digits
    behind each comma, commas group thousands, and points are decimal, unless `decimal` says so.

    Args:
        bodies: polars strings of digits with separators and exponents, without nulls.
        decimal: "." or ",", how the rest of the table writes, if known.

    Returns:
        (decimal, thousands). thousands is "" if nothing shows how they would be grouped.
    """
    import polars as pl

    separated = bodies.filter(bodies.str.contains(r"[.,' ]"))
    if separated.is_empty():
        return decimal or ".", grouping(decimal)
    hits = pl.DataFrame([separated.alias("b")]).select(
        pl.col("b").str.contains(body_pattern(*style)).sum().alias(str(k))
        for k, style in enumerate(_STYLES)
    )
    counts = dict(zip(_STYLES, hits.row(0), strict=True))
    order = [s for s in _STYLES if s[0] == decimal] + [s for s in _STYLES if s[0] != decimal]
    best = max(order, key=lambda style: counts[style])
    if best == (",", ".") and decimal != "," and _groups_but_for_errors(separated):
        best = _STYLES[0]
    return best[0], _used(separated, *best, hint=decimal)


def find_decimal(columns: Iterable) -> str | None:
    """The decimal sign of a table: "." or ",", None if no cell or no majority of columns shows it.

    Only numbers without another reading count: 1,5 and 0,123 and 1.234,5, not 1,234.

    Args:
        columns: polars series; those of other types than String are skipped.
    """
    import polars as pl

    votes = {".": 0, ",": 0}
    for series in columns:
        if series.dtype != pl.String:
            continue
        text = series.gather_every(max(1, len(series) // SAMPLE)).drop_nulls().str.strip_chars()
        comma = int(text.str.contains(_sure(",", ".")).sum())
        point = int(text.str.contains(_sure(".", ",")).sum())
        if max(comma, point) > len(text) / 20:
            votes["," if comma > point else "."] += 1
    if votes["."] == votes[","]:
        return None
    return max(votes, key=lambda mark: votes[mark])


def _sure(decimal: str, thousands: str) -> str:
    """Numbers that a person cannot read otherwise: 0,123; 1,5; 1234,567; 1.234,567."""
    point, mark = _escaped(decimal), _escaped(thousands)
    fractions = rf"(?:\d+{point}\d{{1,2}}|\d+{point}\d{{4,}}|0{point}\d+|\d{{4,}}{point}\d+"
    return rf"^[-+]?{fractions}|\d{{1,3}}(?:{mark}\d{{3}})+{point}\d+)$"


def _groups_but_for_errors(separated) -> bool:
    """Whether commas group thousands but in a few cells that cannot be decimals of this column.

    A column of decimals that are cut after three digits would have more of them than one in
    twenty with fewer digits, and those below 1 begin with 0.
    """
    with_comma = separated.filter(separated.str.contains(",", literal=True))
    groups = with_comma.str.contains(body_pattern(".", ","))
    other = with_comma.filter(~groups)
    decimals = other.str.contains(r"^0,|^\d{4,},|\..*,|[eE]")
    return 0 < len(other) <= SAME * len(with_comma) and not decimals.any()


def _used(separated, decimal: str, thousands: str, hint: str | None) -> str:
    if separated.str.contains(thousands, literal=True).any():
        return thousands
    shown = separated.str.contains(decimal, literal=True).any()
    return grouping(decimal if shown else hint)


def grouping(decimal: str | None) -> str:
    """The sign that groups thousands where that one is decimal; "" if none is known."""
    return {".": ",", ",": ".", None: ""}[decimal]


def _escaped(mark: str) -> str:
    return rf"\{mark}" if mark == "." else mark
