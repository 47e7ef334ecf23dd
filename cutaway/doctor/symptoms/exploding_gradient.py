"""exploding_gradient: on its way back the gradient grows at every layer, or it grew in training."""

import itertools
import math

from cutaway.doctor.changes import Clip, LearningRate, OrthogonalRecurrence, Reinitialize
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import (
    LEARNED,
    STUCK,
    fitting_initializer,
    flow_at_start,
    gradient_share,
    have_finite_data,
    layers_at,
)
from cutaway.doctor.through_time import time_share
from cutaway.story.text import number

MOST_SHARE = 1e3  # as for vanishing gradients, the other way round
MOST_GROWTH = 1e3  # of the norm of all gradients, from the start: clipping is set at 1 to 10 of it
MOST_LOSS = 10.0  # times that at the start; gradients may also grow out of a start near 0


def look(evidence: Evidence) -> Finding | None:
    if not evidence.probes.rows or not have_finite_data(evidence) or evidence.left <= LEARNED:
        return None
    found = _through_layers(evidence) or _through_time(evidence) or _in_training(evidence)
    # a gradient that is large and does no harm (clipped, or scaled away by Adam) is no fault
    if found is None or evidence.left >= STUCK:
        return found
    helps = any(evidence.helps(*p.changes) for p in found.prescriptions if p.changes)
    return found if helps else None


def _through_layers(evidence):
    rows = layers_at(evidence, 0)
    share = gradient_share(rows)
    overflows = len(rows) > 2 and _overflows([row["std"] for row in rows])
    if not (share > MOST_SHARE or overflows):
        return None
    share = math.inf if overflows else share
    measure = Measure(
        "∂L/∂z of the first layer over the last one's, before training",
        share,
        MOST_SHARE,
        "above",
        "Glorot & Bengio 2010, eq. 9: good initial weights keep it near 1",
    )
    text = _explanation(evidence, rows, share)
    return _finding(evidence, f"layer {rows[0]['layer']} gets the most", [measure], text, 0.85)


def _overflows(spreads):
    """Whether signals grow from layer to layer until they are not finite (not NaN at once)."""
    finite = list(itertools.takewhile(math.isfinite, spreads))
    return 1 < len(finite) < len(spreads) and finite[-1] > MOST_SHARE * finite[0]


def _explanation(evidence, rows, share):
    if not math.isfinite(share):
        first = next(row for row in rows if not math.isfinite(row["std"]))
        return (
            f"z^(l) = W^(l) O^(l-1) + b^(l) grows layer by layer until it is no longer a finite "
            f"number in layer {first['number']} of {len(rows)}."
        )
    mean = share ** (1 / (len(rows) - 1))
    text = (
        f"From layer {len(rows)} back to layer 1 each layer multiplies the gradient, "
        f"∂L/∂z^(l) = act'(z^(l)) · W^(l+1) ∂L/∂z^(l+1), by about {number(mean, 3)}: "
        f"{number(mean, 3)}^{len(rows) - 1} = {number(share)}"
    )
    flow = flow_at_start(evidence)
    slopes = [f.slope for f in flow.layers if f.activation] if flow is not None else []
    if slopes:
        most = number(max(slopes), 3)
        text += f"; act' is at most {most} on average, so the weights are too large"
    return text + ". A step of any one size is too long for the first layers."


def _through_time(evidence):
    found = time_share(evidence)
    if found is None or not found.share > MOST_SHARE:
        return None
    measure = Measure(
        f"∂L/∂x at the first of {found.steps} time steps over the last one's",
        found.share,
        MOST_SHARE,
        "above",
        "Pascanu, Mikolov & Bengio 2013, sec. 2.1: products of recurrent weights",
    )
    mean = found.share ** (1 / (found.steps - 1))
    text = (
        f"Back through {found.steps} time steps each step multiplies the gradient by about "
        f"{number(mean, 3)}, with the same recurrent weights: {number(mean, 3)}^{found.steps - 1} "
        f"= {number(found.share)}."
    )
    return _finding(evidence, f"layer {found.path}, through time", [measure], text, 0.85)


def _in_training(evidence):
    norms = [_norm(layers_at(evidence, k)) for k in range(len(evidence.probes.steps))]
    start, most = norms[0], max((n for n in norms if not math.isnan(n)), default=math.nan)
    losses = {row["step"]: row["loss"] for row in evidence.probes.rows}
    higher = max(losses.values()) > MOST_LOSS * next(iter(losses.values()))
    if not (start > 0 and most > MOST_GROWTH * start and higher):
        return None
    measure = Measure(
        "largest norm of the gradient over that before training", most / start, MOST_GROWTH
    )
    moment = norms.index(most)
    rows = layers_at(evidence, moment)
    step = rows[0]["step"]
    worst = max(rows, key=lambda row: row["weight_grad"])
    text = (
        f"Until step {step} the norm of the gradient grew from {number(start)} to {number(most)}: "
        "each step went so far that the next gradient was larger still."
    )
    return _finding(evidence, f"layer {worst['layer']} at step {step}", [measure], text, 0.45)


def _norm(rows):
    return math.sqrt(sum(r["weight_grad"] ** 2 for r in rows if math.isfinite(r["weight_grad"])))


def _finding(evidence, where, measures, text, confidence):
    left = Measure("loss as a share of that of chance", evidence.left, STUCK)
    redraw = Prescription(
        "draw initial weights that keep the gradient its size",
        (Reinitialize(fitting_initializer(evidence)),),
    )
    clip = Prescription("clip the gradient to the norm 1", (Clip(1.0),))
    slower = Prescription("a tenth of the learning rate", (LearningRate(0.1),))
    both = Prescription(
        "clip the gradient and take a tenth of the learning rate", (Clip(1.0), LearningRate(0.1))
    )
    in_layers = "time" not in where and confidence > 0.5
    order = [redraw, clip, both] if in_layers else [clip, slower, both]
    if "time" in where:
        order.insert(0, Prescription("recurrent weights that turn the state and do not stretch it",
                                     (OrthogonalRecurrence(),)))  # fmt: skip
    return Finding("exploding_gradient", where, [*measures, left], text, order, confidence)
