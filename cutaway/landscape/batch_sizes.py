"""batch_race: the same optimizer with gradients of all rows, of mini-batches and of single rows."""

import dataclasses

import numpy as np

from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, expect_choice, expect_integer, expect_range
from cutaway.landscape.optimizer_race import Contestant, Race, contestant, place_at
from cutaway.landscape.own_surface import point_of
from cutaway.landscape.race_ends import place_in_words
from cutaway.landscape.regression_rows import REGRESSION, RegressionSurface
from cutaway.nn import jit
from cutaway.optim import OPTIMIZERS
from cutaway.story.text import number

STRAIGHT = 1.1  # way per direct distance, up to which a path is called straight


@dataclasses.dataclass(frozen=True, repr=False)
class BatchRace(Race):
    """A race of batch sizes on a regression.

    Attributes:
        optimizer: its name.
        batch_sizes: rows per step of each racer.
        seed: of the shuffling of rows.
    """

    surface: RegressionSurface
    optimizer: str = "sgd"
    batch_sizes: tuple[int, ...] = ()
    seed: int = 0

    headings = ("gradient of", "steps/epoch", "epochs", "detour", "uphill", "value", "end")
    sides = "<>>>>><"

    def ranked(self) -> list:
        """The racers, the largest batches first."""
        return list(self.racers)

    def rows(self) -> list:
        rows = self.surface.rows
        return [
            [
                racer.name,
                str(-(-rows // size)),
                number(self.steps * size / rows, 3),
                f"{way_per_distance(racer):.2f}",
                f"{uphill(racer):.0%}",
                f"{racer.values[-1]:.3f}",
                place_in_words(racer.points[-1]),
            ]
            for racer, size in zip(self.racers, self.batch_sizes, strict=True)
        ]

    def comparison(self) -> str:
        """What the batch sizes make of the way, in one sentence."""
        parts = []
        for racer in self.racers:
            if racer.end is None:
                parts.append(f"{racer.name}: it diverges")
                continue
            way, share = way_per_distance(racer), uphill(racer)
            looks = "straight" if way <= STRAIGHT else "in a zigzag"
            steps = "no step uphill" if share == 0 else f"{share:.0%} of its steps uphill"
            parts.append(f"{racer.name}: {looks}, {way:.2f} times the direct way, {steps}")
        return "; ".join(parts) + "."

    def notes(self) -> list:
        lr = number(self.racers[0].lr, 3)
        low, high = self.racers[-1], self.racers[0]
        notes = [
            f"{self.comparison()}",
            f"All take {self.steps} steps of {self.optimizer} with η = {lr}. detour: length of "
            f"the way per distance from its start to its end. uphill: steps after which the loss "
            f"of all {self.surface.rows} rows is higher than before.",
        ]
        if (
            high.end is not None
            and low.end is not None
            and self.batch_sizes[-1] < self.surface.rows
        ):
            slopes = self.surface.gradients_of_rows(self.surface.minima[0])
            notes.append(
                f"At the minimum the gradient of all rows is 0, those of single rows are not: "
                f"their norm is {number(np.linalg.norm(slopes, axis=1).mean(), 3)} on average. So "
                f"with small batches and a fixed η it never comes to rest; a schedule that "
                f"lowers η lets it."
            )
        if self.by_rule:
            notes.append(
                "Default learning rate: 1 / the largest curvature of any single row's loss, "
                "2 (x² + 1), with which no step on a row goes beyond that row's minimum."
                if OPTIMIZERS[self.optimizer].steps == "gradient"
                else "Default learning rate: 1/200 of the plot's width."
            )
        return notes

    def to_dict(self) -> dict:
        found = super().to_dict()
        for entry, racer, size in zip(
            found["optimizers"], self.racers, self.batch_sizes, strict=True
        ):
            entry |= {
                "optimizer": self.optimizer,
                "batch_size": size,
                "way_per_distance": way_per_distance(racer),
                "uphill": uphill(racer),
            }
        return {**found, "comparison": self.comparison(), "seed": self.seed}


def batch_race(
    batch_sizes=("all", 4, 1),
    optimizer: str = "sgd",
    *,
    surface: RegressionSurface = REGRESSION,
    steps: int | None = None,
    start=None,
    lr: float | None = None,
    seed: int = 0,
) -> BatchRace:
    """Fit w x + b with gradients of all rows, of mini-batches and of single rows, from one start.

    All take the same number of steps with the same learning rate. Rows are shuffled in each epoch.

    Args:
        batch_sizes: rows per step, each an integer or "all".
        optimizer: name in optim.OPTIMIZERS.
        surface: a RegressionSurface, from regression_surface.
        steps: number of steps of each; None: two epochs of single rows.
        start: (w, b); None: the surface's default.
        lr: learning rate of all; None: for steps proportional to the gradient 1 / the largest
            curvature of any single row's loss; otherwise 1/200 of the plot's width.
        seed: random seed of the shuffling.

    Raises:
        OptionError: a batch of no row, or of more than there are.

    Example:
        >>> import cutaway as ct
        >>> found = ct.landscape.batch_race(("all", 1))
        >>> [racer.name for racer in found.racers]
        ['all 24 rows (GD)', '1 row (SGD)']
    """
    expect_choice(optimizer, tuple(OPTIMIZERS), what="optimizer")
    steps = surface.steps if steps is None else steps
    expect_range(steps, what="steps", least=1)
    start = point_of(surface.start if start is None else start)
    sizes = _sizes(batch_sizes, surface.rows)
    rate = _rate(surface, optimizer) if lr is None else lr
    expect_range(rate, what="learning rate lr", above=0, below=float("inf"))
    tolerance = 0.01 * surface.width
    racers = tuple(
        _racer(surface, size, optimizer, rate, steps, start, seed, tolerance) for size in sizes
    )
    begin = tuple(float(v) for v in start)
    return BatchRace(
        surface, racers, steps, begin, tolerance, lr is None, optimizer, tuple(sizes), seed
    )


def way_per_distance(racer: Contestant) -> float:
    """Length of the way per distance between its ends: 1 if it is straight."""
    moves = np.linalg.norm(np.diff(racer.points, axis=0), axis=1).sum()
    distance = float(np.linalg.norm(racer.points[-1] - racer.points[0]))
    return float(moves) / distance if distance else float("inf")


def uphill(racer: Contestant) -> float:
    """The fraction of steps after which the loss of all rows is higher, beyond rounding."""
    return float(np.mean(np.diff(racer.values) > 1e-12 * np.abs(racer.values).max()))


def _racer(surface, size, optimizer, rate, steps, start, seed, tolerance):
    order = _batches(surface.rows, size, steps, seed)
    x, y = surface.x[order], surface.y[order]  # (steps, size)
    with float64():
        place = place_at(start)
        mover = OPTIMIZERS[optimizer](place, rate)

        def step(batch):
            surface.loss_of_rows(place.w[0], place.w[1], *batch).backward()
            mover.step()
            return place.w

        points = jit(step, place, mover).scan((Tensor(x).data, Tensor(y).data))
    points = np.vstack([start, np.asarray(points.data)])
    return contestant(surface, _label(size, surface.rows, optimizer), rate, points, tolerance)


def _batches(rows, size, steps, seed):
    """(steps, size): indices of the rows of each step; every epoch is a new order of all rows."""
    rng = np.random.default_rng(seed)
    epochs = -(-steps * size // rows)
    order = np.concatenate([rng.permutation(rows) for _ in range(epochs)])
    return order[: steps * size].reshape(steps, size)


def _label(size, rows, optimizer) -> str:
    counted = f"all {rows} rows" if size == rows else f"{size} row{'s' * (size != 1)}"
    if optimizer != "sgd":
        return counted
    known = "GD" if size == rows else "SGD" if size == 1 else "mini-batch"
    return f"{counted} ({known})"


def _sizes(given, rows) -> list:
    given = [given] if isinstance(given, int | str) else list(given)
    sizes = []
    for size in given:
        found = rows if size == "all" else size
        expect_integer(found, what="batch size", least=1)
        if found > rows:
            raise OptionError(
                f"batch size {found} of a regression with {rows} rows",
                expected=f'1 to {rows}, or "all"',
                fix="choose fewer rows per step",
            )
        sizes.append(int(found))
    if not sizes:
        raise OptionError("batch_race: no batch size was given", expected="at least one")
    return sorted(set(sizes), reverse=True)


def _rate(surface, optimizer) -> float:
    if OPTIMIZERS[optimizer].steps == "gradient":
        return 1 / surface.steepest()
    return 1.0 if OPTIMIZERS[optimizer].steps == "own" else surface.width / 200
