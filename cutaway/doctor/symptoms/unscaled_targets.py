"""Quantities to be predicted that are far from 0 or very large or small."""

import math

import numpy as np

from cutaway.doctor.changes import ScaleTargets
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.errors import CutawayError

# A new network answers with numbers of size about 1 (its initializer keeps variance 1). With Adam
# at 0.001 a bias needs a thousand steps a unit, with SGD the gradient is as large as the target.
LARGE, SMALL = 10.0, 0.05
# The share of the targets' variance that standardizing explains in addition.
GAIN = 0.05

PRESCRIPTIONS = [
    Prescription("standardize the targets, and undo it on predictions", (ScaleTargets(),))
]


def look(evidence) -> Finding | None:
    """The size of the targets, then the same training with standardized targets."""
    want, y = evidence.wants, np.asarray(evidence.program.y, np.float64)
    if want is None or want.target != "real" or y.size < 2:
        return None
    measures = sizes(y)
    if not measures:
        return None
    flat = y.reshape(len(y), -1)
    spread = flat.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    now = _unexplained(evidence, spread, None)
    then = _unexplained(evidence, spread, ScaleTargets())
    if then is not None:
        if not now - then > GAIN:
            return None
        measures += [
            Measure("share of the targets' variance that is unexplained", min(now, 1e9)),
            Measure("the same with standardized targets", then, now, "below",
                    "the same program from the same start"),
        ]  # fmt: skip
    return Finding(
        "unscaled_targets",
        "the targets",
        measures,
        "A new network answers near 0 with a spread near 1. Targets of another size make the first "
        "gradients ∂L/∂ŷ = 2 (ŷ - y) / n as large as they are, or leave the last bias a long way "
        "to go in steps of η.",
        PRESCRIPTIONS,
        0.88,
    )


def sizes(y) -> list:
    """[Measure] of what is out of bounds in targets (rows, ...)."""
    flat = np.asarray(y, np.float64).reshape(len(y), -1)
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    size = float(np.sqrt((flat**2).mean(axis=0)).max())
    source = "a new network's outputs have a spread near 1"
    if size > LARGE:
        return [
            Measure("root mean square of the targets", size, LARGE, "above", source),
            Measure("their mean", float(mean[np.abs(mean).argmax()])),
            Measure("their spread", float(spread.max())),
        ]
    if spread.max() > 0 and size < SMALL:
        return [Measure("root mean square of the targets", size, SMALL, "below", source)]
    return []


def _unexplained(evidence, spread, change):
    """Mean over outputs of the squared error over the targets' variance, after training."""
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
        spread = np.asarray(program.y).reshape(len(program.y), -1).std(axis=0)
        spread = np.where(spread > 0, spread, 1)
    if trainer is None:
        return math.inf
    error = trainer.predict(x).reshape(len(y), -1) - np.asarray(y).reshape(len(y), -1)
    value = float((error.astype(np.float64) ** 2 / spread**2).mean())
    return value if math.isfinite(value) else math.inf
