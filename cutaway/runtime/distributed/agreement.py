"""What the processes of a training agree on."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from jax.experimental import multihost_utils

from cutaway.errors import CutawayError, RunError
from cutaway.runtime.distributed.joining import client, is_first, process_count
from cutaway.runtime.distributed.lost import explaining_loss, lost_error


def most(*numbers: float) -> list[float]:
    """The largest of each number over all processes."""
    if process_count() == 1:
        return list(numbers)
    return stacked(np.array(numbers, np.float32)).max(axis=0).tolist()


def stacked(array: np.ndarray) -> np.ndarray:
    """(processes, ...) the arrays of all processes, which have one shape and type."""
    if process_count() == 1:
        return array[None]
    with explaining_loss():
        found = np.asarray(multihost_utils.process_allgather(array))
    return found.reshape(-1, *array.shape)


def of_first(array: np.ndarray) -> np.ndarray:
    """The array of process 0; those of the others have its shape and type."""
    if process_count() == 1:
        return array
    with explaining_loss():
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
    found = stacked(np.frombuffer(digest[:8], np.uint32))
    others = np.flatnonzero((found != found[0]).any(axis=1))
    if len(others):
        raise RunError(
            f"process {others[0]} has {what} other than those of process 0",
            expected="the same in all processes: each batch is divided among them",
            fix="read the same files in the same order, and draw with the same seed",
        )


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
    sizes = stacked(np.array([len(content)], np.int32))
    size = 1 << int(np.max(sizes) - 1).bit_length()  # few sizes: each one compiles
    parts = stacked(np.frombuffer(content.ljust(size), np.uint8))
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

    Messages between them would time out after 30 seconds; process 0 may check data before a fit.

    Raises:
        RunError: one was lost meanwhile.
    """
    count = process_count()
    if count == 1:
        return
    living = client().get_live_nodes(list(range(count)))
    if len(living) < count:
        lost = next(process for process in range(count) if process not in living)
        raise lost_error(f"process {lost} was lost")
