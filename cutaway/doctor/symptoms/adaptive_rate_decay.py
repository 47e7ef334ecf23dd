"""Adaptive rate decay: the sum in Adagrad's denominator has grown until nothing moves.

η_eff = η / √G only falls. Whether it fell too far is asked by the same training with Adam at the
same η: its first step is the same, -η sign(g), and it differs in that it divides by the root of a
running mean of g² in place of the sum. An η that is too low altogether is too low for both.
"""

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH
from cutaway.engine import no_grad

CONFIDENCE = 0.87


def look(evidence) -> Finding | None:
    optimizer = evidence.program.trainer.optimizer
    reruns = evidence.reruns
    slot = accumulator(optimizer)
    if slot is None or not reruns.has_room or reruns.base.broke:
        return None
    lr = float(optimizer.base_lr.data)
    mean = reruns.adam(lr)
    if not reruns.is_worth(mean):
        return None
    early, late = effective_rates(reruns, slot)
    return Finding(
        code="adaptive_rate_decay",
        where=f"optimizer, {type(optimizer).__name__}, the sum of squared gradients G",
        evidence=[
            Measure("factor by which the median of η/√G fell since the first epoch", early / late),
            Measure("median of η/√G at the end", late),
            Measure("loss", reruns.base.loss),
            Measure(
                f"loss with a running mean in place of G (Adam at η = {lr:g})",
                mean.loss,
                reruns.base.loss,
                "below",
            ),
            Measure("share of the attainable that is left", reruns.gain(mean), WORTH),
        ],
        explanation="G ← G + g² only grows, so the effective rate η/√G only falls, and L has not "
        "come down by the time that it is too small to go on. At the same η and from the same "
        "first step, a running mean of g² in place of the sum gets further.",
        prescriptions=[
            Prescription(
                f"take Adam at {lr:g}, which keeps a running mean of g² in place of the sum",
                (UseOptimizer("adam", lr),),
            ),
            Prescription("take Adam at 0.001, its usual rate", (UseOptimizer("adam", 1e-3),)),
        ],
        confidence=CONFIDENCE,
        cured=mean.loss / reruns.base.loss,
    )


@no_grad()
def accumulator(optimizer) -> int | None:
    """Number of the slot to which every step adds g² and from which nothing is taken."""
    g, before = 2.0, 5.0
    slots = [jnp.full((1,), before) for _ in optimizer.slots]
    after = optimizer.update(jnp.ones((1,)), jnp.full((1,), g), *slots)
    after = after[1:] if isinstance(after, tuple) else ()
    sums = [k for k, new in enumerate(after) if abs(float(new[0]) - (before + g**2)) < 1e-4]
    return sums[0] if sums else None


def effective_rates(reruns, slot) -> tuple:
    """Median of η/√G after the first epoch and at the end."""
    name = reruns.program.trainer.optimizer.slots[slot]

    def median(trainer):
        sums = np.concatenate([np.ravel(s.numpy()) for s in trainer.optimizer.state[name]])
        used = sums[sums > 0]
        return float(np.median(float(trainer.optimizer.base_lr.data) / np.sqrt(used)))

    return median(reruns.after_first_epoch), median(reruns.base.trainer)
