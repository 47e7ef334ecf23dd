"""Too few epochs: the loss was still falling quickly when training ended."""

from cutaway.doctor.changes import Epochs
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH

FAMILY = "stuck"
EXPLAINS = ("underfitting",)

LONGER = 4  # times the epochs
CONFIDENCE = 0.65


def look(evidence) -> Finding | None:
    if not is_cure(evidence):
        return None
    reruns = evidence.reruns
    longer = reruns.longer(LONGER)
    epochs = evidence.plan.epochs
    return Finding(
        code="too_few_epochs",
        where=f"{epochs} epochs, {epochs * reruns.steps_per_epoch} steps",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(f"loss after {LONGER * epochs} epochs", longer.loss, reruns.base.loss, "below"),
            Measure(
                "attainable loss reduction missed (fraction)",
                reruns.gain(longer),
                WORTH,
                "above",
                "a choice; healthy programs stay below it in all reruns",
            ),
        ],
        explanation="L was still falling when training ended: training longer reaches a much lower "
        "loss" + (", also on validation rows." if reruns.validation is not None else "."),
        prescriptions=[
            Prescription(f"train for {LONGER * epochs} epochs", (Epochs(LONGER),)),
            Prescription(f"train for {10 * epochs} epochs", (Epochs(10),)),
        ],
        confidence=CONFIDENCE,
        cured=longer.loss / reruns.base.loss,
    )


def is_cure(evidence) -> bool:
    """Whether training longer reaches a much lower loss."""
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return False
    return reruns.is_worth(reruns.longer(LONGER))
