"""nan_source: where a NaN or an infinity first arose."""

import math

import numpy as np

from cutaway.doctor.changes import Clip, LearningRate
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.symptoms import exploding_gradient

CALM = 0.01  # of the learning rate: what diverges does not do so with it, what is undefined does
GREW = 2.0  # times the initial loss: training that went up before it broke


def look(evidence: Evidence) -> Finding | None:
    if evidence.trouble is None:
        return None
    return _in_data(evidence) or _in_training(evidence)


def _in_data(evidence):
    for name, array in (("x", evidence.program.x), ("y", evidence.program.y)):
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        bad = np.argwhere(~np.isfinite(array))
        at = tuple(int(k) for k in bad[0])
        rows = len(np.unique(bad[:, 0]))
        column = f", column {at[1]}" if len(at) == 2 else ""
        return Finding(
            "nan_source",
            f"{name}, row {at[0]}{column}",
            [Measure(f"rows of {name} with NaN or infinity", rows, 0)],
            f"{name}{list(at)} is {array[at]}. Every number that is computed with it is NaN, "
            "and after one step so is every weight.",
            [Prescription("fill in what is missing (the column's median), or leave the rows out")],
            1.0,
        )
    return None


def _in_training(evidence):
    trouble = evidence.trouble
    losses = evidence.losses
    calm = evidence.tried(LearningRate(CALM)).loss
    rising = not len(losses) or losses[-1] > GREW * evidence.initial_loss
    diverged = (math.isfinite(calm) and rising) or exploding_gradient.look(evidence) is not None
    measures = [Measure("epochs that were complete before", len(losses))]
    if len(losses):
        measures.append(Measure("loss of the last one", losses[-1]))
    measures.append(Measure(f"loss with {CALM} of the learning rate", calm))
    if diverged:
        text = (
            f"{trouble.came}. The numbers grew until they overflowed: this is the end of a "
            "divergence, not its cause."
        )
        fix = [
            Prescription("a tenth of the learning rate", (LearningRate(0.1),)),
            Prescription("clip the gradient to the norm 1", (Clip(1.0),)),
        ]
    else:
        text = (
            f"{trouble.came}. Nothing had grown before, so something there is not defined for "
            "all numbers: a logarithm or a division at 0, a root below 0 or its slope at 0."
        )
        fix = [
            Prescription(
                "keep the argument away from where it is undefined, as log(p + 1e-7), or take the "
                "loss that works on logits"
            ),
            Prescription("clip the gradient to the norm 1", (Clip(1.0),)),
        ]
    where = _place(trouble)
    return Finding("nan_source", where, measures, text, fix, 0.4 if diverged else 0.95)


def _place(trouble) -> str:
    """Operation, layer, row and step of the first NaN, or what the error says of it."""
    origin = trouble.origin
    if origin is None:
        return trouble.came.split(": ", 1)[-1]
    layer = f"layer {origin.layer} ({origin.kind})" if origin.kind else origin.layer or "the loss"
    parts = [f"{origin.operation} in {layer}" if origin.operation else layer]
    if origin.phase == "gradient":
        parts[0] = f"the gradient of {parts[0]}"
    if origin.row is not None:
        parts.append(f"row {origin.row}")
    return ", ".join([*parts, f"epoch {origin.epoch}, step {origin.step}"])
