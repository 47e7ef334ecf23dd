"""Optimizer: what all of them share. Each algorithm is a class that says how one array moves."""

import jax.numpy as jnp
import numpy as np

from cutaway.engine import no_grad
from cutaway.errors import GradientError, OptionError, expect_range
from cutaway.nn.module import Module
from cutaway.nn.state import Buffer, Parameter, Stateful, zeros_like


class Optimizer(Stateful):
    """Base: finds the gradients, clips them, counts the steps, and moves each parameter.

    A subclass names its `slots` (arrays it keeps per parameter, zeros at first) and writes
    `update(self, p, g, *slots)`, which returns the new p and the new slots. There, `self.lr` is
    the learning rate of this step and `self.t` the number of the step, 1 for the first.

    Args:
        parameters: a Module, or an iterable of Parameters.
        lr: learning rate η, > 0.
        schedule: a Schedule that scales η by the number of the step; None keeps it.
        clip: function from the list of gradients to the list of clipped ones; None does nothing.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, parameters, lr: float, *, schedule=None, clip=None):
        self.parameters = _trainable(parameters)
        expect_range(lr, what="learning rate lr", above=0, below=float("inf"))
        self.base_lr = Buffer(np.float32(lr))
        self.step_count = Buffer(np.int32(0))
        self.schedule = schedule
        self.clip = clip
        self.state = {name: [zeros_like(p) for p in self.parameters] for name in self.slots}

    @property
    def t(self):
        """Number of this step, as a float array: 1 in the first."""
        return self.step_count.data.astype(jnp.float32)

    @property
    def lr(self):
        """Learning rate of this step, as an array. Assign a number to change its base."""
        if self.schedule is None:
            return self.base_lr.data
        return self.base_lr.data * self.schedule(self.t)

    @lr.setter
    def lr(self, value):
        expect_range(float(value), what="learning rate lr", above=0, below=float("inf"))
        self.base_lr.data = jnp.asarray(value, self.base_lr.dtype)

    def update(self, p, g, *slots):
        """One parameter's move: arrays (p, g, *slots) -> (p, *slots)."""
        raise TypeError(f"{type(self).__name__} has no update: define `def update(self, p, g)`")

    @no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient, and use its gradient up (`.grad` = None).

        Raises:
            GradientError: no parameter has a gradient.
        """
        moved = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        if not moved:
            raise GradientError(
                f"{type(self).__name__}.step: no parameter has a gradient",
                expected="loss.backward() before optimizer.step()",
                mend="call backward on a loss that was computed with these parameters; a step "
                "uses its gradients up",
            )
        grads = [self.parameters[i].grad for i in moved]
        if self.clip is not None:
            grads = self.clip(grads)
        self.step_count.data = self.step_count.data + 1
        for i, g in zip(moved, grads, strict=True):
            p = self.parameters[i]
            kept = [self.state[name][i] for name in self.slots]
            new, *values = self.update(p.data, g, *(slot.data for slot in kept))
            p.data = new.astype(p.dtype)
            for slot, value in zip(kept, values, strict=True):
                slot.data = value.astype(slot.dtype)
            p.grad = None

    def zero_grad(self) -> None:
        """Drop gradients that were computed and shall not be used."""
        for p in self.parameters:
            p.grad = None


def _trainable(parameters) -> list[Parameter]:
    if isinstance(parameters, Module):
        parameters = parameters.parameters()
    parameters = list({id(p): p for p in parameters}.values())
    for p in parameters:
        if not isinstance(p, Parameter):
            raise OptionError(
                f"an optimizer was given a {type(p).__name__}",
                expected="a Module, or Parameters",
                mend="pass the network itself: SGD(net, lr=0.1)",
            )
    if not parameters:
        raise OptionError(
            "the network has no parameters to train",
            expected="at least one Parameter",
            mend="add a layer with weights, for example Linear(4, 3)",
        )
    return parameters
