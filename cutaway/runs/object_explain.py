"""Explanation of the boxes of one picture, and of one of them down to its arithmetic."""

import dataclasses
from typing import Any, cast

import numpy as np

from cutaway import ops
from cutaway.boxes import cells_of, match_by_threshold, pairwise_iou, shape_iou, to_centers
from cutaway.engine import Tensor, as_array, no_grad
from cutaway.errors import OptionError
from cutaway.losses.yolo4 import IGNORE, OVERLAP, SHARE, decoded
from cutaway.metrics.detection_errors import ERRORS, iou_matrix, judge
from cutaway.models import Detector, SingleStage, SSDDetector, YoloDetector
from cutaway.models.detector import POSITIVE
from cutaway.models.yolo import NUMBERS
from cutaway.nn import jit
from cutaway.runs.box_arithmetic import BoxArithmetic, arithmetic_of, yolo_place
from cutaway.runs.box_evidence import OneBox, box_mask, region_reading, score_evidence
from cutaway.runs.dense_explain import ExampleStory, example_row
from cutaway.runs.drawn_boxes import drawn_boxes
from cutaway.runs.finished_run import Run
from cutaway.runs.found_objects import Detections, Truth
from cutaway.runs.objects import ObjectRows
from cutaway.story.panels import new_axes
from cutaway.story.text import WIDTH, Story

SHOWN = 12  # boxes that are listed
FEW = 5  # boxes that were left out, or objects, that are listed


@dataclasses.dataclass(repr=False)
class BoxList(Story):
    """The boxes of a picture.

    Attributes:
        names: of the classes.
        found: Detections, the best first.
        chosen: number of the box that is explained.
        picture: (height, width, 3) uint8, with the boxes drawn.
    """

    names: list[str]
    found: Detections
    chosen: int
    picture: np.ndarray

    def text(self, width: int = WIDTH) -> str:
        lines = []
        for k in range(min(SHOWN, len(self.found.boxes))):
            x1, y1, x2, y2 = (f"{n:.1f}" for n in self.found.boxes[k])
            mark = "->" if k == self.chosen else "  "
            name = self.names[int(self.found.classes[k])]
            lines.append(
                f"{mark} {k:>2}  {name} {self.found.scores[k]:.3f}  x {x1} to {x2}, y {y1} to {y2}"
            )
        more = len(self.found.boxes) - SHOWN
        return "\n".join([*lines, *([f"   {more} more"] if more > 0 else [])])

    def plot(self, axes=None):
        axes = new_axes(axes, width=6, height=5)
        axes.imshow(self.picture)
        axes.set_axis_off()
        return axes

    def to_dict(self) -> dict:
        rows = zip(self.found.boxes, self.found.scores, self.found.classes, strict=True)
        return {
            "box": self.chosen,
            "boxes": [
                {"class": self.names[int(k)], "score": float(s), "box": [float(n) for n in b]}
                for b, s, k in rows
            ],
        }


@dataclasses.dataclass(repr=False)
class Suppressed(Story):
    """Candidates of the same class that were left out because this box covers them.

    Attributes:
        threshold: IoU above which they are.
        boxes: (n, 4) in pixels of the input, scores (n,), overlaps (n,); the best first.
    """

    threshold: float
    boxes: np.ndarray
    scores: np.ndarray
    overlaps: np.ndarray

    def text(self, width: int = WIDTH) -> str:
        count = len(self.boxes)
        if not count:
            return f"None: no other of its class overlaps it by an IoU above {self.threshold:g}"
        lines = [f"{count} with an IoU above {self.threshold:g} and a lower score"]
        for k in range(min(FEW, count)):
            x1, y1, x2, y2 = (f"{n:.1f}" for n in self.boxes[k])
            lines.append(
                f"  score {self.scores[k]:.3f}, IoU {self.overlaps[k]:.2f}: x {x1} to {x2}, "
                f"y {y1} to {y2}"
            )
        return "\n".join([*lines, *(["  ..."] if count > FEW else [])])

    def to_dict(self) -> dict:
        return {
            "threshold": self.threshold,
            "boxes": self.boxes.tolist(),
            "scores": self.scores.tolist(),
            "overlaps": self.overlaps.tolist(),
        }


@dataclasses.dataclass(repr=False)
class Matching(Story):
    """Which object a box is for, and what its prior learns in training.

    Attributes:
        verdict: one of metrics.detection_errors.ERRORS.
        rows: (number of the object, class, IoU), the largest IoU first.
        lesson: what the prior learns here, in words; "" where it is not known.
        terms: {name: term of the loss that the box has}.
    """

    verdict: str
    rows: list[tuple[int, str, float]]
    lesson: str
    terms: dict[str, float]

    def text(self, width: int = WIDTH) -> str:
        lines = [f"The box is {self.verdict}. Its IoU with the objects of the picture:"]
        lines += [f"  object {k} ({name}): {iou:.3f}" for k, name, iou in self.rows[:FEW]]
        if not self.rows:
            lines = [f"The box is {self.verdict}: the picture has no object"]
        lines += [self.lesson] if self.lesson else []
        if self.terms:
            total = sum(self.terms.values())
            parts = " + ".join(f"{value:.3f} ({name})" for name, value in self.terms.items())
            lines.append(f"Its part of the loss: {parts} = {total:.3f}")
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {
            "verdict": self.verdict,
            "overlaps": [{"object": k, "class": name, "iou": iou} for k, name, iou in self.rows],
            "lesson": self.lesson,
            "loss": self.terms,
        }


def explain_objects(run: Run, data, row: int, box: int | None = None) -> ExampleStory:
    """Explain what a detector finds in a picture, and one box of it down to its arithmetic.

    Args:
        run: of pictures with boxes.
        data: path; None: the training data.
        row: of the picture, from 0.
        box: number of the box among those that are found, the best first; None: the best one.

    Raises:
        OptionError: no such box.
    """
    rows = cast(ObjectRows, run.preprocessing)
    one, source = example_row(run, data, row)
    picture = rows.input_of(one)
    x = rows.framed(picture)
    outputs = cast(dict[str, np.ndarray], run.outputs(x[None]))
    raw = {name: value[0] for name, value in outputs.items()}
    there = rows.found_rows(raw, picture.shape[:2])
    found = rows.restored_detections(raw, picture.shape[:2])
    shown = found.above(rows.threshold)
    chosen = 0 if box is None else box
    if not 0 <= chosen < len(found.boxes):
        if box is None:
            return ExampleStory(run, row, source, "no objects", _truth_in_words(one, rows), [])
        raise OptionError(
            f"there is no box {box} in {source}",
            expected=f"a number from 0 to {len(found.boxes) - 1}"
            if len(found.boxes)
            else "a picture in which something is found",
            fix="see the list of boxes: leave out --box",
        )
    listed = shown if chosen < len(shown.boxes) else found
    drawn = drawn_boxes(
        rows.shown_input(picture), listed.boxes, listed.classes, rows.names,
        scores=listed.scores, masks=listed.masks,
    )  # fmt: skip
    kind = int(found.classes[chosen])
    name, k = rows.names[kind], int(there[chosen])
    made = arithmetic_of(cast(Detector, run.net), x[None], int(raw["rows"][k]), kind, name)
    parts: list[tuple[str, Story]] = [
        ("Boxes", BoxList(rows.names, listed, chosen, drawn)),
        (f"How box {chosen} ({name}) was made, in pixels of the input", made),
    ]
    net = cast(Detector, run.net)
    parts.append(("Boxes that it left out", suppressed_by(net, x, raw, k)))
    if "target" in one:
        truth = rows.target_of(one)
        matching = _matching(net, rows, x, made, raw, k, truth, found, chosen, picture.shape[:2])
        parts.append(("The object that it is for", matching))
    score = OneBox(net, int(raw["rows"][k]), kind, made.prior)
    share, saliency = score_evidence(score, x, raw["boxes"][k], made, name)
    evidence = {
        "The region that was read for it": region_reading(net, x, made),
        "Pixels on which its score rests": share,
        "Positions of its map that support it": saliency,
    }
    if found.masks is not None:
        evidence["Its mask"] = _mask_of(raw["masks"][k], found, one, chosen, picture.shape[:2])
    parts += [(heading, part) for heading, part in evidence.items() if part is not None]
    counts = {}
    for number in shown.classes:
        counts[rows.names[int(number)]] = counts.get(rows.names[int(number)], 0) + 1
    words = ", ".join(f"{n} {name}" for name, n in counts.items()) or "no objects"
    words += f" (with a score of at least {rows.threshold:g})"
    return ExampleStory(run, row, source, words, _truth_in_words(one, rows), parts)


def _truth_in_words(one: dict, rows: ObjectRows) -> str | None:
    if "target" not in one:
        return None
    counts = np.bincount(one["target"].classes, minlength=len(rows.names))
    found = [f"{n} {name}" for name, n in zip(rows.names, counts, strict=True) if n]
    return ", ".join(found) or "no objects"


def _mask_of(probabilities, found: Detections, one: dict, chosen: int, size):
    """The BoxMask of a detection, beside the object that it is for."""
    assert found.masks is not None
    true = None
    if "target" in one:
        truth = one["target"]
        partner = int(judge(truth._asdict(), found._asdict()).partners[chosen])
        masks = truth.masks(size)
        true = masks[partner] if masks is not None and partner >= 0 else None
    return box_mask(probabilities, found.masks[chosen], found.boxes[chosen], true)


@no_grad()
def suppressed_by(net: Detector, x, raw: dict, k: int) -> Suppressed:
    """The candidates that detection k of a picture covers.

    Args:
        x: (height, width, channels) as the network takes it.
        raw: its detections.
    """
    height, width = x.shape[:2]
    found = jit(net.all_boxes, net, donate=False)(x[None])
    kind = int(raw["classes"][k])
    boxes = np.asarray(as_array(found["boxes"]))[0]
    boxes = np.clip(boxes if boxes.ndim == 2 else boxes[:, kind], 0, [width, height] * 2)
    scores = found["scores"].numpy()[0, :, kind]
    overlaps = iou_matrix(raw["boxes"][k : k + 1].astype(float), boxes.astype(float))[0]
    options = cast(Any, net).detection if isinstance(net, SingleStage) else cast(Any, net).regions
    covered = (overlaps > options.threshold) & (scores > options.score)
    covered &= scores < scores[int(raw["rows"][k])]
    order = np.flatnonzero(covered)[np.argsort(-scores[covered], kind="stable")]
    return Suppressed(options.threshold, boxes[order], scores[order], overlaps[order])


def _matching(
    net, rows: ObjectRows, x, made: BoxArithmetic, raw, k, truth: Truth, found, chosen, size
) -> Matching:
    overlaps = iou_matrix(found.boxes[chosen : chosen + 1], truth.boxes)[0]
    order = np.argsort(-overlaps, kind="stable")
    listed = [(int(n), rows.names[int(truth.classes[n])], float(overlaps[n])) for n in order]
    judged = judge(truth._asdict(), found._asdict())
    verdict = ERRORS[int(judged.verdicts[chosen])]
    kept = np.flatnonzero(~truth.ignored)
    boxes = rows.framing.geometry(size).boxes(truth.boxes[kept]).astype(np.float32)
    candidate = int(raw["rows"][k])
    if isinstance(net, YoloDetector):
        with no_grad():
            raws = [one.numpy() for one in net.raw(Tensor(x[None]))]
        lesson, terms = yolo_lesson(
            net, raws, candidate, boxes, truth.classes[kept], kept, rows.names
        )
        return Matching(verdict, listed, lesson, terms)
    there = np.ones(len(kept), bool)
    if isinstance(net, SSDDetector):
        what, least = "prior", POSITIVE
        match = int(net.matches(x.shape[:2], boxes, there)[candidate])
    else:
        what, least = "proposal", net.regions.positive
        overlaps = pairwise_iou(boxes, made.prior[None].astype(np.float32))
        match = int(match_by_threshold(overlaps, there, positive=least)[0])
    own = iou_matrix(made.prior[None], boxes.astype(float))[0]
    lesson = f"In training this {what} learns here "
    if match < 0:
        most = f" the largest is {own.max():.3f}" if len(own) else " there is none"
        lesson += f"that there is no object: it overlaps none by an IoU of {least:g},{most}."
    else:
        name = rows.names[int(truth.classes[kept[match]])]
        lesson += f"object {kept[match]} ({name}), which it overlaps by an IoU of {own[match]:.3f}"
        lesson += "." if own[match] >= least else ": no other prior overlaps it more."
    return Matching(verdict, listed, lesson, {})


def yolo_lesson(
    net: YoloDetector, raws: list[np.ndarray], candidate: int, boxes, classes, numbers, names
) -> tuple[str, dict[str, float]]:
    """(what a prior of a cell learns of a picture in training, its terms of losses.yolo4_loss).

    Args:
        raws: the outputs of the network for the picture, of each map.
        candidate: number of the prior at its place.
        boxes: (n, 4) of the objects that are taught, in pixels of the input.
        classes, numbers: (n,) of them: classes, and how they are called here.
        names: of the classes.
    """
    at = yolo_place([raw.shape for raw in raws], net.net.table, candidate)
    values = raws[at.scale][0, at.row, at.column, at.slot].astype(float)
    stride = float(net.net.strides[at.scale])
    height, width = (int(n * stride) for n in raws[at.scale].shape[1:3])
    boxes = np.asarray(boxes, np.float32)
    sides = np.asarray(to_centers(boxes))[:, 2:]
    shapes = np.asarray(shape_iou(sides, net.net.priors))
    cell = cells_of(boxes, (height, width), raws[at.scale].shape[1:3])[:2]
    here = (np.asarray(cell[0]) == at.row) & (np.asarray(cell[1]) == at.column)
    here &= (sides > 0).all(axis=1)
    learns = here & ((shapes.argmax(axis=1) == at.prior) | (shapes[:, at.prior] > SHARE))
    own_map = decoded(Tensor(raws[at.scale]), net.net.priors[[at.prior]], (stride, stride))
    found = own_map.numpy()[0, at.row, at.column, at.slot].astype(float)
    overlaps = iou_matrix(found[None], boxes.astype(float))[0]
    objectness, logits = values[NUMBERS - 1], values[NUMBERS:]
    if not learns.any():
        if overlaps.max(initial=0) > IGNORE:
            k = numbers[int(overlaps.argmax())]
            return (
                f"In training this prior learns nothing here: object {k} is for another one, but "
                f"the box overlaps it by an IoU of {overlaps.max():.3f}, more than {IGNORE:g}.",
                {},
            )
        where = "no object has its center in this cell"
        if here.any():
            where = "the object with its center in this cell fits other priors better"
        lesson = f"In training this prior learns here that there is no object: {where}."
        return lesson, {"objectness": float(np.logaddexp(0, objectness))}
    own = int(np.flatnonzero(learns)[-1])
    overlap = float(ops.complete_box_iou(Tensor(found), Tensor(boxes[own])).item())
    lesson = (
        f"In training this prior learns here object {numbers[own]} ({names[int(classes[own])]}), "
        f"whose center lies in this cell: IoU of width and height {shapes[own, at.prior]:.3f}, the "
        f"largest of all priors {shapes[own].max():.3f}."
    )
    wanted = np.isin(np.arange(len(logits)), np.asarray(classes)[learns])
    weight = 1.0 if net.class_weights is None else float(np.max(wanted * net.class_weights))
    certainty = np.logaddexp(0, objectness) - overlaps[own] * objectness
    return lesson, {
        "boxes": OVERLAP * (1 - overlap),
        "objectness": float(weight * certainty),
        "classes": float(weight * (np.logaddexp(0, logits) - wanted * logits).sum()),
    }
