"""Several devices and processes of one training: on one machine, or on many.

Each process runs the same script, on the same data or with rows of its own. In `Trainer.fit` they
share each batch: the devices of all processes form one mesh, and each computes its part of the rows
(see runtime.sharding). That is JAX's multi-controller runtime; what stands here is how processes
find each other, what they agree on, and how one that fails ends the others.
"""

import atexit
import contextlib
import dataclasses
import json
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
from jax.sharding import NamedSharding, PartitionSpec

from cutaway.errors import (
    CutawayError,
    DataError,
    OptionError,
    RunError,
    expect_integer,
    expect_range,
)
from cutaway.runtime import sharding
from cutaway.runtime.own_address import send_messages_toward

# what the launcher gives the processes that it starts
ADDRESS, COUNT, INDEX = "CUTAWAY_ADDRESS", "CUTAWAY_PROCESSES", "CUTAWAY_PROCESS"
LAUNCHER = "CUTAWAY_LAUNCHER"  # its process

HEARTBEAT_SECONDS = 10  # after which a process that is silent counts as lost
START_SECONDS = 120  # to wait for the others at the beginning
PATIENCE_SECONDS = 24 * 3600  # to wait for process 0, which may check data before it trains
LEAVE_SECONDS = 600  # for which process 0 waits at its end until the others are there
WATCH_SECONDS = 0.5  # between two looks whether the launcher is there
FAILED = 1  # exit code of a process that failed

_thread = threading.local()
_barriers = 0


def start(
    address: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    *,
    devices: str | int | None = None,
    shard_parameters: bool = False,
    tensor: int = 1,
    least_sharded: int = sharding.LEAST_SHARDED,
) -> None:
    """Join the other processes of this training, and say which devices share its fits.

    Call it before anything else. Without arguments it finds the other processes: those that
    `cutaway launch` and `cutaway train --processes` have started, or those of SLURM, MPI and
    Kubernetes. A script that was started by itself goes on alone. The coordinator, process 0,
    listens on the given address only.

    Args:
        address: "host:port" of process 0, the same for all.
        processes: number of them.
        process: which of them this is, from 0.
        devices: of each process, that share each batch of a fit: "all", or their number. None:
            all where there are several processes, or something is sharded; otherwise one.
        shard_parameters: whether large parameters, and what the optimizer keeps of them, lie in
            equal parts on the devices. Whole ones are there only while they are used.
        tensor: number of devices that each compute a part of the outputs of a wide layer; it
            divides the number of devices.
        least_sharded: arrays with fewer numbers stay whole on every device.

    Raises:
        OptionError: only some of the first three are given; there are not as many devices, or
            parameters may not be sharded over them.
        RunError: the others did not come within two minutes; or something was computed before.

    Example:
        >>> import cutaway as ct
        >>> ct.distributed.start()                                        # doctest: +SKIP
        >>> ct.distributed.process_count()
        1
    """
    if process_count() == 1:
        _join(address, processes, process)
    if devices is not None or shard_parameters or tensor != 1:
        chosen = "all" if devices is None else devices
        sharding.arrange(sharding.Layout(chosen, shard_parameters, tensor, least_sharded))


def _join(address: str | None, processes: int | None, process: int | None) -> None:
    if LAUNCHER in os.environ:
        _end_with(int(os.environ.pop(LAUNCHER)))
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


def _end_with(launcher: int) -> None:
    """Watch the process that has started this one: without it nobody would end this one."""

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(WATCH_SECONDS)
        fail()  # without a word: who would read it is gone

    if os.getppid() != launcher:
        fail()
    threading.Thread(target=watch, daemon=True, name="launcher").start()


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


# each process with rows of its own

MOMENT_ROWS = 4096  # of which moments are computed at a time


@dataclasses.dataclass(frozen=True)
class OwnRows:
    """Rows that this process has of a set: the set are those of all, in the order of processes.

    `Trainer.fit` and `Trainer.evaluate` take it in place of x and y, and `fit` as validation. In
    one process they are all rows.

    Args:
        x: (rows, ...) inputs, as for Trainer.fit; no rows, if others have some.
        y: (rows, ...) targets.
        weights: (rows,) weights of the rows; None: all count equally.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> part = ct.distributed.own_part(64)  # in a training: which rows of a file to read
        >>> net = ct.Linear(3, 1)
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> rows = ct.distributed.OwnRows(x[part], x[part, :1])
        >>> len(trainer.fit(rows, epochs=2, batch_size=16))
        2
    """

    x: Any
    y: Any
    weights: Any = None


def own_part(rows: int) -> slice:
    """Which of a number of rows this process should read: parts of equal size, but for one row.

    Args:
        rows: of the whole set.

    Example:
        >>> import cutaway as ct
        >>> ct.distributed.own_part(10)  # in one process; the second of three has slice(3, 6)
        slice(0, 10, None)
    """
    expect_integer(rows, what="own_part: rows", least=0)
    process, processes = process_index(), process_count()
    return slice(rows * process // processes, rows * (process + 1) // processes)


def mean_and_std(x) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over the rows of all processes.

    Args:
        x: (rows, ..., features) of this process, or (rows,) of one feature.

    Raises:
        DataError: no process has rows. RunError: different numbers of features.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> mean, std = ct.distributed.mean_and_std(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> mean.tolist(), std.tolist()
        ([2.0, 5.0], [1.0, 0.0])
    """

    def own() -> list:
        rows = np.asarray(x)
        rows = rows[:, None] if rows.ndim == 1 else rows
        moments = []
        for start in range(0, len(rows), MOMENT_ROWS):  # in parts: float64 takes more memory
            values = np.asarray(rows[start : start + MOMENT_ROWS], np.float64)
            values = values.reshape(-1, values.shape[-1])
            moments.append((len(values), values.mean(axis=0), values.var(axis=0)))
        if not moments:
            return []
        count, mean, variance = _joined_moments(moments)
        return [count, mean.tolist(), variance.tolist()]

    found = [part for part in gathered(own) if part]
    if not found:
        raise DataError("mean_and_std: no rows", expected="rows in at least one process")
    features = [len(mean) for _, mean, _ in found]
    if len(set(features)) > 1:
        raise RunError(
            f"mean_and_std: the processes have {' and '.join(map(str, features))} features",
            expected="the same features in all",
        )
    _, mean, variance = _joined_moments(found)
    return mean, np.sqrt(variance)


def _joined_moments(moments: list) -> tuple[int, np.ndarray, np.ndarray]:
    """(count, mean, variance) of the rows of several parts, of which each is given."""
    counts = np.array([count for count, _, _ in moments], np.float64)[:, None]
    means, variances = (np.array([part[k] for part in moments]) for k in (1, 2))
    mean = (counts * means).sum(axis=0) / counts.sum()
    # the variance within the parts and that between them
    variance = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / counts.sum()
    return int(counts.sum()), mean, variance


def gathered(make: Callable[[], Any]) -> list:
    """What a function returns in each process, in their order: values that JSON has.

    Raises:
        CutawayError: it raised one here.
        RunError: it raised one in another process, whose text it has.
    """
    if process_count() == 1:
        return [make()]
    failure, message = None, {}
    try:
        message["value"] = make()
    except CutawayError as error:
        failure, message["error"] = error, [error.came, error.expected, error.fix]
    content = json.dumps(message).encode()
    wait_for_living()
    sizes = multihost_utils.process_allgather(np.array([len(content)], np.int32))
    size = 1 << int(np.max(sizes) - 1).bit_length()  # few sizes: each one compiles
    padded = np.frombuffer(content.ljust(size), np.uint8)
    parts = np.asarray(multihost_utils.process_allgather(padded)).reshape(-1, size)
    messages = [json.loads(part.tobytes()) for part in parts]
    if failure is not None:
        raise failure
    for process, other in enumerate(messages):
        if "error" in other:
            came, expected, fix = other["error"]
            raise RunError(f"process {process} has failed: {came}", expected=expected, fix=fix)
    return [other["value"] for other in messages]


def wait_for_living() -> None:
    """Wait until all processes are here, however long they take.

    Raises:
        RunError: one was lost meanwhile.
    """
    count = process_count()
    living = _client().get_live_nodes(list(range(count)))
    if len(living) < count:
        lost = next(process for process in range(count) if process not in living)
        raise RunError(
            f"process {lost} of this training has ended",
            expected="all processes to run to the end",
            fix="see what it printed; cutaway launch --restarts N goes on from the last checkpoint",
        )


def rows_sharding() -> NamedSharding:
    """Of arrays whose rows are divided among the devices of all processes."""
    return NamedSharding(sharding.mesh(), PartitionSpec(sharding.ROWS))
