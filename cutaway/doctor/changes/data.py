"""Changes to the data and the loss."""

import dataclasses
import functools
import inspect

import numpy as np

from cutaway import nn
from cutaway.doctor import surgery
from cutaway.doctor.changes.base import Change
from cutaway.errors import OptionError, expect_choice
from cutaway.losses import LOSSES, expects


@dataclasses.dataclass(frozen=True)
class ScaleInputs(Change):
    """Standardize each input feature by the mean and standard deviation of the training rows."""

    text = "standardize the inputs (mean 0, standard deviation 1)"

    def _apply(self, program):
        x = program.x
        embeds = any(isinstance(m, nn.Embedding) for m in program.trainer.net.modules().values())
        if x.dtype.kind not in "fiu" or embeds:
            raise OptionError("the inputs are categories, not quantities", expected="numbers")
        scale, _ = _standardized(x)
        validation = program.validation
        if validation is not None:
            validation = (scale(np.asarray(validation[0])), validation[1])
        return dataclasses.replace(program, x=scale(x), validation=validation)


@dataclasses.dataclass(frozen=True)
class ScaleTargets(Change):
    """Standardize each target by the mean and standard deviation of the training rows."""

    text = "standardize the targets (mean 0, standard deviation 1) and scale predictions back"

    def _apply(self, program):
        wants = expects(program.trainer.loss)
        if program.y.dtype.kind not in "fiu" or (wants is not None and wants.target != "real"):
            raise OptionError("the targets are classes, not quantities", expected="regression")
        scale, (mean, std) = _standardized(program.y)
        if program.target_scale is not None:
            before_mean, before_std = program.target_scale
            mean, std = mean * before_std + before_mean, std * before_std
        validation = program.validation
        if validation is not None:
            validation = (validation[0], scale(np.asarray(validation[1])))
        return dataclasses.replace(
            program, y=scale(program.y), validation=validation, target_scale=(mean, std)
        )


def _standardized(values):
    """(function that scales, (mean, std)); the last axis is features, if there is more than one."""
    axes = tuple(range(max(1, values.ndim - 1)))
    mean, std = values.mean(axes, dtype=np.float64), values.std(axes, dtype=np.float64)
    std = np.where(std > 0, std, 1.0)
    return lambda v: ((v - mean) / std).astype(np.float32), (mean, std)


@dataclasses.dataclass(frozen=True)
class ReplaceLoss(Change):
    """Replace the loss; targets become class indices or one-hot as it expects.

    With a loss over class indices, a single output becomes one for each class. Otherwise the
    network's output is unchanged: see OutputActivation.

    Args:
        name: in LOSSES.
    """

    name: str

    @property
    def text(self) -> str:
        return f"use the loss {self.name.replace('_', ' ')}"

    def _apply(self, program):
        expect_choice(self.name, LOSSES, what="loss")
        trainer = program.trainer
        trainer.loss = LOSSES[self.name]
        expected = expects(trainer.loss)
        assert expected is not None  # every loss in LOSSES declares it
        to = expected.target
        sizes = surgery.calls(trainer, program.x)[-1][1].shape
        if to == "labels" and sizes[-1] == 1 and program.y.size == len(program.y):
            # one output that was to be the class index: an output for each class instead
            classes = int(program.y.max()) + 1
            trainer = surgery.with_outputs(trainer, program.x, classes)
            sizes = (*sizes[:-1], classes)
        validation = program.validation
        if validation is not None:
            validation = (validation[0], _targets(np.asarray(validation[1]), to, sizes))
        y = _targets(program.y, to, sizes)
        return dataclasses.replace(program, trainer=trainer, y=y, validation=validation)


def _targets(y, to, sizes):
    """Targets as a loss expects them, for outputs of the given sizes."""
    classes = sizes[-1]
    is_one_hot = y.ndim == len(sizes) and y.shape[-1] == classes > 1
    if to == "labels" and is_one_hot:
        return y.argmax(-1).astype(np.int32)
    if to == "labels" and y.dtype.kind == "f":
        return y.reshape(len(y), *y.shape[1 : len(sizes) - 1]).astype(np.int32)
    if to in ("one_hot", "real", "binary") and classes > 1 and not is_one_hot:
        whole = y.reshape(y.shape[: len(sizes) - 1]) if y.ndim >= len(sizes) else y
        if np.array_equal(whole, np.round(whole)) and whole.min() >= 0 and whole.max() < classes:
            return np.eye(classes, dtype=np.float32)[whole.astype(int)]
    return y if to == "labels" else y.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class ClassWeights(Change):
    """Weight each class in the loss by rows / (classes · rows of the class)."""

    text = "weight the classes by their inverse frequency"

    def _apply(self, program):
        loss, y = program.trainer.loss, program.y
        wants = expects(loss)
        inner = loss
        while isinstance(inner, functools.partial):
            inner = inner.func
        if wants is None or "class_weights" not in inspect.signature(inner).parameters:
            raise OptionError(
                "this loss has no class weights",
                expected="a cross-entropy",
                fix="apply ReplaceLoss first",
            )
        if wants.target == "binary":
            ones = float(np.mean(y))
            counts = np.array([1 - ones, ones])
        else:
            classes = surgery.calls(program.trainer, program.x)[-1][1].shape[-1]
            labels = y if wants.target == "labels" else y.argmax(-1)
            counts = np.bincount(labels.ravel().astype(int), minlength=classes) / labels.size
        present = counts > 0
        weights = np.where(present, 1 / np.maximum(counts, 1e-12) / present.sum(), 0)
        weights = tuple(round(float(w), 6) for w in weights)
        program.trainer.loss = functools.partial(loss, class_weights=weights)
        return program
