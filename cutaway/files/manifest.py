"""Manifest: checksums of the files of a folder, so that damage is noticed when they are read."""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from cutaway.errors import RunError
from cutaway.files.writing import replacing

NAME = "manifest.json"
FORMAT = 1
_FIX = "restore the file from a backup, or train again"


class Manifest:
    """The SHA-256 of each file that is written through it, kept in FOLDER/manifest.json.

    The manifest is written before the files are exchanged, with the checksums of the old and the
    new content, so that a kill at any moment leaves only files that match it.

    Args:
        folder: of the files.

    Example:
        >>> import tempfile
        >>> from cutaway.files import Manifest
        >>> folder = tempfile.mkdtemp()
        >>> Manifest(folder).write({"a.txt": b"one", "b.txt": b"two"})
        >>> Manifest(folder).read("a.txt")
        b'one'
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / NAME
        self._files: dict[str, list[str]] | None = None
        self._settled: set[str] = set()  # names whose first checksum is surely that of the file

    @property
    def names(self) -> list[str]:
        """Names of the files that have a checksum.

        Raises:
            RunError: the manifest is missing or damaged.
        """
        return sorted(self._known())

    def write(self, contents: dict[str, bytes]) -> None:
        """Write {name: content} in this order; each file is replaced whole or not at all.

        Raises:
            RunError: the folder is not writable, or the disk is full.
        """
        known = self._known() if self.path.exists() else {}
        with contextlib.ExitStack() as stack:
            for name, content in reversed(contents.items()):  # they are exchanged in order
                partial = stack.enter_context(replacing(self.folder / name, size=len(content)))
                partial.write_bytes(content)
                before = known.get(name, [])
                own = checksum(content)
                known[name] = [own, *(before[:1] if name in self._settled else before)]
            self._save(known)
        self._settled |= contents.keys()

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            RunError: it is missing, cannot be read, or is not what was written.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(
                f"{path} cannot be read: {error.strerror or error}",
                expected="all files of the run",
                fix=_FIX,
            ) from error
        if name not in self._known() or checksum(content) not in self._known()[name]:
            self._files = None  # it may have been written in the meantime
        known = self._known()
        if name not in known:
            raise RunError(
                f"{path} has no checksum in {self.path}",
                expected="a file that Cutaway wrote",
                fix=f"if you put it there on purpose: cutaway verify {self.folder} --accept {name}",
            )
        if checksum(content) not in known[name]:
            raise damaged(
                path,
                "its content is not what was written",
                f"{_FIX}; if you changed it on purpose: "
                f"cutaway verify {self.folder} --accept {name}",
            )
        return content

    def problems(self) -> dict[str, str]:
        """{name: what is wrong with it} of the files that cannot be read as they were written."""
        found = {}
        for name in self.names:
            try:
                self.read(name)
            except RunError as error:
                found[name] = error.came.removeprefix(f"{self.folder / name} ")
        return found

    def accept(self, names: Iterable[str]) -> None:
        """Take the files as they are now.

        Raises:
            RunError: one cannot be read.
        """
        try:
            known = self._known()
        except RunError:  # accepting files is how a lost manifest is replaced
            known = {}
        for name in names:
            try:
                known[name] = [checksum((self.folder / name).read_bytes())]
            except OSError as error:
                raise RunError(
                    f"{self.folder / name} cannot be read: {error.strerror or error}",
                    expected="the name of a file of the run",
                ) from error
        self._save(known)

    def _known(self) -> dict[str, list[str]]:
        if self._files is None:
            self._files = self._load()
        return dict(self._files)

    def _load(self) -> dict[str, list[str]]:
        try:
            text = self.path.read_bytes()
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be read: {error.strerror or error}",
                expected="the checksums of the files in this folder",
                fix=f"restore it from a backup; or, if you trust all files as they are: "
                f"cutaway verify {self.folder} --accept-all",
            ) from error
        try:
            content = json.loads(text)
            files = content["files"]
            is_whole = (
                content["format"] == FORMAT
                and content["checksum"] == _own(files)
                and all(
                    isinstance(name, str) and isinstance(sums, list) for name, sums in files.items()
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_whole, files = False, {}
        if not is_whole:
            raise damaged(
                self.path,
                "its own checksum does not match",
                "restore it from a backup; or, if you trust all files as they are: "
                f"cutaway verify {self.folder} --accept-all",
            )
        return files

    def _save(self, files: dict[str, list[str]]) -> None:
        content = {"format": FORMAT, "files": files, "checksum": _own(files)}
        text = (json.dumps(content, indent=1) + "\n").encode()
        with replacing(self.path, size=len(text)) as partial:
            partial.write_bytes(text)
        self._files = dict(files)


def checksum(content) -> str:
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def damaged(path, what: str, fix: str = _FIX) -> RunError:
    """The error for a file that is not what was written."""
    return RunError(f"{path} is damaged: {what}", expected="the file as Cutaway wrote it", fix=fix)


def _own(files) -> str:
    return checksum(json.dumps(files, sort_keys=True).encode())
