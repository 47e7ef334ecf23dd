"""The one unit of a column of numbers: currency, percent, kilograms, thousands and millions."""

import re
from collections.abc import Mapping

from cutaway.data.numeral_cells import CURRENCY_SIGNS, CURRENCY_WORDS

PERCENT = ("%", "‰")
_UNITS = """
% ‰ percent pct pp kg g mg µg ug lb oz t ton tonne m cm mm km µm um nm in inch inches ft foot
feet yd mi mile m2 m² cm2 cm² km2 km² sqm sqft ft2 ft² ha acre m3 m³ cm3 cm³ l ml cl dl hl gal
s sec second ms µs us min minute h hr hour d day week month yr year °c °f ° ℃ ℉ kelvin km/h kmh
kph kmph mph m/s rpm w kw mw kwh mwh gwh hp ps bhp cc v mv kv ma ah mah ohm hz khz mhz ghz pa
hpa kpa mpa bar mbar psi mmhg bit kb mb gb tb kib mib gib kbps mbps gbps cal kcal kj ppm ppb
mg/dl g/dl mmol/l g/l mg/l µg/l mg/kg µg/m³ µg/m3 kmpl km/l l/100km km/kg mpg px dpi db nm lux
pts pt point piece pcs person room bed
"""
_KNOWN = frozenset(_UNITS.split())
_SCALES = {"k": 1e3, "thousand": 1e3, "lakh": 1e5, "lac": 1e5, "lacs": 1e5}
_SCALES |= {"m": 1e6, "mn": 1e6, "mio": 1e6, "mln": 1e6, "million": 1e6, "millions": 1e6}
_SCALES |= {"cr": 1e7, "crore": 1e7, "b": 1e9, "g": 1e9, "bn": 1e9, "mrd": 1e9, "billion": 1e9}
_SCALES |= {"billions": 1e9, "t": 1e12, "tn": 1e12, "trillion": 1e12}
_WEAK = frozenset({"m", "b", "B", "g", "G", "t", "T"})  # meters, bytes, ...: not without k, M or $
_NO_UNITS = frozenset(
    {"st", "nd", "rd", "th", "am", "pm", "a.m", "p.m", "uhr", "e"}
)  # 1st, 3 am, 5e
_MILLI_OR_MEGA = frozenset({"w", "wh", "v", "j", "hz", "pa"})  # mW is not MW
_MONEY = re.compile(f"[{CURRENCY_SIGNS}]")
_SCALED = re.compile(r"([^\W\d_]+)\.? *(.*)")


def is_currency(unit: str) -> bool:
    """Whether a unit is money: $, US$, EUR, Rs."""
    return unit.casefold() in CURRENCY_WORDS or bool(_MONEY.search(unit))


def is_known_unit(unit: str) -> bool:
    """Whether a unit is money or one of the usual units of measurement."""
    if len(unit) == 1 and unit.isalpha():  # 3G, 2D and 1990s are names as often
        return False
    return is_currency(unit) or unit.casefold() in _KNOWN or _key(unit) in _KNOWN


def find_unit(counts: Mapping[tuple[str, str], int]) -> tuple[str, bool]:
    """The unit of a column, and whether k, M and the like multiply its numbers.

    Args:
        counts: {(text before the digits, text after them): number of cells}.

    Returns:
        (unit, scaled): unit is "" if there is none; it is written as in most cells.
    """
    scaled = _is_scaled(counts)
    forms: dict[str, dict[str, int]] = {}
    total = 0
    for (before, after), count in counts.items():
        total += count
        text = before + _split(after, scaled)[1]
        key = _key(text)
        if key and key not in _NO_UNITS:
            form = forms.setdefault(key, {})
            form[text] = form.get(text, 0) + count
    if not forms:
        return "", scaled
    form = max(forms.values(), key=lambda texts: sum(texts.values()))
    unit = max(form, key=lambda text: form[text])
    # one 14a among house numbers, one 5% among fractions: not the column's unit
    rare_too = (is_known_unit(unit) and len(unit) > 1) or is_currency(unit)
    if not rare_too and sum(form.values()) < total / 2:
        return "", scaled
    return unit, scaled


def factor_of(before: str, after: str, unit: str, scaled: bool) -> float | None:
    """What a number is multiplied by, from what stands before and after it; None if unreadable.

    Args:
        unit, scaled: of the column, see find_unit.
    """
    factor, rest = _split(after, scaled)
    key = _key(before + rest)
    return factor if not key or key == _key(unit) else None


def _is_scaled(counts: Mapping[tuple[str, str], int]) -> bool:
    words = set()
    money = False
    for before, after in counts:
        match = _scale_match(after)
        if match is not None:
            words.add(match[0])
            money |= bool(before or match[1])
    if {"m", "M"} <= words:
        return False
    return bool(words - _WEAK) or (money and bool(words))


def _scale_match(after: str) -> tuple[str, str] | None:
    """The word that multiplies, and the currency behind it."""
    match = _SCALED.fullmatch(after)
    if match is None or match[1].casefold() not in _SCALES:
        return None
    return (match[1], match[2]) if not match[2] or is_currency(match[2]) else None


def _split(after: str, scaled: bool) -> tuple[float, str]:
    """The factor, and the rest of what stands after a number."""
    match = _scale_match(after) if scaled else None
    return (_SCALES[match[0].casefold()], match[1]) if match else (1.0, after)


def _key(unit: str) -> str:
    """Equal for the forms of one unit: KG and kg, year and years, min and min."""
    key = unit.casefold().rstrip(".").replace(" ", "")
    if key[:1] == "m" and key[1:] in _MILLI_OR_MEGA:
        return unit[0] + key[1:]
    if len(key) > 2 and key.endswith("s") and not key.endswith(("ss", "bps")):
        return key[:-1]
    return key
