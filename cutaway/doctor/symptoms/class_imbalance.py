"""class_imbalance: some classes are so rare that the network ignores them."""

import numpy as np

from cutaway.doctor.changes import ClassWeights
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.outputs import SURE, ask, chosen_classes, class_numbers
from cutaway.errors import CutawayError
from cutaway.nn.trees import take_rows

EXPLAINS = ("stuck",)

# Rows of the largest class per row of the smallest; Johnson & Khoshgoftaar 2019, "Survey on deep
# learning with class imbalance", J. Big Data 6:27, calls 1:10 slight and 1:100 and more high.
RATIO = 8.0
# Recall of the rarest class. Below a half, the class is as good as ignored.
RECALL = 0.5
# By how much class weights must raise the recall for the imbalance to be the cause.
GAIN = 0.2
WEIGH = (
    "weight the classes by 1 / their number of rows: --class-weights balanced, in Python the "
    "class_weights of the loss"
)
WEIGHTED = 1.5  # cost of a misclassified rare row relative to a common one, in a loss with weights


def look(evidence) -> Finding | None:
    """Class counts, whether the loss compensates for them, and the recall of the rarest class."""
    return look_at_heads(_look, evidence)


def _look(evidence, head) -> Finding | None:
    want, x, y = head.wants, evidence.plan.x, head.y
    classes = class_numbers(y, want)
    if classes is None or len(classes) != len(y):
        return None
    counts = np.bincount(classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return None
    rare, common = present[counts[present].argmin()], present[counts[present].argmax()]
    ratio = counts[common] / counts[rare]
    if ratio < RATIO or is_weighted(head, rare, common):
        return None
    rows = np.concatenate([np.flatnonzero(classes == k)[:500] for k in present])
    x = take_rows(x, rows[classes[rows] == rare])
    found = _found(head, evidence.trainer, x, rare)
    if found >= RECALL:
        return None
    name = evidence.plan.class_name(rare, head.head.where)
    measures = [
        Measure("rows of the largest class per row of the smallest", float(ratio), RATIO, "above",
                "Johnson & Khoshgoftaar 2019, section 1"),
        Measure(f"recall of {name} ({counts[rare]} rows)", found, RECALL, "below"),
    ]  # fmt: skip
    confidence = 0.6
    weighted = _with_weights(evidence)
    if weighted is not None:
        after = _found(head, weighted, x, rare)
        if after - found < GAIN:
            return None
        measures.append(Measure("recall with class weights", after, found + GAIN, "above"))
        confidence = 0.82
    return Finding(
        "class_imbalance",
        f"{name}: {counts[rare]} of {len(classes)} rows",
        measures,
        f"L is a mean over rows: {counts[common] / len(classes):.0%} of them are of "
        f"{evidence.plan.class_name(common, head.head.where)}, and "
        f"{counts[rare] / len(classes):.1%} of {name}, whose mistakes weigh as little in ∂L/∂w.",
        [Prescription(WEIGH, (ClassWeights(),))],
        confidence,
    )


def is_weighted(head, rare: int, common: int) -> bool:
    """Whether a mistake in the rare class costs more than one in the common class."""
    shape, want = head.ending.shape, head.wants
    classes = class_numbers(head.y, want)
    two = np.array([np.flatnonzero(classes == k)[0] for k in (rare, common)])
    y = head.y[two]
    wrong = []
    for mistaken in (0, 1):
        predicted = [rare, common]
        predicted[mistaken] = [common, rare][mistaken]
        outputs = _outputs_of(predicted, want, shape)
        wrong.append(ask(head.loss, outputs, y))
    return bool(wrong[0] > WEIGHTED * wrong[1])


def _outputs_of(classes, want, shape):
    """Outputs that predict these classes with fair confidence."""
    if shape[-1:] in ((), (1,)):
        sure = np.array(classes, float).reshape(-1, *shape)
    else:
        sure = np.eye(shape[-1])[classes]
    if want.output == "probability":
        return 0.05 + 0.9 * sure if shape[-1:] in ((), (1,)) else (
            0.9 * sure + 0.1 / shape[-1]
        )  # fmt: skip
    return (2 * sure - 1) * (SURE / 3)


def _found(head, trainer, x, rare) -> float:
    return float((chosen_classes(head.head.predict(trainer, x), head.wants) == rare).mean())


def _with_weights(evidence):
    """A trainer trained with class weights; None if the loss does not take any."""
    try:
        return evidence.plan.changed(ClassWeights()).run()
    except CutawayError:
        return None
