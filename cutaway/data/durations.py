"""Durations: 26:30, 1:02:15, 1 days 02:30:00, timedelta; read as hours or as seconds."""

import dataclasses
from typing import Literal

PATTERN = (
    r"(?i)^(?:(?P<days>-?[0-9]+) +days?,? *\+?)?(?P<sign>-)?"
    r"(?P<first>[0-9]{1,6}):(?P<second>[0-5][0-9])(?::(?P<third>[0-5][0-9](?:[.,][0-9]{1,9})?))?$"
)
PLAUSIBLE = 0.95  # of the known cells, so that a column is one of durations
MANY = 2  # cells beyond a day: one may be a typing error
DAY = 24  # hours
SECONDS = {"hours": 3600.0, "seconds": 1.0}


@dataclasses.dataclass(frozen=True)
class DurationRecipe:
    """How a column of durations is read.

    Attributes:
        unit: of the numbers.
        short: what two parts are: 26:30 is 26 hours and 30 minutes, or beside 1:02:15 26 minutes
            and 30 seconds.
    """

    unit: Literal["hours", "seconds"] = "hours"
    short: Literal["h:mm", "m:ss"] = "h:mm"

    def parse(self, series):
        """The numbers of a column, Float64; null where a cell is no duration.

        Args:
            series: polars strings without blanks around them, or durations.
        """
        import polars as pl

        if series.dtype == pl.Duration:
            scale = {"ms": 1e3, "us": 1e6, "ns": 1e9}[series.dtype.time_unit]
            values = series.to_physical().cast(pl.Float64)
        else:
            scale, values = 1.0, _seconds(series, self.short)
        # NumPy's division: that of polars by a number multiplies, so that 1 h is not 1.0 exactly
        numbers = values.fill_null(float("nan")).to_numpy() / (scale * SECONDS[self.unit])
        return pl.Series(series.name, numbers).fill_nan(None)


def find_durations(series) -> DurationRecipe | None:
    """How to read a column of durations; None if it is none.

    Clock times up to 24:00 are times of day, not durations. A column is one of durations if at
    least 95% of its cells are, and days stand in them or two go beyond 24 hours.

    Args:
        series: polars strings without blanks around them, nulls and words, or durations.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.durations import find_durations
        >>> shifts = pl.Series(["7:30", "26:30", "31:00"])
        >>> find_durations(shifts).parse(shifts).to_list()
        [7.5, 26.5, 31.0]
        >>> find_durations(pl.Series(["7:30", "23:30"])) is None
        True
    """
    import polars as pl

    if series.dtype == pl.Duration:
        return DurationRecipe(_unit(DurationRecipe("seconds").parse(series)))
    known = series.drop_nulls()
    sample = known.gather_every(max(1, len(known) // 1000))
    for cells in (sample, known):
        if not len(cells) or cells.str.contains(PATTERN).mean() < PLAUSIBLE:
            return None
    parts = known.str.extract_groups(PATTERN).struct.unnest()
    three = parts["third"].is_not_null()
    short = "m:ss" if three.any() and not three.all() else "h:mm"
    seconds = _seconds(known, short)
    has_days = parts["days"].is_not_null().any()
    if not has_days and int(((seconds > 3600 * DAY) | (seconds < 0)).sum()) < MANY:
        return None
    return DurationRecipe(_unit(seconds), short)


def _unit(seconds) -> Literal["hours", "seconds"]:
    """Hours, unless all durations are shorter than one."""
    return "hours" if (seconds.abs().max() or 0.0) >= SECONDS["hours"] else "seconds"


def _seconds(series, short: str):
    import polars as pl

    parts = pl.DataFrame([series.str.extract_groups(PATTERN).alias("parts")]).unnest("parts")
    first, second = pl.col("first").cast(pl.Float64), pl.col("second").cast(pl.Float64)
    third = pl.col("third").str.replace(",", ".", literal=True).cast(pl.Float64)
    two = 60 * (60 * first + second) if short == "h:mm" else 60 * first + second
    clock = pl.when(third.is_null()).then(two).otherwise(3600 * first + 60 * second + third)
    days = 86_400 * pl.col("days").cast(pl.Float64).fill_null(0.0)
    signed = pl.when(pl.col("sign").is_null()).then(days + clock).otherwise(-(days + clock))
    return parts.select(signed.alias(series.name)).to_series()
