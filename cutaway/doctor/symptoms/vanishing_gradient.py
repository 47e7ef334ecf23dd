"""vanishing_gradient: on its way back the gradient shrinks at every layer, the first get none."""

import numpy as np

from cutaway.doctor.changes import (
    InsertLayerNorm,
    OrthogonalRecurrence,
    Reinitialize,
    ReplaceActivations,
)
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import STUCK, flow_at_start, gradient_share, layers_at
from cutaway.doctor.symptoms.bad_initial_scale import AT_A_SADDLE, begins_at_saddle
from cutaway.doctor.through_time import time_share
from cutaway.story.text import number

# Healthy initial weights keep the gradient's variance (Glorot & Bengio 2010, eq. 9): the share is
# near 1, and pooling takes a factor of about its window. Five sigmoids with Glorot's weights
# leave about 1/1000, and from there on plain SGD no longer moves the first layers.
LEAST_SHARE = 1e-3
NEARLY_NOTHING = 0.02  # of the loss of chance: whatever the start was like, all is learned
UNSURE = 0.3  # of the loss of chance: between here and STUCK an experiment decides


def look(evidence: Evidence) -> Finding | None:
    return _through_layers(evidence) or _through_time(evidence)


def _through_layers(evidence):
    start, end = (gradient_share(layers_at(evidence, moment)) for moment in (0, -1))
    if not start < LEAST_SHARE or end > 10 * LEAST_SHARE:
        return None  # a gradient that arrives at the end has found its way by itself
    fixed = (ReplaceActivations("relu"), Reinitialize("he_normal"))
    left = evidence.left
    if not (left >= STUCK or (left >= UNSURE and evidence.helps(*fixed))):
        return None
    first = layers_at(evidence, 0)[0]["layer"]
    measures = [
        Measure(
            "∂L/∂z of the first layer as a share of the last one's, before training",
            start,
            LEAST_SHARE,
            "below",
            "Glorot & Bengio 2010, eq. 9: good initial weights keep it near 1",
        ),
        Measure("the same after training", end),
        Measure(
            "loss as a share of that of chance",
            left,
            STUCK if left >= STUCK else UNSURE,
            "above",
            "small gradients are right where learning is finished",
        ),
    ]
    return Finding(
        "vanishing_gradient",
        f"layer {first} gets the least",
        measures,
        _explanation(evidence, start),
        [
            Prescription("replace the activations by ReLU and draw He's weights", fixed),
            Prescription("put a layer norm behind each hidden layer", (InsertLayerNorm(),)),
            Prescription("tanh, whose slope at 0 is 1, with Glorot's weights",
                         (ReplaceActivations("tanh"), Reinitialize("glorot_normal"))),
            Prescription("add residual connections, or take fewer layers"),
        ],
        AT_A_SADDLE if begins_at_saddle(evidence) else 0.85 if left >= STUCK else 0.7,
    )  # fmt: skip


def _through_time(evidence):
    if not evidence.left >= NEARLY_NOTHING:
        return None
    found = time_share(evidence)
    if found is None or not found.share < LEAST_SHARE:
        return None
    # many tasks need no more than the last steps: then it is right that the others get nothing
    turn = OrthogonalRecurrence()
    if not evidence.helps(turn):
        return None
    mean = found.share ** (1 / (found.steps - 1))
    return Finding(
        "vanishing_gradient",
        f"layer {found.path}, through time",
        [
            Measure(
                f"∂L/∂x at the first of {found.steps} time steps over the last one's",
                found.share,
                LEAST_SHARE,
                "below",
                "Pascanu, Mikolov & Bengio 2013, sec. 2.1: products of recurrent weights",
            ),
            Measure("loss with orthogonal recurrent weights", evidence.tried(turn).loss),
            Measure("loss without", evidence.tried().loss),
        ],
        f"Back through {found.steps} time steps each step multiplies the gradient by about "
        f"{number(mean, 3)}, with the same recurrent weights: {number(mean, 3)}^{found.steps - 1} "
        f"= {number(found.share)}. What came early is not learned from.",
        [
            Prescription("draw the recurrent weights orthogonal", (turn,)),
            Prescription("take an LSTM or a GRU, whose state is carried on by addition"),
        ],
        0.85,
    )


def _explanation(evidence, share):
    flow = flow_at_start(evidence)
    count = len(layers_at(evidence, 0))
    text = (
        f"From layer {count} back to layer 1, ∂L/∂z^(l) = act'(z^(l)) · W^(l+1) ∂L/∂z^(l+1) "
        f"shrinks to {number(share)} of its size"
    )
    slopes = [f for f in flow.layers if f.activation] if flow is not None else []
    if slopes:
        product = float(np.prod([f.slope for f in slopes]))
        most = max(f.largest_slope for f in slopes)
        bound = "1/4" if most == 0.25 else number(most)
        text += f": {len(slopes)} slopes of at most {bound} multiply to {number(product)}"
        if most < 1:
            text += f" ({number(most)}^{len(slopes)} = {number(most ** len(slopes))})"
    return f"{text}. The first layers hardly move, and the loss stays near that of chance."
