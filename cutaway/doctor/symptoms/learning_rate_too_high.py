"""Learning rate too high: a lower one reaches a much lower loss in the same number of steps."""

import math

import numpy as np

from cutaway.doctor.changes import LearningRate
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH

FAMILY = "unstable"
EXPLAINS = ("flow", "stuck", "oscillation", "nan_source")

LOWER = (0.1, 0.3, 0.01, 1e-3)  # factors, in the order in which they are tried
NOTHING = 0.95  # of the chance-level loss: a network above it has learned nothing
CONFIDENCE = 0.85  # if the plan learned nothing or diverged
PARTLY = 0.54  # if it did learn something: oscillation is the better explanation then

# While it trains nothing is run again. A loss that has risen above twice its level without learning
# is no noise of batches, and neither is one that has lost half of what there is to learn, and is
# three times what it was.
ROSE = 2.0
LOST, TIMES = 0.5, 3.0
RECENT = 0.1  # fraction of the course that counts as now
USUAL = 1e-2  # ‖Δw‖/‖w‖ of the first step that the lower rate is to have at most
MOST_LOWER = 1e-4


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


def look_live(evidence) -> Finding | None:
    """While it trains: the loss has risen far above what it was, and stays there."""
    level = max(evidence.initial_loss, evidence.scale)
    width = max(3, int(RECENT * len(evidence.course)))
    if len(evidence.course) < 2 * width or not math.isfinite(level):
        return None
    means = [float(np.median(part)) for part in _stretches(evidence.course, width)]
    lowest, recent = min(means), means[-1]
    now = min(recent, evidence.final_loss)  # in both modes, of all batches
    rose = now > ROSE * level
    lost = now > TIMES * lowest and now - lowest > LOST * evidence.scale
    if not (rose or lost):
        return None
    lr = float(evidence.plan.program.optimizer.base_lr.data)
    factor = _lower(evidence)
    before, words = (level, "before training and of chance") if rose else (lowest, "reached before")
    return Finding(
        code="learning_rate_too_high",
        where=f"optimizer, η = {lr:g}",
        evidence=[
            Measure("loss of the last steps", recent, (ROSE if rose else TIMES) * before),
            Measure("loss before training", evidence.initial_loss),
            Measure("lowest loss so far", lowest),
            Measure("loss of the best constant prediction", evidence.chance_loss),
        ],
        explanation=f"w ← w - η ∂L/∂w lowers L only while η is below about 2 / λ_max, with λ_max "
        f"the largest eigenvalue of the Hessian. At η = {lr:g} the loss has risen to "
        f"{recent:.3g}, far above that {words}, {before:.3g}: the steps overshoot.",
        prescriptions=[
            Prescription(f"lower the learning rate to {lr * factor:g}", (LearningRate(factor),)),
        ],
        confidence=CONFIDENCE,
    )


def _stretches(values, width: int) -> list:
    """Stretches of so many values, the last one at the end."""
    return [values[max(0, end - width) : end] for end in range(len(values), 0, -width)][::-1]


def _lower(evidence) -> float:
    """A power of ten that brings ‖Δw‖/‖w‖ of the first step down to USUAL."""
    first = [row["update"] for row in evidence.probes.at(0) if row["role"] == "weights"]
    first = [update for update in first if math.isfinite(update) and update > 0]
    if not first:
        return LOWER[0]
    wanted = 10.0 ** math.floor(math.log10(USUAL / float(np.median(first))))
    return min(max(wanted, MOST_LOWER), LOWER[0])
