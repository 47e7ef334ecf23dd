"""unscaled_inputs: inputs are far too large or too small, or on very different scales."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.changes import ScaleInputs
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.inputs import first_layer_inputs
from cutaway.doctor.rows import STUCK
from cutaway.errors import CutawayError
from cutaway.nn.trees import count_rows, is_array, take_rows

EXPLAINS = ("flow", "unstable", "slow", "bad_initial_scale", "adaptive_rate_decay")

# Initializers assume standardized inputs, of root mean square 1 (Glorot & Bengio 2010; LeCun et al.
# 1998, "Efficient BackProp", section 4.3). Standardized inputs with tails up to 6 have 1, pixels in
# [0, 1] about 0.4, rare one-hot columns 0.1; bytes have 100.
LARGE, SMALL = 8.0, 0.03
# Largest deviation of a feature, max |x - mean|, over that of the feature with the smallest one,
# among features that vary: the condition number of the problem grows as its square (LeCun et al.
# 1998, section 5.2). The largest deviation and not the standard deviation, since a pixel that is
# rarely on is as large as the others. A fraction LEAST of the features may be smaller still.
UNEVEN, LEAST = 100.0, 0.05
# How far the mean of a feature may be from 0, in standard deviations.
OFFSET = 10.0
# What standardizing must gain, relative to chance level, for the inputs to be the cause.
GAIN = 0.05

ROWS = 512
SHOWN = 3  # columns in a finding

SIZE = "root mean square of the largest input"
SCALES = "ratio of the largest to the smallest input scale"


def look(evidence) -> Finding | None:
    """Scales of the first layer's inputs, then the same training with standardized inputs."""
    plan = evidence.plan
    x = take_rows(evidence.sample[0], slice(ROWS))
    if is_array(x) and x.dtype.kind not in "fiu":
        return None
    found = first_layer_inputs(plan.program, x)
    measures = [measure for layer in found for measure in sizes(layer)]
    if not measures:
        return None
    scaled = _scaled(evidence)
    if scaled is not None:
        broken = evidence.trouble is not None or not math.isfinite(evidence.final_loss)
        gain = math.inf if broken else (evidence.final_loss - scaled) / evidence.scale
        if not gain > GAIN:
            return None
        measures.append(
            Measure("loss with standardized inputs", scaled, evidence.final_loss, "below",
                    "the same plan with the same initial weights")
        )  # fmt: skip
    return Finding(
        "unscaled_inputs",
        where(found, x),
        measures,
        "z_j = Σ_i w_ij x_i + b_j and ∂L/∂w_ij = x_i ∂L/∂z_j: a large x_i dominates every z_j, and "
        "its weights get proportionally large steps. No single η fits all weights, and "
        "activations start out saturated or dead.",
        [Prescription("standardize the inputs: subtract the mean and divide by the standard "
                      "deviation of the training rows", (ScaleInputs(),))],
        0.9,
    )  # fmt: skip


def look_live(evidence) -> Finding | None:
    """While it trains: the scales alone, where next to nothing is learned."""
    return look(evidence) if evidence.relative_loss >= STUCK else None


def where(found, x) -> str:
    """Which inputs of which layers are out of bounds, in words."""
    if is_array(x):
        return f"the inputs of the first layer, {found[0].path}{_columns(found[0])}"
    wrong = [layer for layer in found if sizes(layer)]
    names = dict.fromkeys(name for layer in wrong for name in _origins(layer, x))
    layers = f"the inputs of layer {' and '.join(layer.path for layer in wrong)}"
    return f"{', '.join(names)}, in {layers}" if names else layers


def _origins(layer, x) -> list[str]:
    """The columns of the inputs that are furthest out of bounds in a layer."""
    size = layer.rms
    deviation = np.abs(layer.values - layer.values.mean(axis=0)).max(axis=0)
    if size.max() > LARGE:
        chosen = [k for k in np.argsort(-size)[:SHOWN] if size[k] > LARGE]
    elif size.max() < SMALL:
        chosen = np.argsort(-size)[:SHOWN]
    else:  # the largest of uneven ones
        chosen = [deviation.argmax()]
    names = [layer.origin_of(int(k), x) for k in chosen]
    return [name for name in names if name]


def sizes(found) -> list:
    """[Measure] of what is out of bounds in a doctor.inputs.FirstLayerInputs."""
    size, std = found.rms, found.std
    varying = std > 1e-6 * max(float(size.max()), 1e-30)
    if not varying.any():
        return []
    largest, measures = float(size.max()), []
    if largest > LARGE:
        measures.append(Measure(SIZE, largest, LARGE))
    if largest < SMALL:
        measures.append(Measure(SIZE, largest, SMALL, "below"))
    reach = np.abs(found.values - found.values.mean(axis=0)).max(axis=0)[varying]
    ratio = float(reach.max() / np.quantile(reach, LEAST, method="lower"))
    if ratio > UNEVEN:
        measures.append(Measure(SCALES, ratio, UNEVEN))
    offset = float((np.abs(found.values.mean(axis=0))[varying] / std[varying]).max())
    if offset > OFFSET and largest > 1.5:
        measures.append(Measure("mean of an input over its standard deviation", offset, OFFSET))
    sources = "LeCun et al. 1998, Efficient BackProp, section 4.3"
    return [dataclasses.replace(m, source=sources) for m in measures]


def _columns(found) -> str:
    size = found.rms
    if len(size) > 200:
        return ""
    order = np.argsort(-size)[:3] if size.max() > LARGE else []
    return ": inputs " + ", ".join(str(int(k) + 1) for k in order) if len(order) else ""


def _scaled(evidence):
    """Final loss on the sample with standardized inputs; None if they cannot be standardized."""
    try:
        plan = evidence.plan.changed(ScaleInputs())
        trainer = plan.run()
        return evidence.loss_of(trainer, *plan.spread(count_rows(evidence.sample[0])))
    except CutawayError:
        return None
