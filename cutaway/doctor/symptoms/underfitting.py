"""Underfitting: the network cannot represent what a larger plain network learns."""

from cutaway.doctor.changes import Widen
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import ADAM_RATES, WORTH
from cutaway.doctor.stop import is_beyond
from cutaway.doctor.symptoms import too_few_epochs

FAMILY = "stuck"
EXPLAINS = ("learning_rate_too_low", "too_few_epochs")

CONFIDENCE = 0.6
NOTHING = 0.95  # of the chance-level loss: a network above it has learned nothing
SECOND = 0.45  # then vanishing gradients or dead units may be the cause, and rank above


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    if not evidence.is_single:
        evidence.not_checked(
            "underfitting",
            "there is no plain network to compare with for several inputs or outputs",
        )
        return None
    own = list(_training_alone(evidence))
    wider = reruns.relative()
    if wider is None or not all(reruns.is_worth(wider, than) for than in (reruns.base, *own)):
        return None
    # the network itself can learn more, and that is most of what is attainable
    best = min(found.loss for found in own)
    if any(map(reruns.is_worth, own)) and not is_beyond(reruns, wider.loss, best):
        return None
    if evidence.stop is not None:
        return None  # it learns more from another initialization as well
    size = sum(p.size for p in evidence.plan.program.optimizer.parameters)
    return Finding(
        code="underfitting",
        where=f"network, {size} parameters",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(
                "loss of a plain network, two hidden layers of 128 ReLU units",
                wider.loss,
                reruns.base.loss,
                "below",
            ),
            Measure("attainable loss reduction missed (fraction)", reruns.gain(wider), WORTH),
        ],
        explanation="Other learning rates, more epochs or Adam lower L far less than a larger "
        "network does: this network does not have the capacity for the task.",
        prescriptions=[
            Prescription("add units or layers, with activations between the layers", (Widen(),))
        ],
        confidence=SECOND if reruns.base.loss >= NOTHING * reruns.chance else CONFIDENCE,
        cured=wider.loss / reruns.base.loss,
    )


def _training_alone(evidence):
    reruns = evidence.reruns
    yield from (reruns.rate(factor) for factor in (10.0, 0.1))
    yield reruns.longer(too_few_epochs.LONGER)
    yield from (reruns.adam(lr) for lr in ADAM_RATES)
