"""Owner: one process at a time works on a folder."""

import contextlib
import datetime
import errno
import json
import math
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

from cutaway.errors import RunError
from cutaway.files.manifest import checksum
from cutaway.files.writing import PARTIAL

NAME = ".owner.json"
WRITTEN_SECONDS = 3.0  # within which a note is surely whole, on file systems without hard links


class Owner:
    """Context in which this process alone works on a folder.

    A file FOLDER/.owner.json names the process; it is created exclusively, which also works where
    file systems have no locks. That of a process which has ended is taken over.

    Args:
        folder: must exist.
        doing: what the process does, for the error of a second one: "training".

    Raises:
        RunError: another process works on it. Or the folder cannot be written to.
    """

    def __init__(self, folder, doing: str):
        self.path = Path(folder) / NAME
        self.doing = doing
        self._content = b""

    def __enter__(self):
        process = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "began": _began(os.getpid()),
            "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "doing": self.doing,
            "key": secrets.token_hex(8),
        }
        self._content = (json.dumps(process) + "\n").encode()
        while not (self._is_created(self.path) or self._takes_over(self.path)):
            pass
        return self

    def __exit__(self, *_):
        if self.is_there():
            with contextlib.suppress(OSError):
                self.path.unlink()

    def is_there(self) -> bool:
        """Whether the folder is still where it was entered; it may have been moved or removed."""
        try:
            return self.path.read_bytes() == self._content
        except OSError:
            return False

    def _is_created(self, path: Path) -> bool:
        """Create a file with our note, whole at once, unless there is one."""
        own = self.path.with_name(f"{NAME}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            own.write_bytes(self._content)
            try:
                os.link(own, path)
            except (FileExistsError, FileNotFoundError):  # the second: swept by the owner
                return False
            except OSError as error:  # file systems without hard links
                if error.errno in (errno.ENOSPC, errno.EROFS):
                    raise
                with open(path, "xb") as file:
                    file.write(self._content)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            raise RunError(
                f"{self.path.parent} cannot be written to: {error.strerror or error}",
                expected="a writable folder with enough free disk space",
                fix="choose another folder",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                own.unlink()

    def _takes_over(self, path: Path) -> bool:
        """Put our note in the place of that of a process which has ended.

        Of all who want to, the one that creates a claim may, a file named after the old note, and
        renames the claim to the note: so the place is never free, and nobody else changes it. The
        claim of a process that ended meanwhile is taken over in the same way.

        Raises:
            RunError: the process works on the folder.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return False
        is_being_written = _process(content) is None and _age(path) < WRITTEN_SECONDS
        if path == self.path and not is_being_written:
            _expect_ended(path, content)
        elif is_being_written or not _has_ended(content):
            time.sleep(0.02)
            return False
        claim = self.path.with_name(f"{NAME}.{checksum(content)[:16]}{PARTIAL}")
        if not (self._is_created(claim) or self._takes_over(claim)):
            return False
        with contextlib.suppress(FileNotFoundError):  # removed by hand, or swept by the owner
            if path.read_bytes() == content:
                os.replace(claim, path)
                return True
        with contextlib.suppress(FileNotFoundError):
            claim.unlink()
        return False


def expect_no_owner(folder) -> None:
    """Raise RunError if a process works on a folder."""
    path = Path(folder) / NAME
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        _expect_ended(path, path.read_bytes())


def _expect_ended(path: Path, content: bytes) -> None:
    """Raise RunError unless the process that wrote this content to an owner file has ended."""
    process = _process(content)
    if process is None or _has_ended(content):
        return
    number, host = process["process"], process["host"]
    is_here = host == socket.gethostname()
    where = "" if is_here else f" on {host}"
    raise RunError(
        f"{path.parent} is in use: process {number}{where} has been {process.get('doing')} there "
        f"since {process.get('since')}",
        expected="one process at a time in a folder",
        fix="wait for it, or choose another folder"
        + ("" if is_here else f"; if it has ended, delete {path}"),
    )


def _has_ended(content: bytes) -> bool:
    """Whether the process has ended; one on another machine is believed to be running."""
    process = _process(content)
    if process is None:  # it was killed while it wrote its note
        return True
    is_here = process["host"] == socket.gethostname()
    return is_here and not is_running(process["process"], process.get("began"))


def _process(content: bytes) -> dict | None:
    """What an owner file says, or None if it is not whole."""
    try:
        found = dict(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return None
    types = {"process": int, "host": str}
    return found if all(isinstance(found.get(k), t) for k, t in types.items()) else None


def _age(path: Path) -> float:
    """Seconds since a file was written; infinite if it is not there."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return math.inf


def is_running(number: int, began: str | None) -> bool:
    """Whether the process of that number, which began then, is still running on this machine."""
    if number <= 0:
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError, OSError):
        pass  # someone else's
    now = _began(number)
    return began is None or now is None or began == now


def _began(number: int) -> str | None:
    """When a process began, in a form to be compared only; None if it is not known."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "ZX":
            return "ended"
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {fields[19]}"
    except (OSError, IndexError):
        pass
    try:
        command = ["ps", "-o", "lstart=", "-p", str(number)]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
    except OSError:
        return None
