"""Out of memory: what did not fit, into how much, and what to lower by how much."""

import contextlib
import math
import re

import jax

from cutaway.errors import OutOfMemoryError
from cutaway.runtime.device import device, free_bytes

UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
ASKED = re.compile(r"(?:allocate|allocating)\s+([\d.]+)\s*(bytes|B|[KMGTP]iB)?")


@contextlib.contextmanager
def explaining_exhaustion(*, what: str, batch_size: int | None = None, precision: str = "float32"):
    """Context in which JAX's RESOURCE_EXHAUSTED becomes an OutOfMemoryError with advice.

    Args:
        what: that is done: "a training step".
        batch_size: rows a step, if it can be lowered.
        precision: of products now, see cutaway.precision.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise exhausted(str(error), what, batch_size, precision) from error


def exhausted(text: str, what: str, batch_size, precision) -> OutOfMemoryError:
    """The error for XLA's message `text`; see explaining_exhaustion."""
    asked, free = asked_bytes(text), free_bytes()
    came = f"{what} does not fit into the memory of the {device()}"
    if asked is not None:
        came += f": it asked for {_size(asked)} in one piece"
        came += "" if free is None else f", and {_size(free)} are free"
    advice = []
    if batch_size is not None and batch_size > 1:
        fits = fitting_batch(batch_size, asked, free)
        advice.append(
            f"batch_size={fits} instead of {batch_size} (what a step needs grows with it), or "
            f"accumulate={math.ceil(batch_size / fits)} to keep the step and lower its memory"
        )
    if precision != "bfloat16":
        advice.append('precision="bfloat16", which halves much of what is kept for backward')
    advice.append("a narrower network: its activations grow with the width, its weights with the "
                  "width squared")  # fmt: skip
    error = OutOfMemoryError(came, expected="a step that fits", mend="; or ".join(advice))
    error.asked_bytes, error.free_bytes = asked, free
    return error


def asked_bytes(text: str) -> int | None:
    """How many bytes an out-of-memory message of XLA says were asked for; None: it does not say.

    Example:
        >>> asked_bytes("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1.50GiB.")
        1610612736
    """
    found = ASKED.search(text)
    if not found:
        return None
    unit = found[2] if found[2] in UNITS else ""
    return int(float(found[1].rstrip(".")) * UNITS[unit])


def fitting_batch(batch_size: int, asked: int | None, free: int | None) -> int:
    """The largest power of two that fits, if memory grows with the batch; half where unknown.

    Example:
        >>> fitting_batch(256, asked=100, free=60), fitting_batch(256, None, None)
        (128, 128)
    """
    share = min(0.5, free / asked) if asked and free is not None else 0.5
    return max(1, 2 ** math.floor(math.log2(max(1, batch_size * share))))


def _size(count: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count >= UNITS[unit]:
            return f"{count / UNITS[unit]:.3g} {unit}"
    return f"{count} bytes"
