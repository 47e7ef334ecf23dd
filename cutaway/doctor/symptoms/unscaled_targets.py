"""unscaled_targets: regression targets are far from 0, or very large or small."""

import math

import numpy as np

from cutaway.doctor.changes import ScaleTargets
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.errors import CutawayError

EXPLAINS = ("flow", "unstable", "slow", "bad_initial_scale", "adaptive_rate_decay")

# The outputs of a new network are of order 1 (its initializer preserves unit variance). With Adam
# and lr=0.001 a bias needs a thousand steps per unit; with SGD the gradient is as large as the
# target.
LARGE, SMALL = 10.0, 0.05
# The additional fraction of the targets' variance that standardizing must explain.
GAIN = 0.05

PRESCRIPTIONS = [
    Prescription("standardize the targets and scale the predictions back", (ScaleTargets(),))
]


def look(evidence) -> Finding | None:
    """The scale of the targets, then the same training with standardized targets."""
    want, y = evidence.wants, np.asarray(evidence.program.y, np.float64)
    if want is None or want.target != "real" or y.size < 2:
        return None
    measures = sizes(y)
    if not measures:
        return None
    flat = y.reshape(len(y), -1)
    std = flat.std(axis=0)
    std = np.where(std > 0, std, 1)
    now = _unexplained(evidence, std, None)
    then = _unexplained(evidence, std, ScaleTargets())
    if then is not None and now is not None:
        if not now - then > GAIN:
            return None
        measures += [
            Measure("fraction of the targets' variance left unexplained", min(now, 1e9)),
            Measure("the same with standardized targets", then, now, "below",
                    "the same program with the same initial weights"),
        ]  # fmt: skip
    return Finding(
        "unscaled_targets",
        "the targets",
        measures,
        "A new network predicts values near 0 with a standard deviation near 1. Targets on another "
        "scale make the first gradients, ∂L/∂ŷ = 2 (ŷ - y) / n, equally large, or leave the last "
        "bias far to go in steps of size η.",
        PRESCRIPTIONS,
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


def _unexplained(evidence, std, change):
    """Mean over outputs of the squared error divided by the targets' variance, after training."""
    if change is None:
        trainer = None if evidence.trouble else evidence.trainer
        x, y = evidence.sample
    else:
        try:
            program = evidence.program.changed(change)
            trainer = program.run()
        except CutawayError:
            return None
        rows = np.unique(np.linspace(0, len(program.x) - 1, len(evidence.sample[0])).astype(int))
        x, y = program.x[rows], program.y[rows]
        std = np.asarray(program.y).reshape(len(program.y), -1).std(axis=0)
        std = np.where(std > 0, std, 1)
    if trainer is None:
        return math.inf
    error = trainer.predict(x).reshape(len(y), -1) - np.asarray(y).reshape(len(y), -1)
    value = float((error.astype(np.float64) ** 2 / std**2).mean())
    return value if math.isfinite(value) else math.inf
