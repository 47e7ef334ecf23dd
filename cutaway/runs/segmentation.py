"""Segmentation: a class for every pixel or voxel. What masks and volumes have in common.

Of two classes the second one is predicted where its probability reaches a threshold, which is
chosen on the validation examples.
"""

import dataclasses
import functools
import inspect
from typing import Any, cast

import numpy as np

from cutaway.data import averaged_over_turns, border_weights
from cutaway.data.tiles import predict_tiles
from cutaway.losses import LOSSES
from cutaway.metrics.mask_scores import mean_iou, overlap_of
from cutaway.metrics.regions import adapted_rand_error, connected_regions
from cutaway.runs.dense import DenseExperiment, DenseRows, evenly
from cutaway.runs.dense_checks import one_class_predicted, shifted_masks
from cutaway.runs.dense_report import Shown, legend, thumbnail
from cutaway.runs.drawn_masks import blended, colored, mistakes
from cutaway.runs.finished_run import Run
from cutaway.runs.preprocessing import Headline
from cutaway.story.html import table
from cutaway.train.evaluation import to_probabilities

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))
TILES = 4  # predicted at a time
CALIBRATED = 8  # validation examples on which the threshold is chosen
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

    def headline(self, scores, target, rows):
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


@dataclasses.dataclass(kw_only=True)
class SegmentationExperiment(DenseExperiment):
    """DenseExperiment on classes of pixels or voxels."""

    preprocessing: SegmentationRows

    def calibrate(self, run: Run) -> None:
        """Choose the threshold of two classes on the validation examples.

        It maximizes the Dice of the rarer class.
        """
        rows = self.preprocessing
        if len(rows.names) != 2:
            return
        chosen = self.rows_of("validation")
        chosen = [chosen[k] for k in evenly(len(chosen), CALIBRATED)]
        maps = [rows.predict_row(run, row) for row in chosen]
        targets = [rows.own_target(row) for row in chosen]
        values, rarer = {}, int(np.argmin(rows.counts))
        for threshold in THRESHOLDS:
            found = [
                rows.compare_ids(row, rows.ids_of(one, threshold), target)
                for row, one, target in zip(chosen, maps, targets, strict=True)
            ]
            scores = rows.score_compared(found)
            values[threshold] = scores[f"dice_{rows.names[rarer]}"] or 0.0, found
        rows.threshold = max(values, key=lambda t: (values[t][0], -abs(t - 0.5)))
        self.notes.append(
            f"threshold {rows.threshold:g} of the probability of {rows.names[1]!r}: the largest "
            f"Dice of {rows.names[rarer]!r} ({values[rows.threshold][0]:.3f}) on "
            f"{rows.count_of(len(chosen))}"
        )
        if len(chosen) == len(self.sets["validation"]):
            self.found["validation"] = values[rows.threshold][1]

    def scores(self, run):
        found = super().scores(run)
        counts = np.sum([one.counts for one in self.found["validation"]], axis=0)
        problem = one_class_predicted(counts, self.preprocessing.names)
        self.notes += [str(problem)] if problem else []
        return found

    def problems(self, run):
        rows = self.preprocessing
        chosen = self.rows_of("train")
        found = []
        if len(rows.size) == 2:
            found.append(shifted_masks((rows.input_of(r), rows.target_of(r)) for r in chosen))
        validation = self.rows_of("validation")[:CALIBRATED]
        rows = cast(SegmentationRows, run.preprocessing)  # with the threshold of the run
        counts = np.sum([one.counts for one in rows.compared(run, validation)], axis=0)
        found.append(one_class_predicted(counts, rows.names))
        return [one for one in found if one is not None]

    def worst(self, run: Run, most: int) -> list[Shown]:
        """The validation examples with the lowest mean Dice."""
        rows = self.preprocessing
        order = sorted(self.found["validation"], key=lambda one: one.mean_dice)
        shown = []
        for one in order[:most]:
            x, truth = rows.own_input(one.row), rows.own_target(one.row)
            ids = rows.ids_of(rows.predict_row(run, one.row))
            picture, truth, ids = rows.flat(x, truth, ids)
            colors = rows.colors
            pictures = [
                ("input", thumbnail(picture, alt="input")),
                ("truth", thumbnail(colored(truth, colors, rows.ignore), is_mask=True)),
                ("prediction", thumbnail(colored(ids, colors, rows.ignore), is_mask=True)),
                ("wrong pixels", thumbnail(mistakes(ids, truth, rows.ignore), is_mask=True)),
            ]
            scores = [("mean Dice", f"{one.mean_dice:.3f}")]
            if one.rand_error is not None:
                scores.append(("Rand error", f"{one.rand_error:.3f}"))
            shown.append(Shown(one.row["name"], pictures, scores))
        return shown

    def grid(self, most: int) -> list[Shown]:
        """Training examples with their masks."""
        rows, shown = self.preprocessing, []
        train = self.sets["train"]
        for k in train[evenly(len(train), most)]:
            row = self.frame.row(int(k), named=True)
            x, truth = rows.input_of(row), rows.target_of(row)
            picture, truth, _ = rows.flat(x, truth, truth)
            drawn = rows.drawn_over(picture, truth)
            shown.append(Shown(row["name"], [("", thumbnail(drawn, alt=row["name"]))], []))
        return shown

    def scores_section(self) -> str:
        """A table of the classes, and the colors."""
        rows = self.preprocessing
        counts = np.sum([one.counts for one in self.found["validation"]], axis=0)
        iou, dice = overlap_of(counts)
        body = [
            (name, _shown(iou[k]), _shown(dice[k]), f"{counts[k].sum():,}")
            for k, name in enumerate(rows.names)
        ]
        unit = "pixels" if len(rows.size) == 2 else "voxels"
        heading = f"<p class='soft'>Classes of the validation {rows.examples}, all together:</p>"
        return (
            heading
            + table(("class", "IoU", "Dice", unit), body, numbers=(1, 2, 3))
            + legend(rows.names, rows.colors)
        )


def _shown(value) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
