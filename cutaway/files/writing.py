"""Files written whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from cutaway.errors import RunError


def write_atomically(path, content: bytes) -> None:
    """Write `content` to `path`: a reader sees the old file or the new one, never a partial one.

    Raises:
        RunError: the folder is not writable, or the disk is full; no partial file is left.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise RunError(
            f"{path} cannot be written: {error.strerror or error}",
            expected="a writable folder with enough free disk space",
            fix="choose another folder, or free some disk space; no partial file was left behind",
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
