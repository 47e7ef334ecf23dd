"""Textbook surfaces: losses of two variables that show how optimizers behave."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from cutaway import ops
from cutaway.engine import Tensor, float64, no_grad
from cutaway.errors import ShapeError, expect_choice
from cutaway.landscape.hessian import Curvature, curvature_at
from cutaway.landscape.objective import objective_of


@dataclasses.dataclass(frozen=True, eq=False)
class TextbookSurface:
    """A loss of two variables, (x, y) -> L.

    Attributes:
        name: in SURFACES.
        formula: as text.
        f: takes x and y as Tensors of one shape and works element by element.
        start: (x, y) at which optimizers start.
        x_range, y_range: of the plot.
        steps: default number of steps of a race.
        minima: known minima, the lowest first.
        about: what is special about it, in a few words.
        axes: names of the two variables.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.landscape.textbook import RAVINE
        >>> RAVINE(ct.Tensor(5.0), ct.Tensor(1.0)).item()
        1.5
        >>> RAVINE.curvature((0, 0)).verdict
        'minimum'
    """

    name: str
    formula: str
    f: Callable
    start: tuple
    x_range: tuple
    y_range: tuple
    steps: int = 300
    minima: tuple = ()
    about: str = ""
    axes: tuple[str, str] = ("x", "y")

    def __call__(self, x, y):
        return self.f(x, y)

    @property
    def title(self) -> str:
        """Name and formula; of a formula without a name L = formula."""
        return f"{self.name}: {self.formula}" if self.name else f"L = {self.formula}"

    @property
    def width(self) -> float:
        """The longer side of the plot, in which distances are measured."""
        return max(high - low for low, high in (self.x_range, self.y_range))

    def values(self, points) -> np.ndarray:
        """L at points (..., 2), in float64."""
        with float64(), no_grad():
            points = np.asarray(points, np.float64)
            return np.asarray(self(Tensor(points[..., 0]), Tensor(points[..., 1])).data)

    def grid(self, points: int = 201):
        """(xs, ys, values (points, points)) over the plot; rows correspond to ys."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        xs, ys = np.linspace(x0, x1, points), np.linspace(y0, y1, points)
        return xs, ys, self.values(np.stack(np.meshgrid(xs, ys), axis=-1))

    @functools.cached_property
    def spread(self) -> float:
        """The largest minus the smallest finite value of L on the plot."""
        with np.errstate(all="ignore"):
            values = self.grid(41)[2]
        finite = values[np.isfinite(values)]
        return float(np.ptp(finite)) if finite.size else 0.0

    @functools.cached_property
    def objective(self):
        """L of one array (2,), with its gradient."""
        return objective_of(lambda w: self(w[0], w[1]))

    def curvature(self, point, *, near: float | None = None) -> Curvature:
        """The kind of point at (x, y); see landscape.curvature."""
        if np.shape(point) != (2,):
            raise ShapeError(
                f"{self.name}: the point has shape {np.shape(point)}",
                expected="two numbers, (x, y)",
                fix="for example (1.0, -2.0)",
            )
        with float64():
            here = Tensor(np.asarray(point, np.float64)).data
        return curvature_at(self.objective, {"point": here}, near=near, spread=self.spread)

    def gradient(self, point) -> tuple[float, float]:
        """(∂L/∂x, ∂L/∂y) at (x, y), by the engine, in float64."""
        with float64():
            (found,) = self.objective.gradient([Tensor(np.asarray(point, np.float64)).data])
        return float(found[0]), float(found[1])

    def nearest_minimum(self, point):
        """(known minimum nearest to the point, distance); (None, inf) if none is known."""
        if not self.minima:
            return None, math.inf
        distances = [math.dist(point, m) for m in self.minima]
        best = int(np.argmin(distances))
        return self.minima[best], distances[best]


def _bowl(x, y):
    return 0.5 * x**2 + y**2


def _ravine(x, y):
    return 0.02 * x**2 + y**2


def _saddle(x, y):
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


def _rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _rastrigin(x, y):
    return 20 + x**2 + y**2 - 10 * (ops.cos(2 * math.pi * x) + ops.cos(2 * math.pi * y))


def _himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _styblinski_tang(x, y):
    return 0.5 * (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y)


def _plateau(x, y):
    return 1 - ops.exp(-0.5 * (x**2 + y**2))


def _root(slope, bend, near):
    """The root of `slope` near `near`, by Newton's method; `bend` is its derivative."""
    for _ in range(50):
        near -= slope(near) / bend(near)
    return near


def _crossed(places, value):
    """All pairs of coordinates, by the value at the pair."""
    pairs = [(a, b) for a in places for b in places]
    return tuple(sorted(pairs, key=lambda p: (round(value(p[0]) + value(p[1]), 6), p)))


def _rastrigin_minima():
    # x and y each: 2 x + 20 π sin(2 π x) = 0 near every integer
    turn = 2 * math.pi
    places = [
        _root(
            lambda x: 2 * x + 10 * turn * math.sin(turn * x),
            lambda x: 2 + 10 * turn**2 * math.cos(turn * x),
            float(k),
        )
        for k in range(-5, 6)
    ]
    return _crossed(places, lambda x: x**2 - 10 * math.cos(turn * x))


def _styblinski_tang_minima():
    # x and y each: 4 x³ - 32 x + 5 = 0
    places = [
        _root(lambda x: 4 * x**3 - 32 * x + 5, lambda x: 12 * x**2 - 32, near)
        for near in (-2.9, 2.75)
    ]
    return _crossed(places, lambda x: x**4 - 16 * x**2 + 5 * x)


BOWL = TextbookSurface(
    "bowl",
    "x²/2 + y²",
    _bowl,
    start=(-4.0, 3.0),
    x_range=(-5, 5),
    y_range=(-4, 4),
    steps=200,
    minima=((0.0, 0.0),),
    about="convex, with nearly the same curvature in all directions: easy for any optimizer",
)
RAVINE = TextbookSurface(
    "ravine",
    "0.02 x² + y²",
    _ravine,
    start=(-8.0, 2.5),
    x_range=(-10, 10),
    y_range=(-4, 4),
    steps=300,
    minima=((0.0, 0.0),),
    about="50 times as steep across as along: a step size that is stable across is slow along",
)
SADDLE = TextbookSurface(
    "saddle",
    "x²/2 - y²/2 + y⁴/4",
    _saddle,
    start=(-2.0, 0.001),
    x_range=(-2.5, 2.5),
    y_range=(-1.8, 1.8),
    steps=250,
    minima=((0.0, -1.0), (0.0, 1.0)),
    about="the path leads to a saddle at (0, 0), from which two minima can be reached",
)
ROSENBROCK = TextbookSurface(
    "rosenbrock",
    "(1 - x)² + 100 (y - x²)²",
    _rosenbrock,
    start=(-1.2, 1.0),
    x_range=(-2, 2),
    y_range=(-1, 3),
    steps=3000,
    minima=((1.0, 1.0),),
    about="a curved valley with a flat floor: easy to reach, hard to follow",
)
RASTRIGIN = TextbookSurface(
    "rastrigin",
    "20 + x² + y² - 10 (cos 2πx + cos 2πy)",
    _rastrigin,
    start=(-3.4, 2.6),
    x_range=(-5.12, 5.12),
    y_range=(-5.12, 5.12),
    steps=300,
    minima=_rastrigin_minima(),
    about="a bowl with many local minima: 121 in this range, the global one at (0, 0)",
)
HIMMELBLAU = TextbookSurface(
    "himmelblau",
    "(x² + y - 11)² + (x + y² - 7)²",
    _himmelblau,
    start=(0.5, -1.0),
    x_range=(-6, 6),
    y_range=(-6, 6),
    steps=300,
    minima=(
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ),
    about="four equally low minima: the optimizer decides which one is reached",
)
STYBLINSKI_TANG = TextbookSurface(
    "styblinski_tang",
    "(x⁴ - 16 x² + 5 x + y⁴ - 16 y² + 5 y) / 2",
    _styblinski_tang,
    start=(1.0, 0.6),
    x_range=(-5, 5),
    y_range=(-5, 5),
    steps=200,
    minima=_styblinski_tang_minima(),
    about="one global minimum and three local ones",
)
PLATEAU = TextbookSurface(
    "plateau",
    "1 - exp(-(x² + y²) / 2)",
    _plateau,
    start=(-4.5, 3.0),
    x_range=(-6, 6),
    y_range=(-5, 5),
    steps=300,
    minima=((0.0, 0.0),),
    about="flat far from its minimum: there the gradient is tiny although the minimum is far",
)

SURFACES = {
    surface.name: surface
    for surface in (
        BOWL,
        RAVINE,
        SADDLE,
        ROSENBROCK,
        RASTRIGIN,
        HIMMELBLAU,
        STYBLINSKI_TANG,
        PLATEAU,
    )
}


def textbook_surface(surface) -> TextbookSurface:
    """The TextbookSurface with that name, or the given TextbookSurface itself."""
    if isinstance(surface, TextbookSurface):
        return surface
    expect_choice(surface, tuple(SURFACES), what="surface")
    return SURFACES[surface]
