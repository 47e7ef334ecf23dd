"""Schedules: the factor on the learning rate in step t = 1, 2, 3, ...

A schedule is called inside the compiled step with t as an array. PyTorch's schedulers count the
first step as 0, so their step k is our t = k + 1.
"""

import math

import jax.numpy as jnp

from cutaway.errors import expect_integer, expect_range
from cutaway.nn.state import Stateful
from cutaway.optim.hyperparameters import settings_of, written_call


class Schedule(Stateful):
    """Base class: `schedule(t)` is the factor on the learning rate in step t, 1 for the first.

    Attributes:
        counts_steps: names of the attributes that are numbers of steps.
    """

    counts_steps: tuple[str, ...] = ()

    def __repr__(self):
        return written_call(self, settings_of(self))

    def __call__(self, t):
        raise TypeError(f"{type(self).__name__} has no __call__: define `def __call__(self, t)`")

    def stretch(self, factor: float) -> None:
        """Run the same course over `factor` times as many steps."""
        for name in self.counts_steps:
            setattr(self, name, max(1, round(getattr(self, name) * factor)))


class Constant(Schedule):
    """Factor 1."""

    def __call__(self, t):
        return jnp.ones_like(t)


class StepDecay(Schedule):
    """factor^⌊(t - 1) / every⌋: multiplies by `factor` every `every` steps. PyTorch's StepLR."""

    counts_steps = ("every",)

    def __init__(self, every: int, factor: float = 0.1):
        expect_range(every, what="every", least=1)
        expect_range(factor, what="factor", above=0)
        self.every = every
        self.factor = factor

    def __call__(self, t):
        return self.factor ** jnp.floor((t - 1) / self.every)


class Exponential(Schedule):
    """rate^(t - 1). PyTorch's ExponentialLR."""

    def __init__(self, rate: float):
        expect_range(rate, what="rate", above=0, most=1)
        self.rate = rate

    def __call__(self, t):
        return self.rate ** (t - 1)

    def stretch(self, factor):
        self.rate = self.rate ** (1 / factor)


class Cosine(Schedule):
    """Cosine decay from 1 to `final` over total_steps; then `final`.

    final + (1 - final) (1 + cos(π (t - 1) / total_steps)) / 2. PyTorch's CosineAnnealingLR.

    References:
        Loshchilov & Hutter 2017, "SGDR", arXiv:1608.03983, eq. 5 without restarts.
    """

    counts_steps = ("total_steps",)

    def __init__(self, total_steps: int, final: float = 0.0):
        expect_range(total_steps, what="total_steps", least=1)
        expect_range(final, what="final", least=0, most=1)
        self.total_steps = total_steps
        self.final = final

    def __call__(self, t):
        done = jnp.clip((t - 1) / self.total_steps, 0, 1)
        return self.final + (1 - self.final) * (1 + jnp.cos(jnp.pi * done)) / 2


class Warmup(Schedule):
    """Linear warmup from `start` to 1 over warmup_steps, followed by `then`. PyTorch's LinearLR.

    Args:
        warmup_steps: step warmup_steps + 1 is the first at factor 1.
        start: the first factor.
        then: Schedule that starts at the end of the warmup; None: stay at 1.
    """

    counts_steps = ("warmup_steps",)

    def __init__(self, warmup_steps: int, then: Schedule | None = None, *, start: float = 0.1):
        expect_range(warmup_steps, what="warmup_steps", least=1)
        expect_range(start, what="start", above=0, most=1)
        self.warmup_steps = warmup_steps
        self.then = then
        self.start = start

    def __call__(self, t):
        rising = self.start + (1 - self.start) * (t - 1) / self.warmup_steps
        after = 1.0 if self.then is None else self.then(t - self.warmup_steps)
        return jnp.where(t <= self.warmup_steps, rising, after)

    def stretch(self, factor):
        super().stretch(factor)
        if self.then is not None:
            self.then.stretch(factor)


class OneCycle(Schedule):
    """From 1/divide up to 1 over a fraction of the steps, then down to 1/(divide · final_divide).

    Both parts follow half a cosine; the given learning rate is the maximum. PyTorch's OneCycleLR.

    References:
        Smith & Topin 2018, "Super-convergence", arXiv:1708.07120.
    """

    counts_steps = ("total_steps",)

    def __init__(
        self,
        total_steps: int,
        *,
        rising: float = 0.3,
        divide: float = 25.0,
        final_divide: float = 1e4,
    ):
        expect_range(total_steps, what="total_steps", least=2)
        expect_range(rising, what="rising", above=0, below=1)
        expect_range(divide, what="divide", least=1)
        expect_range(final_divide, what="final_divide", least=1)
        self.total_steps = total_steps
        self.rising = rising
        self.divide = divide
        self.final_divide = final_divide

    def __call__(self, t):
        top = self.rising * self.total_steps - 1  # index of the step with the maximum, from 0
        last = self.total_steps - 1
        first, lowest = 1 / self.divide, 1 / (self.divide * self.final_divide)
        k = jnp.clip(t - 1, 0, last)
        up = _cosine_between(first, 1.0, k / top if top > 0 else jnp.ones_like(k))
        down = _cosine_between(1.0, lowest, (k - top) / (last - top))
        return jnp.where(k <= top, up, down)


class CosineCycles(Schedule):
    """Cosine cycles from 0 up to 1 and back to 0, each twice as long as the one before.

    (1 - cos(2π log₂(1 + (2^cycles - 1) done))) / 2 of the fraction done = (t - 1) / total_steps.
    With 4 cycles they end after 1/15, 3/15, 7/15 and 15/15 of the steps; then the factor stays 0,
    as it is in the first step. The learning rate has then come down several times, so the weights
    at the end of a cycle are good ones even if the best epoch comes early.

    Args:
        total_steps: steps of all cycles.
        cycles: their number.

    References:
        Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", arXiv:2407.04491: with 4 cycles, "coslog4".
    """

    counts_steps = ("total_steps",)

    def __init__(self, total_steps: int, cycles: int = 4):
        expect_range(total_steps, what="total_steps", least=1)
        expect_integer(cycles, what="cycles", least=1)
        self.total_steps = total_steps
        self.cycles = cycles

    def __call__(self, t):
        done = jnp.clip((t - 1) / self.total_steps, 0, 1)
        cycle = jnp.log2(1 + (2**self.cycles - 1) * done)  # 0 to `cycles`
        return (1 - jnp.cos(2 * jnp.pi * cycle)) / 2


class FlatCosine(Schedule):
    """1 for a fraction of the steps, then by half a cosine to 0.

    Besides as a factor on the learning rate it serves to phase out regularization: weight decay
    (`decay_schedule` of optimizers) and dropout (`train.DropoutSchedule`).

    Args:
        total_steps: after them the factor is 0.
        flat: fraction of the steps with factor 1, in [0, 1).

    References:
        Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491: with flat=0.5, "flat_cos".
    """

    counts_steps = ("total_steps",)

    def __init__(self, total_steps: int, flat: float = 0.5):
        expect_range(total_steps, what="total_steps", least=1)
        expect_range(flat, what="flat", least=0, below=1)
        self.total_steps = total_steps
        self.flat = flat

    def __call__(self, t):
        done = (t - 1) / self.total_steps
        return _cosine_between(1.0, 0.0, (done - self.flat) / (1 - self.flat))


def _cosine_between(start, end, progress):
    return end + (start - end) * (1 + jnp.cos(jnp.pi * jnp.clip(progress, 0, 1))) / 2


class ReduceOnPlateau:
    """Multiplies the learning rate by `factor` when a monitored value has stopped improving.

    Works between epochs, on the host: `observe(value, optimizer)`; in a Trainer, through the
    callback train.PlateauRate. PyTorch's ReduceLROnPlateau.

    Args:
        factor: in (0, 1).
        patience: number of epochs without improvement that are tolerated.
        threshold: minimum relative improvement that counts.
        min_lr: lower bound on the learning rate.
        higher_is_better: True for metrics like accuracy.
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        *,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
        higher_is_better: bool = False,
    ):
        expect_range(factor, what="factor", above=0, below=1)
        expect_range(patience, what="patience", least=0)
        expect_range(threshold, what="threshold", least=0)
        expect_range(min_lr, what="min_lr", least=0)
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.min_lr = min_lr
        self.higher_is_better = higher_is_better
        self.best = None
        self.bad_epochs = 0

    def observe(self, value: float, optimizer) -> None:
        """Record the value of an epoch, and reduce optimizer.lr if due."""
        if self._better(value):
            self.best = value
            self.bad_epochs = 0
            return
        self.bad_epochs += 1
        if self.bad_epochs > self.patience:
            self.bad_epochs = 0
            now = optimizer.base_lr.item()
            lower = max(now * self.factor, self.min_lr)
            if now - lower > 1e-8:
                optimizer.lr = lower

    def state(self) -> dict:
        """The state to save in a checkpoint."""
        return {"best": self.best, "bad_epochs": self.bad_epochs}

    def load_state(self, state: dict) -> None:
        self.best = state["best"]
        self.bad_epochs = state["bad_epochs"]

    def _better(self, value):
        if self.best is None or math.isnan(self.best):
            return not math.isnan(value)
        if self.higher_is_better:
            return value > self.best * (1 + self.threshold)
        return value < self.best * (1 - self.threshold)
