"""What a run knows of pictures with boxes: how they are read, framed, detected in and scored."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
import numpy as np

from cutaway.data import (
    Framing,
    ObjectFolder,
    TableArrays,
    find_objects,
    looks_like_objects,
    read_image,
)
from cutaway.data.decode import read_header
from cutaway.data.object_crops import object_crops
from cutaway.data.object_folder import padded
from cutaway.data.pasted_mask import pasted_mask
from cutaway.data.prefetch import in_threads
from cutaway.files.content import naming
from cutaway.metrics import DetectionScores
from cutaway.metrics.coco_scores import COCO_SCORES
from cutaway.metrics.detection_errors import confusion_with_background, judge
from cutaway.nn.trees import take_rows
from cutaway.runs.dense_rows import PICTURES, DenseRows, frame_of
from cutaway.runs.detection_files import (
    COLUMNS,
    coco_results,
    table_of,
    table_rows,
    yolo_lines,
    yolo_names,
)
from cutaway.runs.drawn_boxes import drawn_boxes
from cutaway.runs.drawn_masks import png
from cutaway.runs.evaluation import Evaluation
from cutaway.runs.finished_run import Run
from cutaway.runs.found_objects import DetectedPicture, Detections, JudgedPicture, Truth
from cutaway.runs.object_scores import classes_table, confusion_table, precision_curves
from cutaway.runs.preprocessing import ExampleFiles, FilePredictions, Headline, expect_format
from cutaway.runs.schema import Edge, expect_piece_fits, read_form
from cutaway.runs.validation_kind import ValidationKind

GRAY = 127  # of what a letterbox adds
TABLE, RESULTS, LABEL_NAMES = "detections.csv", "detections.json", "data.yaml"
TOGETHER = 8  # pictures in which a run detects at a time


class ObjectForm(msgspec.Struct):
    """preprocessing.json of pictures with boxes."""

    size: tuple[Edge, Edge]
    channels: Literal[1, 3]
    how: Literal["letterbox", "stretch"]
    classes: list[str]
    counts: list[Annotated[int, msgspec.Meta(ge=0)]]
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)]
    masks: bool = False

    def __post_init__(self):
        if not 1 <= len(self.classes) == len(self.counts) <= 65_535:
            raise ValueError(f"{len(self.classes)} classes and {len(self.counts)} counts")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes of one name")


class ObjectRows(DenseRows):
    """Preprocessing of pictures with boxes: framed to one size; boxes are put back.

    Attributes:
        size: (height, width) of the pictures as the network takes them.
        channels: of the pictures.
        how: "letterbox" or "stretch", see data.Framing.
        names: of the classes.
        counts: boxes of each class in the training set.
        threshold: score from which on detections are shown and written.
        masks: whether the network outlines objects.
    """

    examples = "pictures"
    file_columns = ("input",)
    files = PICTURES
    headings = ("class", "boxes in the training set", "fraction")

    def __init__(
        self,
        size,
        channels: int,
        names,
        counts,
        *,
        how: str = "letterbox",
        threshold: float = 0.5,
        masks: bool = False,
    ):
        self.size = tuple(size)
        self.channels = channels
        self.names = list(names)
        self.counts = [int(n) for n in counts]
        self.how = how
        self.threshold = threshold
        self.masks = masks

    @property
    def task(self) -> str:
        return "detection"

    @property
    def classes(self) -> list:
        return self.names

    @property
    def outputs(self) -> int:
        return len(self.names)

    def metric_functions(self):
        return []  # of all detections of a set, not of the rows one by one

    @property
    def framing(self) -> Framing:
        return Framing(self.how, self.size)

    @classmethod
    def from_json(cls, value: dict) -> "ObjectRows":
        expect_format(value, "objects")
        found = read_form(value, ObjectForm)
        expect_piece_fits(found.size, found.channels)
        return cls(
            found.size,
            found.channels,
            found.classes,
            found.counts,
            how=found.how,
            threshold=found.threshold,
            masks=found.masks,
        )

    def to_json(self) -> dict:
        return {
            "kind": "objects",
            "format": 1,
            "size": list(self.size),
            "channels": self.channels,
            "how": self.how,
            "classes": self.names,
            "counts": self.counts,
            "threshold": self.threshold,
            "masks": self.masks,
        }

    # reading

    def examples_below(self, path):
        if not looks_like_objects(path):
            return None
        return object_frame(find_objects(path, classes=self.names))

    def read(self, source):
        if str(source).lower().endswith((".json", ".csv")) and looks_like_objects(source):
            return object_frame(find_objects(source, classes=self.names))
        return super().read(source)

    def input_of(self, row):
        return read_image(row["input"], channels=self.channels)

    def target_of(self, row) -> Truth:
        return row["target"]

    def framed(self, picture) -> np.ndarray:
        """A picture (height, width, channels) uint8 as the network takes it."""
        return self.framing.geometry(picture.shape[:2]).picture(picture, fill=GRAY)

    def framed_truth(self, row: dict) -> dict[str, np.ndarray]:
        """The objects of a row, in pixels of the picture as the network takes it."""
        truth = row["target"]
        boxes = self.framing.geometry(read_header(row["input"]).size).boxes(truth.boxes)
        return {**truth._asdict(), "boxes": boxes}

    def framed_target(self, truth: Truth, size, capacity: int) -> dict[str, np.ndarray]:
        """The target of a picture of this (height, width), as the network takes it.

        Args:
            capacity: number of boxes that it is padded to; more are left out.
        """
        kept = np.flatnonzero(~truth.ignored)[:capacity]
        boxes = self.framing.geometry(size).boxes(truth.boxes[kept])
        crops = None
        if self.masks and truth.outlines is not None:
            crops = object_crops([truth.outlines[k] for k in kept], truth.boxes[kept], size)
        return padded(boxes.astype(np.float32), truth.classes[kept], capacity, crops)

    def transform(self, frame, *, with_target=True):
        if with_target and "target" not in frame.columns:
            raise self.without_targets()
        rows = frame.to_dicts()
        pictures = in_threads(self.input_of, rows)
        x = np.stack([self.framed(picture) for picture in pictures])
        if not with_target:
            return TableArrays(x, None, np.arange(len(rows)), [])
        capacity = max(1, *(len(row["target"].boxes) for row in rows))
        y = [
            self.framed_target(row["target"], picture.shape[:2], capacity)
            for row, picture in zip(rows, pictures, strict=True)
        ]
        y = {name: np.stack([one[name] for one in y]) for name in y[0]}
        # targets are a dict of arrays
        return TableArrays(x, cast(np.ndarray, y), np.arange(len(rows)), [])

    # detecting

    def to_predictions(self, raw, loss):
        return raw

    def predict_whole(self, run, x) -> Detections:
        found = run.outputs(self.framed(x)[None])
        return self.restored_detections(take_rows(found, 0), x.shape[:2])

    def found_rows(self, found: dict, size) -> np.ndarray:
        """Which detections of one picture of this (height, width) lie in it."""
        boxes = self.framing.undo_boxes(found["boxes"], size)
        return np.flatnonzero(found["valid"] & (boxes[:, 2:] > boxes[:, :2]).all(axis=1))

    def restored_detections(self, found: dict, size) -> Detections:
        """The detections of one picture of this (height, width) in its own pixels."""
        there = self.found_rows(found, size)
        boxes = self.framing.undo_boxes(found["boxes"][there], size)
        masks = None
        if "masks" in found:  # of the boxes before they are clipped
            own = self.framing.geometry(size).inverse().boxes(found["boxes"][there].astype(float))
            each = zip(found["masks"][there], own, strict=True)
            masks = [pasted_mask(probabilities, box, size) for probabilities, box in each]
        return Detections(boxes, found["scores"][there], found["classes"][there], masks)

    def detected(self, run: Run, rows: list[dict]) -> Iterator[tuple[dict, np.ndarray, Detections]]:
        """(row, picture, what a run finds in it) of each row, some pictures at a time."""
        together = min(TOGETHER, len(rows))
        for start in range(0, len(rows), together):
            part = rows[start : start + together]
            pictures = in_threads(self.input_of, part)
            x = [self.framed(picture) for picture in pictures]
            x += [x[-1]] * (together - len(x))  # one size, one program
            found = run.outputs(np.stack(x))
            for k, (row, picture) in enumerate(zip(part, pictures, strict=True)):
                yield row, picture, self.restored_detections(take_rows(found, k), picture.shape[:2])

    def compared(self, run, rows):
        """A DetectedPicture of each row."""
        return [
            DetectedPicture(row, row["target"], found) for row, _, found in self.detected(run, rows)
        ]

    def collected(self, compared: list[DetectedPicture]) -> DetectionScores:
        """The DetectionScores of pictures."""
        scores = DetectionScores(self.names)
        with_masks = all(p.found.masks is not None and p.truth.outlines is not None
                         for p in compared)  # fmt: skip
        for one in compared:
            truth, found = one.truth._asdict(), one.found._asdict()
            if with_masks:
                path = one.row["input"]
                with naming(path, "a picture with outlines", failed="has a bad outline"):
                    truth["masks"] = one.truth.masks(read_header(path).size)
            else:
                del found["masks"]
            scores.collect(truth, found)
        return scores

    def judged(self, compared: list[DetectedPicture]) -> list[JudgedPicture]:
        """The detections that are shown, and what of them is wrong."""
        found = []
        for one in compared:
            shown = one.found.above(self.threshold)
            found.append(
                JudgedPicture(
                    one.row, one.truth, shown, judge(one.truth._asdict(), shown._asdict())
                )
            )
        return found

    def confusion(self, judged: list[JudgedPicture]) -> np.ndarray:
        """(classes + 1, classes + 1) objects by true and found class, the background last."""
        pictures = [(one.truth._asdict(), one.found._asdict(), one.judged) for one in judged]
        return confusion_with_background(pictures, len(self.names))

    def score_compared(self, compared):
        return self._score_values(self.collected(compared))

    def _score_values(self, scores: DetectionScores) -> dict:
        found = scores.result()
        values = {name: _number(found[name]) for name in COCO_SCORES}
        if scores.has_masks:
            masks = scores.mask_result()
            values |= {f"mask_{name}": _number(masks[name]) for name in ("ap", "ap50", "ap75")}
        each = zip(self.names, found["class_ap50"], strict=True)
        return {**values, **{f"ap50_{name}": _number(value) for name, value in each}}

    def evaluate(self, run, data):
        return self.evaluation(run, data)[:2]

    def evaluation(self, run, data):
        frame = self.read(data)
        if "target" not in frame.columns:
            raise self.without_targets()
        compared = self.compared(run, frame.to_dicts())
        scores = self.collected(compared)
        tables = [
            classes_table(self, compared, scores, f"the {len(compared):,} pictures"),
            confusion_table(self.confusion(self.judged(compared)), self),
        ]
        curves = precision_curves(self, compared, scores)
        return Evaluation(
            self._score_values(scores),
            run.notes_of_seen(frame),
            tuple(one for one in tables if one is not None),
            (("Precision over recall", curves),) if curves else (),
        )

    def headline(self, scores, target, rows, kind=ValidationKind.VALIDATION):
        others = [f"AP {scores['ap'] or 0:.3f}"]
        if "mask_ap" in scores:
            of_masks = (scores[name] or 0 for name in ("mask_ap50", "mask_ap"))
            others.append("masks: AP50 {:.3f}, AP {:.3f}".format(*of_masks))
        score = f"{scores['ap50'] or 0:.3f}"
        return Headline("AP50: ", score, f" on {self.count_of(rows)} ({'; '.join(others)})")

    def summary_rows(self):
        total = max(1, sum(self.counts))
        return [
            (name, f"{count:,}", f"{count / total:.1%}")
            for name, count in zip(self.names, self.counts, strict=True)
        ]

    # files

    def file_names(self, row):
        return [f"{row['name']}.png", f"labels/{row['name']}.txt"]

    def predict_files(self, run, data) -> FilePredictions:
        # boxes that are there, perhaps of other classes, do not matter
        frame = self.inputs_below(Path(data)) if os.path.isdir(data) else self.read(data)
        rows = frame.to_dicts()
        names = [name for row in rows for name in self.file_names(row)]
        seen: list[tuple] = []

        def each():
            for row, picture, found in self.detected(run, rows):
                shown = found.above(self.threshold)
                seen.append((file_of(row), picture.shape[:2], shown))
                yield self.example_files(row, picture, shown)

        def last():
            return {
                TABLE: table_of(seen, self.names),
                RESULTS: coco_results(seen, self.names),
                LABEL_NAMES: yolo_names(self.names),
            }

        inputs = [row["input"] for row in rows]
        notes = [f"shown are detections with a score of at least {self.threshold:g}"]
        return FilePredictions(
            [*names, TABLE, RESULTS, LABEL_NAMES], inputs, each(), notes, COLUMNS, last
        )

    def example_files(self, row, x, prediction: Detections):
        """The files of what is shown of a picture's detections."""
        picture, labels = self.file_names(row)
        drawn = drawn_boxes(
            self.shown_input(x),
            prediction.boxes,
            prediction.classes,
            self.names,
            scores=prediction.scores,
            masks=prediction.masks,
        )
        return ExampleFiles(
            {picture: png(drawn), labels: yolo_lines(prediction, x.shape[:2])},
            table_rows(file_of(row), prediction, self.names),
        )

    def shown_input(self, x, target=None):
        return np.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x


def file_of(row: dict) -> str:
    """The file of a row of the frame, below the folder that was read."""
    suffix = Path(row["input"]).suffix
    return row["name"] if row["name"].endswith(suffix) else row["name"] + suffix


def _number(value) -> float | None:
    return None if np.isnan(value) else float(value)


def object_frame(folder: ObjectFolder):
    """The frame of an ObjectFolder."""
    import polars as pl

    outlines = folder.outlines if folder.has_outlines else [None] * len(folder)
    truths = zip(folder.boxes, folder.labels, folder.ignored, outlines, strict=True)
    frame = frame_of(folder.names, folder.pictures)
    return frame.with_columns(pl.Series("target", [Truth(*t) for t in truths], dtype=pl.Object))
