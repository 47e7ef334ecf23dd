"""Plateau: the loss hardly changes whichever way the weights go, far from what is attainable."""

import jax.numpy as jnp

from cutaway.doctor.changes import ConstantRate, LearningRate, Reinitialize, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription

CONFIDENCE = 0.55  # units that are saturated or dead make plateaus, and rank above
GONE = 0.02  # factor on η at half of the steps; cosine and one-cycle schedules have 0.5 and more
TAKEN = 0.85
OPEN = 0.4  # where the network is too large to look at its curvature


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
            Measure("length of the gradient", found.gradient_norm),
            Measure("largest curvature", found.largest),
            *measures,
        ]
    return Finding(
        code="plateau",
        where="the weights at the end of training",
        evidence=measures,
        explanation="L is flat around these weights: both ∂L/∂w and its curvature are nearly 0, so "
        "steps η ∂L/∂w go nowhere, though a lower loss is attainable.",
        prescriptions=[
            Prescription(
                "draw the weights anew, where the loss is not flat",
                (Reinitialize("glorot_uniform"),),
            ),
            Prescription(
                "take Adam, whose steps do not shrink with the gradient",
                (UseOptimizer("adam", 1e-2),),
            ),
            Prescription("raise the learning rate tenfold", (LearningRate(10.0),)),
        ],
        confidence=CONFIDENCE if stop.kind == "plateau" else OPEN,
    )


def _of_schedule(evidence) -> Finding | None:
    """A schedule that took the rate away while there was much to learn."""
    reruns, optimizer = evidence.reruns, evidence.program.trainer.optimizer
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
            Measure("factor on η after half of the steps", at_half, GONE, "below"),
            Measure("loss", reruns.base.loss),
            Measure("loss without the schedule", constant.loss, reruns.base.loss, "below"),
        ],
        explanation="The schedule brought η down to almost nothing long before the end, and L "
        "stays where it was then. At a constant η the same training gets much lower.",
        prescriptions=[
            Prescription("train at a constant rate", (ConstantRate(),)),
            Prescription("raise the learning rate tenfold", (LearningRate(10.0),)),
        ],
        confidence=TAKEN,
    )
