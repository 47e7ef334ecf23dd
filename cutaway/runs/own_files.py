"""Which files this user wrote with Cutaway: notes in the user's cache folder.

A run that someone else made is data: it may name files and addresses that its user does not want
to be read. A file that someone else wrote is not replaced without the user's word.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from cutaway.runtime.cache import user_folder

KEPT = 10_000  # notes; the oldest are dropped


def remember(path, *, anywhere: bool = False) -> None:
    """Note that this user wrote the file with its present content.

    Args:
        path: of the file.
        anywhere: whether it may be moved or copied.
    """
    with contextlib.suppress(Exception):  # without a folder for notes, one is asked next time
        note = _note(path, anywhere)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
        notes = sorted(_folder().iterdir(), key=lambda note: note.stat().st_mtime)
        for old in notes[:-KEPT]:
            old.unlink(missing_ok=True)


def is_own(path, *, anywhere: bool = False) -> bool:
    """Whether this user wrote the file, and it has not been changed since; see `remember`."""
    try:
        return _note(path, anywhere).exists()
    except (OSError, RuntimeError):
        return False


def _folder() -> Path:
    return user_folder() / "written"


def _note(path, anywhere: bool) -> Path:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if not anywhere:
        digest.update(os.fsencode(os.path.realpath(path)))
    return _folder() / digest.hexdigest()
