"""Dates in all usual forms: how a column writes them is decided once, over the whole column."""

import dataclasses
import datetime
import re

import numpy as np

from cutaway.data.date_forms import (
    FARTHEST_ZONE,
    FORMS,
    TIME_OF_DAY,
    instants,
    parts_of,
    pattern,
    place,
)
from cutaway.data.date_integers import DAYS_REASON, are_days
from cutaway.data.date_orders import NAMES, SEPARATORS, decide_orders

UNREADABLE = 0.05  # a column with a larger fraction of other cells is no date column
_MANY, _REPEATED = 20_000, 4  # of more cells, each that occurs so often is read once
_SAMPLE = 1000  # cells that are looked at first: most columns of texts are not dates
_DATE_NAME = re.compile(r"date|datum|fecha|time|stamp|day|month|monat|period|ymd|when|(^|_)dt($|_)")
_DAYS = (-719_162, 2_932_897)  # since 1970: of the years 1 and 10000
_DIGITS = ("yyyymmdd", "yyyymm", "yyyy")
_COARSE = ("year-month", "month/year", "year quarter", "quarter year", *_DIGITS)


@dataclasses.dataclass(frozen=True)
class DateRecipe:
    """How a column writes its dates. The fields are JSON-safe: `msgspec.convert` restores it.

    Attributes:
        forms: the forms of date_forms.FORMS that occur, the most frequent first. Of a later column
            every form is read that needs no decision.
        orders: of dates like 1/2/2011, "dmy", "mdy" or "ymd" for each separator, as in "/mdy".
        digits: whether 20110101 is a date; 2011 is one only if "yyyy" is among the forms.
        has_time: whether there is a time of day.
        has_day: False if there is a time of day only.
        offset_minutes: the zone, in minutes east of UTC, in which instants are given: that of all
            values if they have the same, otherwise UTC.
        ambiguous: whether day and month were told apart by convention alone.
        reason: why they were told apart in this way.
    """

    forms: tuple[str, ...] = ("year-month-day",)
    orders: tuple[str, ...] = ("/mdy", "-mdy", ".dmy")
    digits: bool = False
    has_time: bool = False
    has_day: bool = True
    offset_minutes: int = 0
    ambiguous: bool = False
    reason: str = ""

    def __post_init__(self):
        unknown = set(self.forms) - {*FORMS, TIME_OF_DAY}
        wrong = [o for o in self.orders if o[:1] not in SEPARATORS or o[1:] not in NAMES]
        if unknown or wrong or abs(self.offset_minutes) > FARTHEST_ZONE:
            raise ValueError(f"no such forms, orders or offset: {self}")

    def parse(self, series):
        """The instants of a column, as a polars Series of naive Datetime("us").

        A cell that is no date is null; a time alone is on 1970-01-01. A value with a zone is
        converted to `offset_minutes`.

        Args:
            series: String, Date, Datetime with or without zone, or integers if `digits`.
        """
        import polars as pl

        wanted = pl.Datetime("us")
        dtype = series.dtype
        if dtype in (pl.Date, pl.Datetime):
            instants = _in_range(series)
            if getattr(dtype, "time_zone", None) is None:
                return instants.cast(wanted)
            utc = instants.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(wanted)
            return utc + datetime.timedelta(minutes=self.offset_minutes)
        if dtype == pl.Time:
            return series.cast(pl.Duration("us")).cast(pl.Int64).cast(wanted)
        if dtype in (pl.Categorical, pl.Enum) or (dtype.is_integer() and self.digits):
            series = series.cast(pl.String)
        if series.dtype == pl.String and len(series) > _MANY:
            distinct = series.drop_nulls().unique()
            if len(distinct) * _REPEATED < len(series):  # read each text once
                read = self.parse(distinct)
                return series.replace_strict(distinct, read, default=None, return_dtype=wanted)
        values = np.full(len(series), "NaT", "datetime64[us]")
        if series.dtype == pl.String:
            found = _read(series, self)
            shift = pl.duration(minutes=self.offset_minutes - pl.col("zone"))
            moved = pl.col("instant") + pl.when(pl.col("zone").is_not_null()).then(shift)
            found = found.with_columns(pl.coalesce(moved, "instant").alias("instant"))
            values[found.get_column("row").to_numpy()] = found.get_column("instant").to_numpy()
        return pl.Series(series.name, values, dtype=wanted)

    @property
    def _order_of(self) -> dict[str, str]:
        return {order[0]: order[1:] for order in self.orders}

    def sentence(self) -> str:
        """For a note: "dates as month/day/year: 13 to 31 occur in the second place only"."""
        if not self.has_day:
            return "times of day"
        numeric = [NAMES[o].format(s) for s, o in self._order_of.items()]
        names = []
        for form in self.forms:
            names += numeric if form == "numeric" else [form]
        text = "dates with a time of day" if self.has_time else "dates"
        if names:
            text += " as " + " or ".join(names)
        if self.offset_minutes:
            sign, minutes = "-" if self.offset_minutes < 0 else "+", abs(self.offset_minutes)
            text += f" at UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return f"{text}: {self.reason}" if self.reason else text


def find_dates(series, *, sure: bool = False, day_first: bool | None = None) -> DateRecipe | None:
    """The recipe of a date column, or None if it is none.

    Versions (1.2.3), plain numbers, years, times alone and codes are no dates. 20110101 is one if
    the column's name says so, if all of its strings are dates, or if so many different integers
    are days that they can be nothing else; see date_integers.

    Args:
        series: a polars Series of strings, integers or temporal values.
        sure: whether the user says that these are dates: then years and numbers like 20110101 are,
            and any number of other cells may be among them.
        day_first: of dates like 1/2/2011, whether the first is the day; by default values above 12
            decide, then which reading is in order of time, then with which the steps are equal;
            otherwise the day is first with dots alone, and `ambiguous` is set.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.dates import find_dates
        >>> when = pl.Series("when", ["1/2/2011 14:30", "1/31/2011 8:00"])
        >>> recipe = find_dates(when)
        >>> recipe.sentence()
        'dates with a time of day as month/day/year: 13 to 31 occur in the second place only'
        >>> print(recipe.parse(when)[0])
        2011-01-02 14:30:00
    """
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        return _of_temporal(series) if series.null_count() < len(series) else None
    named = sure or bool(_DATE_NAME.search(series.name.lower()))
    if series.dtype.is_integer() and not named and are_days(series):
        return DateRecipe(("yyyymmdd",), (), digits=True, reason=DAYS_REASON)
    if (series.dtype.is_integer() and named) or series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype != pl.String:
        return None
    text = _cells(series)
    if len(text) > _MANY:
        distinct = text.unique(maintain_order=True)
        text = distinct if len(distinct) * _REPEATED < len(text) else text
    least = 0.0 if sure else 1 - UNREADABLE  # fraction of dates
    forms = _likely_forms(text, 2 * least - 1)
    if not forms:
        return None
    orders = []
    if "numeric" in forms:
        parts = parts_of(text, "numeric")
        orders = decide_orders(parts, day_first)
        if any(o.separator == "." and o.ambiguous for o in orders) and _like_versions(parts):
            return None
    if not sure and re.search(r"version|release|(^|_)ver($|_)", series.name.lower()):
        return None
    known = tuple(form for form in FORMS if sure or form != "yyyy")
    draft = DateRecipe(known, tuple(o.separator + o.order for o in orders), digits=True)
    found = _read(text, draft)
    if not len(found) or len(found) < least * len(text):
        return None
    if not sure and not _plausible(found, named):
        return None
    forms = tuple(found.get_column("form").value_counts(sort=True).get_column("form").to_list())
    zones = found.get_column("zone").drop_nulls().unique().to_list()
    reasons = [o.reason if len(orders) == 1 else f"{o}, {o.reason}" for o in orders]
    if len(zones) > 1:
        reasons.append("in different time zones, converted to UTC")
    recipe = dataclasses.replace(
        draft,
        forms=forms,
        digits=any(form in _DIGITS for form in forms),
        offset_minutes=zones[0] if len(zones) == 1 else 0,
        ambiguous=any(o.ambiguous for o in orders),
        reason="; ".join(reasons),
    )
    return dataclasses.replace(recipe, has_time=_has_time(recipe.parse(text)))


def find_times(series) -> DateRecipe | None:
    """The recipe of a column of times of day without a date (10:30, 9 PM), or None.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.dates import find_times
        >>> find_times(pl.Series("start", ["10:30", "21:15"])).sentence()
        'times of day'
    """
    import polars as pl

    recipe = DateRecipe((TIME_OF_DAY,), (), has_time=True, has_day=False)
    if series.dtype == pl.Time:
        return recipe if series.null_count() < len(series) else None
    if series.dtype != pl.String:
        return None
    text = _cells(series)
    sample = text.gather_every(max(1, len(text) // _SAMPLE))
    for cells in (sample, text):
        if len(_read(cells, recipe)) < max(1, (1 - UNREADABLE) * len(cells)):
            return None
    return recipe


def _cells(series):
    """The cells that are neither missing nor blank."""
    text = series.drop_nulls()
    return text.filter(text.str.contains(r"\S"))


def _likely_forms(text, least: float) -> list[str]:
    """The forms of a sample of the cells; none if a smaller fraction than `least` are dates."""
    sample = text if least <= 0 else text.gather_every(max(1, len(text) // _SAMPLE))
    fits = {form: sample.str.contains(pattern(form)) for form in FORMS}
    some = [form for form, fit in fits.items() if fit.any()]
    if not some:
        return []
    anywhere = np.any([fits[form].to_numpy() for form in some], axis=0)
    return some if anywhere.mean() >= least else []


def _read(text, recipe: DateRecipe):
    """Row, form, instant as written, and zone of each cell that is a date."""
    import polars as pl

    left = pl.DataFrame({"row": np.arange(len(text)), "text": text}).drop_nulls()
    found = []
    others = [f for f in FORMS if f not in recipe.forms and f != "yyyy" and recipe.has_day]
    for form in [*recipe.forms, *others]:
        if form in _DIGITS and not recipe.digits:
            continue
        if not left.height:
            break
        parts = parts_of(left.get_column("text"), form)
        if form == "numeric":
            parts = place(parts, recipe._order_of)
        read = left.select("row", pl.lit(form).alias("form")).hstack(instants(parts))
        found.append(read.filter(pl.col("instant").is_not_null()))
        left = left.filter(read.get_column("instant").is_null())
    if not found:
        return pl.DataFrame(schema={"row": int, "form": str, "instant": pl.Datetime, "zone": int})
    return pl.concat(found)


def _like_versions(parts) -> bool:
    """Whether dotted numbers are written as in 1.2.11, and not as in 01.02.11 or 1.2.2011."""
    import polars as pl

    lengths = parts.filter(pl.col("separator") == ".").select(
        year=pl.col("third").str.len_chars(), day=pl.col("first").str.len_chars()
    )
    return lengths.select(((pl.col("year") == 2) & (pl.col("day") == 1)).any()).item()


def _plausible(found, named: bool) -> bool:
    """Whether cells of four to eight digits are rather dates than codes and numbers."""
    import polars as pl

    year = pl.col("instant").dt.year()
    digits = found.filter(pl.col("form").is_in(_DIGITS))
    if digits.height and not digits.select(year.is_between(1800, 2200).all()).item():
        return False
    if not named and digits.filter(pl.col("form") == "yyyymm").height:
        return False
    coarse = found.filter(pl.col("form").is_in(_COARSE))
    return not coarse.height or coarse.select(year.is_between(1500, 2200).mean()).item() > 0.95


def _in_range(series):
    """Dates or times with those outside the years 1 to 9999 as null: a damaged file holds some."""
    import polars as pl

    unit = {"ms": 10**3, "us": 10**6, "ns": 10**9}
    dtype = series.dtype
    scale = 1 if dtype == pl.Date else 86_400 * unit[dtype.time_unit]
    least, most = (scale * day for day in _DAYS)
    if scale > 1 and dtype.time_unit == "ns":  # 64 bits end in the years 1677 and 2262
        return series
    number = series.to_physical().cast(pl.Int64).to_frame()
    inside = pl.when(pl.first().is_between(least, most, closed="left")).then(pl.first())
    return number.select(inside).to_series().cast(dtype)


def _of_temporal(series) -> DateRecipe:
    import polars as pl

    series = _in_range(series)
    offset, reason = 0, ""
    if series.dtype == pl.Datetime and series.dtype.time_zone is not None:
        utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        offsets = (
            ((series.dt.replace_time_zone(None) - utc).dt.total_minutes()).drop_nulls().unique()
        )
        offset = int(offsets[0]) if len(offsets) == 1 else 0
        reason = "different offsets, converted to UTC" if len(offsets) > 1 else ""
    recipe = DateRecipe((), (), offset_minutes=offset, reason=reason)
    return dataclasses.replace(recipe, has_time=_has_time(recipe.parse(series)))


def _has_time(times) -> bool:
    """Whether any instant is not midnight."""
    return bool((times.dt.time().drop_nulls() != np.datetime64(0, "us").item().time()).any())
