"""The process: its device, its cache of compiled programs, XLA's options, other processes."""

from cutaway.runtime import distributed, sharding
from cutaway.runtime.cache import cache_programs, cache_programs_by_default
from cutaway.runtime.devices import device, on_cpu, on_gpu, use_device
from cutaway.runtime.exhaustion import explaining_exhaustion
from cutaway.runtime.memory import keep_freed_memory
from cutaway.runtime.options import are_known

__all__ = [
    "are_known",
    "cache_programs",
    "cache_programs_by_default",
    "device",
    "distributed",
    "explaining_exhaustion",
    "keep_freed_memory",
    "on_cpu",
    "on_gpu",
    "sharding",
    "use_device",
]
