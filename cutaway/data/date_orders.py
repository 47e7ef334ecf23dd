"""Day first or month first, in dates like 1/2/2011: decided over a whole column."""

import dataclasses

import numpy as np

from cutaway.data.date_forms import instants, place

NAMES = {"dmy": "day{0}month{0}year", "mdy": "month{0}day{0}year", "ymd": "year{0}month{0}day"}
SEPARATORS = ("/", "-", ".")
_ENOUGH = 5  # distinct dates, from which their order is evidence
_STEP_GAIN = 0.02  # by which a larger fraction of equal steps decides
_EQUAL_STEPS = 0.9  # fraction of equal steps in a regular series
_DAY = 86_400 * 10**6  # microseconds


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of the parts with one separator.

    Attributes:
        separator: "/", "-" or ".".
        order: "dmy", "mdy" or "ymd".
        reason: the evidence.
        ambiguous: whether there was none, so that a convention decided.
    """

    separator: str
    order: str
    reason: str
    ambiguous: bool = False

    def __str__(self):
        return NAMES[self.order].format(self.separator)


def decide_orders(parts, day_first: bool | None = None) -> list[Order]:
    """The order for each separator that occurs, from the parts of the numeric form.

    Args:
        parts: of `date_forms.parts_of(text, "numeric")`.
        day_first: the user's choice; by default the values decide.
    """
    import polars as pl

    found = []
    for separator in SEPARATORS:
        same = (pl.col("separator") == separator) & (pl.col("other") == separator)
        of_it = parts.filter(same)
        if of_it.height:
            found.append(_decide(of_it, separator, day_first))
    sure = [o for o in found if not o.ambiguous and o.separator != "."]
    if not sure:
        return found
    # slashes and hyphens of one column are written by the same people
    return [
        dataclasses.replace(
            o,
            order=sure[0].order,
            reason=f"like the dates with {sure[0].separator}",
            ambiguous=False,
        )
        if o.ambiguous and o.separator != "."
        else o
        for o in found
    ]


def _decide(parts, separator: str, day_first: bool | None) -> Order:
    """The order of the dates with one separator."""
    short = bool((parts.get_column("third").str.len_chars() == 2).any())
    choices = ("mdy", "dmy", "ymd") if short else ("mdy", "dmy")
    if day_first is not None:
        return Order(separator, "dmy" if day_first else "mdy", "as chosen")
    read = {o: instants(place(parts, {separator: o})).get_column("instant") for o in choices}
    valid = {o: len(times) - times.null_count() for o, times in read.items()}
    best = max(valid.values())
    left = [o for o in choices if valid[o] == best]
    if len(left) == 1:
        return Order(separator, left[0], _by_values(left[0], best == parts.height))
    in_order = [o for o in left if _sorted(read[o])]
    if len(in_order) == 1:
        return Order(separator, in_order[0], "only so they are in order of time")
    equal = sorted(((_equal_steps(read[o]), o) for o in left), reverse=True)
    if equal[0][0] >= max(_EQUAL_STEPS, equal[1][0] + _STEP_GAIN):
        return Order(separator, equal[0][1], "only so their steps are equal")
    if "mdy" not in left:  # the day or a year of two digits is first: the year is usually last
        return Order(separator, "dmy", _by_values("dmy", best == parts.height))
    usual = "dmy" if separator == "." else "mdy"
    why = (
        "ambiguous, no value tells the day from the month, and dates with "
        + ("dots usually have the day first" if usual == "dmy" else "- or / are read month first")
        + "; if that is wrong, write them as year-month-day"
    )
    return Order(separator, usual, why, ambiguous=True)


def _by_values(order: str, all_valid: bool) -> str:
    if order == "ymd":
        return "only so they are dates"
    place_of_day = "first" if order == "dmy" else "second"
    often = "only" if all_valid else "nearly always"
    return f"13 to 31 occur in the {place_of_day} place {often}"


def _sorted(times) -> bool:
    """Whether dates are in rising or falling order; False if they are few."""
    times = times.drop_nulls()
    return times.n_unique() >= _ENOUGH and (times.is_sorted() or times.is_sorted(descending=True))


def _equal_steps(times) -> float:
    """The largest fraction of equal steps between distinct dates; months count as equal."""
    import polars as pl

    steps = np.diff(times.drop_nulls().unique().sort().cast(pl.Int64).to_numpy())
    if len(steps) < _ENOUGH - 1:
        return 0.0
    months = (steps >= 28 * _DAY) & (steps <= 31 * _DAY)
    return max(np.unique(steps, return_counts=True)[1].max(), months.sum()) / len(steps)
