"""Local minimum: no way down from here, but another start leads much lower."""

from cutaway.doctor.changes import Reinitialize, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription

CONFIDENCE = 0.6
OPEN = 0.35  # where the network is too large to look at its curvature


def look(evidence) -> Finding | None:
    stop = evidence.stop
    if stop is None or not (stop.kind == "minimum" or (stop.kind == "open" and stop.by_restart)):
        return None
    measures = stop.measures(evidence.reruns)
    if stop.curvature is not None:
        found = stop.curvature
        measures = [
            Measure("smallest curvature", found.smallest),
            Measure("largest curvature", found.largest),
            Measure("length of the gradient", found.gradient_norm),
            *measures,
        ]
    return Finding(
        code="local_minimum",
        where="the weights at the end of training",
        evidence=measures,
        explanation="L has stopped falling where it curves up or is level in every direction that "
        "was looked at, and training that begins elsewhere, or leaps out, ends much lower.",
        prescriptions=[
            Prescription("start again from other weights", (Reinitialize("glorot_uniform"),)),
            Prescription(
                "draw the weights by He's rule and take Adam, and keep the best of some starts",
                (Reinitialize("he_normal"), UseOptimizer("adam", 1e-2)),
            ),
        ],
        confidence=CONFIDENCE if stop.kind == "minimum" else OPEN,
    )
