"""The training of a detector: average precision after each epoch, and a threshold at the end."""

import dataclasses
import functools
from html import escape
from pathlib import Path
from typing import Any, cast

import numpy as np

from cutaway.boxes import grid_of_boxes
from cutaway.data import (
    Framing,
    Mosaic,
    find_objects,
    stream_examples,
)
from cutaway.metrics import DetectionScores
from cutaway.metrics.coco_scores import coco_package
from cutaway.metrics.detection_errors import DOUBLED, ERRORS, INVENTED, WRONG_CLASS
from cutaway.models import Detector, FastRcnn
from cutaway.nn import seed
from cutaway.nn.trees import take_rows
from cutaway.runs.class_weights import weights_of_classes
from cutaway.runs.dense import DenseExperiment, evenly, split_rows
from cutaway.runs.dense_report import Shown, legend, thumbnail
from cutaway.runs.drawn_boxes import class_color, drawn_boxes
from cutaway.runs.finished_run import Run
from cutaway.runs.found_objects import Detections, JudgedPicture
from cutaway.runs.masks import looks_alike
from cutaway.runs.object_checks import (
    FITS,
    misread_boxes,
    nothing_found,
    shifted_classes,
    unfitted_boxes,
)
from cutaway.runs.object_data import (
    augmentation,
    expect_boxes,
    expect_outlines,
    fits_of_boxes,
    framed_boxes,
    framed_example,
    picture_size,
)
from cutaway.runs.object_networks import (
    detector_of,
    fitted_priors,
    shapes_of_priors,
)
from cutaway.runs.object_proposals import (
    Proposer,
    best_proposal_iou,
    expect_size,
    note_of_validation,
    open_proposer,
)
from cutaway.runs.object_scores import classes_table, confusion_table, precision_curves
from cutaway.runs.objects import ObjectRows, object_frame
from cutaway.runs.options.objects import ObjectOptions
from cutaway.story.html import table
from cutaway.train.blocks import expect_batch
from cutaway.train.callbacks import Callback

SAMPLED = 16  # training pictures for statistics of layers
MEASURED = 24  # validation pictures on which the loss is measured after an epoch
WATCHED = 2**28  # bytes of validation pictures in which objects are detected after an epoch
CHECKED = 64  # pictures whose boxes are looked at by the doctor
DRAWN = 256  # pixels of the longer side of pictures in the report
COUNTED = [(number, ERRORS[number]) for number in (WRONG_CLASS, DOUBLED, INVENTED)]
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


class EpochPrecision(Callback):
    """Average precision on validation pictures after each epoch, as columns of the history.

    Args:
        x: (pictures, height, width, channels) as the network takes them.
        truths: of each {"boxes", "classes", "ignored"} in its pixels.
        names: of the classes.
    """

    def __init__(self, x, truths: list[dict], names):
        self.x, self.truths, self.names = x, truths, names

    def on_epoch(self, trainer, row):
        found = trainer.predict(self.x)
        scores = DetectionScores(self.names)
        for k, truth in enumerate(self.truths):
            own = take_rows(found, k)
            own.pop("masks", None)  # probabilities, which would have to be pasted first
            scores.collect(truth, own)
        result = scores.result()
        row["val_ap"], row["val_ap50"] = (float(np.nan_to_num(result[n])) for n in ("ap", "ap50"))


@dataclasses.dataclass(kw_only=True)
class ObjectExperiment(DenseExperiment):
    """DenseExperiment on pictures with boxes; y is a dict of padded targets.

    Attributes:
        proposer: the network that proposes regions, if the options name one.
    """

    # a step takes half a second and more, and few pictures show the same
    DOCTOR_ROWS = 8
    DOCTOR_EPOCHS = 12
    DOCTOR_SECONDS = 20.0

    preprocessing: ObjectRows
    options: ObjectOptions
    y: Any
    proposer: Proposer | None = None

    @property
    def data_line(self) -> str:
        boxes = sum(self.preprocessing.counts)
        return (
            f"{len(self.sets['train']):,} training pictures with {boxes:,} boxes, "
            f"{self.preprocessing.count_of(self.validation_rows)}"
        )

    def weighted(self, given):
        return self.spec  # a detector holds its loss: it was built with the weights

    def new_network(self, spec):
        return new_detector(spec, self.options, self.proposer)

    def targets(self):
        return self.y

    def watchers(self):
        rows = self.preprocessing
        chosen = self.sets["validation"]
        most = max(1, WATCHED // (rows.channels * int(np.prod(rows.size))))
        frame = self.frame[chosen[evenly(len(chosen), most)]]
        x = rows.transform(frame, with_target=False).x
        truths = [rows.framed_truth(row) for row in frame.to_dicts()]
        return [EpochPrecision(x, truths, rows.names)]

    def calibrate(self, run: Run) -> None:
        """Choose the score from which on detections are shown: the largest mean F1."""
        rows = self.preprocessing
        found = rows.compared(run, self.rows_of("validation"))
        self.found["validation"] = found
        curves = [rows.collected(found).curve(k) for k in range(len(rows.names))]
        rows.threshold = best_threshold(curves)

    def judged(self, name: str) -> list[JudgedPicture]:
        """What is wrong with the detections of a set, as they are shown."""
        return self.preprocessing.judged(self.found[name])

    def problems(self, run: Run):
        rows = self.preprocessing
        frame = self.frame[self.sets["train"]]
        some = frame[evenly(len(frame), CHECKED)].to_dicts()
        found = [misread_boxes((rows.input_of(row), row["target"].boxes) for row in some)]
        found.append(self._unfitted(frame))
        compared = rows.compared(run, self.rows_of("validation")[:CHECKED])
        judged = rows.judged(compared)
        found.append(nothing_found([(one.truth.boxes, one.found.boxes) for one in judged]))
        found.append(shifted_classes(rows.confusion(judged), rows.names))
        return [one for one in found if one is not None]

    def _unfitted(self, frame):
        best, labels = self.fits(frame)
        return unfitted_boxes(best, self.preprocessing.names, labels)

    def fits(self, frame) -> tuple[np.ndarray, np.ndarray]:
        """See fits_of_boxes; of a network that proposes, with its regions in some pictures."""
        if self.proposer is None:
            return fits_of_boxes(self.preprocessing, frame, self.spec)
        some = frame[evenly(len(frame), CHECKED)]
        return best_proposal_iou(cast(FastRcnn, self.net), self.preprocessing, some)

    def worst(self, run: Run, most: int) -> list[Shown]:
        """The validation pictures with the most mistakes."""
        rows, shown = self.preprocessing, []
        order = sorted(self.judged("validation"), key=lambda one: -one.judged.mistakes)
        for one in order[:most]:
            picture = rows.shown_input(rows.input_of(one.row))
            truth, found, verdicts = one.truth, one.found, one.judged.verdicts
            wrong = np.flatnonzero(np.isin(verdicts, (WRONG_CLASS, DOUBLED, INVENTED)))
            missed = one.judged.missed
            pictures = [
                ("truth", self._thumbnail(picture, truth.boxes, truth.classes, dashed=True)),
                ("detections", self._detections(picture, found)),
                ("missed", self._thumbnail(
                    picture, truth.boxes[missed], truth.classes[missed], dashed=True
                )),
                ("wrong", self._detections(picture, found.taken(wrong))),
            ]  # fmt: skip
            counts = [
                ("objects", f"{len(one.truth.boxes)}"),
                ("missed", f"{len(one.judged.missed)}"),
                *((name, f"{(verdicts == number).sum()}") for number, name in COUNTED),
            ]
            shown.append(Shown(one.row["name"], pictures, counts))
        return shown

    def _detections(self, picture, found: Detections) -> str:
        return self._thumbnail(picture, found.boxes, found.classes, masks=found.masks)

    def _thumbnail(self, picture, boxes, classes, **options) -> str:
        names = self.preprocessing.names
        scale = min(1.0, DRAWN / max(picture.shape[:2]))
        size = tuple(max(1, round(n * scale)) for n in picture.shape[:2])
        geometry = Framing("stretch", size).geometry(picture.shape[:2])
        drawn = drawn_boxes(
            geometry.picture(picture),
            geometry.boxes(boxes),
            classes,
            names,
            labels=False,
            **options,
        )
        return thumbnail(drawn)

    def grid(self, most: int) -> list[Shown]:
        """Training pictures with their boxes."""
        rows, shown = self.preprocessing, []
        train = self.sets["train"]
        for k in train[evenly(len(train), most)]:
            row = self.frame.row(int(k), named=True)
            picture = rows.shown_input(rows.input_of(row))
            drawn = self._thumbnail(picture, row["target"].boxes, row["target"].classes)
            shown.append(Shown(row["name"], [("", drawn)], []))
        return shown

    def scores_section(self) -> str:
        """AP and curves of the classes, confusions with the background too, and the priors."""
        rows, found = self.preprocessing, self.found["validation"]
        scores = rows.collected(found)
        parts = [legend(rows.names, [class_color(k) for k in range(len(rows.names))])]
        parts.append(classes_table(rows, found, scores, "the validation pictures").html())
        parts.append(precision_curves(rows, found, scores))
        confusions = confusion_table(rows.confusion(self.judged("validation")), rows)
        parts.append("" if confusions is None else confusions.html())
        parts.append(self._priors_table())
        return "".join(parts)

    def _priors_table(self) -> str:
        rows = self.preprocessing
        best, labels = self.fits(self.frame[self.sets["train"]])
        body = []
        for k, name in enumerate(rows.names):
            own = best[labels == k]
            if len(own):
                parts = (np.median(own), own.min(), (own < FITS).mean())
                body.append((name, f"{len(own):,}", f"{parts[0]:.2f}", f"{parts[1]:.2f}",
                             f"{parts[2]:.0%}"))  # fmt: skip
        shapes = ", ".join(f"{w:.0f} x {h:.0f}" for w, h in shapes_of_priors(self.spec))
        what = "how well the best prior fits the width and height of each box of the training set"
        priors = "Priors"
        if "share" in self.spec:
            count = len(grid_of_boxes(rows.size, self.spec["priors"], share=self.spec["share"]))
            what = f"how well the best of the {count:,} boxes of the grid overlaps each box of the "
            what += f"training set: {(best >= FITS).mean():.2%} of them by at least {FITS:g}"
            priors = "Boxes of the grid"
        if self.proposer is not None:
            name = Path(self.proposer.run.path).name
            what = f"how well the best region that the network of {escape(name)} proposes overlaps "
            what += f"each box of {min(CHECKED, len(self.sets['train']))} training pictures: "
            what += f"{(best >= FITS).mean():.1%} of them by at least {FITS:g}"
            priors = "Its anchors"
        return (
            f"<p class='soft'>Before training: {what}, as IoU. {priors} in pixels of the input: "
            f"{shapes}.</p>"
        ) + table(
            ("class", "boxes", "median IoU", "worst", f"below {FITS:g}"), body, numbers=(1, 2, 3, 4)
        )


def best_threshold(curves) -> float:
    """The score with the largest F1, on average over the classes that occur."""
    values = {}
    for threshold in THRESHOLDS:
        each = []
        for recall, precision, score in curves:
            kept = int((score >= threshold).sum())
            if len(recall) and np.isnan(recall[0]):
                continue
            r, p = (recall[kept - 1], precision[kept - 1]) if kept else (0.0, 0.0)
            each.append(2 * r * p / (r + p) if r + p else 0.0)
        values[threshold] = float(np.mean(each)) if each else 0.0
    return max(values, key=lambda t: (values[t], -abs(t - 0.5)))


def new_detector(spec, options: ObjectOptions, proposer: Proposer | None) -> Detector:
    """The detector of a spec before its training."""
    net = detector_of(spec, options.from_)
    if proposer is not None:
        proposer.load_into(net)
    return net


def prepare_objects(
    path, options: ObjectOptions | None = None, *, why: str = "", sets: dict | None = None
):
    """Read and split pictures with boxes, and build a detector for them.

    Args:
        path: see data.find_objects.
        options: ObjectOptions.
        why: see DataKind.prepare.
        sets: {"train", "validation", perhaps "test": rows}; None: as the options say.

    Raises:
        DataError: see data.find_objects; a set without pictures.
        OptionError: an unknown backbone; the extra "vision" is not installed; see open_proposer and
            expect_size.
        RunError: its weights are not available.
    """
    options = ObjectOptions() if options is None else options
    coco_package()  # before anything is read or trained
    folder = find_objects(path)
    sets, notes = split_rows(folder, options) if sets is None else (sets, [])
    proposer = None if options.proposals is None else open_proposer(options.proposals)
    size = picture_size(options.size, folder.sizes)
    if proposer is not None:
        size = proposer.size if options.size is None else size
        expect_size(proposer, size)
    # the backbones take three channels, also of gray pictures
    training = dataclasses.replace(folder.subset(sets["train"]), channels=3)
    masks = options.model == "mask-rcnn"
    if masks:
        expect_outlines(folder)
        training = training.with_crops()
    elif folder.has_outlines:
        notes.append("the objects have outlines, which --model mask-rcnn learns")
    rows = ObjectRows(size, 3, folder.classes, training.counts.sum(axis=0), masks=masks)
    frame = object_frame(folder)
    for name in ("train", "validation"):
        expect_boxes(folder, sets, name)
    boxes, labels = framed_boxes(rows, frame[sets["train"]])
    spec = {
        "model": options.model,
        "loss": options.model,
        "from": options.from_.partition(":")[0],
        "unfrozen": options.fine_tune,
        "channels": rows.channels,
        "outputs": len(rows.names),
        "width": 96,
        "size": list(size),
    }
    if proposer is None:
        sides = boxes[:, 2:] - boxes[:, :2]
        spec |= fitted_priors(options.model, sides, labels, options.seed, size)
    else:
        spec["network"] = proposer.spec
        notes += note_of_validation(proposer, frame, sets)
    if options.class_weights is not None:
        spec["class_weights"] = weights_of_classes(options.class_weights, rows.names, rows.counts)
    seed(options.seed)
    net = new_detector(spec, options, proposer)
    stream = stream_examples(
        training,
        augmentation(rows, options, turns=looks_alike(options, folder.channels)),
        prepare=functools.partial(framed_example, rows),
        mosaic=Mosaic(options.mosaic) if options.mosaic else None,
        kept_bytes=training.bytes_of_arrays(rows.framing),
    )
    expect_batch(options.batch(stream.rows), stream.rows)
    sample = sets["train"][evenly(len(sets["train"]), SAMPLED)]
    held = sets["validation"][evenly(len(sets["validation"]), MEASURED)]
    arrays = rows.transform(frame[np.concatenate([sample, held])])
    trained = (
        "are trained too" if options.fine_tune else "stay as they are (--fine-tune trains them)"
    )
    regions = ""
    if proposer is not None:
        regions = f"The regions are those that {proposer.run.path} proposes; it is copied. "
    return ObjectExperiment(
        kind="objects",
        source=str(path),
        target="objects",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=np.arange(len(sample)),
        validation=len(sample) + np.arange(len(held)),
        row_numbers=np.concatenate([sample, held]) + 1,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=net,
        notes=[*folder.notes, *notes],
        why=f"{why} {regions}The weights of the backbone {trained}.".strip(),
        stream=stream,
        sets=sets,
        proposer=proposer,
    )
