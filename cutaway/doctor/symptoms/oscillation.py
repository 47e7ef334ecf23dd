"""Oscillation: the network has learned something, but the loss jumps up and down at every step."""

import numpy as np

from cutaway.doctor.changes import BatchSize, LearningRate, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.optim import Momentum

FAMILY = "unstable"
EXPLAINS = ("learning_rate_too_high", "plateau", "underfitting")

LOWER = (0.1, 0.3, 0.01)  # factors, in the order in which they are tried
STEPS = 16
# Mean change of the loss on all rows per step, relative to the attainable reduction: 20 such steps
# cover it once. A choice; checked only if smaller steps reached a much lower loss.
SWING = 0.05
# Of the chance-level loss: a network above it has learned nothing, see learning_rate_too_high.
NOTHING = 0.95
BACK_AND_FORTH = 0.7  # fraction of steps after which the loss reverses direction; 0.5 by chance
# Median cosine between successive weight updates: -1 for weights that jump from side to side of a
# valley, perhaps at the same height; independent batches give about 0.
OPPOSED = -0.5
LONG, USUAL = 0.95, 0.9  # β above which the velocity decays too slowly, and the usual one [1]
# [1] Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"
CONFIDENCE = 0.7
REGULAR = 0.87  # if the loss alternates regularly


def look(evidence) -> Finding | None:
    reruns, optimizer = evidence.reruns, evidence.plan.program.optimizer
    if not reruns.has_room or reruns.base.broke:
        return None
    lr = float(optimizer.base_lr.data)
    calmer = _calmer(reruns, optimizer, lr)
    if calmer is None:
        return None
    better, how, change = calmer
    losses, cosines = reruns.steps_after(STEPS)
    moves = np.diff(losses[np.isfinite(losses)])
    if len(moves) < STEPS // 2:
        return None
    swing = float(np.abs(moves).mean() / (reruns.chance - better.loss))
    turn = float(np.median(cosines))
    turns = float((moves[1:] * moves[:-1] < 0).mean())
    if swing < SWING and turn > OPPOSED:
        return None
    is_regular = turns >= BACK_AND_FORTH or turn <= OPPOSED
    learned = reruns.base.loss < NOTHING * reruns.chance
    if not learned and not is_regular and isinstance(change, LearningRate):
        return None
    return Finding(
        code="oscillation",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure(
                "mean change of the loss per step, relative to the attainable reduction",
                swing,
                SWING,
                "above",
                "20 such steps cover it once",
            ),
            Measure("fraction of steps after which the loss reverses", turns),
            Measure("median cosine between successive updates", turn),
            Measure("loss", reruns.base.loss),
            Measure(f"loss with {how}, same steps", better.loss, reruns.base.loss, "below"),
        ],
        explanation="Each step overshoots the bottom of a narrow valley of L and lands on the "
        "other side, where the gradient points back: η is above 1 / λ_max there. Small batches "
        "amplify gradient noise in the same way, and a velocity that decays slowly swings around "
        "the bottom.",
        prescriptions=[
            Prescription(f"train with {how}", (change,)),
            Prescription("make the batch size four times as large", (BatchSize(4),)),
        ],
        confidence=REGULAR if is_regular else CONFIDENCE,
    )


def _calmer(reruns, optimizer, lr):
    """(a much better RerunResult, how, the Change) with smaller steps, or None."""
    for factor in LOWER:
        if reruns.is_worth(reruns.rate(factor), end=True):
            return reruns.rate(factor), f"η = {lr * factor:g}", LearningRate(factor)
    if getattr(optimizer, "beta", 0) > LONG and isinstance(optimizer, Momentum):
        found = reruns.with_beta(USUAL)
        if reruns.is_worth(found, end=True):
            return found, f"β = {USUAL}", UseOptimizer("momentum", lr)
    return None
