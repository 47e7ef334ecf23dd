"""A running mean of the weights, which often predicts better than the weights themselves."""

import contextlib

import jax.numpy as jnp

from cutaway.engine import no_grad
from cutaway.errors import expect_range
from cutaway.nn.state import Buffer, Stateful
from cutaway.optim.optimizer import trainable


class ExponentialAverage(Stateful):
    """Exponential moving average of parameters: a ← d a + (1 - d) w after every step.

    d is β, but at first (1 + t) / (10 + t) where that is smaller, t the number of updates
    before: so the weights from before training are soon forgotten. In a Trainer, validation,
    callbacks after an epoch and the weights after `fit` are the averaged ones, while training goes
    on from those that moved. Buffers, such as running statistics, are not averaged.

    Args:
        parameters: a Module, or an iterable of Parameters.
        decay: β in [0, 1); the mean goes back over about 1 / (1 - β) steps.

    References:
        Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; Tarvainen
        & Valpola 2017, "Mean teachers are better role models", arXiv:1703.01780.

    Example:
        >>> from cutaway.nn import Parameter
        >>> w = Parameter(0.0)
        >>> average = ExponentialAverage([w], decay=0.5)
        >>> w.data = w.data + 1
        >>> average.update()                      # d = 1/10
        >>> with average.applied():
        ...     round(w.item(), 6)
        0.9
        >>> w.item()
        1.0
    """

    def __init__(self, parameters, decay: float = 0.999):
        expect_range(decay, what="decay", least=0, below=1)
        self.parameters = list(trainable(parameters).values())
        self.decay = decay
        self.step_count = Buffer(jnp.zeros((), jnp.int32))
        self.values = [Buffer(p.data) for p in self.parameters]

    @no_grad()
    def update(self) -> None:
        """Take the parameters as they are now into the mean; call it after `optimizer.step()`."""
        t = self.step_count.data.astype(jnp.float32)
        d = jnp.minimum(self.decay, (1 + t) / (10 + t))
        for value, p in zip(self.values, self.parameters, strict=True):
            value.data = (value.data + (1 - d) * (p.data - value.data)).astype(value.dtype)
        self.step_count.data = self.step_count.data + 1

    def restart(self) -> None:
        """Begin anew, from the parameters as they are."""
        self.step_count.data = jnp.zeros_like(self.step_count.data)
        for value, p in zip(self.values, self.parameters, strict=True):
            value.data = p.data

    def apply(self) -> None:
        """Give the parameters the mean, for good."""
        for value, p in zip(self.values, self.parameters, strict=True):
            p.data = value.data

    @contextlib.contextmanager
    def applied(self):
        """Context in which the parameters have the mean; afterwards they are as before."""
        moving = [p.data for p in self.parameters]
        self.apply()
        try:
            yield
        finally:
            for p, data in zip(self.parameters, moving, strict=True):
                p.data = data
