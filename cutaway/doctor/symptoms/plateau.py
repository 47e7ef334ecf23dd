"""Plateau: the loss hardly changes whichever way the weights go, far from what is attainable."""

from cutaway.doctor.changes import LearningRate, Reinitialise, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription

CONFIDENCE = 0.55  # units that are saturated or dead make plateaus, and rank above
OPEN = 0.4  # where the network is too large to look at its curvature


def look(evidence) -> Finding | None:
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
                (Reinitialise("glorot_uniform"),),
            ),
            Prescription(
                "take Adam, whose steps do not shrink with the gradient",
                (UseOptimizer("adam", 1e-2),),
            ),
            Prescription("raise the learning rate tenfold", (LearningRate(10.0),)),
        ],
        confidence=CONFIDENCE if stop.kind == "plateau" else OPEN,
    )
