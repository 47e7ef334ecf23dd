"""Whether targets on their own scale are learned as well as standardized ones, by a trial."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.finding import Finding
from cutaway.doctor.symptoms import unscaled_targets
from cutaway.errors import CutawayError

# The part of the variance that may stay unexplained only because training began far from the
# targets, as in unscaled_targets.
GAIN = unscaled_targets.GAIN
UNTRIED, TRIED = 0.6, 0.85  # confidence


def scale_of_targets(head, trial, seconds: float) -> Finding | None:
    """The finding that targets are out of scale, if the plan learns them worse than scaled ones.

    Args:
        head: a MeasuredHead of a plan that has not trained.
        trial: FirstSteps of the plan, which knows how long a step takes; None: no trial.
        seconds: that both trainings of the trial may take together.
    """
    if head.wants is None or head.wants.target != "real":
        return None
    measures = unscaled_targets.sizes(head.sample_y)
    if not measures:
        return None
    if trial is None:
        return _finding(head, measures, UNTRIED)
    plan = head.evidence.plan
    steps = math.ceil(plan.rows / plan.batch_size)
    each = trial.step_seconds * max(1.0, plan.batch_size / trial.batch_rows)
    epochs = max(1, min(plan.epochs, int(seconds / 2 / (each * steps))))
    try:
        own, scaled = _learned(head, plan, epochs), _learned(head, _scaled(head), epochs)
    except CutawayError:
        return _finding(head, measures, UNTRIED)
    if own - scaled <= GAIN:
        return None
    if epochs < plan.epochs and _catches_up(head, own, scaled, plan.epochs / epochs):
        head.evidence.not_checked(
            f"whether {unscaled_targets.where(head)} would be learned better standardized",
            f"after {epochs} of {plan.epochs} epochs it is not decided",
        )
        return None
    measures += unscaled_targets.comparison(own, scaled, f" after {epochs} epochs")
    return _finding(head, measures, TRIED)


def _scaled(head):
    return head.evidence.plan.changed(unscaled_targets.change_for(head))


def _learned(head, plan, epochs: int) -> float:
    """The part of the variance that a training of so many epochs leaves unexplained."""
    plan = dataclasses.replace(plan, validation=None, callbacks=())
    try:
        return unscaled_targets.unexplained(head, plan, plan.run(epochs=epochs))
    except CutawayError:
        return math.inf  # it diverged


def _catches_up(head, own: float, scaled: float, times: float) -> bool:
    """Whether `times` as many epochs close the gap if training goes on at its pace."""
    y = np.asarray(head.sample_y, np.float64).reshape(len(head.sample_y), -1)
    std = np.where(y.std(axis=0) > 0, y.std(axis=0), 1)
    start = float(((y / std) ** 2).mean())  # of a network that predicts 0
    return math.isfinite(own) and own - (start - own) * (times - 1) <= scaled + GAIN


def _finding(head, measures, confidence) -> Finding:
    return Finding(
        "unscaled_targets",
        unscaled_targets.where(head),
        measures,
        "A new network predicts values near 0 with a standard deviation near 1; these targets are "
        "far from that"
        + ("." if confidence == UNTRIED else ", and this training does not make up for it."),
        unscaled_targets.prescriptions(head),
        confidence,
    )
