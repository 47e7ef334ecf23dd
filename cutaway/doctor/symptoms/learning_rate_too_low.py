"""Learning rate too low: a higher one, at the same number of steps, gets much further."""

import numpy as np

from cutaway.doctor.changes import Epochs, LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH
from cutaway.doctor.symptoms import too_few_epochs

HIGHER = (10.0, 100.0, 1000.0)  # factors, in the order of trying
# Median of ‖Δw‖/‖w‖ of a step: about 1e-3 is usual (Karpathy 2016, CS231n notes, "Ratio of weights
# to updates"); a third of it or more is no rate that is far too low.
USUAL = 3e-4
CONFIDENCE = 0.8
# where steps are of a usual size and more epochs would do it as well, or the training is stuck
SECOND = 0.44


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    factor = best_factor(reruns)
    if factor is None:
        return None
    better = reruns.rate(factor)
    lr = float(evidence.program.trainer.optimizer.base_lr.data)
    update = usual_update(evidence)
    few = too_few_epochs.is_cure(evidence) and update >= USUAL
    second = few or evidence.stop is not None
    return Finding(
        code="learning_rate_too_low",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(
                f"loss at η = {lr * factor:g}, equal steps", better.loss, reruns.base.loss, "below"
            ),
            Measure(
                "share of the attainable that is left",
                reruns.gain(better),
                WORTH,
                "above",
                "a choice; healthy programs stay below with all reruns",
            ),
            Measure(
                "median ‖Δw‖/‖w‖ of a step", update, USUAL, "above" if update >= USUAL else "below"
            ),
        ],
        explanation=f"w ← w - η ∂L/∂w with η = {lr:g} moves the weights so little in a step that "
        "the training ends long before L does. Higher rates stay stable and get much further.",
        prescriptions=[
            Prescription(f"raise the learning rate to {lr * factor:g}", (LearningRate(factor),)),
            Prescription("train four times as long", (Epochs(4),)),
        ],
        confidence=SECOND if second else CONFIDENCE,
        cured=better.loss / reruns.base.loss,
    )


def best_factor(reruns) -> float | None:
    """The factor of HIGHER that did best, if it did much better."""
    found = None
    for factor in HIGHER:
        rerun = reruns.rate(factor)
        if rerun.broke:
            break
        if reruns.is_worth(rerun):
            if found is not None and rerun.loss >= reruns.rate(found).loss:
                break
            found = factor
        elif found is not None:
            break
    return found


def usual_update(evidence) -> float:
    """Median of ‖Δw‖/‖w‖ over layers and moments."""
    updates = [row["update"] for row in evidence.probes.rows if row["role"] == "weights"]
    updates = [u for u in updates if np.isfinite(u)]
    return float(np.median(updates)) if updates else 0.0
