"""Historical single neurons: Rosenblatt's perceptron and Hebb's rule, without gradients."""

import numpy as np

from cutaway import ops
from cutaway.errors import DataError, expect_axis, expect_integer, expect_range
from cutaway.nn.module import Module
from cutaway.nn.state import Buffer


class Perceptron(Module):
    """One neuron with a step function, trained by Rosenblatt's rule.

    ŷ = 1 if Σ w_i x_i + b >= 0, otherwise 0. After each example
        w ← w + η (y - ŷ) x,  b ← b + η (y - ŷ)
    so it changes only on mistakes. If the classes are linearly separable, it converges after
    finitely many updates (Novikoff 1962); otherwise, as for XOR, it never converges.

    Args:
        in_features: number of inputs.
        lr: learning rate η; starting from zero weights it only changes their scale.

    Attributes:
        mistakes: number of misclassified rows in each epoch of the last fit.
        converged: whether the last epoch had none.

    References:
        Rosenblatt 1958, "The perceptron: a probabilistic model for information storage and
        organization in the brain", Psychological Review 65(6).

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import Perceptron
        >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> Perceptron(2).fit(x, [0, 0, 0, 1]).predict(x).tolist()
        [0, 0, 0, 1]
    """

    layer_kind = "dense"
    rule_weights = ("weight", "bias")
    rule_formula = "w ← w + η (y - ŷ) x"
    outputs = (0, 1)  # below and from z = 0

    def __init__(self, in_features: int, *, lr: float = 1.0):
        expect_integer(in_features, what="Perceptron: in_features", least=1)
        expect_range(lr, what="learning rate lr", above=0)
        self.weight = Buffer(np.zeros((in_features, 1), np.float32))
        self.bias = Buffer(np.zeros((1,), np.float32))
        self.lr = lr
        self.mistakes = []
        self.converged = False

    def forward(self, x):
        expect_axis(x, -1, self.weight.shape[0], where=self.label(), name="in_features")
        return ops.threshold(x @ self.weight + self.bias)

    def rule(self, w, x, y, out, lr):
        """One step of one weight, as optimizers' `terms`, for explanations; x is None for b."""
        error = yield "e", y - out, "the error"
        change = yield "Δw", lr * error * x if x is not None else lr * error, "the change"
        yield "w", w + change, "the new weight"

    def fit(self, x, y, *, epochs: int = 100):
        """Fit x (rows, in_features) and y (rows,) of 0 and 1; stops when all are correct."""
        x, y = _rows(x, y, self.weight.shape[0], (0, 1))
        w, b = self.weight.numpy()[:, 0].astype(float), float(self.bias.numpy()[0])
        self.mistakes, self.converged = [], False
        for _ in range(epochs):
            wrong = 0
            for row, truth in zip(x, y, strict=True):
                error = truth - (row @ w + b >= 0)
                wrong += error != 0
                w += self.lr * error * row
                b += self.lr * error
            self.mistakes.append(int(wrong))
            if wrong == 0:
                self.converged = True
                break
        _assign(self, w, b)
        return self

    def predict(self, x) -> np.ndarray:
        """0 or 1 for each row of x."""
        return self(np.asarray(x, np.float32)).numpy()[:, 0].astype(int)


class HebbianNeuron(Module):
    """One neuron that learns by Hebb's rule: what fires together wires together.

    Δw = η x y, Δb = η y, with inputs and targets of -1 and 1. There is no error signal: after one
    pass, the weights are a sum over the examples.

    References:
        Hebb 1949, "The Organization of Behavior".

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import HebbianNeuron
        >>> x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
        >>> HebbianNeuron(2).fit(x, [-1, -1, -1, 1]).predict(x).tolist()
        [-1, -1, -1, 1]
    """

    layer_kind = "dense"
    rule_weights = ("weight", "bias")
    rule_formula = "w ← w + η x y"
    outputs = (-1, 1)  # below and from z = 0

    def __init__(self, in_features: int, *, lr: float = 1.0):
        expect_integer(in_features, what="HebbianNeuron: in_features", least=1)
        expect_range(lr, what="learning rate lr", above=0)
        self.weight = Buffer(np.zeros((in_features, 1), np.float32))
        self.bias = Buffer(np.zeros((1,), np.float32))
        self.lr = lr

    def forward(self, x):
        expect_axis(x, -1, self.weight.shape[0], where=self.label(), name="in_features")
        return 2 * ops.threshold(x @ self.weight + self.bias) - 1

    def rule(self, w, x, y, out, lr):
        """One step of one weight, as optimizers' `terms`, for explanations; x is None for b."""
        change = yield "Δw", lr * x * y if x is not None else lr * y, "the change"
        yield "w", w + change, "the new weight"

    def fit(self, x, y):
        """Fit x (rows, in_features) and y (rows,) of -1 and 1, in one pass."""
        x, y = _rows(x, y, self.weight.shape[0], (-1, 1))
        w, b = self.weight.numpy()[:, 0].astype(float), float(self.bias.numpy()[0])
        _assign(self, w + self.lr * (x * y[:, None]).sum(axis=0), b + self.lr * y.sum())
        return self

    def predict(self, x) -> np.ndarray:
        """-1 or 1 for each row of x."""
        return self(np.asarray(x, np.float32)).numpy()[:, 0].astype(int)


def _rows(x, y, in_features, labels):
    x, y = np.asarray(x, float), np.asarray(y, float)
    expect_axis(x, -1, in_features, where="fit", name="in_features")
    if x.ndim != 2 or y.shape != x.shape[:1] or not np.isin(y, labels).all():
        raise DataError(
            f"fit: x of shape {x.shape}, y of shape {y.shape} with values "
            f"{np.unique(y)[:6].tolist()}",
            expected=f"x (rows, {in_features}) and y (rows,) of {labels[0]} and {labels[1]}",
        )
    return x, y


def _assign(neuron, w, b):
    import jax.numpy as jnp

    neuron.weight.data = jnp.asarray(w[:, None], jnp.float32)
    neuron.bias.data = jnp.asarray([b], jnp.float32)
