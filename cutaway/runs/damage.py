"""Errors for files of a run whose content is not what Cutaway writes."""

import contextlib
from collections.abc import Iterator

from cutaway.errors import CutawayError, OutOfMemoryError, RunError

# what reading a value of another type or form than expected can raise
_RAISED = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)


@contextlib.contextmanager
def explaining_damage(path, *raised: type[BaseException]) -> Iterator[None]:
    """Context in which content of the file that cannot be used is a RunError that names it.

    Args:
        path: of the file.
        raised: exceptions of its format, besides those of values of another type or form.

    Raises:
        RunError: the content cannot be used.
        OutOfMemoryError: what it describes does not fit into memory.
    """
    try:
        yield
    except CutawayError as error:
        if isinstance(error, OutOfMemoryError):
            named = f"what the file {path} of this run describes: {error.came}"
            raise OutOfMemoryError(named, expected=error.expected, fix=error.fix) from error
        if isinstance(error, RunError) and str(path) in error.came:
            raise
        raise _damaged(path, error.came) from error
    except (*_RAISED, *raised) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise _damaged(path, what) from error


def _damaged(path, what: str) -> RunError:
    return RunError(
        f"the file {path} of this run is damaged: {what}",
        expected="content written by `cutaway train`",
        fix="restore it from a backup, or train again",
    )
