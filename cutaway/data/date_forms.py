"""The forms in which dates are written: a pattern for each, and the instant that its parts name."""

import re

# English, then German, French and Spanish; abbreviations beside the whole names
_MONTH_NAMES = (
    "jan january januar jänner janv janvier ene enero",
    "feb february februar févr fevr février fevrier febrero",
    "mar march mär märz mrz maerz mars marzo",
    "apr april avr avril abr abril",
    "may mai mayo",
    "jun june juni juin junio",
    "jul july juli juil juillet julio",
    "aug august août aout ago agosto",
    "sep sept september septembre septiembre",
    "oct october okt oktober octobre octubre",
    "nov november novembre noviembre",
    "dec december dez dezember déc décembre decembre dic diciembre",
)
MONTHS = {name: k for k, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "CET": 1, "CEST": 2, "EST": -5, "EDT": -4, "CST": -6}
_ZONES |= {"CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}  # as in RFC 2822
_ZONE = rf"(?P<zone>{'|'.join(_ZONES)}|(?:UTC|GMT)?[+-]\d{{2}}:?(?:\d{{2}})?)"
_CLOCK = (
    r"(?P<hour>\d{1,2})(?:[:h.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?)?\s*(?:(?P<half>[ap]\.?m\.?)|(?P<oclock>Uhr))?"
)
_TIME = rf"(?:(?:T|,\s*|\s+(?:at\s+)?|:){_CLOCK}\s*{_ZONE}?(?:\s*[\[(][^\])]*[\])])?)?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_NAME = r"(?P<name>\p{L}{3,10})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er)?"
_YEAR = r"(?P<year>\d{4})"
_SHORT_YEAR = r"'?(?P<year>\d{4}|\d{2})"

FORMS = {
    "year-month-day": rf"{_YEAR}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_TIME}",
    # which of the three is the day is decided over the whole column
    "numeric": r"(?P<first>\d{1,2})(?P<separator>[-/.])(?P<second_place>\d{1,2})(?P<other>[-/.])"
    rf"(?P<third>\d{{4}}|\d{{2}}){_TIME}",
    "day month-name year": rf"{_WEEKDAY}{_DAY}\.?[\s\-/]*(?:of\s+|de\s+)?{_NAME},?[\s\-/]*"
    rf"(?:de\s+)?{_SHORT_YEAR}{_TIME}",
    "month-name day year": rf"{_WEEKDAY}{_NAME}[\s\-/]*{_DAY},?[\s\-/]+{_SHORT_YEAR}{_TIME}",
    "year month-name day": rf"{_YEAR}[\s\-/]*{_NAME}[\s\-/]*{_DAY}{_TIME}",
    "month-name day time year": rf"{_WEEKDAY}{_NAME}\s+{_DAY}\s+{_CLOCK}(?:\s+{_ZONE})?\s+{_YEAR}",
    "month-name year": rf"{_NAME}[\s\-/,]*(?:de\s+)?{_YEAR}",
    "year month-name": rf"{_YEAR}[\s\-/]*{_NAME}",
    "month-name short-year": rf"{_NAME}(?:-|\s?')(?P<year>\d{{2}})",
    "year-month": rf"{_YEAR}[-/](?P<month>\d{{1,2}})",
    "month/year": rf"(?P<month>\d{{1,2}})[-/.]{_YEAR}",
    "year quarter": rf"{_YEAR}[\s\-/]?Q(?P<quarter>[1-4])",
    "quarter year": rf"Q(?P<quarter>[1-4])[\s\-/]?{_YEAR}",
    "yyyymmdd": rf"{_YEAR}(?P<month>\d{{2}})(?P<day>\d{{2}})"
    r"(?:[T ]?(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})"
    rf"(?:[.,](?P<fraction>\d{{1,9}}))?)?{_ZONE}?)?",
    "yyyymm": rf"{_YEAR}(?P<month>\d{{2}})",
    "yyyy": _YEAR,
}
TIME_OF_DAY = "time of day"
FARTHEST_ZONE = 14 * 60  # minutes
CENTURY_BREAK = 69  # POSIX: 69 to 99 are in the 1900s, 0 to 68 in the 2000s
_ORDERS = {"dmy": ("third", "second_place", "first"), "mdy": ("third", "first", "second_place")}
_ORDERS |= {"ymd": ("first", "second_place", "third")}


def pattern(form: str) -> str:
    """The pattern of a form, for a whole cell in any case, with spaces around."""
    inner = _CLOCK if form == TIME_OF_DAY else FORMS[form]
    return rf"(?i)^\s*{inner}\s*$".replace(r"\d", "[0-9]")


def parts_of(text, form: str):
    """The parts of each cell of a String Series: a frame of strings, null where it does not fit."""
    return text.str.extract_groups(pattern(form)).struct.unnest()


def place(parts, orders: dict[str, str]):
    """The parts of the numeric form with year, month and day: {separator: order}.

    An order is "dmy", "mdy" or "ymd"; a cell of two different separators is no date.
    """
    import polars as pl

    def part(which):
        cases = [
            pl.when((pl.col("separator") == s) & (pl.col("other") == s)).then(
                pl.col(_ORDERS[order][which])
            )
            for s, order in orders.items()
        ]
        return pl.coalesce(cases) if cases else pl.lit(None, pl.String)

    return parts.with_columns(
        part(k).alias(name) for k, name in enumerate(("year", "month", "day"))
    )


def instants(parts):
    """The instants that parts name.

    Returns:
        a frame of `instant` (Datetime in microseconds, as written; null if there is no such date)
        and `zone` (minutes east of UTC; null without a zone).
    """
    import polars as pl

    given = set(parts.columns)

    def number(name, otherwise):
        if name not in given:
            return pl.lit(otherwise, pl.Int64)
        found = pl.col(name).cast(pl.Int64, strict=False)
        return found if otherwise is None else found.fill_null(otherwise)

    year = number("year", None if "year" in given else 1970)
    if "year" in given:
        short = pl.col("year").str.len_chars() == 2
        year = year + pl.when(~short).then(0).when(year < CENTURY_BREAK).then(2000).otherwise(1900)
    hour, minute, valid = number("hour", 0), number("minute", 0), pl.lit(True)
    if "half" in given:
        half = pl.col("half").str.slice(0, 1).str.to_lowercase()
        # without minutes, only AM, PM, Uhr or a date before it makes a number an hour
        if "year" not in given:
            valid = half.is_not_null() | pl.col("minute").is_not_null()
            valid = valid | pl.col("oclock").is_not_null()
        valid = valid & (half.is_null() | hour.is_between(1, 12))
        twelve = (hour % 12) + pl.when(half == "p").then(12).otherwise(0)
        hour = pl.when(half.is_null()).then(hour).otherwise(twelve)
    second = number("second", 0)
    valid = valid & (minute < 60) & (second < 60)
    valid = valid & ((hour < 24) | ((hour == 24) & (minute == 0) & (second == 0)))
    micro = pl.lit(0)
    if "fraction" in given:
        padded = pl.col("fraction").str.pad_end(6, "0").str.slice(0, 6)
        micro = padded.cast(pl.Int64, strict=False).fill_null(0)
    clock = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    zone = pl.lit(None, pl.Int64)
    if "zone" in given:
        texts = parts.get_column("zone").unique().drop_nulls().to_list()
        minutes = {t: _zone_minutes(t) for t in texts}
        zone = pl.col("zone").replace_strict(minutes, default=None, return_dtype=pl.Int64)
        valid = valid & (zone.is_not_null() | pl.col("zone").is_null())
    month = _month(given, number)
    good = year.is_between(1, 9999) & month.is_between(1, 12)
    first = pl.when(good).then(pl.struct(year.alias("y"), month.alias("m")))
    frame = parts.select(
        first.struct.field("y").alias("y"),
        first.struct.field("m").alias("m"),
        number("day", 1).alias("d"),
        pl.when(valid.fill_null(False)).then(clock).alias("clock"),
        zone.alias("zone"),
    )
    start = pl.date("y", "m", 1)
    day = start + pl.duration(days=pl.col("d") - 1)
    real = pl.col("d").is_between(1, 31) & (day.dt.month() == pl.col("m"))
    whole = day.cast(pl.Datetime("us")) + pl.duration(microseconds=pl.col("clock"))
    return frame.select(pl.when(real).then(whole).alias("instant"), pl.col("zone"))


def _month(given, number):
    """The expression of the month: a number, a name, a quarter, or January."""
    import polars as pl

    if "name" in given:
        name = pl.col("name").str.to_lowercase()
        return name.replace_strict(MONTHS, default=None, return_dtype=pl.Int64)
    if "quarter" in given:
        return 3 * number("quarter", None) - 2
    return number("month", None if "month" in given else 1)


def _zone_minutes(text: str) -> int | None:
    """Minutes east of UTC of "Z", "EST", "+02:00", "UTC-0330"; None if there is no such zone."""
    if text.upper() in _ZONES:
        return 60 * _ZONES[text.upper()]
    found = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})?", text, re.IGNORECASE)
    if found is None:
        return None
    minutes = 60 * int(found[2]) + int(found[3] or 0)
    if minutes > FARTHEST_ZONE or int(found[3] or 0) > 59:
        return None
    return -minutes if found[1] == "-" else minutes
