"""nan_source: where a NaN or infinity first appeared."""

import math

import numpy as np

from cutaway.doctor.changes import Clip, LearningRate
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.observed import LiveEvidence
from cutaway.doctor.symptoms import exploding_gradient
from cutaway.train.blocks import leaves_by_name

FAMILY = "unstable"

# Factor on the learning rate. A divergence disappears with it, an undefined operation does not.
CALM = 0.01
GREW = 2.0  # times the initial loss: the loss rose before training stopped


def look(evidence: Evidence) -> Finding | None:
    if evidence.trouble is None:
        return None
    return in_data(evidence.plan) or _in_training(evidence)


def look_live(evidence: LiveEvidence) -> Finding | None:
    """While it trains: the course of the losses before it, without an experiment."""
    if evidence.trouble is None:
        return None
    found = in_data(evidence.plan)
    if found is not None:
        return found
    rising = max(evidence.course, default=0.0) > GREW * evidence.initial_loss
    diverged = rising or exploding_gradient.look_live(evidence) is not None
    return _after(evidence, diverged, [])


def look_in_turns(evidence: Evidence) -> Finding | None:
    """For networks that train in turn: where it appeared, without an experiment."""
    trouble = evidence.trouble
    if trouble is None:
        return None
    return in_data(evidence.plan) or Finding(
        "nan_source",
        _place(trouble),
        [Measure("epochs completed before", len(evidence.losses))],
        f"{trouble.came}.",
        [Prescription("divide the learning rates of both optimizers by 10")],
        0.6,
    )


def in_data(plan) -> Finding | None:
    """NaN or infinity in the arrays of a plan."""
    for name, array in (leaves_by_name("x", plan.x) | leaves_by_name("y", plan.y)).items():
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
            f"{name}{list(at)} is {array[at]}. Every value computed from it is NaN or "
            "infinite, and after one step so is every weight.",
            [Prescription("impute the missing values (for example with the column's median) or "
                          "drop these rows")],
            1.0,
        )  # fmt: skip
    return None


def _in_training(evidence):
    calm = evidence.tried(LearningRate(CALM)).loss
    losses = evidence.losses
    rising = not len(losses) or losses[-1] > GREW * evidence.initial_loss
    diverged = (math.isfinite(calm) and rising) or exploding_gradient.look(evidence) is not None
    return _after(evidence, diverged, [Measure(f"loss with the learning rate times {CALM}", calm)])


def _after(evidence, diverged: bool, tried: list[Measure]) -> Finding:
    """The finding of a divergence, or of an undefined operation.

    Args:
        tried: the loss with a lower learning rate, if that was tried.
    """
    trouble, losses = evidence.trouble, evidence.losses
    measures = [Measure("epochs completed before", len(losses))]
    if len(losses):
        measures.append(Measure("loss of the last complete epoch", losses[-1]))
    measures += tried
    if diverged:
        text = (
            f"{trouble.came}. The values grew until they overflowed: this is the end of a "
            "divergence, not its cause."
        )
        fix = [
            Prescription("divide the learning rate by 10", (LearningRate(0.1),)),
            Prescription("clip the gradient norm to 1", (Clip(1.0),)),
        ]
    else:
        text = (
            f"{trouble.came}. Nothing had grown before, so an operation there was evaluated where "
            "it is undefined: a logarithm or division at 0, or a square root (or its slope) at or "
            "below 0."
        )
        fix = [
            Prescription(
                "keep the argument inside the domain, for example log(p + 1e-7), or use the loss "
                "that takes logits"
            ),
            Prescription("clip the gradient norm to 1", (Clip(1.0),)),
        ]
    where, confidence = _place(trouble), 0.4 if diverged else 0.95
    origin = trouble.origin
    path = "" if origin is None else origin.layer
    if origin is not None and origin.phase in ("weights", "optimizer"):  # of a parameter
        path = path.rpartition(".")[0]
    return Finding("nan_source", where, measures, text, fix, confidence, path=path)


def _place(trouble) -> str:
    """Operation, layer, row and step of the first NaN, or what the error says about it."""
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
