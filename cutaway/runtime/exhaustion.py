"""Out of memory: what did not fit, into how much, and what to lower by how much."""

import contextlib
import math
import re

import jax

from cutaway.errors import OutOfMemoryError
from cutaway.runtime.devices import device, free_bytes, free_host_bytes, on_gpu

USABLE = 0.8  # of what is free: the rest is for other arrays and for gaps between them
UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
ASKED = re.compile(
    r"(?:allocate|allocating)\s+(?:request for\s+)?(\d+(?:\.\d+)?)\.?\s*([KMGTP])?(?:iB|B)?",
)
# what XLA's errors say where there was no memory; libraries below it have words of their own
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
        what: that is done, as the beginning of a sentence: "a training step".
        batch_size: rows in one go, where they can be lowered.
        accumulate: micro-batches of a step now, where there may be more of them.
        precision: of a training step's products now; see cutaway.precision.
        instead: what else helps.
    """
    try:
        yield
    except OutOfMemoryError as error:
        if not error.is_general:
            raise
        found = error  # of jit, which does not know what is done
    except jax.errors.JaxRuntimeError as error:
        if not is_exhaustion(error):
            raise
        found = error
    else:
        return
    cause = found.__cause__ if isinstance(found, OutOfMemoryError) else found
    asked, free = _measured(found)
    share = _share(asked, free)
    advice = _batch_advice(batch_size, accumulate, share)
    if precision not in (None, "bfloat16") and on_gpu():
        advice.append(
            'precision="bfloat16" (--precision bfloat16), which keeps down to half as much for '
            "the backward pass"
        )
    if accumulate is not None:
        width = "narrower layers" if (share or 0) < 0.05 else f"layers {share:.0%} as wide"
        advice.append(f"{width}, because activations grow with the width")
    if instead:
        advice.append(instead)
    raise _error(what, asked, free, advice) from cause


@contextlib.contextmanager
def explaining_placing(what: str, instead: str):
    """As explaining_exhaustion, for what is made in the computer's memory and then put on a device.

    Args:
        what: it is.
        instead: what helps.
    """
    try:
        with explaining_exhaustion(what, instead=instead):
            yield
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        raise host_error(error, what, instead) from error


def is_exhaustion(error: BaseException) -> bool:
    """Whether an exception of JAX means that there was not enough memory."""
    return isinstance(error, jax.errors.JaxRuntimeError) and any(
        sign in str(error) for sign in SIGNS
    )


def general_error(error: BaseException, what: str, *advice: str) -> OutOfMemoryError:
    """The OutOfMemoryError for JAX's, where nothing is known but that.

    An `explaining_exhaustion` around it says more.
    """
    found = _error(what, *_measured(error), list(advice))
    found.is_general = True
    return found


def host_error(error: MemoryError, what: str, advice: str) -> OutOfMemoryError:
    """The OutOfMemoryError for Python's MemoryError: it is the computer's memory that ran out."""
    asked, free = asked_bytes(str(error)), free_host_bytes()
    return _error(what, asked, free, [advice], where="computer")


def _measured(error) -> tuple:
    """(bytes asked for, bytes free) of an exception, None for what is not known."""
    if isinstance(error, OutOfMemoryError):
        return error.asked_bytes, error.free_bytes
    return asked_bytes(str(error)), free_bytes()


def _share(asked: int | None, free: int | None) -> float | None:
    """Which fraction of what was asked for may be asked for, at most a half; None: not known."""
    if not asked or free is None:
        return None
    return min(0.5, USABLE * free / asked)


def _batch_advice(batch_size, accumulate, share) -> list:
    if batch_size is None:
        return []
    parts = accumulate or 1
    rows = batch_size // parts
    fits = fitting_batch(rows, share)
    if not fits:
        return []
    size = fits * parts
    if accumulate is None:
        return [f"batch_size={size} instead of {batch_size}"]
    counts = (n for n in range(1, batch_size + 1) if batch_size % n == 0)
    more = next(n for n in counts if batch_size // n <= fits)
    return [
        f"batch_size={size} (--batch-size {size}) instead of {batch_size}, or in Python "
        f"accumulate={more}, which takes the same step in micro-batches of {batch_size // more}"
    ]


def fitting_batch(rows: int, share: float | None) -> int:
    """The largest power of two that fits if memory grows with the rows; 0 if not even one does.

    Args:
        rows: that did not fit.
        share: which fraction of what they need is free; None: not known, so half of them.

    Example:
        >>> fitting_batch(256, 0.3), fitting_batch(256, None), fitting_batch(2, 0.1)
        (64, 128, 0)
    """
    fits = rows * (0.5 if share is None else share)
    return 2 ** math.floor(math.log2(fits)) if fits >= 1 else 0


def _error(what, asked, free, advice, where=None) -> OutOfMemoryError:
    came = f"{what} does not fit into the memory of the {where or device()}"
    room = "less memory" if free is None else f"at most {_size(free)}"
    if asked is not None:
        came += f": it needs {_size(asked)} in one piece"
        came += "" if free is None else f", and {_size(free)} are free"
        if free is not None and asked <= free:
            came, room = f"{came}, but not in one piece", "smaller arrays"
    error = OutOfMemoryError(came, expected=room, fix="; or ".join(advice) or None)
    error.asked_bytes, error.free_bytes = asked, free
    return error


def asked_bytes(text: str) -> int | None:
    """How many bytes an out-of-memory message says were asked for; None: it does not say.

    Example:
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
