"""Plateau: the loss is far above what is attainable and hardly changes in any direction."""

import jax.numpy as jnp

from cutaway.doctor.changes import ConstantRate, LearningRate, Reinitialize, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription

FAMILY = "stuck"
EXPLAINS = ("learning_rate_too_low", "optimizer_mismatch", "underfitting", "too_few_epochs")

CONFIDENCE = 0.55  # saturated or dead units cause plateaus, and rank above
GONE = 0.02  # factor on η halfway through training; cosine and one-cycle schedules have 0.5 or more
BY_SCHEDULE = 0.85  # if the schedule is the cause
OPEN = 0.4  # if the network is too large to compute its curvature


def look(evidence) -> Finding | None:
    return _of_schedule(evidence) or _of_point(evidence)


def _of_point(evidence) -> Finding | None:
    stop = evidence.stop
    if stop is None or not (
        stop.kind == "plateau" or (stop.kind == "open" and not stop.by_restart)
    ):
        return None
    measures = stop.measures(evidence.reruns)
    if stop.curvature is not None:
        found = stop.curvature
        measures = [
            Measure("gradient norm", found.gradient_norm),
            Measure("largest curvature", found.largest),
            *measures,
        ]
    return Finding(
        code="plateau",
        where="the weights at the end of training",
        evidence=measures,
        explanation=(
            "L is flat around these weights: both ∂L/∂w and the curvature are nearly 0, "
            "so steps of size η ∂L/∂w make no progress, although a lower loss is attainable."
            if stop.curvature is not None
            else "L has stopped falling, although a lower loss is "
            "attainable from the same initial weights. The curvature here was not computed."
        ),
        prescriptions=[
            Prescription(
                "reinitialize the weights with glorot_uniform, where the loss is not flat",
                (Reinitialize("glorot_uniform"),),
            ),
            Prescription(
                "use Adam, whose steps do not shrink with the gradient",
                (UseOptimizer("adam", 1e-2),),
            ),
            Prescription("multiply the learning rate by 10", (LearningRate(10.0),)),
        ],
        confidence=CONFIDENCE if stop.kind == "plateau" else OPEN,
    )


def _of_schedule(evidence) -> Finding | None:
    """A schedule that lowered the learning rate to almost nothing too early."""
    reruns, optimizer = evidence.reruns, evidence.plan.program.optimizer
    if optimizer.schedule is None or not reruns.has_room or reruns.base.broke:
        return None
    steps = reruns.epochs * reruns.steps_per_epoch
    at_half = float(optimizer.schedule(jnp.asarray(steps / 2)))
    constant = reruns.constant_rate()
    if at_half > GONE or not reruns.is_worth(constant, end=True):
        return None
    return Finding(
        code="plateau",
        where=f"optimizer, {type(optimizer.schedule).__name__}",
        evidence=[
            Measure("factor on η halfway through training", at_half, GONE, "below"),
            Measure("loss", reruns.base.loss),
            Measure("loss without the schedule", constant.loss, reruns.base.loss, "below"),
        ],
        explanation="The schedule lowered η to almost nothing long before the end of training, and "
        "L has stayed the same since then. With a constant η the same training ends much lower.",
        prescriptions=[
            Prescription("train with a constant learning rate", (ConstantRate(),)),
            Prescription("multiply the learning rate by 10", (LearningRate(10.0),)),
        ],
        confidence=BY_SCHEDULE,
    )
