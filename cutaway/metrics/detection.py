"""Scores of detectors from all predictions of a set: average precision of COCO and Pascal VOC.

A detection is right if it overlaps a truth of its class enough that no better detection has taken.
The precision of the detections with at least some score, as a function of their recall, averaged
over the recall, is the average precision (AP) of a class.
"""

import dataclasses
import importlib
from collections.abc import Sequence

import numpy as np

from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.metrics.detection_errors import iou_matrix

COCO_SCORES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Picture:
    boxes: np.ndarray  # of the truth
    classes: np.ndarray
    ignored: np.ndarray
    areas: np.ndarray
    found: np.ndarray  # boxes of the detections
    found_classes: np.ndarray
    scores: np.ndarray


class DetectionScores:
    """Collects pictures and their detections, and scores them all together.

    Args:
        classes: names of the classes.

    Example:
        >>> from cutaway.metrics import DetectionScores
        >>> scores = DetectionScores(["cat", "dog"])
        >>> truth = {"boxes": [[0, 0, 10, 10]], "classes": [1]}
        >>> found = {"boxes": [[0, 0, 10, 8]], "classes": [1], "scores": [0.9]}
        >>> scores.collect(truth, found)
        >>> scores.voc()["ap"]  # of each class; none of the first
        [nan, 1.0]
    """

    def __init__(self, classes: Sequence[str]):
        self.classes = [str(name) for name in classes]
        if not self.classes:
            raise OptionError("DetectionScores: no classes", expected="at least one name")
        self.pictures: list[_Picture] = []

    def __len__(self):
        return len(self.pictures)

    def collect(self, truth: dict, found: dict) -> None:
        """Add one picture.

        Args:
            truth: {"boxes": (n, 4) x1 y1 x2 y2, "classes": (n,)} and, if there are, "valid": (n,)
                bool, False for padding; "ignored": (n,) bool, crowds and difficult objects, which
                are matched without reward or penalty; "areas": (n,), by default the boxes' own.
            found: {"boxes": (m, 4), "classes": (m,), "scores": (m,)} and, if there is, "valid".

        Raises:
            ShapeError: arrays of different lengths.
            DataError: a class out of range, a box or score that is not a number.
        """
        boxes, classes, kept = self._checked(truth, "truth")
        ignored = np.asarray(truth.get("ignored", np.zeros(len(kept), bool)), bool)
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
        areas = np.asarray(truth.get("areas", sides.prod(axis=1)), np.float64)
        found_boxes, found_classes, found_kept = self._checked(found, "found")
        scores = np.asarray(found["scores"], np.float64)
        if scores.shape != found_kept.shape or not np.isfinite(scores[found_kept]).all():
            raise DataError(
                f"DetectionScores: scores of shape {scores.shape} in picture {len(self)}",
                expected="one finite number per box",
            )
        self.pictures.append(
            _Picture(
                boxes[kept],
                classes[kept],
                ignored[kept],
                areas[kept],
                found_boxes[found_kept],
                found_classes[found_kept],
                scores[found_kept],
            )
        )

    def result(self) -> dict:
        """COCO's twelve numbers, and AP and AP50 of each class; NaN where there is nothing to find.

        AP: mean over the IoU thresholds 0.5, 0.55, ..., 0.95 of the precision interpolated at 101
        recalls, and over the classes. Sizes: areas below 32², up to 96², beyond. AR: largest recall
        with 1, 10 or 100 detections in a picture.

        Returns:
            {"ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100",
            "ar_small", "ar_medium", "ar_large": number, "class_ap", "class_ap50": one per class}

        Raises:
            OptionError: faster-coco-eval is not installed.
        """
        evaluation = self._evaluated()
        stats = [float(value) for value in list(evaluation.stats)[:12]]
        # thresholds, recalls, classes, areas, detections per picture
        precision = np.asarray(evaluation.eval["precision"], np.float64)[:, :, :, 0, -1]
        return {
            **{n: _known(v) for n, v in zip(COCO_SCORES, stats, strict=True)},
            "class_ap": [_mean(precision[:, :, k]) for k in range(len(self.classes))],
            "class_ap50": [_mean(precision[0, :, k]) for k in range(len(self.classes))],
        }

    def voc(self, *, iou: float = 0.5) -> dict:
        """Pascal VOC's average precision since 2010: the area under the falling envelope.

        Args:
            iou: least IoU with a truth.

        Returns:
            {"ap": one per class, NaN where there is no truth, "mean_ap": their mean}
        """
        return self._of_curves(area_under, iou)

    def voc_2007(self, *, iou: float = 0.5) -> dict:
        """Pascal VOC's average precision until 2009: the mean at the recalls 0, 0.1, ..., 1.

        Args, Returns: see voc.
        """
        return self._of_curves(at_eleven_recalls, iou)

    def curve(self, number: int, *, iou: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(recall, precision, score) of a class, for each of its detections by falling scores.

        A detection belongs to the truth that it overlaps most. If that one is ignored, the
        detection does not count; if a better detection has it already, the detection is wrong.
        """
        total, scores, right = 0, [], []
        for picture in self.pictures:
            truths = picture.boxes[picture.classes == number]
            ignored = picture.ignored[picture.classes == number]
            total += int((~ignored).sum())
            own = picture.found_classes == number
            order = np.argsort(-picture.scores[own], kind="stable")
            taken: set[int] = set()
            for box, score in zip(
                picture.found[own][order], picture.scores[own][order], strict=True
            ):
                overlaps = iou_matrix(box[None], truths)[0]
                best = int(np.argmax(overlaps)) if len(overlaps) else -1
                hits = best >= 0 and overlaps[best] >= iou
                if hits and ignored[best]:
                    continue
                scores.append(score)
                right.append(hits and best not in taken)
                if hits:
                    taken.add(best)
        order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
        hits = np.cumsum(np.asarray(right, bool)[order])
        recall = hits / total if total else np.full(len(hits), np.nan)
        return recall, hits / np.arange(1, len(hits) + 1), np.asarray(scores)[order]

    def _of_curves(self, average, iou) -> dict:
        found = []
        for number in range(len(self.classes)):
            recall, precision, _ = self.curve(number, iou=iou)
            has_truth = any(
                ((p.classes == number) & ~p.ignored).any() for p in self.pictures
            )  # fmt: skip
            found.append(average(recall, precision) if has_truth else float("nan"))
        return {"ap": found, "mean_ap": _mean(np.array(found), missing=np.nan)}

    def _checked(self, given, which):
        boxes = np.asarray(given["boxes"], np.float64).reshape(-1, 4)
        classes = np.asarray(given["classes"], int)
        kept = np.asarray(given.get("valid", np.ones(len(boxes), bool)), bool)
        if classes.shape != (len(boxes),) or kept.shape != (len(boxes),):
            raise ShapeError(
                f"DetectionScores: {which} with {len(boxes)} boxes, classes of shape "
                f"{classes.shape}, valid of shape {kept.shape}",
                expected="one class for each box",
            )
        wrong = kept & ((classes < 0) | (classes >= len(self.classes)))
        if wrong.any() or not np.isfinite(boxes[kept]).all():
            came = f"class {classes[wrong][0]}" if wrong.any() else "a box that is not finite"
            raise DataError(
                f"DetectionScores: {came} in {which} of picture {len(self)}",
                expected=f"classes from 0 to {len(self.classes) - 1}, finite boxes",
                fix="pass valid=False for padding",
            )
        return boxes, classes, kept

    def _evaluated(self):
        coco = coco_package()
        images = [{"id": k, "width": 1, "height": 1} for k in range(len(self))]
        categories = [{"id": k, "name": name} for k, name in enumerate(self.classes)]
        truths, found = [], []
        for k, picture in enumerate(self.pictures):
            for box, kind, ignored, area in zip(
                picture.boxes, picture.classes, picture.ignored, picture.areas, strict=True
            ):
                truths.append(
                    {
                        "id": len(truths) + 1,
                        "image_id": k,
                        "category_id": int(kind),
                        "bbox": _as_sides(box),
                        "area": float(area),
                        "iscrowd": int(ignored),
                    }
                )
            for box, kind, score in zip(
                picture.found, picture.found_classes, picture.scores, strict=True
            ):
                sides = _as_sides(box)
                found.append(
                    {
                        "id": len(found) + 1,
                        "image_id": k,
                        "category_id": int(kind),
                        "bbox": sides,
                        "area": sides[2] * sides[3],
                        "iscrowd": 0,
                        "score": float(score),
                    }
                )
        common = {"images": images, "categories": categories, "info": {}}
        sets = [coco.COCO({**common, "annotations": part}) for part in (truths, found)]
        evaluation = coco.COCOeval_faster(*sets, "bbox", print_function=_say_nothing)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation


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
            fix='pip install "cutaway[vision]"',
        ) from error


def area_under(recall, precision) -> float:
    """The area under the envelope of a curve: at each recall the best precision from there on.

    Example:
        >>> from cutaway.metrics.detection import area_under
        >>> area_under([0.5, 0.5, 1.0], [1.0, 0.5, 2 / 3])
        0.8333333333333333
    """
    recall = np.concatenate([[0.0], recall])
    envelope = np.maximum.accumulate(np.asarray(precision, np.float64)[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def at_eleven_recalls(recall, precision) -> float:
    """The mean of the best precisions at the recalls 0, 0.1, ..., 1 and beyond.

    Example:
        >>> from cutaway.metrics.detection import at_eleven_recalls
        >>> round(at_eleven_recalls([0.5, 0.5, 1.0], [1.0, 0.5, 2 / 3]), 4)  # (6 + 5 · 2/3) / 11
        0.8485
    """
    recall, precision = np.asarray(recall), np.asarray(precision)
    best = [
        np.max(precision[recall >= level - 1e-9], initial=0.0) for level in np.linspace(0, 1, 11)
    ]
    return float(np.mean(best))


def _as_sides(box) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def _known(value: float) -> float:
    """COCO's -1, for nothing to find, as NaN."""
    return float("nan") if value == -1 else value


def _mean(values, missing: float = -1) -> float:
    there = values[~np.isnan(values)] if np.isnan(missing) else values[values != missing]
    return float(there.mean()) if there.size else float("nan")


def _say_nothing(*_) -> None:
    pass
