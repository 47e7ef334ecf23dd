"""Several processes of one training: on one machine, or on many.

Each process runs the same script on the same data. In `Trainer.fit` they share each batch: the
devices of all processes form one mesh, network and optimizer are replicated on it, and each
process computes its part of the rows. That is JAX's multi-controller runtime; what stands here is
how processes find each other, what they agree on, and how one that fails ends the others.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cutaway.errors import CutawayError, OptionError, RunError, expect_range
from cutaway.runtime.devices import all_devices
from cutaway.runtime.own_address import send_messages_toward

# what the launcher gives the processes that it starts
ADDRESS, COUNT, INDEX = "CUTAWAY_ADDRESS", "CUTAWAY_PROCESSES", "CUTAWAY_PROCESS"

HEARTBEAT_SECONDS = 10  # after which a process that is silent counts as lost
START_SECONDS = 120  # to wait for the others at the beginning
PATIENCE_SECONDS = 24 * 3600  # to wait for process 0, which may check data before it trains
LEAVE_SECONDS = 600  # for which process 0 waits at its end until the others are there
FAILED = 1  # exit code of a process that failed

_thread = threading.local()
_mesh: Mesh | None = None
_barriers = 0


def start(
    address: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> None:
    """Join the other processes of this training. Call it before anything else.

    Without arguments it finds them: those that `cutaway launch` and `cutaway train --processes`
    have started, or those of SLURM, MPI and Kubernetes. A script that was started by itself goes on
    alone. The coordinator, process 0, listens on the given address only.

    Args:
        address: "host:port" of process 0, the same for all.
        processes: number of them.
        process: which of them this is, from 0.

    Raises:
        OptionError: only some of the three are given.
        RunError: the others did not come within two minutes; or something was computed before.

    Example:
        >>> import cutaway as ct
        >>> ct.distributed.start()                                        # doctest: +SKIP
        >>> ct.distributed.process_count()
        1
    """
    if process_count() > 1:
        return
    address, processes, process = _given(address, processes, process)
    if processes == 1 or (address is None and not _is_cluster()):
        return
    jax.config.update("jax_enable_recoverability", True)  # a lost process is an exception, no abort
    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    options: dict[str, Any] = {}
    if address is not None:
        options = {
            "coordinator_address": address,
            "num_processes": processes,
            "process_id": process,
            "coordinator_bind_address": address,
        }
    try:
        jax.distributed.initialize(
            **options,
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except RuntimeError as error:
        if "must be called before" in str(error):
            raise RunError(
                "start was called after something was computed",
                expected="ct.distributed.start() first of all",
                fix="move it before networks, arrays and seeds",
            ) from error
        raise RunError(
            f"the processes of this training did not find each other: {_first_line(error)}",
            expected=f"{processes or 'all'} processes that reach {address or 'process 0'}",
            fix="check that all were started, and that the port is free and reachable",
        ) from error
    send_messages_toward(_coordinator())
    sys.excepthook = _end_at_once
    atexit.register(_leave)


def _given(address, processes, process) -> tuple[str | None, int | None, int | None]:
    """(address, processes, process), those that are not given by the launcher's words."""
    given = (address, processes, process)
    if all(value is None for value in given) and ADDRESS in os.environ:
        # taken, so that what this process starts does not believe to be it
        words = [os.environ.pop(name) for name in (ADDRESS, COUNT, INDEX)]
        return words[0], int(words[1]), int(words[2])
    if any(value is None for value in given) and any(value is not None for value in given):
        raise OptionError(
            f"start got address={address!r}, processes={processes}, process={process}",
            expected="all three of them, or none",
        )
    if processes is not None and process is not None:
        expect_range(processes, what="processes", least=1)
        expect_range(process, what="process", least=0, most=processes - 1)
    return given


def is_launched() -> bool:
    """Whether `cutaway launch` or `cutaway train --processes` has started this process."""
    return ADDRESS in os.environ


def _is_cluster() -> bool:
    """Whether JAX knows how this process was started: SLURM, MPI, Kubernetes."""
    from jax._src.clusters import ClusterEnv  # what JAX would do is not to be asked otherwise

    kinds = (kind for kind in ClusterEnv._cluster_types if not kind.opt_in_only_method)
    return "JAX_COORDINATOR_ADDRESS" in os.environ or any(k.is_env_present() for k in kinds)


def process_count() -> int:
    """Number of processes of this training; 1 without `start`."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def process_index() -> int:
    """Which of them this is, from 0."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this is process 0, the one that writes files and prints."""
    return process_index() == 0


def fail(code: int = FAILED) -> None:
    """End this process now, whatever the others do: at a barrier they would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_at_once(kind, error, trace) -> None:
    """In place of the end of an interpreter, which would wait for the others."""
    if isinstance(error, CutawayError):
        print(f"{kind.__name__}: {error}", file=sys.stderr)
    else:
        traceback.print_exception(kind, error, trace)
    fail()


def _leave() -> None:
    """End together: process 0 holds what the others are connected to."""
    client = _client()
    with contextlib.suppress(Exception):  # of one that has failed, nobody needs to wait for
        if not is_first():
            client.key_value_set(f"cutaway-leaves-{process_index()}", "yes")
            jax.distributed.shutdown()
            return
        for other in range(1, process_count()):
            client.blocking_key_value_get(f"cutaway-leaves-{other}", 1000 * LEAVE_SECONDS)
        time.sleep(0.5)  # they are disconnecting


def _client() -> Any:
    from jax._src.distributed import global_state  # what JAX offers publicly has no patience

    return global_state.client


def _coordinator() -> str:
    from jax._src.distributed import global_state  # a cluster's address is known to JAX alone

    return global_state.coordinator_address or ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


# within a fit


@contextlib.contextmanager
def sharing() -> Iterator[None]:
    """Context in which compiled steps of this thread run on all processes at once."""
    before = is_sharing()
    _thread.is_sharing = process_count() > 1
    try:
        yield
    finally:
        _thread.is_sharing = before


def is_sharing() -> bool:
    """Whether compiled steps of this thread run on all processes at once."""
    return getattr(_thread, "is_sharing", False)


def replicated(array) -> jax.Array:
    """An array that all processes have, as one of all of them."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return array
    sharding = NamedSharding(_mesh_of_all(), PartitionSpec())
    values = np.asarray(array)
    return jax.make_array_from_process_local_data(sharding, values, values.shape)


def local(array) -> jax.Array:
    """An array that all processes have, as one of this process alone."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return array
    return jax.device_put(np.asarray(array))


def over_rows(array: Any, axis: int = 0) -> Any:
    """In a traced step: each device has its part of the rows of an array, and computes with it."""
    if not is_sharing():
        return array
    parts = [None] * axis + ["rows"]
    sharding = NamedSharding(_mesh_of_all(), PartitionSpec(*parts))
    return jax.lax.with_sharding_constraint(array, sharding)


def everywhere(tree: Any) -> Any:
    """In a traced step: all devices have the whole arrays of a tree."""
    if not is_sharing():
        return tree
    sharding = NamedSharding(_mesh_of_all(), PartitionSpec())
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)


def _mesh_of_all() -> Mesh:
    global _mesh
    devices = all_devices()
    if _mesh is None or _mesh.size != len(devices):
        _mesh = Mesh(np.array(devices), ("rows",))
    return _mesh


def is_loss(error: Exception) -> bool:
    """Whether it says that another process cannot be reached any more."""
    text = str(error)
    return any(word in text for word in ("Gloo", "NCCL", "coordination service", "heartbeat"))


# what they agree on


def wait_for_all(patience: float = PATIENCE_SECONDS) -> None:
    """Wait until all processes are here; messages between them would time out after 30 seconds."""
    global _barriers
    if process_count() == 1:
        return
    _barriers += 1
    _client().wait_at_barrier(f"cutaway-{_barriers}", int(1000 * patience))


def most(*numbers: float) -> list[float]:
    """The largest of each number over all processes."""
    if process_count() == 1:
        return list(numbers)
    found = multihost_utils.process_allgather(np.array(numbers, np.float32))
    return np.asarray(found).reshape(-1, len(numbers)).max(axis=0).tolist()


def of_first(array: np.ndarray) -> np.ndarray:
    """The array of process 0; those of the others have its shape and type."""
    if process_count() == 1:
        return array
    return np.asarray(multihost_utils.broadcast_one_to_all(array))


def bytes_of_first(make: Callable[[], bytes]) -> bytes:
    """What a function returns in process 0; the others do not call it.

    Raises:
        CutawayError: it raised one in process 0; in the others a RunError.
    """
    if process_count() == 1:
        return make()
    content, failure = b"", None
    if is_first():
        try:
            content = make()
        except CutawayError as error:
            failure = error
    head = of_first(np.array([len(content), failure is not None], np.int64))
    if failure is not None:
        raise failure
    if head[1]:
        raise RunError("process 0 failed", expected="see its error")
    given = np.frombuffer(content, np.uint8) if is_first() else np.zeros(int(head[0]), np.uint8)
    return of_first(given).tobytes() if len(given) else b""


def expect_same(digest: bytes, what: str) -> None:
    """Raise RunError unless all processes have the same 8 bytes."""
    if process_count() == 1:
        return
    own = np.frombuffer(digest[:8], np.uint32)
    found = np.asarray(multihost_utils.process_allgather(own)).reshape(-1, 2)
    others = np.flatnonzero((found != found[0]).any(axis=1))
    if len(others):
        raise RunError(
            f"process {others[0]} has {what} other than those of process 0",
            expected="the same in all processes: each batch is divided among them",
            fix="read the same files in the same order, and draw with the same seed",
        )
