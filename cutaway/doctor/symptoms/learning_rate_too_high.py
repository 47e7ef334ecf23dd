"""Learning rate too high: a lower one reaches a much lower loss in the same number of steps."""

import math

from cutaway.doctor.changes import LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH

FAMILY = "unstable"
EXPLAINS = ("flow", "stuck", "oscillation", "nan_source")

LOWER = (0.1, 0.3, 0.01, 1e-3)  # factors, in the order in which they are tried
NOTHING = 0.95  # of the chance-level loss: a network above it has learned nothing
CONFIDENCE = 0.85  # if the plan learned nothing or diverged
PARTLY = 0.54  # if it did learn something: oscillation is the better explanation then


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room:
        return None
    factor = next((f for f in LOWER if reruns.is_worth(reruns.rate(f), end=True)), None)
    if factor is None:
        return None
    base, better = reruns.base, reruns.rate(factor)
    lr = float(evidence.plan.program.optimizer.base_lr.data)
    failed = base.broke or base.loss >= NOTHING * reruns.chance
    ended = "training diverged" if base.broke else "the steps are too large for the curvature of L"
    return Finding(
        code="learning_rate_too_high",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("loss", base.loss),
            Measure(f"loss at η = {lr * factor:g}, same steps", better.loss, base.loss, "below"),
            Measure(
                "attainable loss reduction missed (fraction)",
                reruns.gain(better, end=True),
                WORTH,
                "above",
                "a choice; healthy programs stay below it in all reruns",
            ),
            Measure("loss of the best constant prediction", reruns.chance),
        ],
        explanation=f"w ← w - η ∂L/∂w lowers L only while η is below about 2 / λ_max, with λ_max "
        f"the largest eigenvalue of the Hessian. At η = {lr:g} {ended}; with a lower learning "
        "rate the same network learns.",
        prescriptions=[
            Prescription(f"lower the learning rate to {lr * factor:g}", (LearningRate(factor),)),
            Prescription(
                f"lower the learning rate to {lr * factor / 10:g}", (LearningRate(factor / 10),)
            ),
        ],
        confidence=CONFIDENCE if failed else PARTLY,
        cured=better.loss / base.loss if not base.broke else math.nan,
    )
