"""Saddle point: the gradient is nearly 0, yet there is a direction of descent."""

from cutaway.doctor.changes import Reinitialize, UseOptimizer
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.stop import DOWN

FAMILY = "stuck"
EXPLAINS = ("plateau", "underfitting", "too_few_epochs")

CONFIDENCE = 0.7
ALIKE, SECOND = 1e-6, 0.4  # identical units cause the saddle, and rank above
SHALLOW = 0.35  # if it curves down so slightly that it may be near a minimum


def look(evidence) -> Finding | None:
    stop = evidence.stop
    if stop is None or stop.kind not in ("saddle", "shallow"):
        return None
    found = stop.curvature
    apart = [row["units_apart"] for row in evidence.probes.rows if row["role"] == "weights"]
    are_alike = any(value <= ALIKE for value in apart)
    return Finding(
        code="saddle_point",
        where="the weights at the end of training",
        evidence=[
            Measure(
                "smallest curvature relative to the largest",
                found.smallest / abs(found.largest),
                -DOWN if stop.kind == "saddle" else -found.smallest_bound / abs(found.largest),
                "below",
                "Lanczos on the Hessian; at a minimum it is 0 or above",
            ),
            Measure("gradient norm", found.gradient_norm),
            *stop.measures(evidence.reruns),
        ],
        explanation="∂L/∂w is nearly 0, but this is not a minimum: L curves down along at least "
        "one direction. Gradient descent moves away from a saddle as exp(η |λ_min| t), which is "
        "slow if |λ_min| is small (Dauphin et al. 2014).",
        prescriptions=[
            Prescription(
                "start from larger random weights (glorot_uniform), away from the saddle",
                (Reinitialize("glorot_uniform"),),
            ),
            Prescription(
                "use Adam, whose steps do not shrink with the gradient",
                (UseOptimizer("adam", 1e-2),),
            ),
        ],
        confidence=SHALLOW if stop.kind == "shallow" else SECOND if are_alike else CONFIDENCE,
    )
