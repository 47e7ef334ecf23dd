"""Numbers of dates: days since 1970, and where in the year, month, week and day they are."""

import numpy as np

# cycle: its harmonics. With three of them each weekday may have its own value; a day has narrow
# rush hours. "week" is that of runs before there were harmonics
CYCLES = {"year": 1, "month": 1, "week": 1, "weekday": 3, "hour": 4}
EVERY_DATE = ("year", "week")  # of runs before this was found from the data
_YEAR = 365.2425  # days


def days(times, *, whole: bool) -> np.ndarray:
    """Days since 1970-01-01 of a polars Series of Datetime("us"), NaN where it is null.

    Args:
        whole: whether the time of day is dropped.
    """
    values = times.to_numpy().astype("datetime64[us]")
    counted = values.astype(np.int64) / 86_400e6
    counted = np.floor(counted) if whole else counted
    return np.where(np.isnat(values), np.nan, counted)


def varying_cycles(values, *, has_day: bool, has_time: bool) -> tuple[str, ...]:
    """The cycles in which days that are known differ: monthly values have no month and no week.

    Every date column has the year and the weekday if no cycle varies.
    """
    names = [n for n in CYCLES if n != "week" and (has_time if n == "hour" else has_day)]
    varying = tuple(n for n in names if np.ptp(_phase(values, n)) > 0) if len(values) else ()
    return varying or (("year", "weekday") if has_day else ("hour",))


def cycle_names(cycles) -> list[str]:
    """The names of the columns of `encode_cycles`: "year sin", "year cos", ..."""
    return [
        f"{name} {wave}{f' {k}' if k > 1 else ''}"
        for name in cycles
        for k in range(1, CYCLES[name] + 1)
        for wave in ("sin", "cos")
    ]


def encode_cycles(values, cycles) -> list[np.ndarray]:
    """Sine and cosine of each cycle and its harmonics, for days since 1970."""
    columns = []
    for name in cycles:
        for k in range(1, CYCLES[name] + 1):
            angle = 2 * np.pi * k * _phase(values, name)
            columns += [np.sin(angle), np.cos(angle)]
    return columns


def _phase(values, name: str) -> np.ndarray:
    """Where in the cycle each day is, in turns; a date counts as its midnight, but for hours."""
    whole = np.floor(values)
    if name == "year":
        return whole / _YEAR
    if name in ("week", "weekday"):
        return whole % 7 / 7
    if name == "hour":
        return values - whole
    date = whole.astype(np.int64).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(float)
    return (date - month.astype("datetime64[D]")).astype(float) / length
