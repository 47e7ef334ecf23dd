"""Out of memory: what did not fit, how much memory there was, and what to reduce by how much."""

import contextlib
import math
import re

import jax

from cutaway.errors import OutOfMemoryError
from cutaway.files.limits import free_memory
from cutaway.runtime.devices import device, free_bytes, on_gpu

USABLE = 0.8  # fraction of free memory: the rest is for other arrays and fragmentation
UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
ASKED = re.compile(
    r"(?:allocate|allocating)\s+(?:request for\s+)?(\d+(?:\.\d+)?)\.?\s*([KMGTP])?(?:iB|B)?",
)
# in XLA's messages when out of memory; the libraries below it have their own
SIGNS = (
    "RESOURCE_EXHAUSTED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


@contextlib.contextmanager
def explaining_exhaustion(
    what: str,
    *,
    batch_size: int | None = None,
    accumulate: int | None = None,
    precision: str | None = None,
    instead: str | None = None,
):
    """Context in which XLA's RESOURCE_EXHAUSTED becomes an OutOfMemoryError with advice.

    Args:
        what: what is being done, as the subject of a sentence: "a training step".
        batch_size: current batch size, if it can be reduced.
        accumulate: current number of micro-batches per step, if it can be increased.
        precision: current precision of a training step; see cutaway.matmul_precision.
        instead: further advice.
    """
    try:
        yield
    except OutOfMemoryError as error:
        if not error.is_general:
            raise
        found = error  # raised by jit, which does not know the context
    except jax.errors.JaxRuntimeError as error:
        if not is_exhaustion(error):
            raise
        found = error
    else:
        return
    cause = found.__cause__ if isinstance(found, OutOfMemoryError) else found
    asked, free = _measured(found)
    fraction = _fraction(asked, free)
    advice = _batch_advice(batch_size, accumulate, fraction)
    if precision not in (None, "bfloat16") and on_gpu():
        advice.append(
            'precision="bfloat16" (--precision bfloat16), which stores as little as half as much '
            "for the backward pass"
        )
    if accumulate is not None:
        narrow = fraction is None or fraction < 0.05
        width = "narrower layers" if narrow else f"layers {fraction:.0%} as wide"
        advice.append(f"{width}, since the size of activations grows with the width")
    if instead:
        advice.append(instead)
    raise _error(what, asked, free, advice) from cause


@contextlib.contextmanager
def explaining_placing(what: str, instead: str):
    """Like explaining_exhaustion, for data created in host memory and then moved to a device.

    Args:
        what: name of the data.
        instead: advice.
    """
    try:
        with explaining_exhaustion(what, instead=instead):
            yield
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        raise host_error(error, what, instead) from error


def expect_room(size: int, what: str, instead: str) -> None:
    """Raise an error unless `size` bytes are free on the device.

    Linux promises memory that it does not have, and ends the process when it is written to.

    Args:
        what, instead: see explaining_placing.

    Raises:
        OutOfMemoryError: they are not.
    """
    free = free_bytes()
    if free is not None and size > free:
        raise _error(f"{what} ({_size(size)})", None, free, [instead])


def is_exhaustion(error: BaseException) -> bool:
    """Whether an exception of JAX means out of memory."""
    return isinstance(error, jax.errors.JaxRuntimeError) and any(
        sign in str(error) for sign in SIGNS
    )


def general_error(error: BaseException, what: str, *advice: str) -> OutOfMemoryError:
    """The OutOfMemoryError for JAX's, where the context is unknown.

    An enclosing `explaining_exhaustion` adds the context.
    """
    found = _error(what, *_measured(error), list(advice))
    found.is_general = True
    return found


def host_error(error: MemoryError, what: str, advice: str) -> OutOfMemoryError:
    """The OutOfMemoryError for Python's MemoryError: the host ran out of memory."""
    asked, free = asked_bytes(str(error)), free_memory()
    return _error(what, asked, free, [advice], where="host")


def _measured(error) -> tuple[int | None, int | None]:
    """(bytes requested, bytes free) of an exception, None if unknown."""
    if isinstance(error, OutOfMemoryError):
        return error.asked_bytes, error.free_bytes
    return asked_bytes(str(error)), free_bytes()


def _fraction(asked: int | None, free: int | None) -> float | None:
    """Fraction of the requested memory that would fit, at most a half; None if unknown."""
    if not asked or free is None:
        return None
    return min(0.5, USABLE * free / asked)


def _batch_advice(batch_size, accumulate, fraction) -> list:
    if batch_size is None:
        return []
    parts = accumulate or 1
    rows = batch_size // parts
    fits = fitting_batch(rows, fraction)
    if not fits:
        return []
    size = fits * parts
    if accumulate is None:
        return [f"batch_size={size} instead of {batch_size}"]
    counts = (n for n in range(1, batch_size + 1) if batch_size % n == 0)
    more = next(n for n in counts if batch_size // n <= fits)
    return [
        f"batch_size={size} (--batch-size {size}) instead of {batch_size}, or in Python "
        f"accumulate={more}, which computes the same step in micro-batches of {batch_size // more}"
    ]


def fitting_batch(rows: int, fraction: float | None) -> int:
    """The largest power of two that fits if memory is proportional to the rows; 0 if none does.

    Args:
        rows: batch size that did not fit.
        fraction: of the memory they need that is free; None: unknown, assume half.

    Example:
        >>> from cutaway.runtime.exhaustion import fitting_batch
        >>> fitting_batch(256, 0.3), fitting_batch(256, None), fitting_batch(2, 0.1)
        (64, 128, 0)
    """
    fits = rows * (0.5 if fraction is None else fraction)
    return 2 ** math.floor(math.log2(fits)) if fits >= 1 else 0


def _error(what, asked, free, advice, where=None) -> OutOfMemoryError:
    came = f"{what} does not fit in the memory of the {where or device()}"
    room = "less memory" if free is None else f"at most {_size(free)}"
    if asked is not None:
        came += f": it needs one block of {_size(asked)}"
        came += "" if free is None else f", and {_size(free)} are free"
        if free is not None and asked <= free:
            came, room = f"{came}, but fragmented", "smaller arrays"
    error = OutOfMemoryError(came, expected=room, fix="; or ".join(advice) or None)
    error.asked_bytes, error.free_bytes = asked, free
    return error


def asked_bytes(text: str) -> int | None:
    """The number of bytes requested according to an out-of-memory message; None if not stated.

    Example:
        >>> from cutaway.runtime.exhaustion import asked_bytes
        >>> asked_bytes("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1.50GiB.")
        1610612736
    """
    found = ASKED.search(text)
    return int(float(found[1]) * UNITS[found[2] or ""]) if found else None


def _size(count: int) -> str:
    for unit in ("T", "G", "M", "K"):
        if count >= UNITS[unit]:
            return f"{count / UNITS[unit]:.3g} {unit}iB"
    return f"{count} bytes"
