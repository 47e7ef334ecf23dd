"""Within a fit: arrays and compiled steps of all devices."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from cutaway.runtime import sharding

_thread = threading.local()


@contextlib.contextmanager
def sharing() -> Iterator[None]:
    """Context in which compiled steps of this thread run on all devices at once."""
    before = is_sharing()
    _thread.is_sharing = sharding.device_count() > 1
    try:
        yield
    finally:
        _thread.is_sharing = before


def is_sharing() -> bool:
    """Whether compiled steps of this thread run on all devices at once."""
    return getattr(_thread, "is_sharing", False)


def replicated(array) -> jax.Array:
    """An array that all processes have, as one that all devices have."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return array
    return sharding.on_all(array)


def local(array) -> jax.Array:
    """An array of all devices as one of this process alone, on one device.

    In one process a sharded one stays in its parts: one device may have no room for it. Where the
    parts lie in several processes, all of them must call this.
    """
    if not isinstance(array, jax.Array) or len(array.sharding.device_set) == 1:
        return array
    if array.is_fully_addressable and not array.is_fully_replicated:
        return array
    return jax.device_put(sharding.whole(array))


def over_rows(array: Any, axis: int = 0) -> Any:
    """In a traced step: each device has its part of the rows of an array, and computes with it."""
    if not is_sharing():
        return array
    return sharding.constrained(array, PartitionSpec(*[None] * axis, sharding.ROWS))


def everywhere(tree: Any) -> Any:
    """In a traced step: all devices have the whole arrays of a tree."""
    return sharding.constrained(tree) if is_sharing() else tree


def arrangement() -> tuple | None:
    """What programs compiled in this thread depend on; None: they run on one device."""
    return sharding.arrangement() if is_sharing() else None


def rows_sharding() -> NamedSharding:
    """Of arrays whose rows are divided among the devices of all processes."""
    return NamedSharding(sharding.mesh(), PartitionSpec(sharding.ROWS))
