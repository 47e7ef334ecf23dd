"""CurveChart: curves with points, arrows and shaded stretches, as data.

It is drawn by `curve_svg` for pages, `curve_text` for terminals and `curve_axes` by matplotlib, so
that a story says once what its picture contains.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from cutaway.story.design import HUES

# the hues, whose light values `themed` lets follow the page; "ink" is the color of the text around
COLORS = {
    **{name: light for name, (light, _) in HUES.items()},
    "ink": "currentColor",
}
ORDER = tuple(HUES)[:5]
MARGIN = 0.06  # of the range, free on both sides


@dataclasses.dataclass(frozen=True, eq=False)
class CurveLine:
    """A curve through points (x, y); NaN leaves a gap.

    Attributes:
        x, y: (points,).
        label: in the legend; "": not in it.
        color: key of COLORS.
        dashed: whether it is dashed.
    """

    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    label: str = ""
    color: str = "blue"
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class CurveDot:
    """A point with a text beside it.

    Attributes:
        side: where its label stands: "above", "below", "left" or "right".
        mark: the letter that stands for it in a terminal.
    """

    x: float
    y: float
    label: str = ""
    color: str = "ink"
    side: str = "above"
    mark: str = "o"


@dataclasses.dataclass(frozen=True)
class CurveArrow:
    """An arrow from (x0, y0) to (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float
    color: str = "green"


@dataclasses.dataclass(frozen=True)
class CurveSpan:
    """A shaded stretch of the horizontal axis."""

    x0: float
    x1: float
    label: str = ""


@dataclasses.dataclass(frozen=True)
class CurveChart:
    """One picture.

    Attributes:
        y_range: of the vertical axis; None: of all that is drawn.
    """

    title: str = ""
    x_label: str = ""
    y_label: str = ""
    lines: tuple[CurveLine, ...] = ()
    dots: tuple[CurveDot, ...] = ()
    arrows: tuple[CurveArrow, ...] = ()
    spans: tuple[CurveSpan, ...] = ()
    y_range: tuple[float, float] | None = None

    def limits(self) -> tuple[float, float, float, float]:
        """(x0, x1, y0, y1) of the frame."""
        xs = np.concatenate([np.asarray(line.x, float) for line in self.lines])
        if self.y_range is not None:
            return float(xs.min()), float(xs.max()), *self.y_range
        ys = [np.asarray(line.y, float) for line in self.lines]
        ys.append(np.array([dot.y for dot in self.dots]))
        found = np.concatenate(ys)
        found = found[np.isfinite(found)]
        low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
        margin = MARGIN * (high - low) or 0.5
        above = 1 + any(dot.label and dot.side == "above" for dot in self.dots)
        below = 1 + any(dot.label and dot.side == "below" for dot in self.dots)
        return float(xs.min()), float(xs.max()), low - below * margin, high + above * margin

    def legend(self) -> list:
        """The lines that are named; none if there is one line, which the title names."""
        named = [line for line in self.lines if line.label]
        return named if len(self.lines) > 1 else []


def round_ticks(low: float, high: float, most: int = 7) -> list:
    """At most so many multiples of 1, 2 or 5 times a power of ten from low to high.

    Example:
        >>> from cutaway.story.curve_chart import round_ticks
        >>> round_ticks(-0.3, 1.1, 4)
        [0.0, 0.5, 1.0]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(
        power * m
        for m in (1, 2, 5, 10, 20, 50)
        if math.floor(high / (power * m)) - math.ceil(low / (power * m)) < most
    )
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


def tick_label(value: float) -> str:
    """A tick as text, with a true minus sign."""
    return f"{value:g}".replace("-", "\u2212")
