"""A single column that tells a numeric target: a copy, a rounded one, a function of it."""

import numpy as np

from cutaway.data.found_leak import Leak, leave_out, some_rows
from cutaway.data.leak_formulas import LEAST_DISTINCT, LEAST_ROWS, LinearFormula, fit_sum, unit_of

LEAST_R2 = 0.999  # on held-out rows
ROUNDED = 0.5  # of the standard deviation: the coarsest rounding of a copy


def value_leak(name: str, values, is_category: bool, y, target: str) -> Leak | None:
    """Whether one column alone tells the target.

    Args:
        values: (rows,) float64, of categories their codes; infinite where missing.
        is_category: whether neighboring values have nothing in common.
        y: (rows,) float64 targets.
        target: its name.
    """
    known = np.isfinite(values)
    rows = int(known.sum())
    if rows < max(LEAST_ROWS, 0.5 * len(y)) or len(np.unique(y[known])) < LEAST_DISTINCT:
        return None
    if not is_category:
        copy = copied_values(name, values[known], y[known], target)
        if copy is not None:
            return copy
    if is_category and 2 * len(np.unique(values)) > len(y):
        return None
    predicted = held_out_values(values, y, ties_only=is_category)
    inside = np.isfinite(predicted)
    score = 1 - float(((predicted - y)[inside] ** 2).mean() / y.var())
    if score < LEAST_R2:
        return None
    return Leak(
        "function",
        (name,),
        score,
        f"R² of `{name}` alone on held-out rows",
        f"`{name}` alone predicts `{target}` with R² {_below_one(score)} on held-out rows",
        leave_out((name,)),
    )


def _below_one(score) -> str:
    text = f"{score:.4f}"
    return "over 0.9999" if text == "1.0000" else text


def copied_values(name: str, values, y, target: str) -> Leak | None:
    """Whether one column is the target, perhaps in another unit, shifted or rounded.

    Args:
        values, y: (rows,) float64, finite.
        target: its name.
    """
    found = _rounded(name, values, y)
    if found is None:
        found = fit_sum((name,), values[:, None], y)
    if found is None:
        return None
    is_same = found.weights == (1.0,) and found.constant == 0
    count = round(found.fraction * len(y))
    exactly = int((values == y).sum()) if is_same else count
    if is_same and exactly == count:
        what = f"`{name}` equals `{target}` in {some_rows(count, len(y))}"
    elif is_same:
        what = f"`{name}` is `{target}` up to rounding in {some_rows(count, len(y))}"
    else:
        what = f"`{target}` = {found.text} in {some_rows(count, len(y))}"
    measured = f"fraction of rows in which `{name}` is `{target}`"
    return Leak("copy", (name,), found.fraction, measured, what, leave_out((name,)))


def _rounded(name, values, y) -> LinearFormula | None:
    """Whether one of the two is the other, rounded up, down or to the nearest."""
    step = max(unit_of(values), unit_of(y))
    off = y - values
    middle = float(np.median(off))
    shift = next((s for s in (0.0, 0.5, -0.5) if abs(middle - s * step) <= 0.1 * step), None)
    if not step or shift is None or step > ROUNDED * y.std():
        return None
    fraction = float((np.abs(off - shift * step) <= 0.5 * step * (1 + 1e-6)).mean())
    return LinearFormula((name,), (1.0,), 0.0, fraction) if fraction >= 0.98 else None


def held_out_values(values, y, *, ties_only: bool = False) -> np.ndarray:
    """(rows,) the value predicted for each row from similar values among the other half of rows.

    Linear between the next smaller and the next larger value; equal ones, and missing ones, have
    the mean of their targets. NaN for values below or above all others.

    Args:
        ties_only: use only equal values, as for categories.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.leak_values import held_out_values
        >>> values = np.linspace(0, 1, 200)
        >>> float(np.nanmax(np.abs(held_out_values(values, values**2) - values**2))) < 1e-2
        True
    """
    half = np.random.default_rng(0).permutation(len(y)) % 2
    found = np.zeros(len(y))
    for k in (0, 1):
        own, other = half == k, half != k
        levels, place, counts = np.unique(values[other], return_inverse=True, return_counts=True)
        means = np.bincount(place, y[other]) / counts
        at = np.minimum(np.searchsorted(levels, values[own]), len(levels) - 1)
        found[own] = np.where(levels[at] == values[own], means[at], y[other].mean())
        if not ties_only:
            finite, asked = np.isfinite(levels), np.isfinite(values[own])
            if finite.any():
                between = np.interp(
                    values[own][asked], levels[finite], means[finite], np.nan, np.nan
                )
                found[np.flatnonzero(own)[asked]] = between
    return found
