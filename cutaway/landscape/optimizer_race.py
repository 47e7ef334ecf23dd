"""race: runs optimizers on one surface from one starting point and compares where they end."""

import dataclasses
import math
import textwrap

import jax.numpy as jnp
import numpy as np

from cutaway.engine import float64
from cutaway.errors import OptionError, did_you_mean, expect_range
from cutaway.landscape.hessian import Curvature, hessians_of
from cutaway.landscape.own_surface import point_of, surface_of
from cutaway.landscape.race_ends import ends, ends_text, gradient_lines, place_in_words
from cutaway.landscape.textbook import TextbookSurface
from cutaway.nn import Module, Parameter, jit
from cutaway.optim import OPTIMIZERS, Optimizer
from cutaway.story.text import Story, align, number

STEP_FRACTION = 1 / 200  # of the plot's width: η for optimizers whose steps have length η
SHRINKING_FRACTION = 1 / 20  # likewise, for those whose steps shrink, like Adagrad's
TOLERANCE = 0.01  # of the plot's width, within which a minimum counts as reached
RULE = (
    "Default learning rates: for steps proportional to the gradient, 1 / the largest curvature "
    "among the points of the plot that are not above the start; for steps of length about η, "
    "1/200 of the plot's width; for Adagrad, whose steps shrink, 1/20; for Adadelta, 1, as in "
    "its paper (what some textbooks call Adadelta, one average of g² with a learning rate, is "
    "RMSprop)."
)


@dataclasses.dataclass(frozen=True, repr=False)
class Contestant:
    """The run of one optimizer.

    Attributes:
        name, lr: the optimizer and its learning rate.
        points: (steps + 1, 2): the start and the point after each step.
        values: (steps + 1,): the loss there.
        reached: the first step after which it stays within the race's tolerance of a known
            minimum; None if it does not.
        minimum: that minimum, or the one nearest to the last point; of a surface whose minima are
            not known, the one where it ended.
        distance: from there to the last point.
        end: the Curvature of the surface at the last point; None if it diverged.
    """

    name: str
    lr: float
    points: np.ndarray
    values: np.ndarray
    reached: int | None
    minimum: tuple | None
    distance: float
    end: Curvature | None

    @property
    def verdict(self) -> str:
        """The kind of the last point by its curvature, "diverging", or "diverged" if not finite.

        On a slope, it diverges if it is higher than at the start and than in all of the first half.
        """
        if self.end is None:
            return "diverged"
        first_half = self.values[: (len(self.values) + 1) // 2]
        if self.end.verdict == "slope" and self.values[-1] > first_half.max():
            return "diverging"
        return self.end.verdict

    @property
    def place(self):
        """(x, y) that the verdict is about: the stationary point, otherwise the last point."""
        if self.end is None or self.end.stationary is None:
            return self.points[-1]
        return self.end.stationary["point"]


@dataclasses.dataclass(frozen=True, repr=False)
class Race(Story):
    """A race of optimizers on a surface.

    Attributes:
        surface: the TextbookSurface.
        racers: a Contestant for each optimizer, in the order given.
        steps: number of steps of each.
        start: (x, y).
        tolerance: distance within which a minimum counts as reached.
        by_rule: whether some learning rates were chosen by default.
    """

    surface: TextbookSurface
    racers: tuple
    steps: int
    start: tuple
    tolerance: float
    by_rule: bool

    def __getitem__(self, name: str) -> Contestant:
        for racer in self.racers:
            if racer.name == name:
                return racer
        names = [racer.name for racer in self.racers]
        raise OptionError(
            f"{name!r} is not in this race",
            expected="one of " + ", ".join(names),
            fix=did_you_mean(name, names),
        )

    def rows(self) -> list:
        """The table: a list of texts for each racer, the first to reach a minimum on top."""
        return [
            [
                racer.name,
                number(racer.lr, 3),
                "-" if racer.reached is None else str(racer.reached),
                number(racer.values[-1], 3),
                place_in_words(racer.points[-1]),
                self.describe(racer),
            ]
            for racer in self.ranked()
        ]

    headings = ("optimizer", "lr", "reached", "value", "end", "kind of point")
    sides = "<>>><<"  # of the columns

    def describe(self, racer: Contestant) -> str:
        """The kind of the last point, and which minimum it is near."""
        if racer.end is None:
            return f"diverged at step {_first_bad(racer.points)}"
        if racer.verdict != "minimum" or racer.minimum is None:
            return racer.verdict
        if racer.distance > self.tolerance:
            return "minimum, not listed"
        if len(self.surface.minima) <= 1:
            return "minimum"
        return f"minimum {_which(self.surface, racer.minimum)}"

    def ranked(self) -> list:
        """The racers, the first to reach a minimum first."""
        return sorted(self.racers, key=_rank)

    def answer(self) -> str:
        """Who arrives first, and how many arrive, in a sentence."""
        first, count = self.ranked()[0], len(self.racers)
        arrived = [racer for racer in self.racers if racer.reached is not None]
        if not arrived:
            if count == 1:
                return f"{first.name} does not reach a minimum in {self.steps:,} steps."
            none = "Neither" if count == 2 else "None"
            return f"{none} of the {count} optimizers reaches a minimum in {self.steps:,} steps."
        told = f"{first.name} reaches a minimum after {first.reached:,} of {self.steps:,} steps"
        if count == 1:
            return f"{told}."
        together = sum(racer.reached == first.reached for racer in arrived)
        if together > 1:
            return (
                f"{together} optimizers reach a minimum first, after {first.reached:,} of "
                f"{self.steps:,} steps; {_how_many(len(arrived), count)}."
            )
        return f"{told}, before all others; {_how_many(len(arrived), count)}."

    def ends(self) -> list:
        """Where racers ended, but for slopes: place, kind of point, eigenvalues, who is there."""
        return ends(self)

    def text(self, width: int = 80) -> str:
        surface = self.surface
        head = f"{surface.title}, from {place_in_words(self.start)}, {self.steps:,} steps. " + (
            f"{surface.about[:1].upper()}{surface.about[1:]}." if surface.about else ""
        )
        lines = align([list(self.headings), *self.rows()], self.sides)
        return "\n\n".join(
            [
                textwrap.fill(head, width),
                "\n".join(lines),
                *filter(None, [ends_text(self, width)]),
                "\n".join(gradient_lines(self)),
                *(textwrap.fill(note, width) for note in self.notes()),
            ]
        )

    def notes(self) -> list:
        """The notes below the table."""
        which = "a known minimum" if self.surface.minima else "the minimum where it ended"
        note = (
            f"reached: the step from which it stays within {number(self.tolerance, 3)} of "
            f"{which}. Where the gradient is 0, the eigenvalues of the Hessian tell the kind of "
            f"point: all positive is a minimum, all negative a maximum, both signs a saddle."
        )
        if any(r.reached is not None and r.verdict == "slope" for r in self.racers):
            note += " An optimizer that has reached it but is on a slope is still descending."
        return [note, RULE] if self.by_rule else [note]

    def to_dict(self) -> dict:
        return {
            "surface": self.surface.name,
            "formula": self.surface.formula,
            "start": list(self.start),
            "steps": self.steps,
            "tolerance": self.tolerance,
            "minima": [list(m) for m in self.surface.minima],
            "optimizers": [
                {
                    "name": racer.name,
                    "lr": racer.lr,
                    "reached": racer.reached,
                    "verdict": racer.verdict,
                    "minimum": None if racer.minimum is None else list(racer.minimum),
                    "distance": racer.distance,
                    "end": None if racer.end is None else racer.end.to_dict(),
                    "points": racer.points.tolist(),
                    "values": racer.values.tolist(),
                }
                for racer in self.racers
            ],
        }

    def plot(self, axes=None):
        """The surface from above, with the path of each optimizer."""
        from cutaway.landscape.race_plots import plot_trajectories

        return plot_trajectories(self, axes)

    def plot_values(self, axes=None):
        """The loss of each optimizer after each step."""
        from cutaway.landscape.race_plots import plot_values

        return plot_values(self, axes)

    def figure(self):
        """Both plots side by side, as a matplotlib Figure."""
        from cutaway.landscape.race_plots import figure

        return figure(self)

    def html(self) -> str:
        """The paths, the table, and a slider through the steps."""
        from cutaway.landscape.race_page import fragment

        return fragment(self)

    def page(self) -> str:
        """`html` as a self-contained page."""
        from cutaway.landscape.race_page import page

        return page(self)


def race(
    surface="ravine",
    optimizers=None,
    *,
    steps: int | None = None,
    start=None,
    lr=None,
) -> Race:
    """Run optimizers on a surface from one starting point, in float64, and report where they end.

    Args:
        surface: a TextbookSurface, the name of one in landscape.SURFACES, or a formula of x and y
            such as "x**2 + y**2"; see landscape.parse_formula.
        optimizers: names in optim.OPTIMIZERS, or Optimizer classes; or {label: function of
            (parameters, lr) that makes an Optimizer}. None: all ten.
        steps: number of steps of each; None: the surface's default.
        start: (x, y); None: the surface's default.
        lr: learning rate of all, or {name: rate}. By default, for steps proportional
            to the gradient, 1/λ with λ the largest absolute curvature among the points of the
            plot that are not above the start, with which plain descent never increases the loss;
            for Adam and similar ones 1/200 of the plot's width, about the length of a step; for
            Adagrad, whose steps shrink, 1/20 of it; for Adadelta 1, as in its paper.

    Example:
        >>> import cutaway as ct
        >>> found = ct.race("bowl", ["sgd", "momentum"], steps=50)
        >>> [racer.verdict for racer in found.racers]
        ['minimum', 'slope']
    """
    surface = surface_of(surface, start)
    steps = surface.steps if steps is None else steps
    expect_range(steps, what="steps", least=1)
    start = point_of(surface.start if start is None else start)
    makers = _makers(optimizers)
    given = _given_rates(makers, lr)
    rates = given | _rates(surface, {k: v for k, v in makers.items() if k not in given}, start)
    by_rule = len(given) < len(makers)

    with float64():
        points = [_Place(start) for _ in makers]
        movers = [
            make(point, rates[name])
            for point, (name, make) in zip(points, makers.items(), strict=True)
        ]

        def step(_):
            for point, mover in zip(points, movers, strict=True):
                surface(point.w[0], point.w[1]).backward()
                mover.step()
            return tuple(point.w for point in points)

        trajectories = jit(step, *points, *movers).scan(jnp.arange(steps))
        trajectories = [np.asarray(trajectory.data) for trajectory in trajectories]
    tolerance = TOLERANCE * surface.width
    racers = tuple(
        contestant(surface, name, rates[name], np.vstack([start, trajectory]), tolerance)
        for name, trajectory in zip(makers, trajectories, strict=True)
    )
    return Race(surface, racers, steps, tuple(float(v) for v in start), tolerance, by_rule)


class _Place(Module):
    """A point on the surface."""

    def __init__(self, start):
        self.w = Parameter(start)


def place_at(start) -> "_Place":
    """A point (2,) that optimizers move: its Parameter `w`."""
    return _Place(start)


def contestant(surface, name, lr, points, tolerance) -> Contestant:
    """The Contestant of a path (steps + 1, 2), with the kind of point at its end."""
    with np.errstate(all="ignore"):
        values = surface.values(points)
    finite = np.isfinite(points).all() and np.isfinite(values).all()
    if not finite:
        return Contestant(name, lr, points, values, None, None, math.inf, None)
    minimum, distance = surface.nearest_minimum(points[-1])
    end = surface.curvature(points[-1], near=tolerance)
    if not surface.minima and end.verdict == "minimum" and end.stationary is not None:
        minimum = tuple(float(v) for v in end.stationary["point"])
        distance = math.dist(minimum, points[-1])
    reached = None
    if distance <= tolerance:
        away = np.linalg.norm(points - np.asarray(minimum), axis=1) > tolerance
        reached = int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0
    return Contestant(name, lr, points, values, reached, minimum, distance, end)


def _makers(optimizers) -> dict:
    """{name: function (parameters, lr) -> Optimizer}."""
    if optimizers is None:
        return dict(OPTIMIZERS)
    if isinstance(optimizers, dict):
        found = dict(optimizers)
    else:
        optimizers = [optimizers] if isinstance(optimizers, str | type) else list(optimizers)
        names = {kind: name for name, kind in OPTIMIZERS.items()}
        found = {}
        for given in optimizers:
            if isinstance(given, type) and issubclass(given, Optimizer):
                found[names.get(given, given.__name__)] = given
            elif isinstance(given, str) and given in OPTIMIZERS:
                found[given] = OPTIMIZERS[given]
            else:
                raise OptionError(
                    f"unknown optimizer {given!r}",
                    expected="names or classes of optimizers, or {label: function}",
                    fix=did_you_mean(str(given), OPTIMIZERS),
                )
    if not found:
        raise OptionError("race: no optimizer was given", expected="at least one")
    return found


def _given_rates(makers, lr) -> dict:
    """{name: learning rate} of those for which one was given."""
    given = dict(lr) if isinstance(lr, dict) else dict.fromkeys(makers, lr)
    unknown = [name for name in given if name not in makers]
    if unknown:
        raise OptionError(
            f"race: a learning rate was given for {unknown[0]!r}, which is not in the race",
            expected="one of " + ", ".join(makers),
            fix=did_you_mean(unknown[0], makers),
        )
    given = {name: float(rate) for name, rate in given.items() if rate is not None}
    for rate in given.values():
        expect_range(rate, what="learning rate lr", above=0, below=math.inf)
    return given


def _rates(surface, makers, start) -> dict:
    """{name: default learning rate}."""
    kinds = {name: _kind(make) for name, make in makers.items()}
    rates = {
        "length": STEP_FRACTION * surface.width,
        "shrinking": SHRINKING_FRACTION * surface.width,
        "own": 1.0,
    }
    if "gradient" in kinds.values():
        rates["gradient"] = 1 / _largest_curvature(surface, start)
    return {name: rates[kind] for name, kind in kinds.items()}


def _kind(make) -> str:
    """How the step length of an optimizer depends on η."""
    with float64():
        made = make([Parameter(np.zeros(2))], 1.0)
    return made.steps


def _largest_curvature(surface, start) -> float:
    xs, ys, values = surface.grid(101)
    points = np.stack(np.meshgrid(xs, ys), axis=-1)[values <= surface.values(start)]
    found = np.linalg.eigvalsh(hessians_of(surface, np.vstack([start, points])))
    largest = float(np.abs(found[np.isfinite(found)]).max(initial=0.0))
    return largest or 1.0


def _rank(racer):
    late = math.inf if racer.reached is None else racer.reached
    value = racer.values[-1]
    return (racer.end is None, late, value if math.isfinite(value) else math.inf)


def _first_bad(points) -> int:
    return int(np.flatnonzero(~np.isfinite(points).all(axis=1)).min(initial=len(points) - 1))


def _how_many(arrived: int, count: int) -> str:
    if arrived == count:
        return "both arrive" if count == 2 else f"all {count} arrive"
    return f"{arrived} of {count} optimizers {'arrives' if arrived == 1 else 'arrive'}"


def _which(surface, minimum) -> str:
    lowest = float(surface.values(surface.minima[0]))
    as_low = [m for m in surface.minima if float(surface.values(m)) < lowest + 1e-9]
    if len(as_low) == 1:
        return "(global)" if minimum == as_low[0] else "(local)"
    return f"{surface.minima.index(minimum) + 1} of {len(surface.minima)}"
