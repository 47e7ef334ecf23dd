"""The content of files that others made: read once, within limits, with errors that name them."""

import contextlib
import functools
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from cutaway.errors import CutawayError, DataError
from cutaway.files.limits import PIECE, expect_bytes

P = ParamSpec("P")
T = TypeVar("T")
LONGEST_REASON = 200  # characters of a library's message that are shown
DEVICES = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@contextlib.contextmanager
def naming(
    path,
    what: str,
    *,
    expected: str | None = None,
    fix: str = "copy it again, or restore it from a backup",
    failed: str | None = None,
    error: type[CutawayError] = DataError,
) -> Iterator[None]:
    """Whatever a library raises while it reads `path` becomes one error, which names the path.

    Readers raise what their authors chose, and a panic of polars is not even an Exception. An
    error of Cutaway gets the path in front of it, if it does not name it already.

    Args:
        path: of the file.
        what: what it is read as, with its article: "a Parquet file".
        expected, fix: of the error.
        failed: what the message says of the path; by default "cannot be read as" what it is.
        error: class of the error.

    Example:
        >>> from cutaway.files.content import naming
        >>> with naming("a.npz", "an npz file"):
        ...     raise KeyError("x")
        Traceback (most recent call last):
        cutaway.errors.DataError: a.npz cannot be read as an npz file: KeyError 'x'
          expected: an npz file that is complete
          fix: copy it again, or restore it from a backup
    """
    try:
        yield
    except CutawayError as raised:
        if str(path) in raised.came:
            raise
        came = f"{path}: {raised.came}"
        raise type(raised)(came, expected=raised.expected, fix=raised.fix) from raised.__cause__
    except FileNotFoundError:
        raise error(f"there is no file {path}", fix="check the path") from None
    except MemoryError as raised:
        raise error(
            f"{path} does not fit in memory: {reason_of(raised)}",
            expected=f"{what} that takes less than the free memory",
            fix="read a part of it, or use a machine with more memory",
        ) from raised
    except BaseException as raised:
        if not isinstance(raised, Exception) and type(raised).__name__ != "PanicException":
            raise  # KeyboardInterrupt, SystemExit
        raise error(
            f"{path} {failed or f'cannot be read as {what}'}: {reason_of(raised)}",
            expected=expected or f"{what} that is complete",
            fix=fix,
        ) from raised


def naming_source(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a reader whose first argument is a path, or data in memory: see `naming`."""

    def decorated(reader: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(reader)
        def read(*args: P.args, **kwargs: P.kwargs) -> T:
            source = args[0] if args else next(iter(kwargs.values()), None)
            if not isinstance(source, str | os.PathLike):
                return reader(*args, **kwargs)
            with naming(source, what):
                return reader(*args, **kwargs)

        return read

    return decorated


def reason_of(raised: BaseException) -> str:
    """The first line of a library's message, shortened; with its class if it is only a value."""
    text = str(raised).strip().split("\n")[0].strip()
    if isinstance(raised, OSError) and raised.strerror:
        text = raised.strerror
    elif isinstance(raised, RecursionError):
        text = "it is nested too deeply"
    elif isinstance(raised, LookupError) or not text:
        text = f"{type(raised).__name__} {text}".strip()
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."


def is_pipe(path) -> bool:
    """Whether the path is an open stream of this process: a pipe, which can be read once only.

    So are `/dev/stdin` and bash's <(command), whatever stands behind them, also a file.
    """
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            return True
        folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
        is_stream = os.fspath(path) == "/dev/stdin" or re.fullmatch(r"/proc/\d+/fd", folder)
        return bool(is_stream) and os.path.isfile(path)
    except (OSError, ValueError):
        return False


def exists(path) -> bool:
    """Whether something is at the path; False also for names that no file can have."""
    try:
        os.stat(path)
    except (OSError, ValueError):
        return False
    return True


def read_content(path, *, error: type[CutawayError] = DataError) -> bytes:
    """All bytes of a file or a pipe.

    Args:
        path: of the file.
        error: class of the errors.

    Raises:
        DataError: no such file; a folder, a device or a socket; larger than the limit; it cannot
            be read.
    """
    path = Path(path)
    with readable(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        expect_bytes(size, f"{path} is too large", error=error)
        parts, total = [], 0
        while part := file.read(max(PIECE, size + 1)):
            parts.append(part)
            total += len(part)
            if total > size:  # a pipe has no size, and a file may grow
                expect_bytes(total, f"{path} is too large, so far", error=error)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def expect_file(path, error: type[CutawayError] = DataError) -> None:
    """Raise an error unless a file or a pipe is at `path`: no folder, no device, no socket."""
    with _finding(path, error):
        kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind in DEVICES:
        raise error(
            f"{path} is {DEVICES[kind]}",
            expected="a file, or a pipe",
            fix="name a file inside it" if kind == stat.S_IFDIR else "name a file",
        )


@contextlib.contextmanager
def readable(path, error: type[CutawayError] = DataError) -> Iterator:
    """The file or pipe at `path`, open for reading bytes.

    Raises:
        DataError: no such file; a folder, a device or a socket; it cannot be read.
    """
    expect_file(path, error)
    with _finding(path, error):
        file = open(path, "rb")  # noqa: SIM115  # closed below; errors while it is used pass
    try:
        with file:
            yield file
    except OSError as raised:
        raise error(f"{path} cannot be read: {reason_of(raised)}", fix="copy it again") from raised


@contextlib.contextmanager
def _finding(path, error: type[CutawayError]) -> Iterator[None]:
    """What the operating system says of a path as one error."""
    try:
        yield
    except FileNotFoundError:
        raise error(
            f"{path} cannot be read: there is no file of that name", fix="check the path"
        ) from None
    except (OSError, ValueError) as raised:  # ValueError: a null byte in the name
        raise error(
            f"{_short(path)} cannot be read: {reason_of(raised)}",
            expected="a file that this user may read",
            fix="check the path",
        ) from raised


def decoded(content: bytes, path, new: str) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        new: name of the converted file in the advice.

    Raises:
        DataError: not UTF-8.
    """
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as raised:
        line = content[: raised.start].count(b"\n") + 1
        byte = content.removeprefix(b"\xef\xbb\xbf")[raised.start]
        raise DataError(
            f"{path}: line {line} is not UTF-8 text (byte 0x{byte:02x})",
            expected="a text file in UTF-8",
            fix=f"convert it, for example: iconv -f latin1 -t utf-8 {Path(path).name} > {new}",
        ) from raised


def _short(path) -> str:
    """The path, its middle left out if it is very long, and null bytes shown."""
    text = re.sub("\0", r"\\0", os.fspath(path))
    return text if len(text) <= LONGEST_REASON else f"{text[:80]} ... {text[-40:]}"
