"""curve_points: a curve of one variable with its minima, maxima, saddle points and plateaus."""

import dataclasses
import itertools
import math

import numpy as np

from cutaway.engine import Tensor, float64, no_grad
from cutaway.errors import OptionError
from cutaway.landscape.formula import Formula, parse_formula
from cutaway.landscape.hessian import hessian_function
from cutaway.landscape.objective import objective_of
from cutaway.story.curve_chart import CurveChart, CurveDot, CurveLine, CurveSpan
from cutaway.story.curve_story import CurveStory
from cutaway.story.text import number

# f' = (w + 2) (w + 1) (w - 1)² (w - 2): a minimum, a maximum, a saddle point, the lowest minimum
TEXTBOOK = "x**6/6 - x**5/5 - 5*x**4/4 + 5*x**3/3 + 2*x**2 - 4*x"
TEXTBOOK_RANGE = (-2.45, 2.45)
POINTS = 2001
FLAT = 1e-3  # of the largest slope: below it over a stretch, the curve is a plateau
LEAST_WIDTH = 0.05  # of the range, from which such a stretch counts
ZERO = 1e-7  # of the largest slope: a slope that counts as 0 where it only touches 0
MARKS = {"global minimum": "G", "local minimum": "m", "maximum": "M", "saddle point": "s"}
COLORS = {
    "global minimum": "green",
    "local minimum": "orange",
    "maximum": "purple",
    "saddle point": "ink",
}


@dataclasses.dataclass(frozen=True)
class StationaryPoint:
    """A point where the slope is 0.

    Attributes:
        kind: "global minimum", "local minimum", "maximum" or "saddle point", where the slope has
            the same sign on both sides.
        x, value: where, and L there.
        bend: the second derivative there.
    """

    kind: str
    x: float
    value: float
    bend: float


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class CurvePoints(CurveStory):
    """A curve and its points. Made by `curve_points`.

    Attributes:
        formula: the Formula.
        x, values, slopes: (points,).
        points: StationaryPoints, from left to right; "global" and "local" within the range.
        plateaus: (from, to) of stretches that are almost flat.
    """

    formula: Formula
    x: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    points: tuple[StationaryPoint, ...]
    plateaus: tuple[tuple[float, float], ...]

    @property
    def is_convex(self) -> bool:
        """Whether the slope never falls from left to right."""
        return bool((np.diff(self.slopes) >= -1e-12 * np.abs(self.slopes).max()).all())

    def headline(self) -> str:
        kind = "convex" if self.is_convex else "not convex"
        low, high = number(self.x[0], 3), number(self.x[-1], 3)
        return f"L(x) = {self.formula.text} for x from {low} to {high}: {kind}"

    def charts(self) -> list[CurveChart]:
        dots = tuple(
            CurveDot(p.x, p.value, p.kind, COLORS[p.kind],
                     "below" if "minimum" in p.kind else "above", MARKS[p.kind])
            for p in self.points
        )  # fmt: skip
        spans = tuple(CurveSpan(*p, "plateau") for p in self.plateaus)
        line = CurveLine(self.x, self.values, "L")
        slope = CurveLine(self.x, self.slopes, "dL/dx", "orange")
        zeros = tuple(CurveDot(p.x, 0.0, "", COLORS[p.kind], mark=MARKS[p.kind])
                      for p in self.points)  # fmt: skip
        return [
            CurveChart("the curve", "x", "L", (line,), dots, spans=spans),
            CurveChart("its slope", "x", "dL/dx", (slope,), zeros, spans=spans),
        ]

    def text_charts(self) -> list[CurveChart]:
        return self.charts()[:1]

    def table(self) -> tuple[list, list]:
        rows = [[p.kind, _place(p.x), _place(p.value), "0", _place(p.bend)] for p in self.points]
        return ["kind of point", "x", "L", "dL/dx", "d²L/dx²"], rows

    def sentences(self) -> list[str]:
        if not self.points and not self.plateaus:
            return ["Its slope is nowhere 0 in this range: descent leads to an end of it."]
        found = []
        if self.is_convex and self.points:
            found.append(
                "It is convex: every minimum is the global one, and descent with a small enough "
                "learning rate finds it from any start."
            )
        kinds = {p.kind for p in self.points}
        for low, high in self.basins():
            target = self.minimum_of((low + high) / 2)
            if target is not None and not self.is_convex:
                found.append(
                    f"Small steps of descent from x between {_place(low)} and {_place(high)} lead "
                    f"to the {target.kind} at x = {_place(target.x)}."
                )
        if "saddle point" in kinds:
            found.append(
                "At the saddle point (in one dimension an inflection point) the slope is 0 "
                "although L is lower on one side: descent gets "
                "slower and slower on its way to it, and rests there; the noise of mini-batches or "
                "momentum takes it past."
            )
        if self.plateaus:
            found.append(
                f"On a plateau the slope is below {FLAT:.1%} of the largest, or 0: descent hardly "
                "moves there, however far the minimum is."
            )
        return found

    def basins(self) -> list:
        """[(low, high)]: stretches between places where descent stops or turns."""
        walls = [p.x for p in self.points if p.kind in ("maximum", "saddle point")]
        ends = [float(self.x[0]), *walls, float(self.x[-1])]
        return list(itertools.pairwise(ends))

    def minimum_of(self, x) -> StationaryPoint | None:
        """Where descent with small steps leads from x: a minimum or saddle point, or None."""
        k = int(np.abs(self.x - x).argmin())
        if self.slopes[k] < 0:
            ahead = [p for p in self.points if p.x >= x]
            return ahead[0] if ahead else None
        behind = [p for p in self.points if p.x <= x]
        return behind[-1] if behind else None

    def to_dict(self) -> dict:
        return {
            "formula": self.formula.text,
            "convex": self.is_convex,
            "points": [dataclasses.asdict(p) for p in self.points],
            "plateaus": [list(p) for p in self.plateaus],
            "x": self.x.tolist(),
            "values": self.values.tolist(),
            "slopes": self.slopes.tolist(),
            "remarks": self.sentences(),
        }


def curve_points(formula: str = TEXTBOOK, x_range=None) -> CurvePoints:
    """A curve L(x) with its points of slope 0: minima, maxima, saddle points; and plateaus.

    Slopes are the engine's; between grid points where the slope changes its sign, the point is
    found by bisection. A saddle point is where the slope touches 0 without changing its sign.

    Args:
        formula: of x, such as "x**4 - 2*x**2 + 0.3*x"; see landscape.parse_formula. By default one
            with all four kinds of points.
        x_range: (low, high); None: (-3, 3).

    Raises:
        OptionError: no formula of x, or one that is not finite in the range.

    Example:
        >>> import cutaway as ct
        >>> [(p.kind, round(p.x, 6)) for p in ct.landscape.curve_points().points]
        [('local minimum', -2.0), ('maximum', -1.0), ('saddle point', 1.0), ('global minimum', 2.0)]
    """
    if x_range is None:
        x_range = TEXTBOOK_RANGE if formula == TEXTBOOK else (-3.0, 3.0)
    low, high = (float(v) for v in x_range)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise OptionError(
            f"the range {low:g} to {high:g}",
            expected="two finite numbers, the smaller one first",
            fix="for example --range -3,3",
        )
    parsed = parse_formula(formula, ("x",))
    curve = _Curve(parsed)
    x = np.linspace(low, high, POINTS)
    values, slopes, bends = curve.values(x), curve.slopes(x), curve.bends(x)
    if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
        bad = x[~(np.isfinite(values) & np.isfinite(slopes))]
        raise OptionError(
            f"{parsed.text} is not finite at x = {bad[0]:g}",
            expected="a finite value and slope everywhere in the range",
            fix="choose another range, for example --range 0.1,3",
        )
    plateaus = tuple(_plateaus(x, slopes))
    places = _crossings(curve.slopes, x, slopes)
    turning = _crossings(curve.bends, x, bends)
    limit = ZERO * float(np.abs(slopes).max())
    touching = [
        t for t in turning
        if abs(float(curve.slopes(np.array([t]))[0])) <= limit
        and all(abs(t - p) > (high - low) / POINTS for p in places)
    ]  # fmt: skip
    flat = [t for t in touching if not any(a < t < b for a, b in plateaus if b - a > 0.3)]
    points = [_point(curve, p, x, slopes) for p in places] + [
        _named(curve, "saddle point", t) for t in flat
    ]
    points.sort(key=lambda p: p.x)
    # a wide bottom is flat too, but no plateau
    plateaus = tuple(p for p in plateaus if not any(p[0] <= q.x <= p[1] for q in points))
    return CurvePoints(parsed, x, values, slopes, tuple(_global(points, values)), plateaus)


class _Curve:
    """A Formula of one variable with its derivatives, in float64."""

    def __init__(self, formula):
        self.formula = formula
        self.objective = objective_of(lambda x: formula(x).sum())
        self.hessians = hessian_function(formula)

    def values(self, x):
        with float64(), no_grad(), np.errstate(all="ignore"):
            return np.asarray(self.formula(Tensor(x)).data, np.float64)

    def slopes(self, x):
        (found,) = self.objective.gradient([x])
        return np.asarray(found, np.float64)

    def bends(self, x):
        return self.hessians(x[:, None])[:, 0, 0]


def _crossings(f, x, values) -> list:
    """Where f changes its sign between points of the grid, by bisection, or is 0 at one of them."""
    found = []
    signs = np.sign(values)
    for k in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        low, high = float(x[k]), float(x[k + 1])
        for _ in range(60):
            middle = (low + high) / 2
            value = float(f(np.array([middle]))[0])
            if np.sign(value) == signs[k]:
                low = middle
            else:
                high = middle
        found.append((low + high) / 2)
    inner = np.flatnonzero(signs[1:-1] == 0) + 1
    found += [float(x[k]) for k in inner if signs[k - 1] * signs[k + 1] < 0]
    return sorted(found)


def _point(curve, place, x, slopes) -> StationaryPoint:
    left = slopes[max(0, int(np.searchsorted(x, place - 1e-9)) - 1)]
    return _named(curve, "local minimum" if left < 0 else "maximum", place)


def _named(curve, kind, place) -> StationaryPoint:
    at = np.array([place])
    return StationaryPoint(kind, place + 0.0, float(curve.values(at)[0]), float(curve.bends(at)[0]))


def _global(points, values):
    """The points, with the lowest minima named global if nothing in the range is lower."""
    lowest = float(values.min())
    allowed = 1e-9 * (float(values.max()) - lowest)
    for p in points:
        is_lowest = p.kind == "local minimum" and p.value <= lowest + allowed
        yield dataclasses.replace(p, kind="global minimum") if is_lowest else p


def _plateaus(x, slopes):
    flat = np.abs(slopes) <= FLAT * np.abs(slopes).max()
    ends = np.concatenate([[False], flat, [False]])
    for a, b in np.flatnonzero(ends[1:] != ends[:-1]).reshape(-1, 2):
        if x[b - 1] - x[a] >= LEAST_WIDTH * (x[-1] - x[0]):
            yield float(x[a]), float(x[b - 1])


def _place(x) -> str:
    return number(x if abs(x) > 1e-6 else 0.0)
