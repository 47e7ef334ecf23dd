"""Oscillation: the network has learned something, but the loss leaps up and down at every step."""

import numpy as np

from cutaway.doctor.changes import BatchSize, LearningRate, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.optim import Momentum

LOWER = (0.1, 0.3, 0.01)  # factors, in the order of trying
STEPS = 16
# Mean change of the loss of all rows in one step, as a share of what is attainable: 20 steps go the
# whole way, back and forth. A choice; asked only where smaller steps got much further.
SWING = 0.05
NOTHING = (
    0.95  # of the chance loss: a network above has learned nothing, see learning_rate_too_high
)
BACK_AND_FORTH = 0.7  # share of steps that undo the direction of the one before; 0.5 is by chance
# Median cosine between a move of the weights and the one before: -1 for weights that jump from one
# side of a valley to the other, at the same height perhaps; batches drawn anew give about 0.
OPPOSED = -0.5
LONG, USUAL = 0.95, 0.9  # β above which a velocity swings long, and the usual one (Sutskever 2013)
CONFIDENCE = 0.7
REGULAR = 0.87  # if it goes back and forth


def look(evidence) -> Finding | None:
    reruns, optimizer = evidence.reruns, evidence.program.trainer.optimizer
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
                "mean change of the loss of all rows in a step, as a share of the attainable",
                swing,
                SWING,
                "above",
                "20 steps go the whole way",
            ),
            Measure("share of steps after which the loss turns", turns),
            Measure("median cosine of a step and the one before", turn),
            Measure("loss", reruns.base.loss),
            Measure(f"loss with {how}, equal steps", better.loss, reruns.base.loss, "below"),
        ],
        explanation="Each step overshoots the bottom of a narrow valley of L and lands on its "
        "other side, where the gradient points back: η is above 1 / λ_max there. With batches of "
        "few rows, their noise is amplified in the same way, and a velocity that hardly forgets "
        "swings about the bottom.",
        prescriptions=[
            Prescription(f"train with {how}", (change,)),
            Prescription("take batches four times as large", (BatchSize(4),)),
        ],
        confidence=REGULAR if is_regular else CONFIDENCE,
    )


def _calmer(reruns, optimizer, lr):
    """(a RerunResult that did much better, how, the Change) with smaller steps, or None."""
    for factor in LOWER:
        if reruns.is_worth(reruns.rate(factor), end=True):
            return reruns.rate(factor), f"η = {lr * factor:g}", LearningRate(factor)
    if getattr(optimizer, "beta", 0) > LONG and isinstance(optimizer, Momentum):
        found = reruns.forgetful(USUAL)
        if reruns.is_worth(found, end=True):
            return found, f"β = {USUAL}", UseOptimizer("momentum", lr)
    return None
