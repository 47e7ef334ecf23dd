"""Which device has which part of an array: the mesh, and the rule, which stands here alone.

All devices that share a fit form one mesh of rows and columns. Each row of devices computes with
its part of the rows of a batch. Arrays of the state (parameters, slots, averages) are whole on
every device, except those that the rule gives out:

- with `shard_parameters`, a large array lies in equal parts over the rows of devices, along its
  largest axis that divides. It is whole only while an operation computes with it.
- with `tensor`, the last axis of a large matrix or kernel, its outputs, lies over the columns of
  devices, also while it is used: each column computes its part of the outputs.

The rule knows an array by its shape: a parameter, its gradient, its slots and its average are
given out alike. XLA's partitioner adds the messages.
"""

import dataclasses
import math
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cutaway.errors import OptionError, counted, expect_integer
from cutaway.runtime.devices import all_devices, on_cpu

ROWS, COLUMNS = "rows", "columns"
LEAST_SHARDED = 2**16  # numbers: a message costs more than a smaller array takes
WHOLE = PartitionSpec()  # each device has all of an array
LEAST_COLUMNS = 8  # per device: narrower products are no faster


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the devices share a fit.

    Attributes:
        devices: of each process, "all" or a number; None: all where there are several processes,
            otherwise one.
        shard_parameters: whether large arrays lie in parts over the rows of devices.
        tensor: number of columns of devices.
        least_sharded: arrays with fewer numbers stay whole.
    """

    devices: str | int | None = None
    shard_parameters: bool = False
    tensor: int = 1
    least_sharded: int = LEAST_SHARDED


_layout = Layout()
_mesh: tuple[tuple, Mesh] | None = None  # (devices and columns, the mesh of them)


def arrange(layout: Layout) -> None:
    """Let the fits from now on share the devices so.

    Raises:
        OptionError: there are not as many devices, or they may not be used so; all stays as it was.
    """
    global _layout
    if not (layout.devices in ("all", None) or isinstance(layout.devices, int)):
        raise OptionError(
            f"devices is {layout.devices!r}",
            expected='"all", or the number of devices of each process',
        )
    if isinstance(layout.devices, int):
        expect_integer(layout.devices, what="devices", least=1)
    expect_integer(layout.tensor, what="tensor", least=1)
    expect_integer(layout.least_sharded, what="least_sharded", least=1)
    devices = _devices_of(layout)
    if len(devices) % layout.tensor:
        raise OptionError(
            f"tensor={layout.tensor} with {counted(len(devices), 'device')}",
            expected="a divisor of the number of devices",
        )
    is_parted = layout.shard_parameters or layout.tensor > 1
    if is_parted and on_cpu() and len({d.process_index for d in devices}) > 1:
        raise OptionError(
            "parameters were to be sharded over several processes on CPUs",
            expected="GPUs, or one process: between CPU processes, sums of sharded arrays can "
            "come out wrong (https://github.com/jax-ml/jax/issues/40831)",
            fix="leave shard_parameters and tensor out, or train in one process",
        )
    _layout = layout


def _devices_of(layout: Layout) -> list:
    """The devices of all processes that share a fit, in an order that is the same in each."""
    devices = all_devices()
    count = layout.devices
    if count == "all" or (count is None and jax.process_count() > 1):
        return devices
    count = 1 if not isinstance(count, int) else count
    found = []
    for process in range(jax.process_count()):
        own = [device for device in devices if device.process_index == process]
        if len(own) < count:
            raise OptionError(
                f"devices={count}, but process {process} has {counted(len(own), 'device')}",
                expected=f"at most {len(own)}",
                fix="of one CPU, XLA_FLAGS=--xla_force_host_platform_device_count="
                f"{count} makes {count} devices"
                if own[0].platform == "cpu"
                else 'use devices="all"',
            )
        found += own[:count]
    return found


def device_count() -> int:
    """Number of devices that share a fit, of all processes."""
    return 1 if _is_alone() else mesh().size


def _is_alone() -> bool:
    """Whether one process uses one device, which is known without starting JAX."""
    return _layout.devices is None and not jax.distributed.is_initialized()


def mesh() -> Mesh:
    """All devices that share a fit, as (rows, columns)."""
    global _mesh
    devices = _devices_of(_layout)
    key = (*devices, _layout.tensor)
    if _mesh is None or _mesh[0] != key:
        grid = np.array(devices).reshape(-1, _layout.tensor)
        _mesh = key, Mesh(grid, (ROWS, COLUMNS))
    return _mesh[1]


def arrangement() -> tuple:
    """What a program that was compiled for a shared fit depends on."""
    return mesh(), _layout


# the rule


def is_sharded() -> bool:
    """Whether large arrays of the state lie in parts."""
    return (_layout.shard_parameters or _layout.tensor > 1) and device_count() > 1


def spans_processes() -> bool:
    """Whether these parts lie in several processes, which have to join them together."""
    return is_sharded() and jax.process_count() > 1


def parts_of(shape) -> PartitionSpec:
    """Over which devices the axes of an array of the state lie between its uses."""
    axes: list[str | None] = [None] * len(shape)
    if math.prod(shape) < _layout.least_sharded or not is_sharded():
        return WHOLE
    rows, columns = mesh().devices.shape
    if columns > 1 and _is_wide(shape, columns):
        axes[-1] = COLUMNS
    if _layout.shard_parameters and rows > 1:
        free = [i for i, size in enumerate(shape) if axes[i] is None and size % rows == 0]
        if free:
            axes[max(free, key=shape.__getitem__)] = ROWS
    return PartitionSpec(*axes) if any(axes) else WHOLE


def parts_in_use(shape) -> PartitionSpec:
    """The same while an operation computes with it: the rows of devices have all of it."""
    axes = [None if axis == ROWS else axis for axis in parts_of(shape)]
    return PartitionSpec(*axes) if any(axes) else WHOLE


def _is_wide(shape, columns: int) -> bool:
    """Whether its last axis are the outputs of a layer, enough for all columns of devices."""
    width = shape[-1]
    return len(shape) > 1 and width % columns == 0 and width // columns >= LEAST_COLUMNS


# arrays outside of programs


def on_all(array, parts: PartitionSpec = WHOLE) -> jax.Array:
    """An array that all processes have, as one of all devices; by default each has all of it."""
    sharding = NamedSharding(mesh(), parts)
    if isinstance(array, jax.Array) and array.sharding == sharding:
        return array
    if jax.process_count() == 1:
        return jax.device_put(array, sharding)
    values = whole(array)
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def by_rule(array) -> jax.Array:
    """An array of the state that all processes have, given out by the rule."""
    return on_all(array, parts_of(np.shape(array)))


def placed(array):
    """A new array of the state: in one process it lies by the rule from the beginning on.

    So a network may be built that no device has room for.
    """
    if not is_sharded() or jax.process_count() > 1 or isinstance(array, Tracer):
        return array
    parts = parts_of(array.shape)
    return on_all(array, parts) if any(parts) else array


def whole(array) -> np.ndarray:
    """All of an array. If its parts lie in several processes, all of them must call this."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable or is_everywhere(array):
        return np.asarray(array)
    everywhere = NamedSharding(mesh(), WHOLE)
    return np.asarray(jax.jit(_same, out_shardings=everywhere)(array))


def is_everywhere(array) -> bool:
    """Whether each device that has something of an array has all of it."""
    return not isinstance(array, jax.Array) or array.is_fully_replicated


def is_apart(array) -> bool:
    """Whether no process alone has all of an array."""
    return not is_everywhere(array) and not array.is_fully_addressable


def _same(array):
    return array


# in a traced step


def constrained(tree: Any, parts: PartitionSpec = WHOLE) -> Any:
    """Arrays of a tree lie over the devices so; by default each has all of them."""
    sharding = NamedSharding(mesh(), parts)
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)


def constrained_by_rule(tree: Any) -> Any:
    """Arrays of the state lie over the devices by the rule."""
    return jax.tree.map(lambda leaf: constrained(leaf, parts_of(np.shape(leaf))), tree)
