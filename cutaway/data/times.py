"""Times of a series: from a column of dates, and the steps between them."""

import numpy as np

from cutaway.data.dates import DateRecipe, find_dates

EQUAL_FRACTION = 0.95  # a daily series without 29 February still counts as equally spaced


def as_times(column, recipe: DateRecipe | None = None):
    """A column as polars dates or, with a time of day, as times; None if some are neither."""
    import polars as pl

    if recipe is None:
        recipe = None if column.null_count() else find_dates(column)
    if recipe is None:
        return None
    times = recipe.parse(column)
    if times.null_count():
        return None
    return times if recipe.has_time else times.cast(pl.Date)


def step_between(times):
    """The name of the step between nearly all consecutive times, or None."""
    import polars as pl

    if len(times) < 3:
        return None
    seconds = times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy() // 10**6
    steps = np.diff(seconds)
    limits = {  # months and years are of unequal length
        "hour": (3600, 3600),
        "day": (86_400, 86_400),
        "week": (7 * 86_400, 7 * 86_400),
        "month": (28 * 86_400, 31 * 86_400),
        "quarter": (90 * 86_400, 92 * 86_400),
        "year": (365 * 86_400, 366 * 86_400),
    }
    for name, (least, most) in limits.items():
        if ((steps >= least) & (steps <= most)).mean() >= EQUAL_FRACTION:
            return name
    return None


def equal_steps(times) -> bool:
    """Whether the times are in order and nearly all equally spaced."""
    import polars as pl

    if len(times) < 3:
        return False
    if step_between(times) is not None:
        return True
    steps = np.diff(times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy())
    values, counts = np.unique(steps, return_counts=True)
    best = counts.argmax()
    return bool(values[best] > 0 and counts[best] >= EQUAL_FRACTION * len(steps))
