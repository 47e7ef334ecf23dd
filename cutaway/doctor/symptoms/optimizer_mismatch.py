"""Optimizer mismatch: Adam reaches a much lower loss than this optimizer at any learning rate."""

import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import ADAM_RATES, PLAIN_EPS, WORTH
from cutaway.doctor.symptoms import adaptive_rate_decay

FAMILY = "slow"
EXPLAINS = ("stuck", "learning_rate_too_low")

FACTORS = (0.1, 10.0, 100.0)  # on the learning rate, at which the plan's own optimizer is tried
CONFIDENCE = 0.5  # Adam also mitigates other faults, which rank above
SECOND = 0.3  # if another learning rate does nearly as well
# Median √v / ε below which ε dominates η / (√v + ε), and Adam behaves like gradient descent.
OUTWEIGHED = 0.1
PLAIN = 0.82


def look(evidence) -> Finding | None:
    reruns, optimizer = evidence.reruns, evidence.plan.program.optimizer
    if not reruns.has_room or adaptive_rate_decay.accumulator(optimizer) is not None:
        return None
    if hasattr(optimizer, "betas"):
        return _of_eps(reruns, optimizer)
    for factor in FACTORS:
        reruns.rate(factor)
    own = reruns.best_rate
    lr = min(ADAM_RATES, key=lambda lr: reruns.adam(lr).loss)
    adam = reruns.adam(lr)
    is_better = adam.loss < own.loss and not adam.best_validation >= own.best_validation
    if not (reruns.is_worth(adam) and is_better):
        return None
    is_much_better = reruns.is_worth(adam, than=own)
    name = type(optimizer).__name__
    return Finding(
        code="optimizer_mismatch",
        where=f"optimizer, {name}",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(f"loss of {name}, best of {len(FACTORS) + 1} learning rates", own.loss),
            Measure(f"loss of Adam, lr={lr:g}, same steps", adam.loss, own.loss, "below"),
            Measure("attainable loss reduction missed (fraction)", reruns.gain(adam, own), WORTH),
        ],
        explanation="No single learning rate fits all weights here. If gradients differ by orders "
        "of magnitude, for example with inputs on different scales or rare features, the largest "
        "one limits η and the other weights hardly change. Adam normalizes each gradient by its "
        "own magnitude.",
        prescriptions=[Prescription(f"use Adam with lr={lr:g}", (UseOptimizer("adam", lr),))],
        confidence=CONFIDENCE if is_much_better else SECOND,
    )


def _of_eps(reruns, optimizer) -> Finding | None:
    """An ε in Adam's denominator that is far larger than the gradients."""
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
            Measure("median √v / ε", size / optimizer.eps, OUTWEIGHED, "below"),
            Measure("loss", reruns.base.loss),
            Measure("loss with a small ε, same steps", plain.loss, reruns.base.loss, "below"),
            Measure("attainable loss reduction missed (fraction)", reruns.gain(plain), WORTH),
        ],
        explanation="In η m̂ / (√v̂ + ε), ε is far larger than √v̂, so each step is η/ε times the "
        "gradient. That is slow gradient descent, not an adaptive learning rate per weight.",
        prescriptions=[
            Prescription("use Adam with its default ε, 1e-8", (UseOptimizer("adam", lr),))
        ],
        confidence=PLAIN,
    )
