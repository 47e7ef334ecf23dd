"""Where the racers of a race ended: kinds of points, by the eigenvalues of the Hessian there."""

import math
import textwrap

import numpy as np

from cutaway.story.text import align, number

HEADINGS = ("where", "kind of point", "Hessian", "optimizers")


def ends(race) -> list:
    """A list of texts for each place where racers ended, but for slopes; see HEADINGS.

    The place where most of them are comes first.
    """
    places: list = []
    for racer in race.ranked():
        if racer.verdict in ("diverged", "diverging", "slope"):
            continue
        for place, there in places:
            same = place.verdict == racer.verdict
            if same and math.dist(place.place, racer.place) <= race.tolerance:
                there.append(racer.name)
                break
        else:
            places.append((racer, [racer.name]))
    places.sort(key=lambda found: -len(found[1]))
    count = len(race.racers)
    return [
        [
            place_in_words(racer.place),
            race.describe(racer),
            "eigenvalues " + ", ".join(_eigenvalue(v, racer.end) for v in racer.end.deciding),
            f"all {count}" if len(there) == count > 2 else ", ".join(there),
        ]
        for racer, there in places
    ]


def ends_text(race, width: int) -> str:
    """`ends` as lines; "" if all are on slopes or diverge."""
    rows = ends(race)
    if not rows:
        return ""
    lines = ["ended at, with the eigenvalues of the Hessian there:"]
    for line, row in zip(align([row[:3] for row in rows]), rows, strict=True):
        together = f"  {line}  {row[3]}"
        under = textwrap.wrap(row[3], width, initial_indent="    ", subsequent_indent="    ")
        lines += [together] if len(together) <= width else [f"  {line}", *under]
    return "\n".join(lines)


def gradient_lines(race) -> list:
    """The gradient at the start, and where the first of the racers that rest is, in sentences."""
    places = [("the start", race.start)]
    resting = [r for r in race.ranked() if r.end is not None and r.end.stationary is not None]
    if resting:
        places.append((place_in_words(resting[0].place), resting[0].place))
    lines = []
    for name, place in places:
        slopes = zip(race.surface.axes, race.surface.gradient(place), strict=True)
        parts = ", ".join(f"∂L/∂{axis} = {_slope(value)}" for axis, value in slopes)
        lines.append(f"gradient at {name}: {parts}")
    return lines


def place_in_words(point) -> str:
    """(x, y) with two decimals; small values with their size."""
    return "(" + ", ".join(_short(v) for v in point) + ")"


def _short(value) -> str:
    if not math.isfinite(value) or abs(value) >= 1e4:
        return number(value, 2)
    if abs(value) < 1e-12:
        return "0"
    return f"{value:.2f}" if abs(value) >= 0.005 else number(value, 1)


def _eigenvalue(value, end) -> str:
    """An eigenvalue; 0 where it is lost in the rounding of the larger one."""
    is_lost = abs(value) <= 1e-13 * float(np.abs(end.deciding).max())
    return "0" if is_lost else number(value, 4)


def _slope(value) -> str:
    return "0" if abs(value) < 1e-12 else number(value, 4)
