"""Points of a plane in two classes, and the small network that learns to tell them apart."""

from collections.abc import Callable

import numpy as np

from cutaway.errors import expect_integer, expect_range
from cutaway.losses import binary_cross_entropy_with_logits
from cutaway.metrics import accuracy
from cutaway.nn import Linear, Sequential, Tanh
from cutaway.nn.random import seeded
from cutaway.optim import Adam
from cutaway.studio.subject import Subject, columns_of
from cutaway.train import Program
from cutaway.train.evaluation import to_probabilities

VALIDATION = 0.2  # of the points
CLASSES = ["orange", "blue"]  # the colors of the page for low and high outputs


class PointSubject(Subject):
    """Points of a plane in two classes."""

    def predictions(self, raw):
        p = np.asarray(to_probabilities(self.program.loss, raw), np.float64)[:, 0]
        return np.stack([1 - p, p], axis=1)


def plane_subject(title: str, draw: Callable, points: int, noise: float, seed: int) -> PointSubject:
    """The Subject of points, with a network 2-8-8-1 of tanh that Adam trains.

    Args:
        title: of the page.
        draw: function (points, noise, rng) -> (x (points, 2), y (points,) 0 or 1); the same rng
            gives the same points, moved by the noise.
        points: their number, a fifth of them for validation.
        noise: from 0 to 1.
        seed: of the points, of their split and of the weights.

    Raises:
        OptionError: fewer than 4 points, or noise that is not in [0, 1].
    """
    expect_integer(points, what="points", least=4)
    expect_range(noise, what="noise", least=0, most=1)
    x, y = draw(points, noise, np.random.default_rng(seed))
    x = x.astype(np.float32)
    order = np.random.default_rng(seed).permutation(points)
    held_out = round(VALIDATION * points)
    training, validation = np.sort(order[held_out:]), np.sort(order[:held_out])
    with seeded(seed):  # the user's own generator stays as it is
        net = Sequential(Linear(2, 8), Tanh(), Linear(8, 8), Tanh(), Linear(8, 1))
        program = Program(
            net,
            loss=binary_cross_entropy_with_logits,
            optimizer=Adam(net, 0.01),
            metrics=[accuracy],
        )
    return PointSubject(
        title=title,
        kind="points",
        task="binary",
        target="color",
        examples="points",
        program=program,
        x=x,
        y=y,
        training=training,
        validation=validation,
        batch_size=16,
        seed=seed,
        classes=list(CLASSES),
        inputs=columns_of(x, training, [(name, 1.0, 0.0, "", False) for name in ("x1", "x2")]),
    )


def halves(points: int) -> np.ndarray:
    """(points,) classes: the first half 0, the second 1."""
    return (np.arange(points) >= points // 2).astype(np.int32)
