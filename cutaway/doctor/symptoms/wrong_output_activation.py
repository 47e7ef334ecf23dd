"""The network ends in a function that cannot give the answers, or without one that it needs."""

import dataclasses

import numpy as np

from cutaway.doctor.changes import OutputActivation, ReplaceLoss
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import attainable_losses, range_of

# Share of the way from chance to the ideal that the last function closes for good, by
# outputs.reach: a ReLU over targets from a normal distribution 0.53, softmax twice 0.45 for two
# classes and 0.64 for ten, a sigmoid over targets of which 2% lie up to 0.1 outside 0.003.
LOST = 0.05
# A class of which all outputs are exactly 0 cannot be told from another one that is off.
OFF = 0.99


def look(evidence) -> Finding | None:
    """The output layer against the targets and the loss."""
    want, end = evidence.wants, evidence.ending
    if want is None:
        return None
    x, y = evidence.sample
    name = end.activation
    needs = needs_probabilities(evidence, want, end)
    if needs is not None and needs.code == "wrong_loss":
        return None  # that symptom says it
    return (
        needs
        or (name and out_of_reach(evidence, want, end, y))
        or (name in ("ReLU", "Threshold") and _switched_off(evidence, want, end, x, y))
        or None
    )


def needs_probabilities(evidence, want, end) -> Finding | None:
    """A loss for probabilities on outputs that are none.

    Where the network ends in a plain layer and the loss has a partner for logits, the smallest
    change is to take that: the finding is then one of wrong_loss.
    """
    several = want.target in ("labels", "one_hot")
    if want.output != "probability":
        return None
    low, high = range_of(end.activation) or (-np.inf, np.inf)
    fits = end.activation == "Softmax" if several else low >= 0 and high <= 1
    if fits or (several and end.activation == "Sigmoid" and end.shape[-1] == 1):
        return None
    out = evidence.outputs
    if several:
        what, value, limit = "mean of Σ_k ŷ_k over rows", float(out.sum(-1).mean()), 1.0
        off = abs(value - 1) > 0.01 or float(out.min()) < 0
    else:
        outside = float(((out < 0) | (out > 1)).mean())
        what, value, limit, off = "share of outputs outside [0, 1]", outside, 0.0, outside > 0
    if not off:
        return None  # a net of its own making that ends in probabilities all the same
    need = "softmax" if several else "sigmoid"
    partner = want.partner or _logit_loss(want)
    changes = [Prescription(f"end the network with {need}", (OutputActivation(need),))]
    if not end.activation and partner:
        text = f"take the loss {partner}, which takes any number"
        changes.insert(0, Prescription(text, (ReplaceLoss(partner),)))
    found = _finding(
        end,
        [Measure(what, value, limit, "above" if value > limit else "below", "of probabilities")],
        f"The loss takes probabilities, -ln ŷ of the true class, but the network ends in "
        f"{end.activation or 'a layer'} whose outputs are none: the loss is small where all "
        "outputs are large, right or wrong, and where it clips them its slope is 0."
        if several
        else "The loss takes probabilities in [0, 1], but the network's outputs leave that "
        "interval. There the loss clips them, and ∂L/∂z is 0: such rows teach nothing.",
        changes,
        0.93,
    )
    takes_partner = not end.activation and partner
    return dataclasses.replace(found, code="wrong_loss") if takes_partner else found


def out_of_reach(evidence, want, end, y) -> Finding | None:
    """A last function that cannot give what the loss is pleased with."""
    found = attainable_losses(evidence.program.trainer, want, end, y)
    if not np.isfinite([found.best, found.free, found.chance]).all() or found.lost < LOST:
        return None
    low, high = range_of(end.activation)
    span = f"[{low:g}, {high:g}]" if np.isfinite(high) else f"[{low:g}, ∞)"
    if want.output == "logit":
        why = (
            f"The loss applies its own softmax or sigmoid to the outputs, but the network has "
            f"squashed them to {span} before. Even if every answer were right, L would stay at "
            f"{found.best:.3g}."
        )
        need, text = None, f"leave out the {end.activation} at the end"
    else:
        why = (
            f"The network ends in {end.activation}, so ŷ lies in {span}"
            + (" and adds up to 1" if end.activation == "Softmax" else "")
            + f", but targets do not. Even the best answers it can give have L = {found.best:.3g}."
        )
        need = "sigmoid" if want.target == "binary" and want.output == "probability" else None
        text = f"end the network with {need}" if need else f"leave out the {end.activation}"
    measures = [
        Measure("share of the way from chance to the ideal loss that cannot be reached",
                found.lost, LOST, "above", "outputs chosen freely, see doctor.outputs"),
        Measure("lowest L with this ending", found.best),
        Measure("L of the best constant answer", found.chance),
    ]  # fmt: skip
    return _finding(end, measures, why, [Prescription(text, (OutputActivation(need),))], 0.94)


def _switched_off(evidence, want, end, x, y):
    out = evidence.outputs
    rows = out.reshape(-1, out.shape[-1])
    off = (rows == 0).mean(axis=0)
    worst = int(off.argmax())
    if off[worst] < OFF or (want.target == "real" and not np.any(y)):
        return None
    if want.target in ("labels", "one_hot") and off[worst] >= OFF:
        share = (np.asarray(y).ravel() == worst).mean() if want.target == "labels" else 1.0
        if share == 0:
            return None
    return _finding(
        end,
        [Measure(f"share of rows where output {worst + 1} is 0", float(off[worst]), OFF)],
        f"The network ends in {end.activation}. Where z <= 0 its output is 0 and so is its slope: "
        "no gradient comes back, and the output can no longer change.",
        [Prescription(f"leave out the {end.activation} at the end", (OutputActivation(None),))],
        0.9,
    )


def _logit_loss(want):
    return {
        "labels": "sparse_categorical_cross_entropy_with_logits",
        "one_hot": "categorical_cross_entropy_with_logits",
        "binary": "binary_cross_entropy_with_logits",
    }.get(want.target)


def _finding(end, evidence, explanation, prescriptions, confidence):
    where = f"the end of the network, {end.path or 'its output'} ({end.activation or 'linear'})"
    return Finding(
        "wrong_output_activation", where, evidence, explanation, prescriptions, confidence
    )
