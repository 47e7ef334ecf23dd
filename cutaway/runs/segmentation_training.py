"""The training of a segmentation: on random crops, with a threshold of two classes chosen last."""

import dataclasses
from typing import Any, NamedTuple, cast

import numpy as np

from cutaway.data import ExampleAugmentation, stream_examples
from cutaway.metrics.mask_scores import overlap_of
from cutaway.runs.dense import DenseExperiment, evenly, make_pieces, pieces_per_example
from cutaway.runs.dense_checks import one_class_predicted, shifted_masks
from cutaway.runs.dense_networks import backbone_unet_of
from cutaway.runs.dense_report import Shown, legend, thumbnail
from cutaway.runs.drawn_masks import colored, mistakes
from cutaway.runs.finished_run import Run
from cutaway.runs.networks import build_network
from cutaway.runs.options.masks import MaskTransferOptions
from cutaway.runs.segmentation import SegmentationRows, pixel_weights
from cutaway.story.html import table
from cutaway.train.blocks import expect_batch

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))
CALIBRATED = 8  # validation examples on which the threshold is chosen


class SegmentationData(NamedTuple):
    """Examples that were read for a segmentation.

    Attributes:
        folder: a MaskFolder or VolumeFolder.
        frame: see DenseRows.
        sets: {"train", "validation", "test": rows of the frame}.
        rows: the preprocessing.
        notes: messages about the data.
    """

    folder: Any
    frame: Any
    sets: dict[str, np.ndarray]
    rows: "SegmentationRows"
    notes: list[str]


@dataclasses.dataclass(kw_only=True)
class SegmentationExperiment(DenseExperiment):
    """DenseExperiment on classes of pixels or voxels."""

    preprocessing: SegmentationRows

    def new_network(self, spec):
        if "from" in spec:
            return backbone_unet_of(spec, cast(MaskTransferOptions, self.options).from_)
        return super().new_network(spec)

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


def segmentation_experiment(
    kind: str,
    path,
    options,
    data: SegmentationData,
    spec: dict,
    augmentation: ExampleAugmentation,
    *,
    unit: str,
    net=None,
    prepare=None,
    why: str,
) -> SegmentationExperiment:
    """The experiment on random crops of the examples.

    Args:
        kind: name of the kind of data.
        path: of the data.
        spec: of the network.
        unit: what has a class: "pixel" or "voxel".
        net: the network; None: built by the spec.
        prepare: function (x, y) -> (x, y) of a whole example, see data.stream_examples.
        why: see DataKind.prepare.
    """
    folder, frame, sets, rows, notes = data
    pieces = make_pieces(rows, frame, sets)
    stream = stream_examples(
        folder.subset(sets["train"]),
        augmentation,
        repeats=pieces_per_example(folder.sizes[sets["train"]], rows.size),
        prepare=prepare,
        weigh=pixel_weights(options, len(rows.names), rows.ignore),
    )
    expect_batch(options.batch(stream.rows), stream.rows)
    return SegmentationExperiment(
        kind=kind,
        source=str(path),
        target=f"class of each {unit}",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=pieces.training,
        validation=pieces.validation,
        row_numbers=pieces.examples + 1,
        x=pieces.x,
        y=pieces.y,
        spec=spec,
        net=build_network(spec) if net is None else net,
        notes=notes,
        why=why,
        stream=stream,
        sets=sets,
    )
