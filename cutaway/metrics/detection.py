"""Scores of detectors from all predictions of a set: average precision of COCO and Pascal VOC.

A detection is right if it overlaps a truth of its class enough that no better detection has taken.
The precision of the detections with at least some score, as a function of their recall, averaged
over the recall, is the average precision (AP) of a class.
"""

from collections.abc import Sequence

import numpy as np

from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.metrics.coco_scores import (
    COCO_IOUS,
    COCO_SCORES,
    CocoEvaluation,
    CollectedPicture,
    coco_evaluation,
)
from cutaway.metrics.detection_errors import iou_matrix


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
        self.pictures: list[CollectedPicture] = []
        self._known: dict[bool, CocoEvaluation] = {}  # of masks or not

    def __len__(self):
        return len(self.pictures)

    def collect(self, truth: dict, found: dict) -> None:
        """Add one picture.

        Args:
            truth: {"boxes": (n, 4) x1 y1 x2 y2, "classes": (n,)} and, if there are, "valid": (n,)
                bool, False for padding; "ignored": (n,) bool, crowds and difficult objects, which
                are matched without reward or penalty; "areas": (n,), by default those of the boxes,
                and in mask_result those of the masks; "masks": n run lengths of whole pictures,
                see data.run_lengths.
            found: {"boxes": (m, 4), "classes": (m,), "scores": (m,)} and, if there are, "valid"
                and "masks".

        Raises:
            ShapeError: arrays of different lengths; masks of different sizes in a picture.
            DataError: a class out of range, a box or score that is not a number.
        """
        boxes, classes, kept = self._checked(truth, "truth")
        ignored = np.asarray(truth.get("ignored", np.zeros(len(kept), bool)), bool)
        areas = truth.get("areas")
        found_boxes, found_classes, found_kept = self._checked(found, "found")
        scores = np.asarray(found["scores"], np.float64)
        if scores.shape != found_kept.shape or not np.isfinite(scores[found_kept]).all():
            raise DataError(
                f"DetectionScores: scores of shape {scores.shape} in picture {len(self)}",
                expected="one finite number per box",
            )
        masks, found_masks = self._masks(truth, kept, found, found_kept)
        self._known = {}
        self.pictures.append(
            CollectedPicture(
                boxes[kept],
                classes[kept],
                ignored[kept],
                None if areas is None else np.asarray(areas, np.float64)[kept],
                masks,
                found_boxes[found_kept],
                found_classes[found_kept],
                scores[found_kept],
                found_masks,
            )
        )

    @property
    def has_masks(self) -> bool:
        """Whether all objects and detections have masks, and there are any."""
        some = any(p.masks is not None or p.found_masks is not None for p in self.pictures)
        return some and all(p.has_masks for p in self.pictures)

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
        return _numbers(self._evaluated(masks=False))

    def mask_result(self) -> dict:
        """The numbers of `result`, with the IoU of masks in place of that of boxes.

        Sizes are those of the masks, unless areas were given.

        Returns:
            see result

        Raises:
            OptionError: a picture without masks; faster-coco-eval is not installed.
        """
        return _numbers(self._evaluated(masks=True))

    def interpolated_precision(self, *, iou: float = 0.5, masks: bool = False) -> np.ndarray:
        """COCO's curve of each class: the best precision with at least a recall of 0, 0.01, ..., 1.

        Its mean over the recalls is the average precision of the class at this IoU.

        Args:
            iou: one of 0.5, 0.55, ..., 0.95.
            masks: whether the IoU is that of masks.

        Shapes:
            result: (classes, 101), NaN for classes of which there is nothing to find

        Raises:
            OptionError: another IoU; and see mask_result.
        """
        if round(iou, 6) not in COCO_IOUS:
            raise OptionError(
                f"interpolated_precision: iou={iou}", expected="0.5, 0.55, ... or 0.95"
            )
        found = self._evaluated(masks=masks).precision[COCO_IOUS.index(round(iou, 6))].T
        return np.where(found == -1, np.nan, found)

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

    def _masks(self, truth, kept, found, found_kept) -> list:
        """The run lengths of the objects and of the detections that are kept, None without any."""
        given = [
            (one["masks"], rows) if one.get("masks") is not None else None
            for one, rows in ((truth, kept), (found, found_kept))
        ]
        counts = [len(rows) for rows in (kept, found_kept)]
        wrong = any(one and len(one[0]) != n for one, n in zip(given, counts, strict=True))
        sizes = {tuple(mask["size"]) for one in given if one for mask in one[0] if mask is not None}
        if wrong or len(sizes) > 1:
            raise ShapeError(
                f"DetectionScores: masks of the sizes {sorted(sizes)}, "
                f"{[len(one[0]) if one else 0 for one in given]} for {counts} boxes, in picture "
                f"{len(self)}",
                expected="one for each box, of the size of the picture",
            )
        return [one and [one[0][k] for k in np.flatnonzero(one[1])] for one in given]

    def _evaluated(self, *, masks: bool) -> CocoEvaluation:
        if masks and not self.has_masks:
            raise OptionError(
                f"DetectionScores: masks of {sum(p.has_masks for p in self.pictures)} of "
                f"{len(self)} pictures",
                expected='"masks" in the truth and in what was found of each picture',
            )
        if masks not in self._known:
            self._known[masks] = coco_evaluation(self.pictures, self.classes, masks=masks)
        return self._known[masks]


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


def _numbers(found: CocoEvaluation) -> dict:
    classes = range(found.precision.shape[-1])
    return {
        **{n: _known(float(v)) for n, v in zip(COCO_SCORES, found.numbers, strict=True)},
        "class_ap": [_mean(found.precision[:, :, k]) for k in classes],
        "class_ap50": [_mean(found.precision[0, :, k]) for k in classes],
    }


def _known(value: float) -> float:
    """COCO's -1, for nothing to find, as NaN."""
    return float("nan") if value == -1 else value


def _mean(values, missing: float = -1) -> float:
    there = values[~np.isnan(values)] if np.isnan(missing) else values[values != missing]
    return float(there.mean()) if there.size else float("nan")
