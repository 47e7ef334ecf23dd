"""Some classes are so rare that the network has given them up."""

import numpy as np

from cutaway.doctor.changes import ClassWeights
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import SURE, ask, chosen_classes, class_numbers
from cutaway.errors import CutawayError

# Rows of the commonest class for each of the rarest; Johnson & Khoshgoftaar 2019, "Survey on deep
# learning with class imbalance", J. Big Data 6:27, calls 1:10 slight and 1:100 and more high.
RATIO = 8.0
# Share of the rarest class's rows that are found. Half: worse is as good as given up.
RECALL = 0.5
# By how much weights must raise that share, for the cause to be the imbalance.
GAIN = 0.2
WEIGHTED = 1.5  # how much more a wrong rare row costs than a common one in a loss with weights


def look(evidence) -> Finding | None:
    """Counts of the classes, whether the loss makes up for them, and who is found."""
    want, x, y = evidence.wants, evidence.program.x, evidence.program.y
    classes = class_numbers(y, want)
    if classes is None or len(classes) != len(y):
        return None
    counts = np.bincount(classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return None
    rare, common = present[counts[present].argmin()], present[counts[present].argmax()]
    ratio = counts[common] / counts[rare]
    if ratio < RATIO or is_weighted(evidence, want, rare, common):
        return None
    rows = np.concatenate([np.flatnonzero(classes == k)[:500] for k in present])
    rows = rows[classes[rows] == rare]
    found = _found(evidence.trainer, x[rows], want, rare)
    if found >= RECALL:
        return None
    measures = [
        Measure("rows of the commonest class for each of the rarest", float(ratio), RATIO, "above",
                "Johnson & Khoshgoftaar 2019, section 1"),
        Measure(f"share of class {rare}'s {counts[rare]} rows that are recognized", found, RECALL,
                "below"),
    ]  # fmt: skip
    confidence = 0.6
    weighted = _with_weights(evidence)
    if weighted is not None:
        after = _found(weighted, x[rows], want, rare)
        if after - found < GAIN:
            return None
        measures.append(Measure("the same with class weights", after, found + GAIN, "above"))
        confidence = 0.82
    return Finding(
        "class_imbalance",
        f"class {rare}: {counts[rare]} of {len(classes)} rows",
        measures,
        f"L is a mean over rows, of which class {common} has {counts[common] / len(classes):.0%}: "
        "answering with it everywhere already costs little, and the few rows of the rare class "
        "add little to ∂L/∂w.",
        [Prescription("weigh the classes by 1 / their number of rows", (ClassWeights(),))],
        confidence,
    )


def is_weighted(evidence, want, rare: int, common: int) -> bool:
    """Whether a mistake in the rare class costs more than one in the common class."""
    shape = evidence.ending.shape
    classes = class_numbers(evidence.program.y, want)
    two = np.array([np.flatnonzero(classes == k)[0] for k in (rare, common)])
    y = evidence.program.y[two]
    wrong = []
    for mistaken in (0, 1):
        said = [rare, common]
        said[mistaken] = [common, rare][mistaken]
        wrong.append(ask(evidence.program.trainer.loss, _saying(said, want, shape), y))
    return bool(wrong[0] > WEIGHTED * wrong[1])


def _saying(classes, want, shape):
    """Outputs that are fairly sure of these classes."""
    if shape[-1:] in ((), (1,)):
        sure = np.array(classes, float).reshape(-1, *shape)
    else:
        sure = np.eye(shape[-1])[classes]
    if want.output == "probability":
        return 0.05 + 0.9 * sure if shape[-1:] in ((), (1,)) else (
            0.9 * sure + 0.1 / shape[-1]
        )  # fmt: skip
    return (2 * sure - 1) * (SURE / 3)


def _found(trainer, x, want, rare) -> float:
    return float((chosen_classes(trainer.predict(x), want) == rare).mean())


def _with_weights(evidence):
    """A trainer that was trained with class weights; None if the loss takes none."""
    try:
        return evidence.program.changed(ClassWeights()).run()
    except CutawayError:
        return None
