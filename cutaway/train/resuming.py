"""The state of a training, as checkpoints save it and resume from it."""

import numpy as np

from cutaway.engine import on_device
from cutaway.errors import RunError
from cutaway.ops.precision import current_precision
from cutaway.runtime import sharding
from cutaway.train.history import History

INTERRUPTED, LATER = "interrupted", "to be resumed"  # why training stopped, but is to go on


def training_state(trainer) -> tuple[dict, dict]:
    """(arrays, notes): all that resuming needs, as of the last complete epoch."""
    arrays = {name: sharding.whole(value) for name, value in trainer.complete.items()}
    kept = []
    for i, callback in enumerate(trainer.callbacks):
        state = dict(callback.state())
        for name, value in state.pop("arrays", {}).items():
            arrays[f"callbacks.{i}.{name}"] = np.asarray(value)
        kept.append({"class": type(callback).__name__, "state": state})
    notes = {
        "epoch": trainer.epoch,
        "stopped": None if trainer.stopped in (INTERRUPTED, LATER) else trainer.stopped,
        "seed": trainer.seed,
        "batch_size": trainer.batch_size,
        "precision": trainer.precision or current_precision(),
        "history": trainer.history.rows,
        "callbacks": kept,
    }
    if hasattr(trainer.stream, "state"):
        notes["stream"] = trainer.stream.state()
    return arrays, notes


def expect_matching(trainer, arrays: dict, folder) -> None:
    """Raise RunError unless the arrays have the shapes of the network's and optimizer's state."""
    for name, variable in trainer.program.variables().items():
        saved = arrays.get(name)
        if saved is None or saved.shape != variable.shape:
            has = f"no {name}" if saved is None else f"{name} of shape {saved.shape}"
            raise RunError(
                f"the checkpoint in {folder} does not match this training run: it has {has}",
                expected=f"shape {variable.shape}",
                fix="resume with the original network and optimizer, or train into another folder",
            )


def load_training_state(trainer, arrays: dict, notes: dict) -> None:
    """Restore what `training_state` returned.

    Raises:
        RunError: it was started with another seed, batch size or precision.
    """
    given = {
        "seed": trainer.seed,
        "batch_size": trainer.batch_size,
        "precision": trainer.precision or current_precision(),
    }
    for name, now in given.items():
        # older checkpoints do not record their precision
        if now is not None and now != notes.get(name, now):
            raise RunError(
                f"training was started with {name}={notes[name]}, not {now}",
                fix=f"resume with {name}={notes[name]}",
            )
    for name, variable in trainer.program.variables().items():
        variable.data = sharding.placed(on_device(np.array(arrays[name], variable.dtype)))
    waiting = dict(enumerate(notes["callbacks"]))
    for callback in trainer.callbacks:  # those of one class in their order; others may have come
        name = type(callback).__name__
        i = next((i for i, kept in waiting.items() if kept["class"] == name), None)
        if i is None:
            continue
        prefix = f"callbacks.{i}."
        own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        callback.load_state({**waiting.pop(i)["state"], "arrays": own})
    if hasattr(trainer.stream, "load_state"):
        trainer.stream.load_state(notes.get("stream", {}))
    trainer.seed = notes["seed"]
    trainer.epoch = notes["epoch"]
    trainer.stopped = notes["stopped"]
    trainer.history = History(notes["history"])
    trainer.remember()
