"""Changes to the data and the loss."""

import dataclasses
import functools
import inspect

import numpy as np

from cutaway import nn
from cutaway.doctor import surgery
from cutaway.doctor.changes.base import Change
from cutaway.doctor.heads import heads_or_none
from cutaway.errors import OptionError, expect_choice
from cutaway.losses import LOSSES, expects
from cutaway.nn.trees import is_array, leaves, map_leaves


@dataclasses.dataclass(frozen=True)
class ScaleInputs(Change):
    """Standardize each input feature by the mean and standard deviation of the training rows.

    Of several arrays, those of floats: integers may be ids.
    """

    text = "standardize the inputs (mean 0, standard deviation 1)"

    def _apply(self, plan):
        embeds = any(isinstance(m, nn.Embedding) for m in plan.program.net.modules().values())
        kinds = "f" if embeds or not is_array(plan.x) else "fiu"
        if not any(leaf.dtype.kind in kinds for leaf in leaves(plan.x)):
            raise OptionError("the inputs are categories, not quantities", expected="numbers")
        scales = [
            _standardized(leaf)[0] if leaf.dtype.kind in kinds else None for leaf in leaves(plan.x)
        ]
        validation = plan.validation
        if validation is not None:
            validation = (_each(scales, validation[0]), validation[1])
        return dataclasses.replace(plan, x=_each(scales, plan.x), validation=validation)


@dataclasses.dataclass(frozen=True)
class ScaleTargets(Change):
    """Standardize each target by the mean and standard deviation of the training rows.

    Args:
        target: name of one of several arrays of targets, like "y['price']"; None: all numbers.
    """

    target: str | None = None

    @property
    def text(self) -> str:
        which = "the targets" if self.target is None else f"the targets {self.target}"
        return f"standardize {which} (mean 0, standard deviation 1) and scale predictions back"

    def _apply(self, plan):
        if plan.program.objective is not None:
            raise OptionError(
                "an objective gets the targets on the way of the network",
                expected="a loss of predictions and targets",
                fix="scale the targets yourself",
            )
        if is_array(plan.y) and plan.y.dtype.kind not in "fiu":
            raise OptionError("the targets are classes, not quantities", expected="regression")
        heads = [h for h in self._heads(plan) if h.declared is None or h.declared.target == "real"]
        if not heads:
            raise OptionError("the targets are classes, not quantities", expected="regression")
        y, validation, target_scale = plan.y, plan.validation, dict(plan.target_scale or {})
        for head in heads:
            scale, (mean, std) = _standardized(head.of_targets(y))
            y = head.with_targets(y, scale(head.of_targets(y)))
            if validation is not None:
                x_val, y_val = validation
                validation = (x_val, head.with_targets(y_val, scale(head.of_targets(y_val))))
            if head.output in target_scale:
                before_mean, before_std = target_scale[head.output]
                mean, std = mean * before_std + before_mean, std * before_std
            target_scale[head.output] = (mean, std)
        return dataclasses.replace(plan, y=y, validation=validation, target_scale=target_scale)

    def _heads(self, plan):
        heads, _ = heads_or_none(plan.program, plan.x, plan.y)
        return [h for h in heads if self.target in (None, h.target_name)]


def _each(scales, tree):
    """The tree with each leaf scaled by its function, if it has one."""
    remaining = iter(scales)
    return map_leaves(lambda leaf: leaf if (f := next(remaining)) is None else f(leaf), tree)


def _expect_one_target(plan):
    """Raise OptionError unless there is one loss of one array of targets."""
    if plan.program.objective is not None or not is_array(plan.y):
        raise OptionError(
            "the loss of several targets, or an objective, cannot be replaced as a whole",
            expected="a loss of one array of targets",
            fix="change the loss yourself",
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

    def _apply(self, plan):
        expect_choice(self.name, LOSSES, what="loss")
        _expect_one_target(plan)
        program = plan.program
        program.loss = LOSSES[self.name]
        expected = expects(program.loss)
        assert expected is not None  # every loss in LOSSES declares it
        to = expected.target
        sizes = surgery.calls(program, plan.x)[-1][1].shape
        if to == "labels" and sizes[-1] == 1 and plan.y.size == len(plan.y):
            # one output that was to be the class index: an output for each class instead
            classes = int(plan.y.max()) + 1
            program = surgery.with_outputs(program, plan.x, classes)
            sizes = (*sizes[:-1], classes)
        validation = plan.validation
        if validation is not None:
            validation = (validation[0], _targets(validation[1], to, sizes))
        y = _targets(plan.y, to, sizes)
        return dataclasses.replace(plan, program=program, y=y, validation=validation)


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

    def _apply(self, plan):
        _expect_one_target(plan)
        loss, y = plan.program.loss, plan.y
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
            classes = surgery.calls(plan.program, plan.x)[-1][1].shape[-1]
            labels = y if wants.target == "labels" else y.argmax(-1)
            counts = np.bincount(labels.ravel().astype(int), minlength=classes) / labels.size
        present = counts > 0
        weights = np.where(present, 1 / np.maximum(counts, 1e-12) / present.sum(), 0)
        weights = tuple(round(float(w), 6) for w in weights)
        plan.program.loss = functools.partial(loss, class_weights=weights)
        return plan
