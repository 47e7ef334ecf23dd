"""Checkpoints: the complete training state in one file, written whole or not at all.

A checkpoint is a safetensors file: the arrays, and in its metadata notes (history, seed, state of
the callbacks) and the SHA-256 of the file. The last two are kept; resuming takes the newest one
that is undamaged.
"""

import hashlib
import json
import math
import mmap
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from cutaway.errors import RunError, expect_path
from cutaway.files import replacing, sweep
from cutaway.files.manifest import damaged
from cutaway.runtime import distributed, sharding
from cutaway.train.callbacks import Callback
from cutaway.train.resuming import expect_matching, load_training_state, training_state
from cutaway.weights.files import read_bytes, read_safetensors, save_tensors

KEPT = 2  # checkpoints
_ZEROS = b"0" * 64  # in the place of the checksum while it is computed


class Checkpoints(Callback):
    """Saves the training state after epochs, and resumes from it.

    If a checkpoint cannot be written, because the disk is full or was removed, the training goes
    on with a warning and tries again at the next one; only the last one must succeed.

    Args:
        folder: folder of the checkpoints.
        every_seconds: minimum time between two checkpoints; one more is written at the end.
        resume: resume from the newest undamaged checkpoint in `folder`; if it has none at all,
            start from scratch. If False, there must be none.

    Attributes:
        notes: what was noticed: damaged checkpoints, and writes that failed. Also warned of.
    """

    saves_others = True

    def __init__(self, folder, *, every_seconds: float = 10.0, resume: bool = False):
        expect_path(folder, what="Checkpoints: folder")
        self.folder = Path(folder).absolute()
        self.every_seconds = every_seconds
        self.resume = resume
        self.notes: list[str] = []
        self._last = time.monotonic()
        self._saved_epoch: int | None = None
        self._is_ready = False  # whether the training could begin

    def on_start(self, trainer):
        self._last = time.monotonic()
        goes_on = trainer.epoch > 0 and self._saved_epoch == trainer.epoch  # from what it saved
        self._saved_epoch = trainer.epoch if goes_on else None
        self._is_ready = False
        self.notes = []
        sweep(self.folder)
        paths = self._paths()
        if goes_on:
            return
        if self.resume:
            restored = self.restore(trainer)
            self._saved_epoch = trainer.epoch if restored else None
        elif paths:
            raise RunError(
                f"{self.folder} holds the checkpoint of epoch {_epoch(paths[0])} of an earlier "
                "training, which this one would replace",
                expected="an empty folder, or resume=True",
                fix="pass resume=True to continue that training, choose another folder, or call "
                "clear() to delete its checkpoints",
            )

    def on_ready(self, trainer):
        self._is_ready = _is_writing() or sharding.spans_processes()
        if _is_writing():
            self._make_folder(parents=True)

    def next_look(self, trainer):
        return math.inf  # what it saves is the state at the end of a group of epochs

    def on_epoch(self, trainer, row):
        is_due = self._is_ready and time.monotonic() - self._last >= self.every_seconds
        if sharding.spans_processes():  # all of them save: each has a part
            is_due = bool(distributed.most(is_due)[0])
        if not is_due:
            return
        try:
            self.save(trainer)
        except RunError as error:
            self._last = time.monotonic()
            self._note(
                f"{error.came}; the training goes on, and the next checkpoint is tried in "
                f"{self.every_seconds:g} s" + self._whole()
            )

    def on_end(self, trainer):
        if sharding.spans_processes() and sys.exc_info()[0] is not None:
            return  # the others may not come to join their parts
        if self._is_ready and trainer.epoch and self._saved_epoch != trainer.epoch:
            self.save(trainer)

    def save(self, trainer) -> None:
        """Save the state at the end of the last complete epoch.

        Raises:
            RunError: the folder is not writable, or the disk is full; older checkpoints stay.
        """
        path = self._path(trainer.epoch)
        try:
            arrays, notes = training_state(trainer)
            if _is_writing() or not sharding.spans_processes():
                self._make_folder(parents=not self._is_ready)
                write_state(path, arrays, notes)
        except RunError as error:
            raise RunError(
                error.came,
                expected=error.expected,
                fix="free some disk space, or choose another folder" + self._whole(),
            ) from error
        self._last = time.monotonic()
        self._saved_epoch = trainer.epoch
        kept = [p for p in self._paths() if _epoch(p) <= trainer.epoch][:KEPT]
        for old in self._paths():
            if old not in kept:
                old.unlink(missing_ok=True)

    def restore(self, trainer) -> bool:
        """Load the newest undamaged state in the folder into the trainer; False if there is none.

        Raises:
            RunError: all are damaged, or they are of another network, optimizer or data.
        """
        errors: list[RunError] = []
        content = distributed.bytes_of_first(lambda: self._newest(errors))
        if not content:
            return False
        arrays, notes = _state_of(content, self.folder)
        expect_matching(trainer, arrays, self.folder)
        load_training_state(trainer, arrays, notes)
        if errors:
            lost = _epoch(self._paths()[0]) - trainer.epoch
            self._note(
                f"{'; '.join(error.came for error in errors)}; resumed from epoch {trainer.epoch}, "
                f"so that {lost} epoch{'s' * (lost != 1)} must be repeated"
            )
        return True

    def _newest(self, errors: list[RunError]) -> bytes:
        """The newest undamaged checkpoint, b"" if there is none at all; `errors` of the others."""
        for path in self._paths():
            try:
                return _undamaged(path)
            except RunError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return b""

    def clear(self) -> None:
        """Delete the checkpoints of an earlier run in the folder."""
        for path in self._paths():
            path.unlink(missing_ok=True)

    def _make_folder(self, *, parents: bool = False) -> None:
        try:
            self.folder.mkdir(parents=parents, exist_ok=True)
        except OSError as error:
            is_gone = not parents and not self.folder.parent.exists()
            reason = f"{self.folder.parent} was moved or removed" if is_gone else error.strerror
            raise RunError(
                f"{self.folder} cannot be written: {reason}",
                expected="a writable folder",
                fix="choose another folder",
            ) from error

    def _path(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:06d}.safetensors"

    def _paths(self) -> list[Path]:
        """The files of all checkpoints, the newest first."""
        return sorted(self.folder.glob("epoch-*.safetensors"), key=_epoch, reverse=True)

    def _whole(self) -> str:
        if self._saved_epoch is None:
            return ""
        return f"; the checkpoint of epoch {self._saved_epoch} is undamaged"

    def _note(self, text: str) -> None:
        self.notes.append(text)
        warnings.warn(text, stacklevel=2)


def _is_writing() -> bool:
    """Whether this process writes: of several one does."""
    return distributed.is_first()


def _epoch(path: Path) -> int:
    digits = path.stem.removeprefix("epoch-")
    return int(digits) if digits.isdecimal() else -1


def write_state(path, arrays: dict[str, np.ndarray], notes: dict) -> None:
    """Write arrays and notes, with the checksum of the file, to one file.

    Raises:
        RunError: the folder is not writable, or the disk is full; no partial file is left.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    metadata = {"notes": json.dumps(notes), "sha256": _ZEROS.decode()}
    size = sum(array.nbytes for array in arrays.values()) + len(metadata["notes"])
    with replacing(path, size=size) as partial:
        save_tensors(arrays, partial, metadata)
        with open(partial, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
            place = _place_of_checksum(content)
            content[place : place + len(_ZEROS)] = _checksum(content, place).encode()


def read_state(path) -> tuple[dict[str, np.ndarray], dict]:
    """(arrays, notes) as `write_state` wrote them.

    Raises:
        RunError: the file cannot be read, or is damaged.
    """
    return _state_of(_undamaged(path), path)


def _undamaged(path) -> bytes:
    content = read_bytes(path)
    place = _place_of_checksum(content)
    found = content[place : place + len(_ZEROS)].decode(errors="replace")
    if place < 0 or _checksum(content, place) != found:
        raise damaged(path, "its content is not what was written", "restore it from a backup")
    return content


def _state_of(content: bytes, path) -> tuple[dict[str, np.ndarray], dict]:
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + size])["__metadata__"]
    return read_safetensors(content, path), json.loads(metadata["notes"])


def _place_of_checksum(content) -> int:
    """Where in a safetensors file the value of "sha256" in its metadata begins; -1: nowhere."""
    size = int.from_bytes(content[:8], "little")
    mark = b'"sha256":"'  # quotes within other values are escaped
    place = content.find(mark, 8, 8 + size) if 0 < size <= len(content) else -1
    return place if place < 0 else place + len(mark)


def _checksum(content, place: int) -> str:
    """SHA-256 of a file with zeros in the place of the checksum."""
    digest = hashlib.sha256(memoryview(content)[:place])
    digest.update(_ZEROS)
    digest.update(memoryview(content)[place + len(_ZEROS) :])
    return digest.hexdigest()
