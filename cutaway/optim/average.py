"""A moving average of the weights, which often generalizes better than the weights themselves."""

import contextlib

import jax.numpy as jnp

from cutaway.engine import no_grad
from cutaway.errors import expect_range
from cutaway.nn.state import Buffer, Held, Stateful
from cutaway.optim.optimizer import trainable


class ExponentialAverage(Stateful):
    """Exponential moving average of parameters: a ← d a + (1 - d) w after every step.

    d = min(β, (1 + t) / (10 + t)) after t updates, which quickly forgets the initial weights. In
    a Trainer, validation, callbacks after an epoch and the final weights use the average, while
    training continues from the raw weights. Buffers, such as running statistics, are not averaged.

    Args:
        parameters: a Module, or an iterable of Parameters.
        decay: β in [0, 1); the average covers about 1 / (1 - β) steps.

    References:
        Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; Tarvainen
        & Valpola 2017, "Mean teachers are better role models", arXiv:1703.01780.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.nn import Parameter
        >>> w = Parameter(0.0)
        >>> average = ct.ExponentialAverage([w], decay=0.5)
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
        """Update the average with the current parameters; call it after `optimizer.step()`."""
        t = self.step_count.data.astype(jnp.float32)
        d = jnp.minimum(self.decay, (1 + t) / (10 + t))
        for value, p in zip(self.values, self.parameters, strict=True):
            value.data = (value.data + (1 - d) * (p.data - value.data)).astype(value.dtype)
        self.step_count.data = self.step_count.data + 1

    def restart(self) -> None:
        """Restart from the current parameters."""
        self.step_count.data = jnp.zeros_like(self.step_count.data)
        for value, p in zip(self.values, self.parameters, strict=True):
            value.data = p.data

    def apply(self) -> None:
        """Replace the parameters by their average."""
        for value, p in zip(self.values, self.parameters, strict=True):
            p.data = value.data

    @contextlib.contextmanager
    def applied(self):
        """Context in which this thread sees the average in place of the parameters."""
        pairs = zip(self.values, self.parameters, strict=True)
        with Held(self.parameters, [(value.data, p.grad) for value, p in pairs]):
            yield
