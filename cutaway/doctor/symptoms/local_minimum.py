"""Local minimum: no way down from here, but another initialization leads much lower."""

from cutaway.doctor.changes import Reinitialize, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription

FAMILY = "stuck"
EXPLAINS = ("plateau", "underfitting", "too_few_epochs")

CONFIDENCE = 0.6
OPEN = 0.35  # if the network is too large to compute its curvature


def look(evidence) -> Finding | None:
    stop = evidence.stop
    if stop is None or not (stop.kind == "minimum" or (stop.kind == "open" and stop.by_restart)):
        return None
    measures = stop.measures(evidence.reruns)
    if stop.curvature is not None:
        found = stop.curvature
        measures = [
            Measure("smallest curvature", _or_zero(found.smallest, found.smallest_bound)),
            Measure("largest curvature", found.largest),
            Measure("gradient norm", found.gradient_norm),
            *measures,
        ]
    return Finding(
        code="local_minimum",
        where="the weights at the end of training",
        evidence=measures,
        explanation=(
            "L has stopped falling at a point where it curves up or is flat in every "
            "direction examined. "
            if stop.curvature is not None
            else "L has stopped falling, and what kind of point it is was not examined. "
        )
        + f"As many steps with {stop.how} end much lower.",
        prescriptions=[
            Prescription(
                "restart from other initial weights (glorot_uniform)",
                (Reinitialize("glorot_uniform"),),
            ),
            Prescription(
                "reinitialize with he_normal, use Adam, and keep the best of several runs",
                (Reinitialize("he_normal"), UseOptimizer("adam", 1e-2)),
            ),
        ],
        confidence=CONFIDENCE if stop.kind == "minimum" else OPEN,
    )


def _or_zero(value: float, bound: float) -> float:
    """0 for a curvature that may be 0 up to its error."""
    return 0.0 if abs(value) <= bound else value
