"""Sharded state within a traced step: whole where an operation computes, in parts elsewhere.

A parameter is gathered from its parts by each operation that reads it, once on the way forward and
once more on the way back, and its gradient is summed into the same parts. So no more than a few
whole parameters need room at a time. What is not an operation, an optimizer's update, works on the
parts.
"""

import contextlib
from typing import Any

import jax

from cutaway.engine import tape
from cutaway.runtime import distributed, sharding


def given_out(tree: Any) -> Any:
    """Arrays of the state in a traced step, over the devices by the rule; others as they are."""
    return sharding.constrained_by_rule(tree) if distributed.is_sharing() else tree


def reading_parts(state: list):
    """Context of a traced step in which operations gather what they read of [(data, grad)]."""
    if not (distributed.is_sharing() and sharding.is_sharded()):
        return contextlib.nullcontext()
    return tape.read_by(_Reader([data for data, _ in state]))


class _Reader:
    """What operations make of the arrays that they read, see tape.read_by.

    Args:
        arrays: of the state.
    """

    def __init__(self, arrays: list):
        parted = [a for a in arrays if any(sharding.parts_of(a.shape))]
        self._parted = {id(array): array for array in parted}

    def inputs(self, arrays: tuple, grad=None) -> tuple:
        return tuple([self._whole(a, grad) if id(a) in self._parted else a for a in arrays])

    def _whole(self, array, grad):
        if grad is not None:  # not before it is needed: XLA would keep the one of the way forward
            array, _ = jax.lax.optimization_barrier((array, grad))
        return sharding.constrained(array, sharding.parts_in_use(array.shape))

    def gradients(self, grads: tuple, arrays: tuple) -> tuple:
        pairs = zip(grads, arrays, strict=True)
        return tuple([given_out(g) if id(a) in self._parted else g for g, a in pairs])
