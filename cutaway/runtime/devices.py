"""The device that programs run on: chosen here, named here, and looked up nowhere else.

JAX takes the best device it finds. What is right on one kind of device only (how convolutions are
computed, which options XLA gets, how steps are cut into programs) asks `on_cpu()` or `on_gpu()`.
"""

import dataclasses
import functools
import os
import platform
from pathlib import Path

import jax

from cutaway.errors import OptionError, expect_choice

DEVICES = ("cpu", "gpu")


@dataclasses.dataclass(frozen=True)
class Device:
    """A device that computes.

    Attributes:
        kind: "cpu" or "gpu" (or what else JAX calls its platform).
        name: of the model, like "NVIDIA H100 80GB HBM3".
        cores: of a CPU, those that this process may use; None for others.
        memory_bytes: that programs may take; None where JAX does not say.
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
    """Compute on this kind of device from now on: "cpu" or "gpu".

    Without a call, JAX takes a GPU if it finds one, else the CPU. Arrays that exist already stay
    where they are: call it first.

    Raises:
        OptionError: an unknown kind, or a GPU that JAX does not find.

    Example:
        >>> use_device("gpu")                                          # doctest: +SKIP
        Device(kind='gpu', name='NVIDIA H100 80GB HBM3', cores=None, memory_bytes=63850610688)
    """
    expect_choice(kind, DEVICES, what="device")
    if kind == "cpu":  # if nothing has run yet, a card is not even opened
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_device", _first(kind))
    return device()


def _first(kind: str | None):
    """JAX's first device of a kind, or of the kind that it takes by itself."""
    try:
        return jax.devices(kind)[0]
    except (RuntimeError, AssertionError) as error:  # the latter where JAX_PLATFORMS names one
        raise _missing(kind) from error


def _missing(kind: str | None) -> OptionError:
    """The error for a kind of device that JAX does not have."""
    allowed = jax.config.jax_platforms
    if allowed and not {"gpu", "cuda"} & set(allowed.split(",")):
        return OptionError(
            f"device {kind!r}: this process may use {allowed} only, by JAX_PLATFORMS or "
            "an earlier use_device",
            expected="a process that may use every device",
            fix=f'unset JAX_PLATFORMS, and call use_device("{kind}") before anything else',
        )
    return OptionError(
        "device 'gpu': JAX finds none on this machine",
        expected="an NVIDIA GPU, its driver, and JAX's CUDA plugin",
        fix='pip install "cutaway[cuda]"; nvidia-smi shows whether the driver sees the GPU',
    )


def device() -> Device:
    """The device that programs run on.

    Example:
        >>> device().kind in ("cpu", "gpu", "tpu")
        True
    """
    current = _current()
    if current.platform == "cpu":
        return Device("cpu", _processor(), _cores(), None)
    statistics = current.memory_stats() or {}
    return Device(current.platform, current.device_kind, None, statistics.get("bytes_limit"))


def on_cpu() -> bool:
    """Whether programs run on the CPU."""
    return _platform() == "cpu"


def on_gpu() -> bool:
    """Whether programs run on a GPU."""
    return _platform() == "gpu"


def free_bytes() -> int | None:
    """Memory of the device that is not taken, as far as it is known."""
    current = _current()
    if current.platform != "cpu":
        statistics = current.memory_stats() or {}
        if "bytes_limit" not in statistics:
            return None
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
    return free_host_bytes()


def free_host_bytes() -> int | None:
    """Memory of the computer that is available, as far as it is known."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    told = (line.split() for line in lines)
    return next((int(parts[1]) * 1024 for parts in told if parts[0] == "MemAvailable:"), None)


def _current():
    chosen = jax.config.jax_default_device
    return _first(chosen) if chosen is None or isinstance(chosen, str) else chosen


def _platform() -> str:
    if jax.config.jax_default_device is None:
        return jax.default_backend()  # the quickest: it is asked for at every product
    return _current().platform


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Linux has it
        return os.cpu_count() or 1


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
