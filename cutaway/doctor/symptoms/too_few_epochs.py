"""Too few epochs: the loss was still falling at a good pace when training ended."""

from cutaway.doctor.changes import Epochs
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.reruns import WORTH

LONGER = 4  # times the epochs
CONFIDENCE = 0.65


def look(evidence) -> Finding | None:
    if not is_cure(evidence):
        return None
    reruns = evidence.reruns
    longer = reruns.longer(LONGER)
    epochs = evidence.program.epochs
    return Finding(
        code="too_few_epochs",
        where=f"{epochs} epochs, {epochs * reruns.steps_per_epoch} steps",
        evidence=[
            Measure("loss", reruns.base.loss),
            Measure(f"loss after {LONGER * epochs} epochs", longer.loss, reruns.base.loss, "below"),
            Measure(
                "share of the attainable that is left",
                reruns.gain(longer),
                WORTH,
                "above",
                "a choice; healthy programs stay below with all reruns",
            ),
        ],
        explanation="L was still falling when training ended: the same training, only longer, gets "
        "much lower" + (", also on rows that it does not see." if reruns.held is not None else "."),
        prescriptions=[
            Prescription(f"train for {LONGER * epochs} epochs", (Epochs(LONGER),)),
            Prescription(f"train for {10 * epochs} epochs", (Epochs(10),)),
        ],
        confidence=CONFIDENCE,
        cured=longer.loss / reruns.base.loss,
    )


def is_cure(evidence) -> bool:
    """Whether training longer gets much further."""
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return False
    return reruns.is_worth(reruns.longer(LONGER))
