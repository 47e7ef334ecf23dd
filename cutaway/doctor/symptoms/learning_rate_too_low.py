"""Learning rate too low: a higher one reaches a much lower loss in the same number of steps."""

import math

import numpy as np

from cutaway.doctor.changes import Epochs, LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH
from cutaway.doctor.rows import STUCK, layers_at
from cutaway.doctor.symptoms import too_few_epochs
from cutaway.story.text import number

FAMILY = "slow"
EXPLAINS = ("stuck",)

HIGHER = (10.0, 100.0, 1000.0)  # factors, in the order in which they are tried
# Median ‖Δw‖/‖w‖ per step: about 1e-3 is usual (Karpathy 2016, CS231n notes, "Ratio of
# weights:updates"); with a third of it or more, the learning rate is not far too low.
USUAL = 3e-4
CONFIDENCE = 0.8
# if steps have a usual size and more epochs would help as well, or if training is stuck
SECOND = 0.44

# While it trains nothing is run again: steps so small that 10,000 of them add up to a tenth of the
# weights, although there is a gradient, and next to nothing is learned.
TINY = 1e-5
SLOPE = 1e-2  # ‖∂L/∂w‖/‖w‖ above which there is a gradient
MOST_HIGHER = 1e4
GOES_ON = True  # a trial beside goes on from the present weights: they are not spoiled


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    factor = best_factor(reruns)
    if factor is None:
        return None
    better = reruns.rate(factor)
    lr = float(evidence.plan.program.optimizer.base_lr.data)
    update = usual_update(evidence)
    few = too_few_epochs.is_cure(evidence) and update >= USUAL
    second = few or evidence.stop is not None
    return Finding(
        code="learning_rate_too_low",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(
                f"loss at η = {lr * factor:g}, same steps", better.loss, reruns.base.loss, "below"
            ),
            Measure(
                "attainable loss reduction missed (fraction)",
                reruns.gain(better),
                WORTH,
                "above",
                "a choice; healthy programs stay below it in all reruns",
            ),
            *_step_sizes(update),
        ],
        explanation=_explanation(lr, update),
        prescriptions=[
            Prescription(f"raise the learning rate to {lr * factor:g}", (LearningRate(factor),)),
            Prescription("train for four times as many epochs", (Epochs(4),)),
        ],
        confidence=SECOND if second else CONFIDENCE,
        cured=better.loss / reruns.base.loss,
    )


def best_factor(reruns) -> float | None:
    """The factor in HIGHER with the lowest loss, if it is much better than the base."""
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
    """Median ‖Δw‖/‖w‖ over the layers that move and the moments; NaN if none was seen."""
    updates = [row["update"] for row in evidence.probes.rows if row["role"] == "weights"]
    updates = [u for u in updates if np.isfinite(u) and u > 0]
    return float(np.median(updates)) if updates else math.nan


def _step_sizes(update: float) -> list[Measure]:
    if math.isnan(update):
        return []
    relation = "above" if update >= USUAL else "below"
    return [Measure("median ‖Δw‖/‖w‖ per step", update, USUAL, relation)]


def _explanation(lr: float, update: float) -> str:
    if update < USUAL:
        return (
            f"w ← w - η ∂L/∂w with η = {lr:g} changes the weights so little per step that training "
            "ends long before L has converged. Higher learning rates are stable and reach a much "
            "lower loss."
        )
    return (
        f"With η = {lr:g} training ends far above the loss that as many steps reach at a higher "
        "learning rate, which is stable."
    )


def look_live(evidence) -> Finding | None:
    """While it trains: the weights hardly move, although there is a gradient."""
    rows = [row for row in layers_at(evidence, -1) if row["weight"] > 0]
    updates = [row["update"] for row in rows if row["update"] > 0]
    slopes = [row["weight_grad"] / row["weight"] for row in rows]
    if not updates or not evidence.relative_loss >= STUCK:
        return None
    update, slope = float(np.median(updates)), float(np.median(slopes))
    if not (update < TINY and slope > SLOPE):
        return None
    lr = float(evidence.plan.program.optimizer.base_lr.data)
    factor = 10.0 ** math.floor(math.log10(USUAL / update))
    factor = min(max(factor, HIGHER[0]), MOST_HIGHER)
    return Finding(
        code="learning_rate_too_low",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("median ‖Δw‖/‖w‖ per step", update, TINY, "below"),
            Measure("median ‖∂L/∂w‖/‖w‖", slope, SLOPE, "above", "so there is a gradient"),
            Measure("loss relative to chance level", evidence.relative_loss, STUCK),
        ],
        explanation=f"w ← w - η ∂L/∂w with η = {lr:g} changes the weights so little per step that "
        f"{number(0.1 / update, 2)} steps add up to a tenth of them at most.",
        prescriptions=[
            Prescription(f"raise the learning rate to {lr * factor:g}", (LearningRate(factor),)),
        ],
        confidence=CONFIDENCE,
    )
