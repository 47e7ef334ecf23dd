"""The device that programs run on: selected, described and queried here only.

JAX uses the best device it finds. Device-specific code (how convolutions are computed, XLA's
options, how steps are grouped into programs) calls `on_cpu()` or `on_gpu()`.
"""

import dataclasses
import functools
import os
import platform
from importlib.metadata import entry_points
from pathlib import Path

import jax

from cutaway.errors import OptionError, expect_choice, install_extra
from cutaway.files.limits import free_memory

DEVICES = ("cpu", "gpu")


@dataclasses.dataclass(frozen=True)
class Device:
    """A compute device.

    Attributes:
        kind: "cpu" or "gpu" (or another platform name of JAX).
        name: model name, like "NVIDIA H100 80GB HBM3".
        cores: number of CPU cores usable by this process; None for other devices.
        memory_bytes: memory available to programs; None if JAX does not report it.
    """

    kind: str
    name: str
    cores: int | None
    memory_bytes: int | None

    def __str__(self):
        if self.kind == "cpu":
            return f"CPU ({self.name}, {self.cores} core{'s' if self.cores != 1 else ''})"
        if self.memory_bytes is None:
            return f"{self.kind.upper()} ({self.name})"
        return (
            f"{self.kind.upper()} ({self.name}, {self.memory_bytes / 2**30:.0f} GiB for programs)"
        )


def use_device(kind: str) -> Device:
    """Use this kind of device from now on: "cpu" or "gpu".

    By default JAX uses a GPU if it finds one, otherwise the CPU. Existing arrays stay where they
    are: call it before anything else.

    Raises:
        OptionError: an unknown kind, or no GPU found by JAX.

    Example:
        >>> import cutaway as ct
        >>> ct.use_device("gpu")                                          # doctest: +SKIP
        Device(kind='gpu', name='NVIDIA H100 80GB HBM3', cores=None, memory_bytes=63850610688)
    """
    expect_choice(kind, DEVICES, what="device")
    if kind == "cpu":  # if nothing has run yet, the GPU is not even initialized
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_device", _first(kind))
    return device()


def _first(kind: str | None):
    """JAX's first device of a kind; None: of its default kind."""
    try:
        return jax.devices(kind)[0]
    except (RuntimeError, AssertionError) as error:  # the latter if JAX_PLATFORMS is set
        raise _missing(kind) from error


def _missing(kind: str | None) -> OptionError:
    """The error for a kind of device that JAX does not find."""
    allowed = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]  # at runtime
    if allowed and not {"gpu", "cuda"} & set(allowed.split(",")):
        return OptionError(
            f"device {kind!r}: this process is restricted to {allowed} by JAX_PLATFORMS or "
            "an earlier use_device",
            expected="a process that may use any device",
            fix=f'unset JAX_PLATFORMS, and call use_device("{kind}") before anything else',
        )
    return OptionError(
        "device 'gpu': JAX found no GPU on this machine",
        expected="an NVIDIA GPU, its driver, and JAX's CUDA plugin",
        fix=f"{install_extra('cuda')}; check with nvidia-smi that the driver sees the GPU",
    )


def device() -> Device:
    """The device that programs run on.

    Example:
        >>> import cutaway as ct
        >>> ct.device().kind in ("cpu", "gpu", "tpu")
        True
    """
    current = _current()
    if current.platform == "cpu":
        return Device("cpu", _processor(), _cores(), None)
    statistics = current.memory_stats() or {}
    return Device(current.platform, current.device_kind, None, statistics.get("bytes_limit"))


def all_devices() -> list:
    """The devices of this kind of all processes, in an order that is the same in each."""
    return jax.devices(_platform())


def may_use_gpus() -> bool:
    """Whether JAX would use GPUs, if there are any: it is neither kept from it nor lacks them."""
    allowed = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]  # at runtime
    is_allowed = not allowed or bool({"gpu", "cuda"} & set(allowed.split(",")))
    return is_allowed and any("cuda" in point.name for point in entry_points(group="jax_plugins"))


def on_cpu() -> bool:
    """Whether programs run on the CPU."""
    return _platform() == "cpu"


def on_gpu() -> bool:
    """Whether programs run on a GPU."""
    return _platform() == "gpu"


def free_bytes() -> int | None:
    """Free memory of the device; None if unknown."""
    current = _current()
    if current.platform != "cpu":
        statistics = current.memory_stats() or {}
        if "bytes_limit" not in statistics:
            return None
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
    return free_memory()


def _current():
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]  # as above
    return _first(chosen) if chosen is None or isinstance(chosen, str) else chosen


def _platform() -> str:
    if jax.config.jax_default_device is None:  # pyright: ignore[reportAttributeAccessIssue]
        return jax.default_backend()  # the fastest way: called at every product
    return _current().platform


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only on Linux
        return os.cpu_count() or 1


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
