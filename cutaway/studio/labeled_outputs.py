"""What a network's outputs mean: probabilities of classes, or values."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from cutaway.losses import expects
from cutaway.nn.trees import leaves
from cutaway.studio.subject import Subject
from cutaway.train import Program
from cutaway.train.evaluation import to_probabilities

OF_CLASSES = ("binary", "labels", "one_hot", "sign")  # targets of losses


def predicts_classes(subject: Subject, program: Program) -> bool:
    """Whether the outputs are of classes, by what the loss expects, or else by the task."""
    wants = expects(program.loss)
    if wants is not None:
        return wants.target in OF_CLASSES
    return subject.task in ("binary", "multiclass")


def first_output(out) -> Any:
    """The array of what a network returned, the first one of several."""
    return leaves(out)[0].data


def probabilities(program: Program, raw) -> Any:
    """(..., classes) of raw outputs (..., outputs); two columns for a single output.

    Args:
        raw: array, traced or not.
    """
    found = jnp.clip(jnp.asarray(to_probabilities(program.loss, raw), jnp.float32), 0, 1)
    if found.shape[-1] == 1:
        found = jnp.concatenate([1 - found, found], axis=-1)
    return found


def class_names(subject: Subject, count: int) -> list[str]:
    """Names of the classes, or numbers in their place."""
    if subject.classes is not None and len(subject.classes) == count:
        return [str(name) for name in subject.classes]
    return [f"class {k}" for k in range(count)]


def class_numbers(target) -> np.ndarray:
    """(rows,) int32 of targets: numbers of classes, 0 and 1, -1 and 1, or one-hot rows."""
    target = np.asarray(target)
    target = target.reshape(len(target), -1)
    if target.shape[1] > 1:
        return target.argmax(axis=1).astype(np.int32)
    flat = np.nan_to_num(target[:, 0])
    if np.issubdtype(flat.dtype, np.floating):
        return (flat > 0.5).astype(np.int32) if np.all(flat <= 1) else flat.astype(np.int32)
    return np.maximum(flat, 0).astype(np.int32)


def values_in_unit(subject: Subject, raw) -> np.ndarray:
    """Raw outputs (rows, outputs) of a regression in the unit of the target, (rows, outputs)."""
    raw = np.asarray(raw, np.float32)
    return np.asarray(subject.predictions(raw), np.float64).reshape(len(raw), -1)
