"""Resizing Variables in place, and the record of it that arrays of the same shape can follow."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from cutaway.nn.sharing import exclusive
from cutaway.nn.state import Parameter, Variable, note_change
from cutaway.nn.unit_routes import UnitRoute
from cutaway.nn.units import UnitAxis


@dataclasses.dataclass(frozen=True)
class ResizedAxis:
    """How one axis of a Variable was resized.

    Attributes:
        variable, axis: which one.
        kept: (new size,), where each entry along it was before; -1 for a new one.
    """

    variable: Variable
    axis: int
    kept: np.ndarray


@dataclasses.dataclass(frozen=True)
class StructureChange:
    """What became of the Variables of a network. Optimizers and averages `follow` it.

    Attributes:
        resized: in the order in which it was done.
        added: the new Parameters, by their paths.
        renamed: {path before: path after} of Parameters.
    """

    resized: tuple[ResizedAxis, ...] = ()
    added: dict[str, Parameter] = dataclasses.field(default_factory=dict)
    renamed: dict[str, str] = dataclasses.field(default_factory=dict)

    def carried(self, variable: Variable, array, fill=0.0):
        """An array of the Variable's shape before, such as a slot of an optimizer, made to fit.

        Args:
            fill: of new entries: a number, or an array of the Variable's shape now.
        """
        steps = [step for step in self.resized if step.variable is variable]
        if not steps:
            return array
        found, is_new = np.asarray(array), np.zeros(np.shape(array), bool)
        for step in steps:
            found, is_new = (np.take(a, step.kept, step.axis) for a in (found, is_new))
            is_new[(slice(None),) * step.axis + (step.kept < 0,)] = True
        return jnp.asarray(np.where(is_new, np.asarray(fill), found), np.asarray(array).dtype)


class AxisStep:
    """Resizing one axis.

    Args:
        place: the axis.
        before: number of units before.
        kept: (units,), the unit before of each unit; -1: new, filled as the place says.
        fresh_from: units from this one on are copies, new to an optimizer.
        factors: of each unit, on the values along the axis.
    """

    def __init__(self, place: UnitAxis, before: int, kept, *, fresh_from=None, factors=None):
        self.place = place
        blocks = place.variable.shape[place.axis] // before
        starts = before * np.arange(blocks)[:, None]
        self.sources = np.where(kept >= 0, starts + kept, -1).ravel()
        new = np.arange(len(kept)) >= (len(kept) if fresh_from is None else fresh_from)
        self.resized = ResizedAxis(
            place.variable, place.axis, np.where(np.tile(new, blocks), -1, self.sources)
        )
        self.factors = None if factors is None else np.tile(factors, blocks)

    def values(self, array: np.ndarray) -> np.ndarray:
        axis, is_new = self.place.axis, self.sources < 0
        found = np.take(array, self.sources, axis)
        if self.factors is not None:
            shape = (len(self.factors), *(1,) * (array.ndim - axis - 1))
            found = found * self.factors.reshape(shape)
        if is_new.any():
            fill = self.place.fill
            entries = (slice(None),) * axis + (is_new,)
            found[entries] = fill(found.shape)[entries] if callable(fill) else fill
        return found


def apply_steps(route: UnitRoute, steps, units: int) -> StructureChange:
    """Resize the axes of a route, all or none, to so many units."""
    with exclusive():
        arrays = {}
        for step in steps:
            variable = step.place.variable
            array = arrays.get(id(variable), (variable, variable.numpy()))[1]
            arrays[id(variable)] = (variable, step.values(array))
        for variable, array in arrays.values():
            variable.data = jnp.asarray(array, variable.dtype)
            variable.grad = None
        for name, found in [(route.path, route.own), *route.passed, *route.reading]:
            for size in found.sizes:
                module = route.modules[name]
                setattr(module, size, getattr(module, size) // route.units * units)
        note_change()
    return StructureChange(tuple(step.resized for step in steps))
