"""The loss around a network, with the ways that several optimizers go from there."""

import dataclasses
from collections.abc import Callable

import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.errors import OptionError, expect_range
from cutaway.landscape import loss_surface, path_directions, random_directions
from cutaway.nn import Module, jit
from cutaway.nn.trees import call, count_rows, map_leaves
from cutaway.optim import Optimizer
from cutaway.train import Program
from cutaway.train.row_weights import plain_targets

STATES = 24  # of each way, its beginning included
MOST_NUMBERS = 20_000_000  # of all states together
ROWS = 512  # that the loss is the mean of
POINTS = 31


@dataclasses.dataclass(frozen=True)
class OptimizerWay:
    """The way of one optimizer.

    Attributes:
        path: (n, 2) coordinates on the plane, its beginning first, which is (0, 0).
        losses: (n,) the loss at the states themselves, not at their projections.
        steps: (n,) after how many steps.
    """

    path: np.ndarray
    losses: np.ndarray
    steps: np.ndarray


@dataclasses.dataclass(frozen=True)
class Surface:
    """The loss on a plane through the weights of a network.

    Attributes:
        steps: (points,) coordinates of the grid, along both sides.
        values: (points, points) the loss, a row for each coordinate upward.
        loss: at the weights, where both coordinates are 0.
        ways: {name of the optimizer: OptimizerWay}.
        within: least fraction of a squared distance from the weights that lies on the plane.
        rows: number of rows that the loss is the mean of.
    """

    steps: np.ndarray
    values: np.ndarray
    loss: float
    ways: dict[str, OptimizerWay]
    within: float
    rows: int


def surface(
    program: Program,
    x,
    y,
    optimizers: dict[str, Callable[[Module], Optimizer]],
    *,
    steps: int = 92,
    points: int = POINTS,
) -> Surface:
    """The loss around the weights of a program, and where optimizers go from there.

    The plane is that of most change: the two principal directions of all ways together. Every
    optimizer begins at the weights, with slots of 0, and takes steps of gradient descent with all
    of the rows in each. The network is in evaluation mode.

    Args:
        program: a copy that nothing else uses; it is not modified.
        x, y: rows, raw as the program takes them; the first 512 are used.
        optimizers: {name: function (net) -> Optimizer}.
        steps: of each optimizer.
        points: along each side of the grid.

    Raises:
        OptionError: the program minimizes an objective of its own, or no optimizer moves.
    """
    expect_range(steps, what="steps", least=1)
    if program.loss is None:
        raise OptionError(
            "the surface of a training that minimizes an objective",
            expected="a loss of predictions and targets",
        )
    x, y = (map_leaves(lambda leaf: np.asarray(leaf[:ROWS]), tree) for tree in (x, y))
    y = plain_targets(y)
    with no_grad():
        x = map_leaves(np.asarray, map_leaves(_data, program.inputs(map_leaves(Tensor, x))))
    size = sum(p.size for p in program.net.parameters()) * max(1, len(optimizers))
    count = int(np.clip(MOST_NUMBERS // size, 2, STATES))
    marks = np.unique(np.linspace(0, steps, count).round().astype(int))
    states = {
        name: _states(program, make, x, y, marks.tolist()) for name, make in optimizers.items()
    }
    every = [state for way in states.values() for state in way]
    directions = path_directions(every, program.net)
    if len(directions) == 1:  # all of them go along one line
        directions += random_directions(program.net, 1)
    around = loss_surface(
        program.net, x, y, loss=program.loss, directions=directions, path=every, points=points,
        float64=False,
    )  # fmt: skip
    assert around.path is not None and around.path_losses is not None
    assert around.path_fractions is not None
    ways, at = {}, 0
    for name, way in states.items():
        own = slice(at, at + len(way))
        ways[name] = OptimizerWay(around.path[own], around.path_losses[own], marks[: len(way)])
        at += len(way)
    within = around.path_fractions[np.isfinite(around.path_fractions)]
    rows = count_rows(y)
    return Surface(
        around.steps, around.values, around.loss, ways, float(within.min(initial=1.0)), rows
    )


def _states(program: Program, make, x, y, marks: list[int]) -> list[dict]:
    """[{path: array}] of a copy of the network after so many steps each; the last finite ones."""
    net = program.copied().net
    optimizer = make(net)
    loss = program.loss

    def step(_, x, y):
        value = loss(call(net, x), y)
        value.backward()
        optimizer.step()
        return value

    net.eval()
    # arrays of the copy are those of the program that trains on: none may be given away
    compiled = jit(step, net, optimizer, donate=False)
    found, at = [net.state_dict()], 0
    for mark in marks[1:]:
        compiled.loop(at, mark, x, y, capacity=int(np.diff(marks).max()))
        at = mark
        state = net.state_dict()
        if not all(np.isfinite(a).all() for a in state.values() if a.dtype.kind == "f"):
            break
        found.append(state)
    return found


def _data(leaf):
    return leaf.data if isinstance(leaf, Tensor) else leaf
