"""What a detector did wrong: objects missed, boxes invented, doubled, or of the wrong class."""

from typing import NamedTuple

import numpy as np

RIGHT, WRONG_CLASS, DOUBLED, INVENTED, UNCOUNTED = range(5)
ERRORS = ("right", "wrong class", "doubled", "invented", "not counted")


class Judged(NamedTuple):
    """The detections of a picture beside its objects.

    Attributes:
        verdicts: of each detection, a number of ERRORS.
        partners: of each detection, the object that it is for, -1 for none.
        missed: numbers of the objects that no detection is for, also not one of another class.
    """

    verdicts: np.ndarray
    partners: np.ndarray
    missed: np.ndarray

    @property
    def mistakes(self) -> int:
        """Number of wrong detections and missed objects."""
        wrong = (self.verdicts != RIGHT) & (self.verdicts != UNCOUNTED)
        return int(wrong.sum()) + len(self.missed)


def judge(truth: dict, found: dict, *, iou: float = 0.5) -> Judged:
    """Pair detections with objects, the best scores first, each object at most once.

    A detection is for the object that it overlaps most of those that are left, one of its own class
    before others. If none is left, it is doubled where it overlaps an object of its class that is
    taken, not counted where it overlaps one that is ignored, and otherwise invented.

    Args:
        truth: {"boxes": (n, 4) x1 y1 x2 y2, "classes": (n,)} and, if there is, "ignored": (n,).
        found: {"boxes": (m, 4), "classes": (m,), "scores": (m,)}.
        iou: least overlap.

    Example:
        >>> from cutaway.metrics.detection_errors import ERRORS, judge
        >>> truth = {"boxes": [[0, 0, 10, 10], [20, 0, 30, 10]], "classes": [0, 1]}
        >>> boxes = [[0, 0, 10, 9], [0, 0, 9, 10], [50, 0, 60, 10]]
        >>> found = {"boxes": boxes, "classes": [0, 0, 1], "scores": [0.9, 0.8, 0.7]}
        >>> judged = judge(truth, found)
        >>> [ERRORS[k] for k in judged.verdicts], judged.missed.tolist()
        (['right', 'doubled', 'invented'], [1])
    """
    boxes, own = (np.asarray(one["boxes"], float).reshape(-1, 4) for one in (truth, found))
    classes, own_classes = (np.asarray(one["classes"], int) for one in (truth, found))
    ignored = np.asarray(truth.get("ignored", np.zeros(len(boxes), bool)), bool)
    own, own_classes = (
        np.asarray(found["boxes"], float).reshape(-1, 4),
        np.asarray(found["classes"]),
    )
    overlaps = iou_matrix(own, boxes)
    verdicts, partners = np.full(len(own), INVENTED), np.full(len(own), -1)
    taken = np.zeros(len(boxes), bool)
    for k in np.argsort(-np.asarray(found["scores"], float), kind="stable"):
        fits = overlaps[k] >= iou
        left = fits & ~taken & ~ignored
        same = classes == own_classes[k]
        if (left & same).any() or left.any():
            chosen = left & same if (left & same).any() else left
            best = int(np.argmax(np.where(chosen, overlaps[k], -1)))
            # an object of another class is not lost if its own detection follows
            if not same[best] and (fits & same & taken).any():
                verdicts[k] = DOUBLED
                continue
            taken[best], partners[k] = True, best
            verdicts[k] = RIGHT if same[best] else WRONG_CLASS
        elif (fits & ignored & same).any():
            verdicts[k] = UNCOUNTED
        elif (fits & taken & same).any():
            verdicts[k] = DOUBLED
    return Judged(verdicts, partners, np.flatnonzero(~taken & ~ignored))


def confusion_with_background(pictures, classes: int) -> np.ndarray:
    """(classes + 1, classes + 1) objects by true and found class; the last one is the background.

    Objects that are missed are found as background; invented and doubled boxes are background that
    was found as a class.

    Args:
        pictures: of each (truth, found, its Judged).
        classes: number of classes.
    """
    counts = np.zeros((classes + 1, classes + 1), int)
    for truth, found, judged in pictures:
        true, own = np.asarray(truth["classes"], int), np.asarray(found["classes"], int)
        rows = np.where(judged.partners >= 0, true[judged.partners] if len(true) else -1, classes)
        counted = judged.verdicts != UNCOUNTED
        np.add.at(counts, (rows[counted], own[counted]), 1)
        np.add.at(counts[:, classes], true[judged.missed], 1)
    return counts


def iou_matrix(a, b) -> np.ndarray:
    """IoU of each box of a (n, 4) with each of b (m, 4), 0 where neither has an area."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=-1)
    areas = [np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1] - both
    return np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
