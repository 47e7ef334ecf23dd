"""Optimizer mismatch: from the same start, at equal steps, Adam gets much further at any rate."""

import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import ADAM_RATES, PLAIN_EPS, WORTH
from cutaway.doctor.symptoms import adaptive_rate_decay

RATES = (0.1, 10.0, 100.0)  # factors at which the program's own optimizer is given a chance
CONFIDENCE = 0.5  # Adam also softens other faults, which rank above


SECOND = 0.3  # where another rate does nearly as well
# Median of √v by ε below which ε outweighs it in η / (√v + ε), and Adam is gradient descent.
OUTWEIGHED = 0.1
PLAIN = 0.82


def look(evidence) -> Finding | None:
    reruns, optimizer = evidence.reruns, evidence.program.trainer.optimizer
    if not reruns.has_room or adaptive_rate_decay.accumulator(optimizer) is not None:
        return None
    if hasattr(optimizer, "betas"):
        return _of_eps(reruns, optimizer)
    for factor in RATES:
        reruns.rate(factor)
    own = reruns.best_rate
    lr = min(ADAM_RATES, key=lambda lr: reruns.adam(lr).loss)
    adam = reruns.adam(lr)
    is_better = adam.loss < own.loss and not adam.held >= own.held
    if not (reruns.is_worth(adam) and is_better):
        return None
    is_much_better = reruns.is_worth(adam, than=own)
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
        confidence=CONFIDENCE if is_much_better else SECOND,
    )


def _of_eps(reruns, optimizer) -> Finding | None:
    """An ε in Adam's denominator that is far above the size of the gradients."""
    if reruns.base.broke or "v" not in optimizer.slots or optimizer.eps <= PLAIN_EPS:
        return None
    slots = reruns.base.trainer.optimizer.state["v"]
    size = float(np.median(np.concatenate([np.sqrt(np.ravel(v.numpy())) for v in slots])))
    lr = float(optimizer.base_lr.data)
    plain = reruns.adam(lr)
    if size > OUTWEIGHED * optimizer.eps or not reruns.is_worth(plain):
        return None
    return Finding(
        code="optimizer_mismatch",
        where=f"optimizer, {type(optimizer).__name__}, ε = {optimizer.eps:g}",
        evidence=[
            Measure("median of √v by ε", size / optimizer.eps, OUTWEIGHED, "below"),
            Measure("loss", reruns.base.loss),
            Measure("loss with a small ε, equal steps", plain.loss, reruns.base.loss, "below"),
            Measure("share of the attainable that is left", reruns.gain(plain), WORTH),
        ],
        explanation="In η m̂ / (√v̂ + ε), ε is far above √v̂, so that steps are η/ε times the "
        "gradient: slow gradient descent, and no rate of its own for each weight.",
        prescriptions=[
            Prescription("take Adam with its usual ε of 1e-8", (UseOptimizer("adam", lr),))
        ],
        confidence=PLAIN,
    )
