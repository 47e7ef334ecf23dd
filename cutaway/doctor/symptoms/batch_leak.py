"""batch_leak: the prediction for a row depends on the other rows of its batch."""

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.inputs import find_leak

EXPLAINS = ("train_eval_mismatch", "overfitting")

# Relative change of a row's output when the other rows are replaced. Rounding gives up to 1e-5 if a
# library adds in another order for another batch; a real leak gives 1e-2 and more.
LEAK = 1e-3
ROWS = 17


def look(evidence) -> Finding | None:
    """Replace all other rows and see whether the first row's output changes."""
    x, _ = evidence.plan.spread(ROWS)
    with evidence.at_start() as trainer:
        found = finding(trainer, x)
    return found or finding(evidence.trainer, x)


def finding(trainer, x) -> Finding | None:
    """The Finding for a trainer's network on some raw inputs, or None."""
    leak = find_leak(trainer, x, least=LEAK)
    if leak is None:
        return None
    mode = "training mode (ignoring batch norm)" if leak.training else "evaluation mode"
    return Finding(
        "batch_leak",
        f"layer {leak.layer} ({leak.kind})" if leak.layer else "the network's forward pass",
        [Measure("change of a row's output when only the other rows change, relative to the "
                 f"outputs' standard deviation, in {mode}", leak.change, LEAK, "above",
                 "rounding gives 1e-5")],
        "∂ŷ_i/∂x_j is not 0 for two different rows i, j of a batch: rows influence each other. The "
        "prediction for a row depends on the rest of its batch and changes when it is alone.",
        [Prescription("operate along the features, not the batch: use axis -1 instead of 0, and "
                      "the order (batch, time, features)")],
        0.95,
    )  # fmt: skip
