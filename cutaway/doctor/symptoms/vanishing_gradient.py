"""vanishing_gradient: the gradient shrinks from layer to layer until almost none is left."""

import math

import numpy as np

from cutaway.doctor.changes import (
    InsertLayerNorm,
    OrthogonalRecurrence,
    Reinitialize,
    ReplaceActivations,
)
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.observed import LiveEvidence
from cutaway.doctor.rows import LEARNED, STUCK, chains_at, flow_at_start, gradient_ratio
from cutaway.doctor.symptoms.bad_initial_scale import AT_A_SADDLE, begins_at_saddle
from cutaway.doctor.through_time import time_gradient_ratio
from cutaway.story.text import number

FAMILY = "flow"
EXPLAINS = ("slow",)

# Good initial weights preserve the gradient's variance (Glorot & Bengio 2010, eq. 9): the ratio is
# near 1, and pooling divides it by about its window. Five sigmoids with Glorot initialization leave
# about 1/1000, and below that plain SGD no longer trains the first layers.
MIN_RATIO = 1e-3
CONVERGED = 0.02  # of the chance-level loss: all is learned, whatever the start was like
UNSURE = 0.3  # of the chance-level loss: between here and STUCK an experiment decides
HALF = 0.5  # of the chance-level loss: while it trains, a loss above it must stay as it is instead


FIXED = (ReplaceActivations("relu"), Reinitialize("he_normal"))


def look(evidence: Evidence) -> Finding | None:
    # another chain may have learned what it could without this one
    unsure = UNSURE if len(chains_at(evidence, 0)) == 1 else LEARNED
    return _through_layers(evidence, unsure, _would_be_better) or _through_time(evidence)


def look_live(evidence: LiveEvidence) -> Finding | None:
    """While it trains: where the loss stays as it is, which needs no experiment."""
    return _through_layers(evidence, HALF, _stays)


def _would_be_better(evidence, end: float) -> bool:
    return evidence.helps(*FIXED)


def _stays(evidence, end: float) -> bool:
    return end < MIN_RATIO and evidence.is_flat


def _through_layers(evidence, unsure: float, is_harmful):
    rows = min(chains_at(evidence, 0), key=_ratio, default=[])
    ended = [chain for chain in chains_at(evidence, -1) if rows and _same_start(chain, rows)]
    start, end = gradient_ratio(rows), gradient_ratio(ended[0] if ended else [])
    if not start < MIN_RATIO or end > 10 * MIN_RATIO:
        return None  # the gradient recovered during training
    left = evidence.relative_loss
    if not (left >= STUCK or (left >= unsure and is_harmful(evidence, end))):
        return None
    first = rows[0]["layer"]
    measures = [
        Measure(
            "∂L/∂z of the first layer relative to the last, before training",
            start,
            MIN_RATIO,
            "below",
            "Glorot & Bengio 2010, eq. 9: good initial weights keep it near 1",
        ),
        Measure("the same after training", end),
        Measure(
            "loss relative to chance level",
            left,
            STUCK if left >= STUCK else unsure,
            "above",
            "after convergence small gradients are normal",
        ),
    ]
    return Finding(
        "vanishing_gradient",
        f"layer {first} has the smallest gradient",
        measures,
        _explanation(evidence, rows, start),
        [
            Prescription("replace the activations with ReLU and reinitialize with he_normal",
                         FIXED),
            Prescription("add a LayerNorm after each hidden layer", (InsertLayerNorm(),)),
            Prescription("replace the activations with tanh, whose slope at 0 is 1, and "
                         "reinitialize with glorot_normal",
                         (ReplaceActivations("tanh"), Reinitialize("glorot_normal"))),
            Prescription("add residual connections or use fewer layers"),
        ],
        AT_A_SADDLE if begins_at_saddle(evidence) else 0.85 if left >= STUCK else 0.7,
        path=first,
    )  # fmt: skip


def _through_time(evidence):
    if not evidence.relative_loss >= CONVERGED:
        return None
    found = time_gradient_ratio(evidence)
    if found is None or not found.ratio < MIN_RATIO:
        return None
    # many tasks need only the last steps: then the others rightly get no gradient
    orthogonal = OrthogonalRecurrence()
    if not evidence.helps(orthogonal):
        return None
    mean = found.ratio ** (1 / (found.steps - 1))
    return Finding(
        "vanishing_gradient",
        f"layer {found.path}, through time",
        [
            Measure(
                f"∂L/∂x at the first of {found.steps} time steps relative to the last",
                found.ratio,
                MIN_RATIO,
                "below",
                "Pascanu, Mikolov & Bengio 2013, sec. 2.1: products of recurrent weights",
            ),
            Measure("loss with orthogonal recurrent weights", evidence.tried(orthogonal).loss),
            Measure("loss without the change", evidence.tried().loss),
        ],
        f"Going back through {found.steps} time steps, the same recurrent weights multiply the "
        f"gradient by about {number(mean, 3)} at each step: {number(mean, 3)}^{found.steps - 1} "
        f"= {number(found.ratio)}. The network cannot learn from early time steps.",
        [
            Prescription("make the recurrent weights orthogonal", (orthogonal,)),
            Prescription("use an LSTM or GRU, which carries its state forward by addition"),
        ],
        0.85,
    )


def _ratio(rows) -> float:
    """`gradient_ratio`, infinite where it is not known."""
    ratio = gradient_ratio(rows)
    return math.inf if math.isnan(ratio) else ratio


def _same_start(chain, other) -> bool:
    return bool(chain) and chain[0]["layer"] == other[0]["layer"]


def _explanation(evidence, rows, ratio):
    flow = flow_at_start(evidence)
    text = (
        f"From layer {rows[-1]['number']} back to layer {rows[0]['number']}, "
        "∂L/∂z^(l) = act'(z^(l)) · W^(l+1) ∂L/∂z^(l+1) "
        f"shrinks to {number(ratio)} of its size"
    )
    slopes = [f for f in flow.layers if f.activation] if flow is not None else []
    if slopes:
        product = float(np.prod([f.slope for f in slopes]))
        most = max(f.largest_slope for f in slopes)
        bound = "1/4" if most == 0.25 else number(most)
        text += f": {len(slopes)} slopes of at most {bound} multiply to {number(product)}"
        if most < 1:
            text += f" ({number(most)}^{len(slopes)} = {number(most ** len(slopes))})"
    return f"{text}. The first layers hardly change, and the loss stays near chance level."
