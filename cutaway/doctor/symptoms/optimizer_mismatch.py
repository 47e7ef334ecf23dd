"""Optimizer mismatch: from the same start, at equal steps, Adam gets much further at any rate."""

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import ADAM_RATES, WORTH
from cutaway.doctor.symptoms import adaptive_rate_decay

RATES = (0.1, 10.0, 100.0)  # factors at which the program's own optimizer is given a chance
CONFIDENCE = 0.5  # Adam also softens other faults, which rank above


def look(evidence) -> Finding | None:
    reruns, optimizer = evidence.reruns, evidence.program.trainer.optimizer
    if not reruns.has_room or adaptive_rate_decay.accumulator(optimizer) is not None:
        return None
    if type(optimizer).__name__.lower().startswith(("adam", "nadam", "amsgrad")):
        return None
    for factor in RATES:
        reruns.rate(factor)
    own = reruns.best_rate
    lr = min(ADAM_RATES, key=lambda lr: reruns.adam(lr).loss)
    adam = reruns.adam(lr)
    if not (reruns.is_worth(adam) and reruns.is_worth(adam, than=own)):
        return None
    name = type(optimizer).__name__
    return Finding(
        code="optimizer_mismatch",
        where=f"optimizer, {name}",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(f"loss of {name} at the best of {len(RATES) + 1} rates", own.loss),
            Measure(f"loss of Adam at {lr:g}, equal steps", adam.loss, own.loss, "below"),
            Measure("share of the attainable that is left", reruns.gain(adam, own), WORTH),
        ],
        explanation="One rate for all weights fits none here: where gradients differ by orders of "
        "magnitude, as with inputs of different scales or rare ones, the largest sets the limit "
        "of η and the rest hardly moves. Adam divides each by its own size.",
        prescriptions=[Prescription(f"take Adam at {lr:g}", (UseOptimizer("adam", lr),))],
        confidence=CONFIDENCE,
    )
