"""Learning rate too high: a lower one, at the same number of steps, gets much further."""

import math

from cutaway.doctor.changes import LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH

LOWER = (0.1, 0.3, 0.01, 1e-3)  # factors, in the order of trying
NOTHING = 0.95  # of the chance loss: a network above has learned nothing
CONFIDENCE = 0.85  # if the program learned nothing or broke
PARTLY = 0.54  # if it did learn something: swings say more then, see oscillation


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room:
        return None
    factor = next((f for f in LOWER if reruns.is_worth(reruns.rate(f), end=True)), None)
    if factor is None:
        return None
    base, better = reruns.base, reruns.rate(factor)
    lr = float(evidence.program.trainer.optimizer.base_lr.data)
    failed = base.broke or base.loss >= NOTHING * reruns.chance
    ended = "the training broke" if base.broke else "the steps are longer than L is smooth"
    return Finding(
        code="learning_rate_too_high",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("loss", base.loss),
            Measure(f"loss at η = {lr * factor:g}, equal steps", better.loss, base.loss, "below"),
            Measure(
                "share of the attainable that is left",
                reruns.gain(better, end=True),
                WORTH,
                "above",
                "a choice; healthy programs stay below with all reruns",
            ),
            Measure("loss of the best constant answer", reruns.chance),
        ],
        explanation=f"w ← w - η ∂L/∂w lowers L only while η is below about 2 / λ_max of the "
        f"Hessian. At η = {lr:g} {ended}; at a lower one the same training learns.",
        prescriptions=[
            Prescription(f"lower the learning rate to {lr * factor:g}", (LearningRate(factor),)),
            Prescription(
                f"lower the learning rate to {lr * factor / 10:g}", (LearningRate(factor / 10),)
            ),
        ],
        confidence=CONFIDENCE if failed else PARTLY,
        cured=better.loss / base.loss if not base.broke else math.nan,
    )
