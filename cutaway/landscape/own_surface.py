"""A user's own formula as a surface to race on."""

import re

import numpy as np

from cutaway.errors import OptionError, ShapeError
from cutaway.landscape.formula import parse_formula
from cutaway.landscape.regression_rows import REGRESSION
from cutaway.landscape.textbook import SURFACES, TextbookSurface, textbook_surface

START = (-1.5, 1.0)
STEPS = 200
LARGEST = 1e100  # at the start, whose square is still finite
BEYOND = 1.25  # of the start's distance from 0, which the plot shows


def surface_of(surface, start=None) -> TextbookSurface:
    """The TextbookSurface of a name, of a formula, or the given one itself; "regression" has rows.

    Args:
        surface: a TextbookSurface, a name in SURFACES, or a formula such as "x**2 + y**2".
        start: of the race; the plot of a formula reaches beyond it.

    Raises:
        OptionError: neither a name nor a formula, or one that is not a number at the start.
    """
    if surface == "regression":
        return REGRESSION
    is_name = isinstance(surface, str) and (
        surface in SURFACES or (re.fullmatch(r"[A-Za-z_]{2,}", surface) and surface != "pi")
    )
    if not isinstance(surface, str) or is_name:
        return textbook_surface(surface)
    return formula_surface(surface, START if start is None else start)


def formula_surface(text: str, start=START) -> TextbookSurface:
    """The surface L = formula, around 0 and the start; its minima are not known beforehand.

    Example:
        >>> from cutaway.landscape.own_surface import formula_surface
        >>> surface = formula_surface("x**2 + y**2", (2.0, 1.0))
        >>> surface.gradient((2.0, 1.0)), surface.curvature((0.0, 0.0)).verdict
        ((4.0, 2.0), 'minimum')
    """
    formula = parse_formula(text, ("x", "y"))
    start = point_of(start)
    reach = BEYOND * max(1.0, float(np.abs(start).max()))
    made = TextbookSurface(
        "",
        formula.text,
        formula,
        start=tuple(float(v) for v in start),
        x_range=(-reach, reach),
        y_range=(-reach, reach),
        steps=STEPS,
    )
    with np.errstate(all="ignore"):
        found = [float(made.values(start)), *made.gradient(start)]
    if not all(abs(value) < LARGEST for value in found):
        at = ", ".join(f"{v:g}" for v in start)
        raise OptionError(
            f"at the start ({at}) {formula.text} is {found[0]:g}, with the gradient "
            f"({found[1]:g}, {found[2]:g})",
            expected=f"numbers below {LARGEST:g} at the start",
            fix="choose another start, for example --start 1,1",
        )
    return made


def point_of(start):
    """(2,) in float64.

    Raises:
        ShapeError: it is not two finite numbers.
    """
    try:
        point = np.asarray(start, np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ShapeError(
            f"race: the start is {start!r}",
            expected="two finite numbers, (x, y)",
            fix="for example start=(-2.0, 1.5)",
        )
    return point
