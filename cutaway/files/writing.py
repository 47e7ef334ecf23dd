"""Writing of files: a reader sees the old content or the new one, never a part."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from cutaway.errors import RunError

PARTIAL = ".partial"  # end of the name of a file that is being written
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path, content: bytes) -> None:
    """Write `content` to `path`, all of it or nothing.

    A link stays a link: the file that it points to is replaced. A device or a pipe is written to.

    Raises:
        RunError: the folder is not writable, or the disk is full; no partial file is left.
    """
    if _is_special(path):
        with explaining_write(Path(path), len(content)), open(path, "wb") as file:
            file.write(content)
        return
    with replacing(path, size=len(content)) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def replacing(path, *, size: int | None = None) -> Iterator[Path]:
    """Context that yields the path of a partial file, which becomes `path` at the end.

    After an exception it is removed, and what was at `path` stays.

    Args:
        path: its folder is created if there is none.
        size: bytes to be written, for the error if the disk is full.

    Raises:
        RunError: the folder is not writable, or the disk is full.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}{PARTIAL}")
    with explaining_write(path, size):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            _flush(partial)
            os.replace(partial, path)
            _flush(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise


def sweep(folder) -> list[Path]:
    """Remove the partial files that killed processes left in a folder; returns their paths.

    Only where no other process is writing.
    """
    found = [path for path in Path(folder).glob(f".*{PARTIAL}") if path.is_file()]
    for path in found:
        with contextlib.suppress(OSError):
            path.unlink()
    return found


def is_partial(path) -> bool:
    """Whether the name is that of a file that is being written."""
    name = Path(path).name
    return name.startswith(".") and name.endswith(PARTIAL)


def _flush(path):
    """What was written to a file, or renamed in a folder, survives a loss of power."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        if Path(path).is_dir():  # some systems do not open folders
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot
            raise
    finally:
        os.close(handle)


def _is_special(path) -> bool:
    """Whether there is a device, a pipe or a socket at the path."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def explaining_write(path: Path, size: int | None) -> Iterator[None]:
    """Context in which an OSError becomes a RunError that names the file and the room on disk.

    Args:
        path: of what is written.
        size: bytes to be written, if known.

    Raises:
        RunError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if path.is_dir():
            expected, fix = "the path of a file", "name a file in this folder"
        elif error.errno in FULL:
            reason += room(path.parent, size)
            expected = "enough free disk space"
            fix = "free some disk space, or choose another folder; no partial file was left behind"
        else:
            expected = "a writable folder with enough free disk space"
            fix = "choose another folder, or free some disk space; no partial file was left behind"
        raise RunError(f"{path} cannot be written: {reason}", expected=expected, fix=fix) from error


def room(folder, size: int | None) -> str:
    """What follows a message: how much is needed and free in the folder, as far as known.

    Example:
        >>> from cutaway.files.writing import room
        >>> room("/nowhere", 2_500), room("/nowhere", 2_500_000)
        (': 2.5 kB were needed', ': 2.5 MB were needed')
    """
    parts = [] if size is None else [f"{_in_units(size)} were needed"]
    with contextlib.suppress(OSError):
        parts.append(f"{_in_units(shutil.disk_usage(folder).free)} are free in {folder}")
    return f": {', '.join(parts)}" if parts else ""


def _in_units(size: int) -> str:
    return f"{size / 1e3:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"
