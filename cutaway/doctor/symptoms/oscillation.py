"""Oscillation: the network has learnt something, but the loss leaps up and down at every step."""

import numpy as np

from cutaway.doctor.changes import BatchSize, LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription

LOWER = (0.1, 0.3, 0.01)  # factors, in the order of trying
STEPS = 16
# Mean change of the loss of all rows in one step, as a share of what is attainable. Stable training
# has below 0.02 (the healthy programs of tests/doctor/test_rate_symptoms.py); one that goes the
# whole way back and forth has 1.
SWING = 0.05
NOTHING = 0.95  # of the chance loss: a network above has learnt nothing, see learning_rate_too_high
BACK_AND_FORTH = 0.7  # share of steps that undo the direction of the one before; 0.5 is by chance
CONFIDENCE = 0.7
REGULAR = 0.87  # if it goes back and forth


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke or reruns.base.loss >= NOTHING * reruns.chance:
        return None
    factor = next((f for f in LOWER if reruns.is_worth(reruns.rate(f), end=True)), None)
    if factor is None:
        return None
    better = reruns.rate(factor)
    losses = reruns.steps_after(STEPS)
    moves = np.diff(losses[np.isfinite(losses)])
    if len(moves) < STEPS // 2:
        return None
    swing = float(np.abs(moves).mean() / (reruns.chance - better.loss))
    if swing < SWING:
        return None
    turns = float((moves[1:] * moves[:-1] < 0).mean())
    lr = float(evidence.program.trainer.optimizer.base_lr.data)
    return Finding(
        code="oscillation",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure(
                "mean change of the loss of all rows in a step, as a share of the attainable",
                swing,
                SWING,
                "above",
                "stable training stays below 0.02",
            ),
            Measure("share of steps that turn back", turns),
            Measure("loss", reruns.base.loss),
            Measure(
                f"loss at η = {lr * factor:g}, equal steps", better.loss, reruns.base.loss, "below"
            ),
        ],
        explanation="Each step overshoots the bottom of a narrow valley of L and lands on its "
        "other side, where the gradient points back: η is above 1 / λ_max there. With batches of "
        "few rows, their noise is amplified in the same way.",
        prescriptions=[
            Prescription(f"lower the learning rate to {lr * factor:g}", (LearningRate(factor),)),
            Prescription("take batches four times as large", (BatchSize(4),)),
        ],
        confidence=REGULAR if turns >= BACK_AND_FORTH else CONFIDENCE,
    )
