"""Adaptive rate decay: the sum in Adagrad's denominator has grown until the weights stop moving.

η_eff = η / √G can only fall. To see whether it fell too far, the same training is run with Adam at
the same η. Adam's first step is the same, -η sign(g), but it divides by the root of a running mean
of g² instead of the sum. If η is simply too low, it is too low for both.
"""

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH
from cutaway.doctor.rows import layers_at
from cutaway.engine import no_grad

EXPLAINS = ("slow",)

CONFIDENCE = 0.87

# While it trains nothing is run again: steps that have become small, much of the loss left, and a
# gradient about as large as at the start, so that it is G that makes them small.
DECREASE = 30.0  # of η/√G since the first step
SMALL = 3e-4  # ‖Δw‖/‖w‖ per step, see learning_rate_too_low.USUAL
LEFT = 0.3  # of the chance-level loss
SLOPE = 0.1  # of the gradient norm at the start
UNSURE = 0.6
GOES_ON = True  # a trial beside goes on from the present weights: they are not spoiled


def look(evidence) -> Finding | None:
    optimizer = evidence.plan.program.optimizer
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
            Measure("decrease of the median η/√G since the first epoch (factor)", early / late),
            Measure("median η/√G at the end", late),
            Measure("loss", reruns.base.loss),
            Measure(
                f"loss with a running mean instead of G (Adam, η = {lr:g})",
                mean.loss,
                reruns.base.loss,
                "below",
            ),
            Measure("attainable loss reduction missed (fraction)", reruns.gain(mean), WORTH),
        ],
        explanation="G ← G + g² only grows, so the effective learning rate η/√G only falls, and it "
        "became too small before L had come down. With the same η and the same first step, a "
        "running mean of g² instead of the sum reaches a lower loss.",
        prescriptions=[
            Prescription(
                f"use Adam with lr={lr:g}: it keeps a running mean of g² instead of the sum",
                (UseOptimizer("adam", lr),),
            ),
            Prescription("use Adam with its default, lr=0.001", (UseOptimizer("adam", 1e-3),)),
        ],
        confidence=CONFIDENCE,
        cured=mean.loss / reruns.base.loss,
    )


@no_grad()
def accumulator(optimizer) -> int | None:
    """Index of the slot that accumulates g² without decay; None if there is none."""
    g, before = 2.0, 5.0
    slots = [jnp.full((1,), before) for _ in optimizer.slots]
    after = optimizer.update(jnp.ones((1,)), jnp.full((1,), g), *slots)
    after = after[1:] if isinstance(after, tuple) else ()
    sums = [k for k, new in enumerate(after) if abs(float(new[0]) - (before + g**2)) < 1e-4]
    return sums[0] if sums else None


def effective_rates(reruns, slot) -> tuple:
    """Median η/√G after the first epoch and at the end."""
    name = reruns.plan.program.optimizer.slots[slot]

    def median(trainer):
        sums = np.concatenate([np.ravel(s.numpy()) for s in trainer.optimizer.state[name]])
        used = sums[sums > 0]
        return float(np.median(float(trainer.optimizer.base_lr.data) / np.sqrt(used)))

    return median(reruns.after_first_epoch), median(reruns.base.trainer)


def look_live(evidence) -> Finding | None:
    """While it trains: η/√G has become small although there is a gradient and much to learn."""
    optimizer = evidence.plan.program.optimizer
    if accumulator(optimizer) is None or not evidence.relative_loss > LEFT:
        return None
    (early, slope, _), (late, now, update) = (_sizes(layers_at(evidence, at)) for at in (0, -1))
    if not (early > DECREASE * late > 0 and update < SMALL and now > SLOPE * slope):
        return None
    lr = float(optimizer.base_lr.data)
    return Finding(
        code="adaptive_rate_decay",
        where=f"optimizer, {type(optimizer).__name__}, the sum of squared gradients G",
        evidence=[
            Measure("decrease of the median η/√G since the first step (factor)", early / late,
                    DECREASE),
            Measure("median ‖Δw‖/‖w‖ per step", update, SMALL, "below"),
            Measure("gradient norm relative to that at the first step", now / slope, SLOPE),
            Measure("loss relative to chance level", evidence.relative_loss, LEFT),
        ],
        explanation="G ← G + g² only grows, so the effective learning rate η/√G only falls. The "
        "gradient is still there, but the steps have become too small to follow it.",
        prescriptions=[
            Prescription(
                f"use Adam with lr={lr:g}: it keeps a running mean of g² instead of the sum",
                (UseOptimizer("adam", lr),),
            )
        ],
        confidence=UNSURE,
    )  # fmt: skip


def _sizes(rows) -> tuple[float, float, float]:
    """Medians over the layers of η/√G, of the gradient norm and of ‖Δw‖/‖w‖."""
    names = ("step_size", "weight_grad", "update")
    if not rows:
        return (np.nan, np.nan, np.nan)
    step_size, slope, update = (float(np.median([row[name] for row in rows])) for name in names)
    return step_size, slope, update
