"""unscaled_targets: regression targets are far from 0, or very large or small."""

import math

import numpy as np

from cutaway.doctor.changes import ScaleTargets
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.rows import STUCK
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
    return [Prescription(text, (change_for(head),))]


def change_for(head) -> ScaleTargets:
    return ScaleTargets(None if head.head.is_only else head.head.target_name)


def look(evidence) -> Finding | None:
    """The scale of the targets, then the same training with standardized targets."""
    return look_at_heads(_look, evidence)


def look_live(evidence) -> Finding | None:
    """While it trains: the scale alone, where next to nothing is learned."""
    return look(evidence) if evidence.relative_loss >= STUCK else None


def _look(evidence, head) -> Finding | None:
    want, y = head.wants, head.y.astype(np.float64)
    if want is None or want.target != "real" or y.size < 2:
        return None
    measures = sizes(y)
    if not measures:
        return None
    now, then = (_after_training(head, change) for change in (None, change_for(head)))
    if then is not None and now is not None:
        if not now - then > GAIN:
            return None
        measures += comparison(now, then)
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


def comparison(own: float, scaled: float, when: str = "") -> list[Measure]:
    """[Measure] of the variance that two trainings leave unexplained; inf: it diverged."""
    what = f"fraction of the targets' variance left unexplained{when}"
    same = "the same plan with the same initial weights"
    if math.isinf(own):
        what += " with standardized targets, where the training on the targets as they are diverged"
        return [Measure(what, scaled, source=same)]
    return [
        Measure(what, own),
        Measure("the same with standardized targets", scaled, own, "below", same),
    ]


def _after_training(head, change) -> float | None:
    """`unexplained` after training, without or with a change; None if it does not fit."""
    evidence = head.evidence
    if change is None:
        return math.inf if evidence.trouble else unexplained(head, evidence.plan, evidence.trainer)
    try:
        plan = evidence.plan.changed(change)
        return unexplained(head, plan, plan.run())
    except CutawayError:
        return None


def unexplained(head, plan, trainer) -> float:
    """Mean over outputs of the squared error divided by the targets' variance, on the sample.

    Args:
        plan: what the trainer was trained with; its targets may be scaled.
    """
    x, y = plan.spread(len(head.sample_y))
    y, every = head.head.of_targets(y), head.head.of_targets(plan.y)
    std = every.reshape(len(every), -1).std(axis=0, dtype=np.float64)
    std = np.where(std > 0, std, 1)
    error = head.head.predict(trainer, x).reshape(len(y), -1) - y.reshape(len(y), -1)
    value = float((error.astype(np.float64) ** 2 / std**2).mean())
    return value if math.isfinite(value) else math.inf
