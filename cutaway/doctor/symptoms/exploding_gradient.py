"""exploding_gradient: the gradient grows from layer to layer, or grew during training."""

import itertools
import math

from cutaway.doctor.changes import Clip, LearningRate, OrthogonalRecurrence, Reinitialize
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import (
    LEARNED,
    STUCK,
    chains_at,
    fitting_initializer,
    flow_at_start,
    gradient_ratio,
    have_finite_data,
    layers_at,
)
from cutaway.doctor.through_time import time_gradient_ratio
from cutaway.engine import Tensor, gradients
from cutaway.nn.trees import map_leaves, take_rows
from cutaway.story.text import number

FAMILY = "flow"
EXPLAINS = ("stuck", "oscillation", "nan_source")

MAX_RATIO = 1e3  # the inverse of the threshold for vanishing gradients
MAX_GROWTH = (
    1e3  # of the gradient norm since the start; clipping is usually set at 1 to 10 times it
)
ROWS = 256  # on which the gradients of networks in turn are measured
MAX_LOSS = 10.0  # times the initial loss; a gradient that starts near 0 may grow without harm


def look(evidence: Evidence) -> Finding | None:
    if (
        not evidence.probes.rows
        or not have_finite_data(evidence)
        or evidence.relative_loss <= LEARNED
    ):
        return None
    found = _through_layers(evidence) or _through_time(evidence) or _in_training(evidence)
    # a large gradient that does no harm (clipped, or rescaled by Adam) is no fault
    if found is None or evidence.relative_loss >= STUCK:
        return found
    helps = any(evidence.helps(*p.changes) for p in found.prescriptions if p.changes)
    return found if helps else None


def look_live(evidence: Evidence) -> Finding | None:
    """While it trains: only where next to nothing is learned, which needs no experiment."""
    if not evidence.relative_loss >= STUCK or not have_finite_data(evidence):
        return None
    return _through_layers(evidence) or _in_training(evidence)


def look_in_turns(evidence: Evidence) -> Finding | None:
    """For networks that train in turn: the growth of each one's gradient during training."""
    x, y = (map_leaves(Tensor, tree) for tree in take_rows(evidence.sample, slice(ROWS)))
    before, after = (
        _norms_in_turns(p, x, y) for p in (evidence.plan.program, evidence.trainer.program)
    )
    growth = {name: after[name] / before[name] for name in before if before[name] > 0}
    worst = max(growth, key=lambda name: growth[name], default=None)
    if worst is None or not growth[worst] > MAX_GROWTH:
        return None
    return Finding(
        "exploding_gradient",
        f"the {worst}",
        [
            Measure(
                f"gradient norm of the {worst} relative to that before training",
                growth[worst],
                MAX_GROWTH,
            )
        ],
        f"The gradient of the {worst}'s own loss grew from {number(before[worst])} to "
        f"{number(after[worst])}: its steps overshoot, or the other network drives it away.",
        [
            Prescription(f"divide the learning rate of the {worst} by 10"),
            Prescription(f"clip the gradient norm of the {worst} to 1"),
        ],
        0.6,
    )


def _norms_in_turns(program, x, y) -> dict:
    """{name: norm of the gradient of a network's own loss}."""
    found = {}
    with program.in_mode(False), program.computing():
        for name, (net, loss) in program.turns(x, y).items():
            own = {id(p) for p in net.parameters()}
            parts = [g for leaf, g in gradients(loss) if id(leaf) in own]
            found[name] = math.sqrt(sum(float((g.astype("float32") ** 2).sum()) for g in parts))
    return found


def _through_layers(evidence):
    measured = [(_ratio(chain), chain) for chain in chains_at(evidence, 0)]
    ratio, rows = max(measured, key=lambda found: found[0], default=(0.0, []))
    if not ratio > MAX_RATIO:
        return None
    measure = Measure(
        "∂L/∂z of the first layer relative to the last, before training",
        ratio,
        MAX_RATIO,
        "above",
        "Glorot & Bengio 2010, eq. 9: good initial weights keep it near 1",
    )
    text = _explanation(evidence, rows, ratio)
    where = f"layer {rows[0]['layer']} has the largest gradient"
    return _finding(evidence, where, [measure], text, 0.85, path=rows[0]["layer"])


def _ratio(rows) -> float:
    """`gradient_ratio`; infinite if signals overflow, 0 where it is not known."""
    if len(rows) > 2 and _overflows([row["std"] for row in rows]):
        return math.inf
    ratio = gradient_ratio(rows)
    return 0.0 if math.isnan(ratio) else ratio


def _overflows(stds):
    """Whether signals grow from layer to layer until they are not finite (not NaN at once)."""
    finite = list(itertools.takewhile(math.isfinite, stds))
    return 1 < len(finite) < len(stds) and finite[-1] > MAX_RATIO * finite[0]


def _explanation(evidence, rows, ratio):
    if not math.isfinite(ratio):
        first = next(row for row in rows if not math.isfinite(row["std"]))
        return (
            f"z^(l) = W^(l) O^(l-1) + b^(l) grows layer by layer until it is no longer finite "
            f"in layer {first['number']} of {len(rows)}."
        )
    mean = ratio ** (1 / (len(rows) - 1))
    text = (
        f"From layer {rows[-1]['number']} back to layer {rows[0]['number']}, each layer multiplies "
        "the gradient, "
        f"∂L/∂z^(l) = act'(z^(l)) · W^(l+1) ∂L/∂z^(l+1), by about {number(mean, 3)}: "
        f"{number(mean, 3)}^{len(rows) - 1} = {number(ratio)}"
    )
    flow = flow_at_start(evidence)
    slopes = [f.slope for f in flow.layers if f.activation] if flow is not None else []
    if slopes:
        most = number(max(slopes), 3)
        text += f"; act' is at most {most} on average, so the weights are too large"
    return text + ". A learning rate that suits the last layers is too high for the first."


def _through_time(evidence):
    found = time_gradient_ratio(evidence)
    if found is None or not found.ratio > MAX_RATIO:
        return None
    measure = Measure(
        f"∂L/∂x at the first of {found.steps} time steps relative to the last",
        found.ratio,
        MAX_RATIO,
        "above",
        "Pascanu, Mikolov & Bengio 2013, sec. 2.1: products of recurrent weights",
    )
    mean = found.ratio ** (1 / (found.steps - 1))
    text = (
        f"Going back through {found.steps} time steps, the same recurrent weights multiply the "
        f"gradient by about {number(mean, 3)} at each step: {number(mean, 3)}^{found.steps - 1} "
        f"= {number(found.ratio)}."
    )
    where = f"layer {found.path}, through time"
    return _finding(evidence, where, [measure], text, 0.85, path=found.path)


def _in_training(evidence):
    norms = [_norm(layers_at(evidence, k)) for k in range(len(evidence.probes.steps))]
    start, most = norms[0], max((n for n in norms if not math.isnan(n)), default=math.nan)
    losses = {row["step"]: row["loss"] for row in evidence.probes.rows}
    higher = max(losses.values()) > MAX_LOSS * next(iter(losses.values()))
    if not (start > 0 and most > MAX_GROWTH * start and higher):
        return None
    measure = Measure(
        "largest gradient norm relative to that before training", most / start, MAX_GROWTH
    )
    moment = norms.index(most)
    rows = layers_at(evidence, moment)
    step = rows[0]["step"]
    worst = max(rows, key=lambda row: row["weight_grad"])
    text = (
        f"By step {step} the gradient norm had grown from {number(start)} to {number(most)}: each "
        "step overshot, so the next gradient was even larger."
    )
    path = worst["layer"]
    where = f"layer {path} at step {step}"
    return _finding(evidence, where, [measure], text, 0.45, path=path)


def _norm(rows):
    return math.sqrt(sum(r["weight_grad"] ** 2 for r in rows if math.isfinite(r["weight_grad"])))


def _finding(evidence, where, measures, text, confidence, *, path):
    left = Measure("loss relative to chance level", evidence.relative_loss, STUCK)
    name = fitting_initializer(evidence)
    redraw = Prescription(
        f"reinitialize the weights with {name}, which preserves the gradient's scale",
        (Reinitialize(name),),
    )
    clip = Prescription("clip the gradient norm to 1", (Clip(1.0),))
    slower = Prescription("divide the learning rate by 10", (LearningRate(0.1),))
    both = Prescription(
        "clip the gradient norm to 1 and divide the learning rate by 10",
        (Clip(1.0), LearningRate(0.1)),
    )
    in_layers = "time" not in where and confidence > 0.5
    order = [redraw, clip, both] if in_layers else [clip, slower, both]
    if "time" in where:
        what = "make the recurrent weights orthogonal, which preserves the norm of the state"
        order.insert(0, Prescription(what, (OrthogonalRecurrence(),)))
    return Finding(
        "exploding_gradient", where, [*measures, left], text, order, confidence, path=path
    )
