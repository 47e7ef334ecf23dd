"""Optimizer: base class of all algorithms, each of which defines the update of one parameter."""

import contextlib
import copy
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway.engine import float64, no_grad
from cutaway.errors import GradientError, OptionError, ShapeError, expect_range
from cutaway.nn.module import Module
from cutaway.nn.resizing import StructureChange
from cutaway.nn.sharing import exclusive
from cutaway.nn.state import Buffer, Parameter, zeros_like
from cutaway.optim.following import parameters_after
from cutaway.optim.hyperparameters import (
    Adjustable,
    HyperparameterValues,
    hyperparameters_of,
    settings_of,
    written_call,
)
from cutaway.optim.parameter_settings import ParameterSettings
from cutaway.optim.step_preview import Move, preview
from cutaway.optim.terms import Quantity, named

STEPS = (
    "gradient",  # η times the gradient
    "length",  # about η, whatever the gradient
    "shrinking",  # η at first, then decreasing
    "own",  # in the units of the weights, of a length the algorithm determines
)


class _NoWeightDecay:
    """The `weight_decay` of optimizers without: 0, and no other can be assigned."""

    def __get__(self, optimizer, kind=None) -> float:
        return 0.0

    def __set__(self, optimizer, value):
        if value:
            name = type(optimizer).__name__
            raise OptionError(
                f"{name} has no weight decay, but weight_decay={value} was assigned",
                expected="an optimizer with weight decay, for example AdamW or SGD",
                fix="use AdamW, or a penalty on the weights: losses.l2_penalty",
            )


class Optimizer(Adjustable):
    """Base class: collects gradients, clips them, counts steps, and updates each parameter.

    A subclass names its `slots` (state arrays per parameter, initially zeros) and defines
    `update(self, p, g, *slots)`, which returns the new p and the new slots. In it, `self.lr` is
    the learning rate of this parameter in this step, `self.decay` its weight decay, and `self.t`
    the number of the step, 1 for the first. Its other numbers are Hyperparameters of the class:
    like `lr`, they can be assigned while a training runs, and nothing is compiled for it. It may
    also define `terms(self, w, g, *slots)`, the same update of one element written out term by
    term (see optim.terms), for `explain_update`; there the slots are called by their `symbols`.
    Where textbooks define the algorithm in another way, `variants` likewise yields its new weight.

    Args:
        parameters: a Module, or an iterable of Parameters.
        lr: learning rate η, > 0.
        schedule: a Schedule that scales η by the number of the step; None: constant.
        clip: function from the list of gradients to the list of clipped ones; None: no clipping.
        groups: {path prefix: factor on η}, for example {"0": 0.1} for all of layer 0 when
            fine-tuning; the longest matching prefix applies. In a plain list of Parameters the
            paths are "0", "1", ... Or a function (path, parameter) -> factor, for example
            `lambda path, p: p.shape[0] ** -0.5 if p.ndim == 2 else 0.1`, 1/√inputs for matrices.

    Optimizers with weight decay take three more:
        weight_decay: λ >= 0.
        decays: function (path, parameter) -> bool that selects the parameters that decay; None:
            all. Common: `lambda path, p: p.ndim > 1`, which excludes biases and the scales of
            normalization layers. It may also return a factor on λ, a number >= 0.
        decay_schedule: a Schedule that scales λ by the number of the step; None: constant.
    """

    name = ""  # its name on the command line and in config files; "" for a base class
    slots: tuple[str, ...] = ()
    symbols: tuple[str, ...] | None = None  # of the slots in `terms`; None: as they are named
    terms = None
    variants: Any = (
        None  # like `terms`, with the new weights of other definitions of this algorithm
    )
    remark = ""  # on what others call it, or how they define it
    usual_lr: float | None = None  # its usual learning rate; None: the one for steps of length η
    steps = "gradient"  # how the step length depends on η: see STEPS
    takes_decay = False  # whether it has the options weight_decay, decays and decay_schedule
    weight_decay: Any = _NoWeightDecay()
    decay_schedule: Any = None
    eps: Any  # of those that divide by the size of the gradient

    def __init__(self, parameters, lr: float, *, schedule=None, clip=None, groups=None):
        named = trainable(parameters)
        self.parameters = list(named.values())
        expect_range(lr, what="learning rate lr", above=0, below=float("inf"))
        self.base_lr = Buffer(np.asarray(lr, jnp.result_type(float)))
        self.step_count = Buffer(np.int32(0))
        self.schedule = schedule
        self.clip = clip
        self.state = {name: [zeros_like(p) for p in self.parameters] for name in self.slots}
        self._each = ParameterSettings(named, groups)

    def __repr__(self):
        base = self.base_lr.data
        lr = base if isinstance(base, Tracer) else float(f"{float(base):.7g}")
        settings = settings_of(self)
        if self.takes_decay and not self.weight_decay:
            settings.pop("weight_decay", None)
            settings.pop("decay_schedule", None)
        groups = "" if not self._each.factors else ", some at a rate of their own"
        count = f"{sum(p.size for p in self.parameters):,} parameters{groups}"
        return written_call(self, {"lr": lr, **settings}, count)

    def _repr_html_(self):
        from cutaway.optim.optimizer_html import optimizer_html

        return optimizer_html(self)

    def _decay_by(self, weight_decay, decays, decay_schedule):
        self.weight_decay = weight_decay
        self.decay_schedule = decay_schedule
        if decays is not None:
            self._each.choose_decay(self.parameters, decays)

    @property
    def t(self):
        """Number of this step, as a float array: 1 in the first."""
        return self.step_count.data.astype(self.base_lr.dtype)

    @property
    def lr(self):
        """Learning rate of this step, as an array. Assign a number to change its base."""
        lr = self.base_lr.data
        if self.schedule is not None:
            lr = lr * self.schedule(self.t)
        factor = self._each.factors.get(self._each.moving)
        return lr if factor is None else lr * factor

    @lr.setter
    def lr(self, value):
        expect_range(float(value), what="learning rate lr", above=0, below=float("inf"))
        with exclusive():  # not while a step in another thread is about to write the old one back
            self.base_lr.data = jnp.asarray(value, self.base_lr.dtype)

    @property
    def decay(self) -> Any:
        """λ of the parameter being updated in this step: 0 for one excluded from weight decay."""
        factor = self._each.decay_factors.get(self._each.moving)
        if factor == 0:
            return 0.0
        decay = self.weight_decay
        if self.decay_schedule is not None:
            decay = decay * self.decay_schedule(self.t)
        return decay if factor is None else factor * decay

    def with_decay(self, p, g):
        """g + λ p: the gradient including that of the penalty λ/2 ‖p‖²."""
        decay = self.decay  # in a compiled step it may have any value when the step runs
        return g + decay * p if isinstance(decay, jax.Array) or decay else g

    def decay_terms(self, w, g):
        """`with_decay` for `terms`: `g = yield from self.decay_terms(w, g)`."""
        if not self.decay:
            return g
        grown = g + named("λ", self.decay) * w
        return (yield "g", grown, "gradient with weight decay")

    @property
    def eta(self) -> Quantity:
        """`lr` for `terms`."""
        return named("η", float(self.lr))

    def update(self, p, g, *slots) -> tuple:
        """Update of one parameter: arrays (p, g, *slots) -> (p, *slots)."""
        raise TypeError(f"{type(self).__name__} has no update: define `def update(self, p, g)`")

    def effective_rate(self, *slots) -> tuple:
        """Current factor on (a mean of) the gradient, for each element of a parameter.

        Returns:
            (rate, fraction): an array, and the fraction of elements whose gradients are so small
            that ε limits their steps; None for optimizers without ε.
        """
        return jnp.asarray(self.lr)[None], None

    def rate_of(self, parameter) -> tuple:
        """`effective_rate` of one of its parameters, with the learning rate of its group."""
        i = next(k for k, p in enumerate(self.parameters) if p is parameter)
        self._each.moving = i
        try:
            return self.effective_rate(*(self.state[name][i].data for name in self.slots))
        finally:
            self._each.moving = None

    def _by_size(self, size):
        """`effective_rate` of optimizers that divide the gradient by its own size + ε."""
        return self.lr / (size + self.eps), (size < self.eps).mean()

    @no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient, and clear the gradient (`.grad` = None).

        Raises:
            GradientError: no parameter has a gradient.
        """
        moved = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        if not moved:
            raise GradientError(
                f"{type(self).__name__}.step: no parameter has a gradient",
                expected="loss.backward() before optimizer.step()",
                fix="call backward on a loss computed from these parameters; each step clears "
                "the gradients",
            )
        grads = [self.parameters[i].grad for i in moved]
        if _thread.noted is not None:
            _thread.noted += zip((self.parameters[i] for i in moved), grads, strict=True)
        if self.clip is not None:
            grads = self.clip(grads)
        self.step_count.data = self.step_count.data + 1
        try:
            for i, g in zip(moved, grads, strict=True):
                self._each.moving = i
                p = self.parameters[i]
                kept = [self.state[name][i] for name in self.slots]
                self._expect_fitting(i, kept)
                new, *values = self.update(p.data, g, *(slot.data for slot in kept))
                p.data = new.astype(p.dtype)
                for slot, value in zip(kept, values, strict=True):
                    slot.data = value.astype(slot.dtype)
                p.grad = None
        finally:
            self._each.moving = None

    def _expect_fitting(self, i, slots):
        p = self.parameters[i]
        for name, slot in zip(self.slots, slots, strict=True):
            if slot.shape != p.shape:
                raise ShapeError(
                    f"{type(self).__name__}: {self.paths[i]} has shape {p.shape}, its slot {name} "
                    f"{slot.shape}",
                    expected="equal shapes",
                    fix="after nn.widen or nn.narrow, call optimizer.follow(change, net), or "
                    "change the layer by Program.change",
                )

    def spell_out(self, number: int, index: tuple, grads=None) -> Move:
        """The next step's update of one element, term by term, in float64. Nothing is changed.

        Args:
            number: index in `parameters`.
            index: of the element.
            grads: gradient of each parameter, None for those without; None: their `.grad`.
        """
        if grads is None:
            grads = [p.grad for p in self.parameters]
        counted, base_lr = self.step_count.data, self.base_lr.data
        with float64(), no_grad():
            try:
                self.step_count.data = counted + 1
                self.base_lr.data = base_lr.astype(jnp.float64)
                self._each.moving = number
                return preview(self, number, index, grads)
            finally:
                self.step_count.data = counted
                self.base_lr.data = base_lr
                self._each.moving = None

    def rate_terms(self):
        """How `lr` and `decay` are computed, as `terms`."""
        rate, what = named("η₀", float(self.base_lr.data)), []
        if self.schedule is not None:
            rate = rate * named("s", float(self.schedule(self.t)))
            what.append(f"s from {type(self.schedule).__name__}")
        factor = self._each.factors.get(self._each.moving)
        if factor is not None:
            rate = rate * named("f", factor)
            what.append("f of its group")
        if what:
            yield "η", rate, "learning rate: " + ", ".join(what)
        yield from self._decay_rate_terms()

    def _decay_rate_terms(self):
        factor = self._each.decay_factors.get(self._each.moving)
        if not self.weight_decay or factor == 0:
            return
        decay, what = named("λ₀", self.weight_decay), []
        if self.decay_schedule is not None:
            decay = decay * named("s_λ", float(self.decay_schedule(self.t)))
            what.append(f"s_λ from {type(self.decay_schedule).__name__}")
        if factor is not None:
            decay = decay * named("f_λ", factor)
            what.append("f_λ of this parameter")
        if what:
            yield "λ", decay, "weight decay: " + ", ".join(what)

    @property
    def paths(self) -> list:
        """Names of `parameters`."""
        return list(self._each.paths)

    def over(self, parameters) -> "Optimizer":
        """A fresh optimizer with the same algorithm and options over other parameters.

        Parameters that this one has keep their group factor and `decays`; new vectors are
        excluded from weight decay if some are here.
        """
        indices = {id(p): i for i, p in enumerate(self.parameters)}
        other = copy.copy(self)
        named = trainable(parameters)
        other.parameters = list(named.values())
        other.base_lr, other.step_count = Buffer(self.base_lr.data), Buffer(np.int32(0))
        if hyperparameters_of(type(self)):
            other.hyperparameters = HyperparameterValues(self.hyperparameters.data)
        other.state = {name: [zeros_like(p) for p in other.parameters] for name in self.slots}
        kept = [indices.get(id(p)) for p in other.parameters]
        other._each = self._each.copied(list(named), other.parameters, kept)
        return other

    def follow(self, change: StructureChange, net: Module) -> None:
        """Go on with a network whose layers were changed, by nn.widen for example.

        Entries of slots whose weights stayed keep their values, new ones are 0. New parameters are
        trained too, if this optimizer trains others of the network; new vectors are excluded from
        weight decay if some are.

        Args:
            change: what was done.
            net: the network.
        """
        for kept in self.state.values():
            for p, slot in zip(self.parameters, kept, strict=True):
                slot.data = change.carried(p, slot.data)
        before = {id(p): i for i, p in enumerate(self.parameters)}
        new_paths = {id(p): path for path, p in change.added.items()}
        parameters = parameters_after(self.parameters, change, net)
        old = [before.get(id(p)) for p in parameters]
        paths = [
            new_paths[id(p)] if i is None else change.renamed.get(self.paths[i], self.paths[i])
            for p, i in zip(parameters, old, strict=True)
        ]
        each = self._each.copied(paths, parameters, old)
        self.state = {
            name: [kept[before[id(p)]] if id(p) in before else zeros_like(p) for p in parameters]
            for name, kept in self.state.items()
        }
        self.parameters, self._each = parameters, each

    def zero_grad(self) -> None:
        """Discard computed gradients."""
        for p in self.parameters:
            p.grad = None


class _Thread(threading.local):
    noted: list | None = None  # what noting_gradients notes in this thread


_thread = _Thread()


@contextlib.contextmanager
def noting_gradients() -> Iterator[list]:
    """Context that notes what each `step` of any optimizer in this thread works with.

    Returns:
        [(parameter, gradient before clipping)], filled in the order of the updates.
    """
    outer, _thread.noted = _thread.noted, []
    try:
        yield _thread.noted
    finally:
        _thread.noted = outer


def trainable(parameters) -> dict:
    """{path: Parameter}, each once."""
    if isinstance(parameters, Module):
        named = parameters.named_parameters()
    elif not isinstance(parameters, Iterable):
        named = {"0": parameters}
    else:
        once = {id(p): p for p in parameters}
        named = {str(i): p for i, p in enumerate(once.values())}
    for p in named.values():
        if not isinstance(p, Parameter):
            raise OptionError(
                f"an optimizer got a {type(p).__name__}",
                expected="a Module, or Parameters",
                fix="pass the network itself: SGD(net, lr=0.1)",
            )
    if not named:
        raise OptionError(
            "the network has no parameters to train",
            expected="at least one Parameter",
            fix="add a layer with weights, for example Linear(4, 3)",
        )
    return named
