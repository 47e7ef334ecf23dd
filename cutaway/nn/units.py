"""Units: where the neurons, channels or hidden features of a layer stand in its Variables.

A layer says it of itself, in `output_units`, `input_units` and `feature_units`; nn.widen and
nn.narrow read it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from cutaway.nn.state import Variable


@dataclasses.dataclass(frozen=True)
class UnitAxis:
    """An axis of a Variable along which units stand.

    It may be several times as long as there are units, for example once for each gate of an LSTM:
    then all units of the first gate come first.

    Attributes:
        variable: the Variable.
        axis: from 0.
        fill: what a new unit gets along it: a number, or an initializer, shape -> array.
    """

    variable: Variable
    axis: int
    fill: float | Callable[[tuple], Any] = 0.0


@dataclasses.dataclass(frozen=True)
class Units:
    """All places where some units stand.

    Attributes:
        axes: in the order in which they are to be resized.
        count: number of units; None: it follows from the layer before.
        sizes: names of attributes of the layer that hold the number.
        is_normalized: whether each feature is scaled by the mean or variance of all.
    """

    axes: tuple[UnitAxis, ...]
    count: int | None = None
    sizes: tuple[str, ...] = ()
    is_normalized: bool = False


def units_along(*places, count=None, sizes=(), is_normalized=False) -> Units:
    """Units by tuples (variable or None, axis) or (variable or None, axis, fill).

    Those whose variable is None are left out; a negative axis counts from the end.
    """
    axes = tuple(
        UnitAxis(variable, axis % variable.ndim, *fill)
        for variable, axis, *fill in places
        if variable is not None
    )
    return Units(axes, count, sizes, is_normalized)


def assign_arrays(layer, **arrays) -> None:
    """Give Variables of a layer, by the names of its attributes, new values; None has none."""
    for name, array in arrays.items():
        variable = getattr(layer, name)
        if variable is not None:
            variable.data = jnp.asarray(array, variable.dtype)
