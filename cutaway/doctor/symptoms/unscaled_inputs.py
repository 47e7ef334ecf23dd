"""Inputs that are far too large, too small, or of very different sizes."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.changes import ScaleInputs
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.inputs import first_layer_inputs
from cutaway.errors import CutawayError

# Initializers take inputs for standardized, of root mean square 1 (Glorot & Bengio 2010; LeCun et
# al. 1998, "Efficient BackProp", section 4.3). Standardized ones with tails up to 6 have 1,
# pixels in [0, 1] about 0.4, rare one-hot columns 0.1; bytes have 100.
LARGE, SMALL = 8.0, 0.03
# Largest reach of an input, |x - mean|, over that of one that reaches least, both among features
# that vary: the condition number of the problem goes as its square (LeCun et al. 1998, section
# 5.2). By reach and not by spread, since a pixel that is rarely on is as large as the others; and
# one in LEAST may be smaller still.
UNEVEN, LEAST = 100.0, 0.05
# How far from the ideal, or off its zero, a feature may lie in units of its spread.
OFFSET = 10.0
# What standardizing must bring, as a share of chance, before inputs are blamed.
GAIN = 0.05


def look(evidence) -> Finding | None:
    """Sizes of what reaches the first layer, then the same training with standardized inputs."""
    program = evidence.program
    found = first_layer_inputs(program.trainer, evidence.sample[0][:512])
    if found is None or np.asarray(program.x).dtype.kind not in "fiu":
        return None
    measures = sizes(found)
    if not measures:
        return None
    scaled = _scaled(evidence)
    if scaled is not None:
        broken = evidence.trouble is not None or not math.isfinite(evidence.final_loss)
        gain = math.inf if broken else (evidence.final_loss - scaled) / evidence.scale
        if not gain > GAIN:
            return None
        measures.append(
            Measure("L with standardized inputs", scaled, evidence.final_loss, "below",
                    "the same program from the same start")
        )  # fmt: skip
    return Finding(
        "unscaled_inputs",
        f"what reaches the first layer, {found.path}{_columns(found)}",
        measures,
        "z_j = Σ_i w_ij x_i + b_j and ∂L/∂w_ij = x_i ∂L/∂z_j: a large x_i has a large say in "
        "every z_j and steps in proportion, so no one η fits all weights; activations start out "
        "saturated or dead.",
        [Prescription("scale the inputs: subtract the mean, divide by the spread of the training "
                      "rows", (ScaleInputs(),))],
        0.9,
    )  # fmt: skip


def sizes(found) -> list:
    """[Measure] of what is out of bounds in a doctor.inputs.FirstLayerInputs."""
    size, spread = found.size, found.spread
    varying = spread > 1e-6 * max(float(size.max()), 1e-30)
    if not varying.any():
        return []
    largest, measures = float(size.max()), []
    if largest > LARGE:
        measures.append(Measure("root mean square of the largest input", largest, LARGE))
    if largest < SMALL:
        measures.append(Measure("root mean square of the largest input", largest, SMALL, "below"))
    reach = np.abs(found.values - found.values.mean(axis=0)).max(axis=0)[varying]
    ratio = float(reach.max() / np.quantile(reach, LEAST, method="lower"))
    if ratio > UNEVEN:
        measures.append(Measure("largest reach of an input over the smallest", ratio, UNEVEN))
    offset = float((np.abs(found.values.mean(axis=0))[varying] / spread[varying]).max())
    if offset > OFFSET and largest > 1.5:
        measures.append(Measure("mean of an input over its spread", offset, OFFSET))
    sources = "LeCun et al. 1998, Efficient BackProp, section 4.3"
    return [dataclasses.replace(m, source=sources) for m in measures]


def _columns(found) -> str:
    size = found.size
    if len(size) > 200:
        return ""
    order = np.argsort(-size)[:3] if size.max() > LARGE else []
    return ": inputs " + ", ".join(str(int(k) + 1) for k in order) if len(order) else ""


def _scaled(evidence):
    """Final loss on the sample of the program with standardized inputs; None if it cannot be."""
    try:
        program = evidence.program.changed(ScaleInputs())
        trainer = program.run()
        rows = np.unique(np.linspace(0, len(program.x) - 1, len(evidence.sample[0])).astype(int))
        return evidence.loss_of(trainer, program.x[rows], program.y[rows])
    except CutawayError:
        return None
