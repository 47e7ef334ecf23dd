"""Segmentation: a class for every pixel or voxel. What masks and volumes have in common.

Of two classes the second one is predicted where its probability reaches a threshold, which is
chosen on the validation examples.
"""

import dataclasses
import functools
import inspect
from typing import Any

import numpy as np

from cutaway.data import averaged_over_turns, border_weights
from cutaway.data.tiles import predict_tiles
from cutaway.losses import LOSSES
from cutaway.metrics.mask_scores import mean_iou, overlap_of
from cutaway.metrics.regions import adapted_rand_error, connected_regions
from cutaway.runs.dense_rows import DenseRows
from cutaway.runs.drawn_masks import blended
from cutaway.runs.preprocessing import Headline
from cutaway.runs.validation_kind import ValidationKind
from cutaway.train.evaluation import to_probabilities

TILES = 4  # predicted at a time
BACKGROUND = "background"


@dataclasses.dataclass(frozen=True)
class Compared:
    """A predicted mask beside the true one.

    Attributes:
        row: of the frame.
        counts: (classes, classes) pixels: true class, predicted class.
        rand_error: adapted Rand error of the regions of class 1, of two classes in two dimensions;
            otherwise None.
        own: the classes whose Dice counts: all but the background.
    """

    row: dict
    counts: np.ndarray
    rand_error: float | None
    own: list[int]

    @property
    def mean_dice(self) -> float:
        """Mean Dice of the classes `own` that occur in the true or the predicted mask."""
        dice = overlap_of(self.counts)[1][self.own]
        return float(np.nanmean(dice)) if not np.isnan(dice).all() else 1.0


class SegmentationRows(DenseRows):
    """Preprocessing of examples with a class for each pixel or voxel.

    Attributes:
        names: of the classes.
        ignore: the id of pixels that do not count.
        threshold: probability from which on the second of two classes is predicted.
        counts: pixels of each class in the training set.
        turned: whether a prediction is the mean over four turns of each tile.
        colors: of the classes, for drawing.
    """

    names: list[str]
    ignore: int
    threshold: float
    counts: list[int]
    turned = False
    colors: list[tuple[int, int, int]]
    headings = ("class", "fraction", "in the training set")

    @property
    def clear(self) -> int:
        """The class that drawings leave clear: the background, or the most frequent one."""
        named = [k for k, name in enumerate(self.names) if name.lower() == BACKGROUND]
        return named[0] if named else int(np.argmax(self.counts))

    def drawn_over(self, picture, ids) -> np.ndarray:
        """The picture (height, width, 3) under the colors of the classes."""
        return blended(picture, ids, self.colors, self.ignore, self.clear)

    @property
    def task(self) -> str:
        return "segmentation"

    @property
    def classes(self) -> list:
        return self.names

    @property
    def class_counts(self) -> list[int]:
        return self.counts

    @property
    def outputs(self) -> int:
        return len(self.names)

    def metric_functions(self):
        return [functools.partial(mean_iou, ignore_index=self.ignore)]

    def to_predictions(self, raw, loss):
        return np.asarray(to_probabilities(loss, raw), np.float32)

    def predict_whole(self, run, x):
        predict = averaged_over_turns(run.outputs) if self.turned else run.outputs
        return predict_tiles(predict, x, self.size, batch_size=TILES)

    def ids_of(self, probabilities, threshold: float | None = None) -> np.ndarray:
        """(*size) class ids of probabilities (*size, classes)."""
        if len(self.names) == 2:
            threshold = self.threshold if threshold is None else threshold
            return (probabilities[..., 1] >= threshold).astype(np.uint8)
        return probabilities.argmax(axis=-1).astype(np.uint8 if self.ignore == 255 else np.uint16)

    def compare(self, row, prediction, target):
        return self.compare_ids(row, self.ids_of(prediction), target)

    def compare_ids(self, row, ids, target) -> Compared:
        """Compared of predicted ids and true ids."""
        return Compared(row, self.confusion(ids, target), self._rand_error(ids, target), self.own)

    @property
    def own(self) -> list[int]:
        """The classes but the background."""
        return [k for k, name in enumerate(self.names) if name.lower() != BACKGROUND]

    def confusion(self, ids, target) -> np.ndarray:
        """(classes, classes) pixels, by true and predicted class; ignored ones do not count."""
        count = len(self.names)
        counted = target != self.ignore
        pairs = target[counted].astype(np.int64) * count + ids[counted]
        return np.bincount(pairs, minlength=count * count).reshape(count, count)

    def _rand_error(self, ids, target) -> float | None:
        if len(self.names) != 2 or ids.ndim != 2:
            return None
        return adapted_rand_error(*(connected_regions(mask == 1) for mask in (target, ids)))[0]

    def score_compared(self, compared):
        counts = np.sum([one.counts for one in compared], axis=0)
        total = max(1, counts.sum())
        iou, dice = overlap_of(counts)
        worst = min(one.mean_dice for one in compared)
        scores = {
            "mean_iou": _mean(iou),
            "mean_dice": _mean(dice[self.own]),
            "pixel_accuracy": float(np.trace(counts) / total),
            **{f"dice_{name}": _number(dice[k]) for k, name in enumerate(self.names)},
            "worst_mean_dice": worst,
        }
        errors = [one.rand_error for one in compared if one.rand_error is not None]
        if errors:
            scores["adapted_rand_error"] = float(np.mean(errors))
        usual = int(np.argmax(self.counts))
        always = np.zeros_like(counts)
        always[:, usual] = counts.sum(axis=1)
        scores["baseline_mean_iou"] = _mean(overlap_of(always)[0])
        scores["baseline_pixel_accuracy"] = float(counts[usual].sum() / total)
        return scores

    def flat(self, x, *masks) -> tuple:
        """(picture (height, width, 3) uint8, *masks (height, width)), as they are shown."""
        return self.shown_input(x), *masks

    def headline(self, scores, target, rows, kind=ValidationKind.VALIDATION):
        usual = self.names[int(np.argmax(self.counts))]
        return Headline(
            "Mean IoU: ",
            f"{scores['mean_iou']:.3f}",
            f" on {self.count_of(rows)}, mean Dice {scores['mean_dice']:.3f}; "
            f"baseline (always {usual}): {scores['baseline_mean_iou']:.3f}",
        )

    def summary_rows(self):
        total = max(1, sum(self.counts))
        return [
            (name, f"{count / total:.1%}", f"{count:,}")
            for name, count in zip(self.names, self.counts, strict=True)
        ]


def _mean(values) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else 0.0


def _number(value) -> float | None:
    return None if np.isnan(value) else float(value)


def pixel_loss(options, ignore: int) -> dict[str, Any]:
    """The loss and its options, as the spec of a network has them."""
    name = options.loss or options.USUAL_LOSS
    chosen: dict[str, Any] = {"ignore_index": ignore}
    if "background" in inspect.signature(LOSSES[name]).parameters:
        # without it in the mean the other classes begin by claiming all of the background
        chosen["background"] = True
    return {"loss": name, "loss_options": chosen}


def pixel_weights(options, classes: int, ignore: int):
    """A function of a mask that returns U-Net's weights of its borders; None if not asked for."""
    if not options.border_weight:
        return None
    return functools.partial(
        border_weights, w0=options.border_weight, class_weights=(1,) * classes, ignore=ignore
    )
