"""Points of a plane in two classes, and the small network that learns to tell them apart."""

import dataclasses
from collections.abc import Callable

import numpy as np

from cutaway.errors import expect_choice, expect_integer, expect_range
from cutaway.losses import binary_cross_entropy_with_logits
from cutaway.metrics import accuracy
from cutaway.models.perceptron import mlp
from cutaway.nn import ACTIVATIONS, INITIALIZERS
from cutaway.nn.random import seeded
from cutaway.optim import OPTIMIZERS
from cutaway.studio.subject import Subject, columns_of
from cutaway.train import Program
from cutaway.train.evaluation import to_probabilities

VALIDATION = 0.2  # of the points
CLASSES = ["orange", "blue"]  # the colors of the page for low and high outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaneTraining:
    """The network for points of a plane, and its training, before the first step.

    Attributes:
        layers: sizes of the hidden layers.
        activation: name of the activation after each hidden layer.
        init: name of the weight initializer.
        optimizer: its name.
        lr: learning rate, > 0.
        batch_size: points per step.

    Raises:
        OptionError: a value that none of them can have.
    """

    layers: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    init: str = "glorot_uniform"
    optimizer: str = "adam"
    lr: float = 0.01
    batch_size: int = 16

    def __post_init__(self):
        for n in self.layers:
            expect_integer(n, what="a layer size", least=1)
        expect_choice(self.activation, ACTIVATIONS, what="activation")
        expect_choice(self.init, INITIALIZERS, what="init")
        expect_choice(self.optimizer, OPTIMIZERS, what="optimizer")
        expect_range(self.lr, what="lr", above=0)
        expect_integer(self.batch_size, what="batch_size", least=1)

    def program(self) -> Program:
        """The network with its loss and optimizer."""
        net = mlp(
            (2, *self.layers, 1),
            activation=ACTIVATIONS[self.activation],
            weights=INITIALIZERS[self.init],
        )
        return Program(
            net,
            loss=binary_cross_entropy_with_logits,
            optimizer=OPTIMIZERS[self.optimizer](net, self.lr),
            metrics=[accuracy],
        )


class PointSubject(Subject):
    """Points of a plane in two classes."""

    def predictions(self, raw):
        p = np.asarray(to_probabilities(self.program.loss, raw), np.float64)[:, 0]
        return np.stack([1 - p, p], axis=1)


def plane_subject(
    title: str,
    draw: Callable,
    points: int,
    noise: float,
    seed: int,
    training: PlaneTraining | None = None,
) -> PointSubject:
    """The Subject of points, with a network 2-8-8-1 of tanh that Adam trains.

    Args:
        title: of the page.
        draw: function (points, noise, rng) -> (x (points, 2), y (points,) 0 or 1); the same rng
            gives the same points, moved by the noise.
        points: their number, a fifth of them for validation.
        noise: from 0 to 1.
        seed: of the points, of their split and of the weights.
        training: another network, optimizer or batch size; None: as above.

    Raises:
        OptionError: fewer than 4 points, or noise that is not in [0, 1].
    """
    expect_integer(points, what="points", least=4)
    expect_range(noise, what="noise", least=0, most=1)
    x, y = draw(points, noise, np.random.default_rng(seed))
    x = x.astype(np.float32)
    order = np.random.default_rng(seed).permutation(points)
    held_out = round(VALIDATION * points)
    trained, validation = np.sort(order[held_out:]), np.sort(order[:held_out])
    training = training or PlaneTraining()
    with seeded(seed):  # the user's own generator stays as it is
        program = training.program()
    return PointSubject(
        title=title,
        kind="points",
        task="binary",
        target="color",
        examples="points",
        program=program,
        x=x,
        y=y,
        training=trained,
        validation=validation,
        batch_size=training.batch_size,
        seed=seed,
        classes=list(CLASSES),
        inputs=columns_of(x, trained, [(name, 1.0, 0.0, "", False) for name in ("x1", "x2")]),
    )


def halves(points: int) -> np.ndarray:
    """(points,) classes: the first half 0, the second 1."""
    return (np.arange(points) >= points // 2).astype(np.int32)
