"""How the processes of one training find each other, and how one that fails ends the others."""

import atexit
import contextlib
import os
import sys
import threading
import time
import traceback
from typing import Any

import jax

from cutaway.errors import CutawayError, OptionError, RunError, expect_range
from cutaway.runtime import sharding
from cutaway.runtime.own_address import send_messages_toward

# what the launcher gives the processes that it starts
ADDRESS, COUNT, INDEX = "CUTAWAY_ADDRESS", "CUTAWAY_PROCESSES", "CUTAWAY_PROCESS"
LAUNCHER = "CUTAWAY_LAUNCHER"  # its process

HEARTBEAT_SECONDS = 10  # after which a process that is silent counts as lost
START_SECONDS = 120  # to wait for the others at the beginning
LEAVE_SECONDS = 600  # for which process 0 waits at its end until the others are there
WATCH_SECONDS = 0.5  # between two looks whether the launcher is there
FAILED = 1  # exit code of a process that failed


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
    connection = client()
    with contextlib.suppress(Exception):  # of one that has failed, nobody needs to wait for
        if not is_first():
            connection.key_value_set(f"cutaway-leaves-{process_index()}", "yes")
            jax.distributed.shutdown()
            return
        for other in range(1, process_count()):
            connection.blocking_key_value_get(f"cutaway-leaves-{other}", 1000 * LEAVE_SECONDS)
        time.sleep(0.5)  # they are disconnecting


def client() -> Any:
    """JAX's connection to the coordinator, with barriers and values that all can read."""
    from jax._src.distributed import global_state  # what JAX offers publicly has no patience

    return global_state.client


def _coordinator() -> str:
    from jax._src.distributed import global_state  # a cluster's address is known to JAX alone

    return global_state.coordinator_address or ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
