"""unscaled_targets: regression targets are far from 0, or very large or small."""

import math

import numpy as np

from cutaway.doctor.changes import ScaleTargets
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.errors import CutawayError

EXPLAINS = ("flow", "unstable", "slow", "bad_initial_scale", "adaptive_rate_decay")

# The outputs of a new network are of order 1 (its initializer preserves unit variance). With Adam
# and lr=0.001 a bias needs a thousand steps per unit; with SGD the gradient is as large as the
# target.
LARGE, SMALL = 10.0, 0.05
# The additional fraction of the targets' variance that standardizing must explain.
GAIN = 0.05


def where(head) -> str:
    """The targets, in words."""
    return "the targets" if head.head.is_only else f"the targets {head.head.target_name}"


def prescriptions(head) -> list[Prescription]:
    text = f"standardize {where(head)} and scale the predictions back"
    return [Prescription(text, (_change(head),))]


def _change(head) -> ScaleTargets:
    return ScaleTargets(None if head.head.is_only else head.head.target_name)


def look(evidence) -> Finding | None:
    """The scale of the targets, then the same training with standardized targets."""
    return look_at_heads(_look, evidence)


def _look(evidence, head) -> Finding | None:
    want, y = head.wants, head.y.astype(np.float64)
    if want is None or want.target != "real" or y.size < 2:
        return None
    measures = sizes(y)
    if not measures:
        return None
    flat = y.reshape(len(y), -1)
    std = flat.std(axis=0)
    std = np.where(std > 0, std, 1)
    now = _unexplained(head, std, None)
    then = _unexplained(head, std, _change(head))
    if then is not None and now is not None:
        if not now - then > GAIN:
            return None
        measures += [
            Measure("fraction of the targets' variance left unexplained", min(now, 1e9)),
            Measure("the same with standardized targets", then, now, "below",
                    "the same plan with the same initial weights"),
        ]  # fmt: skip
    return Finding(
        "unscaled_targets",
        where(head),
        measures,
        "A new network predicts values near 0 with a standard deviation near 1. Targets on another "
        "scale make the first gradients, ∂L/∂ŷ = 2 (ŷ - y) / n, equally large, or leave the last "
        "bias far to go in steps of size η.",
        prescriptions(head),
        0.88,
    )


def sizes(y) -> list:
    """[Measure] of what is out of bounds in targets (rows, ...)."""
    flat = np.asarray(y, np.float64).reshape(len(y), -1)
    mean, std = flat.mean(axis=0), flat.std(axis=0)
    size = float(np.sqrt((flat**2).mean(axis=0)).max())
    source = "a new network's outputs have a standard deviation near 1"
    if size > LARGE:
        return [
            Measure("root mean square of the targets", size, LARGE, "above", source),
            Measure("their mean", float(mean[np.abs(mean).argmax()])),
            Measure("their standard deviation", float(std.max())),
        ]
    if std.max() > 0 and size < SMALL:
        return [Measure("root mean square of the targets", size, SMALL, "below", source)]
    return []


def _unexplained(head, std, change):
    """Mean over outputs of the squared error divided by the targets' variance, after training."""
    evidence = head.evidence
    if change is None:
        trainer = None if evidence.trouble else evidence.trainer
        x, y = evidence.sample[0], head.sample_y
    else:
        try:
            plan = evidence.plan.changed(change)
            trainer = plan.run()
        except CutawayError:
            return None
        x, y = plan.spread(len(head.sample_y))
        y, std = head.head.of_targets(y), head.head.of_targets(plan.y)
        std = std.reshape(len(std), -1).std(axis=0)
        std = np.where(std > 0, std, 1)
    if trainer is None:
        return math.inf
    error = head.head.predict(trainer, x).reshape(len(y), -1) - y.reshape(len(y), -1)
    value = float((error.astype(np.float64) ** 2 / std**2).mean())
    return value if math.isfinite(value) else math.inf
