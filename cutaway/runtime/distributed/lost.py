"""Another process of the training that is lost, told in one way wherever it is noticed."""

import contextlib
from collections.abc import Iterator

import jax

from cutaway.errors import RunError

# the launcher knows by these words that a process did not fail by itself
ENDED = "another process of this training has ended"


def lost_error(what: str) -> RunError:
    """The error of a process that misses another one.

    Args:
        what: is known of it.
    """
    return RunError(
        f"{ENDED}: {what}",
        expected="all processes to run to the end",
        fix="see what it printed; cutaway launch --restarts N goes on from the last checkpoint",
    )


@contextlib.contextmanager
def explaining_loss() -> Iterator[None]:
    """Context in which messages that do not arrive any more become a RunError that says why."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if not _is_loss(error):
            raise
        raise lost_error(str(error).partition("\n")[0]) from error


def _is_loss(error: Exception) -> bool:
    text = str(error)
    return any(word in text for word in ("Gloo", "NCCL", "coordination service", "heartbeat"))
