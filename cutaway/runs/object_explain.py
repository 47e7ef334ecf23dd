"""Explanation of the boxes of one picture: where one comes from, what it left out, which object it
is for, and on which pixels its score rests."""

import dataclasses
from typing import cast

import numpy as np

from cutaway import ops
from cutaway.boxes import cells_of, shape_iou, to_centers
from cutaway.engine import Tensor, no_grad
from cutaway.errors import OptionError
from cutaway.losses.yolo4 import OVERLAP, SHARE
from cutaway.metrics.detection_errors import ERRORS, iou_matrix, judge
from cutaway.models import Detector, SingleStage, YoloDetector
from cutaway.models.yolo import NUMBERS
from cutaway.runs.box_arithmetic import arithmetic_of, yolo_place
from cutaway.runs.dense_explain import ExampleStory, example_row
from cutaway.runs.drawn_boxes import drawn_boxes
from cutaway.runs.finished_run import Run
from cutaway.runs.objects import Detections, ObjectRows, Truth
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
        from matplotlib.figure import Figure

        if axes is None:
            axes = Figure(figsize=(6, 5), layout="constrained").add_subplot()
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


@dataclasses.dataclass(repr=False)
class PixelShare(Story):
    """On which pixels the score of a box rests: |∂ log score / ∂ pixel|, summed over the channels.

    Attributes:
        values: (height, width), of the picture as the network takes it.
        box: (4,) in its pixels.
        picture: (height, width, 3) uint8.
    """

    values: np.ndarray
    box: np.ndarray
    picture: np.ndarray

    @property
    def inside(self) -> float:
        """Fraction of the sum that lies in the box."""
        x1, y1, x2, y2 = np.clip(np.rint(self.box), 0, [*self.values.shape[::-1]] * 2).astype(int)
        return float(self.values[y1:y2, x1:x2].sum() / max(self.values.sum(), 1e-30))

    def text(self, width: int = WIDTH) -> str:
        x1, y1, x2, y2 = self.box
        part = (x2 - x1) * (y2 - y1) / self.values.size
        return (
            f"{self.inside:.0%} of the sensitivity of the score to the pixels lies in the box, "
            f"which has {part:.0%} of the picture's area"
        )

    def plot(self, axes=None):
        from matplotlib.figure import Figure

        if axes is None:
            axes = Figure(figsize=(6, 5), layout="constrained").add_subplot()
        axes.imshow(self.picture, alpha=0.35)
        axes.imshow(_smoothed(self.values), cmap="magma", alpha=0.65)
        axes.set_axis_off()
        return axes

    def to_dict(self) -> dict:
        return {"inside": self.inside, "box": [float(n) for n in self.box]}


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
        rows.shown_input(picture), listed.boxes, listed.classes, rows.names, scores=listed.scores
    )
    kind = int(found.classes[chosen])
    name, k = rows.names[kind], int(there[chosen])
    made = arithmetic_of(cast(Detector, run.net), x[None], int(raw["rows"][k]), kind, name)
    parts: list[tuple[str, Story]] = [
        ("Boxes", BoxList(rows.names, listed, chosen, drawn)),
        (f"How box {chosen} ({name}) was made, in pixels of the input", made),
    ]
    net = run.net
    if isinstance(net, SingleStage):
        parts.append(("Boxes that it left out", suppressed_by(net, x, raw, k)))
    if "target" in one:
        truth = rows.target_of(one)
        matching = _matching(net, rows, x, raw, k, truth, found, chosen, picture.shape[:2])
        parts.append(("The object that it is for", matching))
    if isinstance(net, SingleStage):
        share = pixel_share(net, x, int(raw["rows"][k]), kind, raw["boxes"][k])
        parts.append(("Where its score comes from", share))
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


@no_grad()
def suppressed_by(net: SingleStage, x, raw: dict, k: int) -> Suppressed:
    """The candidates that detection k of a picture covers.

    Args:
        x: (height, width, channels) as the network takes it.
        raw: its detections.
    """
    size = x.shape[:2]
    found = net.candidates(net.raw(Tensor(x[None])), size)
    boxes = np.clip(found["boxes"].numpy()[0], 0, [size[1], size[0]] * 2)
    scores = found["scores"].numpy()[0, :, int(raw["classes"][k])]
    overlaps = iou_matrix(raw["boxes"][k : k + 1].astype(float), boxes.astype(float))[0]
    options = net.detection
    covered = (overlaps > options.threshold) & (scores > options.score)
    covered &= scores < scores[int(raw["rows"][k])]
    order = np.flatnonzero(covered)[np.argsort(-scores[covered], kind="stable")]
    return Suppressed(options.threshold, boxes[order], scores[order], overlaps[order])


def _matching(net, rows: ObjectRows, x, raw, k, truth: Truth, found, chosen, size) -> Matching:
    overlaps = iou_matrix(found.boxes[chosen : chosen + 1], truth.boxes)[0]
    order = np.argsort(-overlaps, kind="stable")
    listed = [(int(n), rows.names[int(truth.classes[n])], float(overlaps[n])) for n in order]
    judged = judge(truth._asdict(), found._asdict())
    verdict = ERRORS[int(judged.verdicts[chosen])]
    lesson, terms = "", {}
    if isinstance(net, YoloDetector):
        lesson, terms = yolo_lesson(net, rows, x, int(raw["rows"][k]), truth, size)
    return Matching(verdict, listed, lesson, terms)


@no_grad()
def yolo_lesson(net: YoloDetector, rows: ObjectRows, x, candidate: int, truth: Truth, size):
    """(what a prior of a cell learns of a picture in training, its terms of the loss).

    Args:
        x: (height, width, channels) as the network takes it.
        candidate: number of the prior at its place.
        size: (height, width) of the picture itself.
    """
    raws = [raw.numpy() for raw in net.raw(Tensor(x[None]))]
    at = yolo_place([raw.shape for raw in raws], net.net.table, candidate)
    numbers = raws[at.scale][0, at.row, at.column, at.slot].astype(float)
    objectness = numbers[NUMBERS - 1]
    kept = np.flatnonzero(~truth.ignored)
    boxes = rows.framing.geometry(size).boxes(truth.boxes[kept]).astype(np.float32)
    shapes = np.asarray(shape_iou(np.asarray(to_centers(boxes))[:, 2:], net.net.priors))
    row, column, _ = (
        np.asarray(one) for one in cells_of(boxes, x.shape[:2], raws[at.scale].shape[1:3])
    )
    here = (row == at.row) & (column == at.column)
    learns = here & ((shapes.argmax(axis=1) == at.prior) | (shapes[:, at.prior] > SHARE))
    if not learns.any():
        where = (
            "no object has its center in this cell"
            if not here.any()
            else ("the object with its center in this cell fits other priors better")
        )
        lesson = f"In training this prior learns here that there is no object: {where}."
        return lesson, {"objectness": _softplus(objectness)}
    own = int(np.flatnonzero(learns)[-1])
    kind = int(truth.classes[kept[own]])
    found = net.candidates(net.raw(Tensor(x[None])), x.shape[:2])["boxes"].numpy()[0, candidate]
    overlap = float(ops.complete_box_iou(Tensor(found), Tensor(boxes[own])).item())
    certain = float(iou_matrix(found[None].astype(float), boxes[own : own + 1].astype(float))[0, 0])
    lesson = (
        f"In training this prior learns here object {kept[own]} ({rows.names[kind]}), whose center "
        f"lies in this cell: IoU of width and height {shapes[own, at.prior]:.3f}, the largest of "
        f"all priors {shapes[own].max():.3f}."
    )
    logits = numbers[NUMBERS:]
    wanted = np.arange(len(logits)) == kind
    terms = {
        "boxes": OVERLAP * (1 - overlap),
        "objectness": _softplus(objectness) - certain * objectness,
        "classes": float(sum(_softplus(z) - z * on for z, on in zip(logits, wanted, strict=True))),
    }
    return lesson, terms


def _softplus(z) -> float:
    return float(np.logaddexp(0, z))


def pixel_share(net: SingleStage, x, candidate: int, kind: int, box) -> PixelShare:
    """Where the score of a candidate comes from.

    Args:
        x: (height, width, channels) as the network takes it.
        candidate: number of the candidate.
        kind: its class.
        box: (4,) in pixels of x.
    """
    leaf = Tensor(x[None].astype(np.float32), requires_grad=True)
    found = net.candidates(net.raw(leaf), x.shape[:2])
    found["scores"][0, candidate, kind].log().backward()
    assert leaf.grad is not None
    values = np.abs(np.asarray(leaf.grad))[0].sum(axis=-1)
    picture = x if x.shape[-1] == 3 else np.repeat(x, 3, axis=-1)
    return PixelShare(np.asarray(values), np.asarray(box, float), picture)


def _smoothed(values, radius: int = 4) -> np.ndarray:
    """The mean over squares, for a picture."""
    padded = np.pad(values, radius)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2)
    return windows.mean(axis=(-2, -1))
