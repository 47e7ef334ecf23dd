"""Hyperparameters: numbers of an optimizer that can be changed while it trains.

They reach a compiled step as values, like the learning rate, and not as constants. All of one
object are one array: as many arguments of their own would slow every call of a step.
"""

import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway.errors import OptionError, expect_range
from cutaway.nn.sharing import exclusive
from cutaway.nn.state import Buffer, Stateful

PARTS = 3  # float32 numbers, whose sum is any float64


class Adjustable(Stateful):
    """Base class of objects with hyperparameters, each declared as a Hyperparameter.

    Attributes:
        hyperparameters: their values, found by walking like all state, so that checkpoints keep
            what was changed during the training.
    """

    hyperparameters: "HyperparameterValues"

    def __repr__(self):
        return written_call(self, settings_of(self))


def settings_of(owner) -> dict[str, Any]:
    """{name: value} of an object's hyperparameters and of its other public numbers and parts."""
    found = {}
    if "hyperparameters" in owner.__dict__:
        found = {name: getattr(owner, name) for name in hyperparameters_of(type(owner))}
    for name, value in owner.__dict__.items():
        is_plain = isinstance(value, bool | int | float | str) or _is_described(value)
        if is_plain and not name.startswith("_"):
            found.setdefault(name, value)
    return found


def written_call(owner, settings: dict[str, Any], *others: str) -> str:
    """An object as its class and its settings: "Adam(lr=0.001, betas=(0.9, 0.999))"."""
    parts = [f"{name}={_written(value)}" for name, value in settings.items()]
    return f"{type(owner).__name__}({', '.join([*parts, *others])})"


def _written(value) -> str:
    if isinstance(value, tuple | list):
        inner = ", ".join(map(_written, value))
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, Tracer):
        return "..."  # known when the compiled step runs
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _is_described(value) -> bool:
    """Whether it is a part that says itself what it is, or several such."""
    if isinstance(value, tuple | list):
        return bool(value) and all(isinstance(v, int | float) or _is_described(v) for v in value)
    return isinstance(value, Stateful) and type(value).__repr__ is not object.__repr__


class HyperparameterValues(Buffer):
    """The values of all hyperparameters of an object.

    Each is a row of PARTS numbers, whose sum it is: so 0.999 in float32 is known to 16 digits, and
    1 - 0.999 has no rounding error of its own. Older checkpoints have none.
    """

    __slots__ = ()


class Hyperparameter:
    """A number of an Adjustable that can be changed at any time, without compiling anew.

    It is declared in the class and assigned in its __init__, which checks its range, as each
    later assignment does. A new value holds from the next step on. Outside a compiled step it is
    read as a float; inside one it is a scalar array, whose value is not known yet.

    Args:
        count: how many numbers it is; with more than one, a tuple.
        above, least, below: its range, see expect_range.

    Raises:
        OptionError: by an assignment out of range, or of another number of numbers.

    Example:
        >>> from cutaway import optim
        >>> from cutaway.nn import Parameter
        >>> optimizer = optim.Adam([Parameter(0.0)])
        >>> optimizer.betas = (0.8, 0.999)
        >>> optimizer.betas
        (0.8, 0.999)
    """

    def __init__(
        self,
        count: int = 1,
        *,
        above: float | None = None,
        least: float | None = None,
        below: float | None = None,
    ):
        self.count = count
        self.limits = {"above": above, "least": least, "below": below}
        self.name = ""

    def __set_name__(self, kind, name):
        self.name = name

    def __get__(self, owner, kind=None) -> Any:
        if owner is None:
            return self
        first = _places(type(owner))[self.name]
        rows = slice(first, first + self.count)
        array = owner.__dict__["hyperparameters"].data
        if isinstance(array, Tracer):
            found = tuple(self.in_step(array[i]) for i in range(rows.start, rows.stop))
        else:
            found = owner.__dict__["_floats"].of(array)[rows]
        return found if self.count > 1 else found[0]

    def __set__(self, owner, value):
        values = self._checked(value)
        with exclusive():  # not while a step in another thread is about to write the old ones back
            if "hyperparameters" not in owner.__dict__:
                total = sum(h.count for h in hyperparameters_of(type(owner)).values())
                blank = np.zeros((total, PARTS), jnp.result_type(float))
                owner.hyperparameters = HyperparameterValues(blank)
                owner._floats = _Floats()
            own = owner.hyperparameters
            array = np.array(own.data)
            first = _places(type(owner))[self.name]
            for i, number in enumerate(values):
                array[first + i] = _parts(number, array.dtype)
            own.data = jnp.asarray(array)

    def in_step(self, parts) -> Any:
        """What a compiled step reads; parts: as HyperparameterValues keeps them."""
        return parts[0]

    def _checked(self, value) -> list[float]:
        if self.count == 1:
            expect_range(value, what=self.name, **self.limits)
            return [float(value)]
        try:
            values = list(value)
        except TypeError:
            values = []
        if len(values) != self.count:
            raise OptionError(
                f"{self.name} is {value!r}",
                expected=f"{self.count} numbers",
                fix=f"for example {self.name}={(0.9, 0.999)}" if self.count == 2 else None,
            )
        for i, number in enumerate(values):
            expect_range(number, what=f"{self.name}[{i}]", **self.limits)
        return list(map(float, values))


class DecayRate(Hyperparameter):
    """The weight β in [0, 1) of the old values in a running mean: a ← β a + (1 - β) g.

    Inside a compiled step it is a DecayNumber, whose 1 - β is as exact as that of a float.

    Args:
        count: how many numbers it is; with more than one, a tuple.
    """

    def __init__(self, count: int = 1):
        super().__init__(count, least=0, below=1)

    def in_step(self, parts):
        # for β near 1, the first difference is exact and the second one rounds once
        return DecayNumber(parts[0], (1 - parts[0]) - parts[1])


@functools.cache
def hyperparameters_of(kind: type) -> dict[str, Hyperparameter]:
    """{name: Hyperparameter} of a class, those of its base classes first.

    Example:
        >>> from cutaway.optim import hyperparameters_of
        >>> from cutaway import optim
        >>> list(hyperparameters_of(optim.AdamW))
        ['betas', 'eps', 'weight_decay']
    """
    found = {}
    for base in reversed(kind.__mro__):
        found |= {k: v for k, v in vars(base).items() if isinstance(v, Hyperparameter)}
    return found


@functools.cache
def _places(kind: type) -> dict[str, int]:
    """{name: its first row}."""
    places, first = {}, 0
    for name, declared in hyperparameters_of(kind).items():
        places[name] = first
        first += declared.count
    return places


class DecayNumber:
    """A DecayRate inside a compiled step: a scalar array that knows 1 - itself exactly.

    0.999 rounded to float32 and subtracted from 1 would be wrong in the fifth digit. It takes part
    in arithmetic; functions of jax.numpy take its `value`.
    """

    __slots__ = ("complement", "value")

    def __init__(self, value, complement):
        self.value = value
        self.complement = complement

    def __jax_array__(self):
        return self.value

    def __neg__(self):
        return -self.value

    def __add__(self, other):
        return self.value + other

    def __radd__(self, other):
        return other + self.value

    def __sub__(self, other):
        return self.value - other

    def __rsub__(self, other):
        return self.complement if isinstance(other, int) and other == 1 else other - self.value

    def __mul__(self, other):
        return self.value * other

    def __rmul__(self, other):
        return other * self.value

    def __truediv__(self, other):
        return self.value / other

    def __rtruediv__(self, other):
        return other / self.value

    def __pow__(self, other):
        return self.value**other

    def __rpow__(self, other):
        return other**self.value


def _parts(value: float, dtype) -> list:
    """Numbers of this type whose sum is `value`."""
    parts, rest = [], np.float64(value)
    for _ in range(PARTS):
        parts.append(rest.astype(dtype))
        rest = rest - np.float64(parts[-1]) if math.isfinite(rest) else np.float64(0)
    return parts


class _Floats:
    """The floats of an array of hyperparameters; those of the latest array are kept.

    Not a Stateful: compiled steps treat it as one object.
    """

    def __init__(self):
        self._latest: tuple = (None, ())

    def of(self, array) -> tuple:
        known, floats = self._latest
        if known is not array:
            floats = tuple(np.asarray(array).astype(np.float64).sum(axis=1).tolist())
            self._latest = (array, floats)
        return floats
