"""The objects of a picture, and what a detector finds of them."""

from typing import NamedTuple

import numpy as np

from cutaway.metrics.detection_errors import Judged


class Truth(NamedTuple):
    """The objects of a picture.

    Attributes:
        boxes: (n, 4) x1 y1 x2 y2 in pixels of the picture.
        classes: (n,) from 0.
        ignored: (n,) bool: neither taught nor held against a detector.
        outlines: of each its polygons, its run lengths or None; None: nobody asks for them.
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    outlines: list | None = None


class Detections(NamedTuple):
    """What was found in a picture, the best first.

    Attributes:
        boxes: (n, 4) x1 y1 x2 y2 in pixels of the picture.
        scores: (n,).
        classes: (n,) from 0.
        masks: (height, width) bool of each object, if the network makes masks; otherwise None.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: list[np.ndarray] | None = None

    def above(self, threshold: float) -> "Detections":
        """Those with at least this score."""
        return self.taken(np.flatnonzero(self.scores >= threshold))

    def taken(self, rows) -> "Detections":
        """Those of these rows."""
        masks = None if self.masks is None else [self.masks[k] for k in rows]
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows], masks)


class DetectedPicture(NamedTuple):
    """What was found in a picture beside what is there."""

    row: dict
    truth: Truth
    found: Detections


class JudgedPicture(NamedTuple):
    """What is shown of the detections in a picture, and what of it is wrong."""

    row: dict
    truth: Truth
    found: Detections
    judged: Judged
