"""wrong_loss: the loss does not fit the targets or outputs, or its formula has a mistake."""

import dataclasses
import math

import numpy as np

from cutaway.doctor import surgery
from cutaway.doctor.changes import ReplaceLoss
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.outputs import ask, gives_probabilities
from cutaway.doctor.symptoms.wrong_output_activation import needs_probabilities
from cutaway.errors import CutawayError
from cutaway.losses import LOSSES
from cutaway.nn.trees import count_rows
from cutaway.train import EarlyStopping

EXPLAINS = ("slow", "saturated_units", "vanishing_gradient", "nan_source")

MAX_CLASSES = 20  # distinct integers that may be classes
# The error rate with a classification loss relative to that of the plan's own loss, and the
# least difference. Counts and grades hardly improve: red wine quality, numbered from 0, in a
# network of 32 units has 0.92.
ERROR_RATIO, ERROR_GAIN = 0.6, 0.04
# Outliers among targets: how far, in robust standard deviations; at most which fraction of them;
# at least which fraction of the sum of squares
FAR, FEW, DOMINANT = 6.0, 0.15, 0.5
ONE = "a trial replaces the loss of all targets, not of one of several"
BETTER = 0.98  # a perfect prediction must not lose to a constant one by more than rounding


def look(evidence) -> Finding | None:
    """Check the loss against the targets, then train with a classification loss."""
    return look_at_heads(_look, evidence)


def look_live(evidence) -> Finding | None:
    """While it trains: what the loss, the targets and the outputs show, without a trial."""
    return look_at_heads(_evident, evidence)


def _evident(evidence, head) -> Finding | None:
    return _takes_probabilities(head) or not_exclusive(head) or not_minimal(head)


def _look(evidence, head) -> Finding | None:
    return (
        _evident(evidence, head)
        or _classes_as_numbers(evidence, head)
        or _squares_of_outliers(evidence, head)
    )


def _takes_probabilities(head):
    """A loss that takes probabilities, on the outputs of a linear layer."""
    found = needs_probabilities(head)
    return found if found is not None and found.code == "wrong_loss" else None


def not_exclusive(head) -> Finding | None:
    """A loss for mutually exclusive classes on multilabel rows."""
    want, y = head.head.declared, head.y
    if want is None or want.target != "one_hot":
        return None
    off = float((np.abs(y.sum(-1) - 1) > 1e-3).mean())
    if off < 0.01:
        return None
    loss = "binary_cross_entropy" + ("_with_logits" if want.output == "logit" else "")
    return _finding(
        head,
        [Measure("fraction of rows whose targets do not sum to 1", off, 0.01)],
        "A categorical loss expects exactly one class per row: -Σ_k y_k ln ŷ_k with Σ_k y_k = 1. "
        "These rows have several labels or none.",
        loss,
        0.92,
    )


def not_minimal(head) -> Finding | None:
    """A custom loss that is not minimal at the perfect prediction."""
    loss, want = head.loss, head.wants
    if head.head.declared is not None:
        return None
    y, shape = head.sample_y, head.ending.shape
    if y.size != len(y) * math.prod(shape):
        return None
    y = y[:256]
    truth = np.asarray(y, np.float64).reshape(len(y), *shape)
    if want is not None and want.output != "any":
        return None
    middle = np.broadcast_to(truth.mean(axis=0), truth.shape)
    perfect, flat = ask(loss, truth, y), ask(loss, middle, y)
    far = ask(loss, truth - 10 * (truth.std() + 1), y)
    lowest = min(flat, far)
    if not math.isfinite(perfect) or truth.std() == 0:
        return None
    if lowest >= perfect - (1 - BETTER) * abs(perfect):
        return None
    better = "the mean of all targets" if flat <= far else "a prediction far below every target"
    return _finding(
        head,
        [
            Measure("L of the perfect prediction ŷ = y", perfect, lowest, "above",
                    "must be the lowest"),
            Measure(f"L of {better}", lowest),
        ],
        f"This loss is lower for {better} than for the perfect prediction. Common mistakes: "
        "predictions (n, 1) minus targets (n,) broadcast to (n, n), every row against every "
        "other; a missing square; a wrong sign.",
        "mean_squared_error",
        0.97,
    )  # fmt: skip


def _classes_as_numbers(evidence, head):
    """Classes trained with a regression loss."""
    want = head.wants
    if want is None or want.target != "real":
        return None
    y, shape = head.y, head.ending.shape
    found = _as_classes(y, shape)
    if found is None or not math.isfinite(evidence.final_loss):
        return None
    labels, kind = found
    old = _error(head.outputs, labels_of(head.sample_y, kind), kind)
    if old < ERROR_GAIN:
        return None
    if not head.can_replace_loss:
        evidence.not_checked(f"whether the whole numbers {head.head.target_name} are classes", ONE)
        return None
    program, name, target = _with_classes(evidence, head, kind, int(labels.max()) + 1)
    if program is None:
        return None
    plan = dataclasses.replace(evidence.plan, program=program, y=target, validation=None)
    if any(isinstance(c, EarlyStopping) for c in plan.callbacks):
        return None
    try:
        trainer = plan.run()
    except CutawayError:
        return None
    out = trainer.predict(evidence.sample[0])
    as_classes = out.reshape(len(out), -1)
    if kind == "numbers":
        new = float((as_classes.argmax(-1) != labels_of(head.sample_y, kind)).mean())
    else:
        limit = 0.0 if "logits" in name else 0.5
        new = _error(as_classes - limit + 0.5, labels_of(head.sample_y, kind), kind)
    if new > ERROR_RATIO * old or old - new < ERROR_GAIN:
        return None
    own = getattr(plan.program.loss, "__name__", "the loss")
    why = {
        "numbers": "The targets are class indices, which have no order and no distances, but "
        f"{own} treats a prediction between class 0 and class 2 as class 1.",
        "one_hot": "The targets are classes. After a softmax or sigmoid the slope of a squared "
        "error is 0 where the network is confident and wrong; that of -ln ŷ is not.",
        "binary": "The targets are binary. After a sigmoid the slope of a squared error, "
        "(ŷ - y) ŷ (1 - ŷ), is 0 where the network is confident and wrong; that of -ln ŷ is not.",
    }[kind]
    return _finding(
        head,
        [
            Measure("error rate as trained", old),
            Measure(f"error rate with {name}", new, ERROR_RATIO * old, "below",
                    "the same plan, trained with it"),
        ],
        why,
        name,
        0.85,
    )  # fmt: skip


def _squares_of_outliers(evidence, head):
    """A squared error on targets with outliers, which dominate the sum."""
    if head.loss is not LOSSES["mean_squared_error"]:
        return None
    y = head.y.astype(np.float64).reshape(len(head.y), -1)
    away = np.abs(y - np.median(y, axis=0)).ravel()
    far = away > FAR * 1.4826 * np.median(away)  # 1.4826: σ / median |y - median| of a normal
    fraction = float((away[far] ** 2).sum() / max((away**2).sum(), 1e-30))
    if not 0 < far.mean() < FEW or fraction < DOMINANT:
        return None
    if not head.can_replace_loss:
        evidence.not_checked(f"the outliers of {head.head.target_name}", ONE)
        return None
    validated = evidence.validated
    x, rest = validated.validation
    old = float(np.median(np.abs(validated.trainer.predict(x) - rest)))
    huber = dataclasses.replace(
        evidence.plan, program=evidence.plan.program.copied(loss=LOSSES["huber"]),
        x=validated.training[0], y=validated.training[1], validation=validated.validation,
        batch_size=min(evidence.plan.batch_size, count_rows(validated.training[0])),
    )  # fmt: skip
    try:
        new = float(np.median(np.abs(huber.run().predict(x) - rest)))
    except CutawayError:
        return None
    if not new < ERROR_RATIO * old:
        return None
    return _finding(
        head,
        [
            Measure(f"fraction of targets more than {FAR:g} robust standard deviations from the "
                    "median", float(far.mean()), FEW, "below", "1.4826 median |y - median|"),
            Measure("their fraction of Σ (y - median)²", fraction, DOMINANT),
            Measure("median |ŷ - y| on validation rows", old),
            Measure("the same with huber", new, ERROR_RATIO * old, "below",
                    "the same plan, trained with it"),
        ],
        "∂/∂ŷ (ŷ - y)² = 2 (ŷ - y) grows without bound, so a few outliers dominate all other "
        "targets. The slope of the Huber loss is bounded by 1 (Huber 1964): with it the same "
        "network is closer to most rows, including validation rows.",
        "huber",
        0.9,
    )  # fmt: skip


def _as_classes(y, shape):
    """(class of each row, "binary", "one_hot" or "numbers"), or None."""
    flat = y.reshape(len(y), -1)
    if not (flat == np.round(flat)).all():
        return None
    values = np.unique(flat)
    if flat.shape[1] == 1 and np.array_equal(values, [0, 1]):
        return flat[:, 0].astype(int), "binary"
    if flat.shape[1] == 1 and 2 < len(values) <= MAX_CLASSES and len(shape) == 1:
        whole = np.array_equal(values, np.arange(len(values)))
        return (flat[:, 0].astype(int), "numbers") if whole else None
    if flat.shape[1] > 1 and np.array_equal(values, [0, 1]) and (flat.sum(1) == 1).all():
        return flat.argmax(1), "one_hot"
    return None


def labels_of(y, kind):
    flat = np.asarray(y).reshape(len(y), -1)
    return flat.argmax(1) if kind == "one_hot" else flat[:, 0].astype(int)


def _error(outputs, labels, kind) -> float:
    out = outputs.reshape(len(outputs), -1)
    if kind == "one_hot":
        return float((out.argmax(1) != labels).mean())
    if kind == "binary":
        return float(((out[:, 0] > 0.5) != labels).mean())
    return float((np.round(out[:, 0]) != labels).mean())


def _with_classes(evidence, head, kind, classes):
    """(a Program with a classification loss, its name, targets for it), or (None, "", None)."""
    plan, end = evidence.plan, head.ending
    y = plan.y
    if kind == "numbers":
        name = "sparse_categorical_cross_entropy_with_logits"
        try:
            program = surgery.with_outputs(plan.program, plan.x, classes)
        except CutawayError:
            return None, "", None
        program = program.copied(loss=LOSSES[name])
        return program, name, y.reshape(len(y)).astype(np.int32)
    family = "binary_cross_entropy" if kind == "binary" else "categorical_cross_entropy"
    if end.activation and not gives_probabilities(end.activation, exclusive=kind == "one_hot"):
        return None, "", None
    name = family if end.activation else f"{family}_with_logits"
    return plan.program.copied(loss=LOSSES[name]), name, y


def _finding(head, evidence, explanation, loss, confidence):
    changes = (ReplaceLoss(loss),) if head.can_replace_loss else ()
    return Finding(
        "wrong_loss",
        head.loss_name,
        evidence,
        explanation,
        [Prescription(f"use the loss {loss}", changes)],
        confidence,
    )
