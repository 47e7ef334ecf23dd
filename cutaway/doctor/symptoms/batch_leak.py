"""The answer for a row depends on the other rows of its batch."""

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.inputs import find_leak

# Relative change of a row's output when other rows are exchanged. Rounding gives up to 1e-5 where
# a library adds in another order for another batch; a real leak 1e-2 and more.
LEAK = 1e-3
ROWS = 17


def look(evidence) -> Finding | None:
    """Exchange all other rows and see whether the first row's output moves."""
    rows = np.unique(np.linspace(0, len(evidence.sample[0]) - 1, ROWS).astype(int))
    return finding(evidence.program.fresh(), evidence.sample[0][rows]) or finding(
        evidence.trainer, evidence.sample[0][rows]
    )


def finding(trainer, x) -> Finding | None:
    """The Finding for a trainer's net on some raw inputs, or None."""
    leak = find_leak(trainer, x, least=LEAK)
    if leak is None:
        return None
    mode = "training mode (batch norms left aside)" if leak.training else "evaluation mode"
    return Finding(
        "batch_leak",
        f"layer {leak.layer} ({leak.kind})" if leak.layer else "the network's forward pass",
        [Measure("change of a row's output when only other rows are exchanged, over the outputs' "
                 f"spread, in {mode}", leak.change, LEAK, "above", "rounding gives 1e-5")],
        "∂ŷ_i/∂x_j is not 0 for two rows i, j of a batch: rows see each other, so what the network "
        "answers depends on the company, and a row alone gets another answer.",
        [Prescription("work along features, not along the batch: axis -1 in place of 0, (batch, "
                      "time, features) in this order")],
        0.95,
    )  # fmt: skip
