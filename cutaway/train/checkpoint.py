"""Checkpoints: the complete training state, written by Orbax.

A checkpoint is written to a temporary folder and renamed when complete, so the last good one
survives even if the process is killed.
"""

import math
import time
from pathlib import Path

import numpy as np

from cutaway.errors import RunError, expect_path
from cutaway.train.callbacks import Callback
from cutaway.train.resuming import expected_arrays, load_training_state, training_state


class Checkpoints(Callback):
    """Saves the training state after epochs, and resumes from it.

    Args:
        folder: folder of the checkpoints.
        every_seconds: minimum time between two checkpoints; one more is written at the end.
        resume: resume from the latest checkpoint in `folder`; if there is none, start from scratch.
    """

    saves_others = True

    def __init__(self, folder, *, every_seconds: float = 10.0, resume: bool = False):
        expect_path(folder, what="Checkpoints: folder")
        self.folder = Path(folder).absolute()
        self.every_seconds = every_seconds
        self.resume = resume
        self._manager = None
        self._last = time.monotonic()
        self._saved_epoch: int | None = None

    def on_start(self, trainer):
        self._last = time.monotonic()
        self._saved_epoch = None
        if not self.resume:
            return
        restored = self.restore(trainer)
        self._saved_epoch = trainer.epoch if restored else None

    def next_look(self, trainer):
        return math.inf  # what it saves is the state at the end of a group of epochs

    def on_epoch(self, trainer, row):
        if time.monotonic() - self._last >= self.every_seconds:
            self.save(trainer)

    def on_end(self, trainer):
        try:
            if self._saved_epoch != trainer.epoch:
                self.save(trainer)
        finally:
            if self._manager is not None:
                self._manager.close()
                self._manager = None

    def save(self, trainer) -> None:
        """Save the state at the end of the last complete epoch."""
        import orbax.checkpoint as ocp

        arrays, notes = training_state(trainer)
        try:
            manager = self._open()
            manager.save(
                trainer.epoch,
                args=ocp.args.Composite(
                    arrays=ocp.args.StandardSave(arrays), notes=ocp.args.JsonSave(notes)
                ),
            )
            manager.wait_until_finished()
        except OSError as error:
            raise RunError(
                f"a checkpoint cannot be written to {self.folder}: {error.strerror or error}",
                expected="a writable folder with enough free disk space",
                fix="free some disk space, or choose another folder; the last checkpoint is intact",
            ) from error
        self._last = time.monotonic()
        self._saved_epoch = trainer.epoch

    def restore(self, trainer) -> bool:
        """Load the latest state in the folder into the trainer; False if there is none."""
        import orbax.checkpoint as ocp

        if not self.folder.is_dir():
            return False
        manager = self._open()
        step = manager.latest_step()
        if step is None:
            return False
        try:
            notes = manager.restore(step, args=ocp.args.Composite(notes=ocp.args.JsonRestore()))
            like = expected_arrays(trainer, notes["notes"])
            found = manager.restore(
                step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore(like))
            )
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"the checkpoint in {self.folder} does not match this training run: "
                + str(error).splitlines()[0],
                expected="a checkpoint of the same network, optimizer and data",
                fix="resume with the original options, or train into another folder",
            ) from error
        arrays = {name: np.asarray(value) for name, value in found["arrays"].items()}
        load_training_state(trainer, arrays, notes["notes"])
        return True

    def clear(self) -> None:
        """Delete the checkpoints of an earlier run in the folder."""
        import shutil

        if self.folder.is_dir():
            shutil.rmtree(self.folder)

    def _open(self):
        if self._manager is None:
            import orbax.checkpoint as ocp

            self._manager = ocp.CheckpointManager(
                self.folder,
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=2, create=True, enable_async_checkpointing=False
                ),
            )
        return self._manager
