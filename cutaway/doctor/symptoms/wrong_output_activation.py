"""wrong_output_activation: the last activation cannot produce the targets, or one is missing."""

import dataclasses

import numpy as np

from cutaway.doctor.changes import OutputActivation, ReplaceLoss
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.outputs import attainable_losses, gives_probabilities, range_of
from cutaway.ops import ACTIVATION_FUNCTIONS, ACTIVATION_TRAITS

EXPLAINS = ("slow", "saturated_units", "vanishing_gradient", "nan_source")

# Fraction of the loss reduction from chance level to the ideal that the last activation makes
# unattainable, see outputs.AttainableLosses: ReLU with normally distributed targets 0.53, softmax
# twice 0.45 for two classes and 0.64 for ten, sigmoid with 2% of the targets up to 0.1 outside
# its range 0.003.
LOST = 0.05
# Fraction of rows where an output is exactly 0: such a unit is off.
OFF = 0.99


def look(evidence) -> Finding | None:
    """Check the output layer against the targets and the loss."""
    return look_at_heads(_look, evidence)


look_live = look  # it makes no experiment


def _look(evidence, head) -> Finding | None:
    if head.wants is None:
        return None
    name = head.ending.activation
    needs = needs_probabilities(head)
    if needs is not None and needs.code == "wrong_loss":
        return None  # that symptom reports it
    off = name and ACTIVATION_TRAITS[name].turns_off
    return (
        needs
        or (name and out_of_reach(head, head.sample_y))
        or (off and _switched_off(head))
        or None
    )


def needs_probabilities(head) -> Finding | None:
    """A loss that takes probabilities, on outputs that are not probabilities.

    If the network ends in a linear layer and the loss has a counterpart for logits, the smallest
    change is to use that: the finding is then one of wrong_loss.
    """
    want, end = head.wants, head.ending
    if want is None or want.output != "probability":
        return None
    several = want.target in ("labels", "one_hot")
    exclusive = several and end.shape[-1:] != (1,)
    if gives_probabilities(end.activation, exclusive=exclusive):
        return None
    out = head.outputs
    if several:
        what, value, limit = "mean of Σ_k ŷ_k over rows", float(out.sum(-1).mean()), 1.0
        off = abs(value - 1) > 0.01 or float(out.min()) < 0
    else:
        outside = float(((out < 0) | (out > 1)).mean())
        what, value, limit, off = "fraction of outputs outside [0, 1]", outside, 0.0, outside > 0
    if not off:
        return None  # a custom network that ends in probabilities all the same
    need = "softmax" if several else "sigmoid"
    partner = want.partner or _logit_loss(want)
    cures = [_prescription(head, f"end the network with {need}", OutputActivation(need))]
    if not end.activation and partner:
        text = f"use the loss {partner}, which takes logits"
        cures.insert(0, _prescription(head, text, ReplaceLoss(partner)))
    found = _finding(
        head,
        [Measure(what, value, limit, "above" if value > limit else "below", "of probabilities")],
        f"The loss expects probabilities (-ln ŷ of the true class), but the outputs of "
        f"{end.activation or 'the last layer'} are not: the loss is small where all outputs are "
        "large, right or wrong, and has slope 0 where it clips them."
        if several
        else "The loss expects probabilities in [0, 1], but some outputs of the network lie "
        "outside. The loss clips those, so ∂L/∂z is 0 and such rows contribute no gradient.",
        cures,
        0.93,
    )
    takes_partner = not end.activation and partner
    return dataclasses.replace(found, code="wrong_loss") if takes_partner else found


def out_of_reach(head, y) -> Finding | None:
    """A last activation that cannot produce the outputs that minimize the loss."""
    want, end = head.wants, head.ending
    found = attainable_losses(head.loss, want, end, y)
    if not np.isfinite([found.best, found.free, found.chance]).all() or found.lost < LOST:
        return None
    low, high = range_of(end.activation) or (-np.inf, np.inf)
    span = f"[{low:g}, {high:g}]" if np.isfinite(high) else f"[{low:g}, ∞)"
    if want.output == "logit":
        why = (
            f"The loss applies softmax or sigmoid to the outputs itself, but the network has "
            f"already squashed them to {span}. Even if every prediction were right, L would stay "
            f"at {found.best:.3g}."
        )
        need, text = None, f"remove the {end.activation} at the end"
    else:
        rowwise = ACTIVATION_FUNCTIONS[end.activation].traits.edges == "rowwise"
        why = (
            f"The network ends in {end.activation}, so ŷ lies in {span}"
            + (" and sums to 1" if rowwise else "")
            + f", but the targets do not. Even the best possible predictions have L = "
            f"{found.best:.3g}."
        )
        need = "sigmoid" if want.target == "binary" and want.output == "probability" else None
        text = f"end the network with {need}" if need else f"remove the {end.activation}"
    measures = [
        Measure("unattainable fraction of the loss reduction from chance level to the ideal",
                found.lost, LOST, "above", "for freely chosen outputs, see doctor.outputs"),
        Measure("lowest possible L with this activation", found.best),
        Measure("L of the best constant prediction", found.chance),
    ]  # fmt: skip
    cure = _prescription(head, text, OutputActivation(need))
    return _finding(head, measures, why, [cure], 0.94)


def _switched_off(head):
    out, y, want, end = head.outputs, head.sample_y, head.wants, head.ending
    rows = out.reshape(-1, out.shape[-1])
    off = (rows == 0).mean(axis=0)
    worst = int(off.argmax())
    if off[worst] < OFF or (want.target == "real" and not np.any(y)):
        return None
    if want.target in ("labels", "one_hot") and off[worst] >= OFF:
        frequency = (np.asarray(y).ravel() == worst).mean() if want.target == "labels" else 1.0
        if frequency == 0:
            return None
    return _finding(
        head,
        [Measure(f"fraction of rows where output {worst + 1} is 0", float(off[worst]), OFF)],
        f"The network ends in {end.activation}. Where z <= 0 both its output and its slope are 0: "
        "no gradient flows back, and the output cannot change any more.",
        [_prescription(head, f"remove the {end.activation} at the end", OutputActivation(None))],
        0.9,
    )


def _logit_loss(want):
    return {
        "labels": "sparse_categorical_cross_entropy_with_logits",
        "one_hot": "categorical_cross_entropy_with_logits",
        "binary": "binary_cross_entropy_with_logits",
    }.get(want.target)


def _prescription(head, text, change) -> Prescription:
    """A prescription that is tried only where the change cannot mean another output."""
    return Prescription(text, (change,) if head.can_replace_loss else ())


def _finding(head, evidence, explanation, prescriptions, confidence):
    end = head.ending
    where = f"the end of the network, {end.path or 'its output'} ({end.activation or 'linear'})"
    where += head.head.where.replace(" of", ", which predicts")
    return Finding(
        "wrong_output_activation",
        where,
        evidence,
        explanation,
        prescriptions,
        confidence,
        path=end.path,
    )
