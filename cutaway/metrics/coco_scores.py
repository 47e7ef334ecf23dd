"""COCO's evaluation of detections, by faster-coco-eval: of boxes or of masks."""

import dataclasses
import importlib
from typing import NamedTuple

import numpy as np

from cutaway.data.run_lengths import runs_area
from cutaway.errors import OptionError, install_extra

COCO_SCORES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
COCO_IOUS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))


@dataclasses.dataclass(frozen=True)
class CollectedPicture:
    """The objects and detections of a picture.

    Attributes:
        boxes, classes, ignored: (n, 4), (n,) and (n,) of the objects.
        areas: (n,) as they were given; None: those of the boxes or masks.
        masks: run lengths of the objects; None: not known.
        found, found_classes, scores: (m, 4), (m,) and (m,) of the detections.
        found_masks: their run lengths, or None.
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    areas: np.ndarray | None
    masks: list[dict] | None
    found: np.ndarray
    found_classes: np.ndarray
    scores: np.ndarray
    found_masks: list[dict] | None

    @property
    def has_masks(self) -> bool:
        """Whether all objects and detections have masks."""
        sides = ((self.masks, self.boxes), (self.found_masks, self.found))
        return all(masks is not None or not len(boxes) for masks, boxes in sides)


class CocoEvaluation(NamedTuple):
    """What COCO's evaluation finds.

    Attributes:
        numbers: (12,) in the order of COCO_SCORES, -1 for nothing to find.
        precision: (10, 101, classes): at least this IoU, at least this recall; -1 likewise.
    """

    numbers: np.ndarray
    precision: np.ndarray


def coco_package():
    """The package faster-coco-eval.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return importlib.import_module("faster_coco_eval")
    except ImportError as error:
        raise OptionError(
            "COCO's scores need the package faster-coco-eval, which is not installed",
            fix=install_extra("vision"),
        ) from error


def coco_evaluation(pictures: list[CollectedPicture], names, *, masks: bool) -> CocoEvaluation:
    """Evaluate detections as COCO does.

    Args:
        names: of the classes.
        masks: whether the overlap is that of the masks; otherwise of the boxes.

    Raises:
        OptionError: faster-coco-eval is not installed.
    """
    coco = coco_package()
    common = {
        "images": [{"id": k, "width": 1, "height": 1} for k in range(len(pictures))],
        "categories": [{"id": k, "name": name} for k, name in enumerate(names)],
        "info": {},
    }
    truths, found = [], []
    for k, one in enumerate(pictures):
        of_truth = _annotations(k, one.boxes, one.classes, one.masks if masks else None)
        of_found = _annotations(k, one.found, one.found_classes, one.found_masks if masks else None)
        for j, (annotation, ignored) in enumerate(zip(of_truth, one.ignored, strict=True)):
            annotation["iscrowd"] = int(ignored)
            if one.areas is not None:
                annotation["area"] = float(one.areas[j])
        for annotation, score in zip(of_found, one.scores, strict=True):
            annotation["score"] = float(score)
        truths += of_truth
        found += of_found
    for annotations in (truths, found):
        for number, annotation in enumerate(annotations, 1):
            annotation["id"] = number
    sets = [coco.COCO({**common, "annotations": part}) for part in (truths, found)]
    kind = "segm" if masks else "bbox"
    evaluation = coco.COCOeval_faster(*sets, kind, print_function=_say_nothing)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    # thresholds, recalls, classes, areas, detections per picture
    precision = np.array(evaluation.eval["precision"], np.float64)[:, :, :, 0, -1]
    return CocoEvaluation(np.array(evaluation.stats[: len(COCO_SCORES)], np.float64), precision)


def _annotations(picture: int, boxes, classes, masks) -> list[dict]:
    found = []
    for j, (box, kind) in enumerate(zip(boxes, classes, strict=True)):
        x1, y1, x2, y2 = map(float, box)
        one = {
            "image_id": picture,
            "category_id": int(kind),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
        }
        if masks is not None:
            one |= {"segmentation": masks[j], "area": float(runs_area(masks[j]))}
        found.append(one)
    return found


def _say_nothing(*_) -> None:
    pass
