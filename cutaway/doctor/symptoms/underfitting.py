"""Underfitting: the network cannot represent what a plain network with more units learns."""

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import ADAM_RATES, WORTH
from cutaway.doctor.symptoms import too_few_epochs

CONFIDENCE = 0.6
NOTHING = 0.95  # of the chance loss: a network above has learnt nothing
SECOND = 0.45  # then gradients that vanish or units that died may be why, and rank above


def look(evidence) -> Finding | None:
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    if any(reruns.is_worth(found) for found in _training_alone(evidence)):
        return None  # it can learn more as it is
    if evidence.stop is not None:
        return None  # from another start it learns more as well
    wider = reruns.relative()
    if wider is None or not reruns.is_worth(wider):
        return None
    size = sum(p.size for p in evidence.program.trainer.optimizer.parameters)
    return Finding(
        code="underfitting",
        where=f"network, {size} parameters",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(
                "loss of a plain network, two hidden layers of 128 ReLU",
                wider.loss,
                reruns.base.loss,
                "below",
            ),
            Measure("share of the attainable that is left", reruns.gain(wider), WORTH),
        ],
        explanation="Neither other rates nor more epochs nor Adam lower L much, but a larger "
        "network does: the function that is asked for is beyond this one.",
        prescriptions=[
            Prescription("give the network more units or layers, with activations between them")
        ],
        confidence=SECOND if reruns.base.loss >= NOTHING * reruns.chance else CONFIDENCE,
    )


def _training_alone(evidence):
    reruns = evidence.reruns
    yield from (reruns.rate(factor) for factor in (10.0, 0.1))
    yield reruns.longer(too_few_epochs.LONGER)
    yield from (reruns.adam(lr) for lr in ADAM_RATES)
