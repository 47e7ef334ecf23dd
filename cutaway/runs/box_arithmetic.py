"""How a detector came to one box: the numbers of its prior or proposal, and their arithmetic."""

import dataclasses

import numpy as np
from jax import lax

from cutaway.boxes import to_centers
from cutaway.engine import as_array, no_grad
from cutaway.models import Detector, FasterRcnn, FastRcnn, SSDDetector, YoloDetector
from cutaway.models.region_detector import CODING
from cutaway.models.region_heads import levels_of
from cutaway.models.ssd import CODING as SSD_CODING
from cutaway.models.ssd import SSDMobile
from cutaway.models.yolo import NUMBERS
from cutaway.nn import jit
from cutaway.story.text import WIDTH, Story, number


@dataclasses.dataclass(repr=False)
class BoxArithmetic(Story):
    """From the numbers of the network to the corners and the score of one box.

    Attributes:
        origin: the prior or proposal that the box began with, in words.
        values: {name: number} that the network gave for it.
        lines: of the arithmetic.
        prior: (4,) x1 y1 x2 y2 of the prior or proposal, in pixels of the input.
        box: (4,) the same of the box, before it is clipped.
        score: of the box.
        layer: path of the layer whose map it was read from; None: there is none of its own.
        level: number of that map, the largest one first.
    """

    origin: str
    values: dict[str, float]
    lines: list[str]
    prior: np.ndarray
    box: np.ndarray
    score: float
    layer: str | None = None
    level: int = 0

    def text(self, width: int = WIDTH) -> str:
        return "\n".join([self.origin, *("  " + line for line in self.lines)])

    def to_dict(self) -> dict:
        return {
            "origin": self.origin,
            "values": self.values,
            "arithmetic": self.lines,
            "prior": self.prior.tolist(),
            "box": self.box.tolist(),
            "score": self.score,
        }


def arithmetic_of(net: Detector, x, row: int, kind: int, name: str) -> BoxArithmetic:
    """How a candidate became a box.

    Args:
        x: (1, height, width, channels) as the network takes it.
        row: number of the candidate, from "rows" of the detections.
        kind: class of the box.
        name: of the class.
    """
    if isinstance(net, YoloDetector):
        return _of_yolo(net, x, row, kind, name)
    if isinstance(net, SSDDetector):
        return _of_ssd(net, x, row, kind, name)
    assert isinstance(net, FasterRcnn | FastRcnn)
    return _of_rcnn(net, x, row, kind, name)


@dataclasses.dataclass(frozen=True)
class YoloPlace:
    """Where a candidate of a Yolo stands.

    Attributes:
        scale: number of its map, the smallest first.
        row, column, slot: of its cell, and which prior of the map.
        prior: number among all priors.
    """

    scale: int
    row: int
    column: int
    slot: int
    prior: int


def yolo_place(shapes, table, candidate: int) -> YoloPlace:
    """The place of a candidate.

    Args:
        shapes: of the raw outputs (batch, rows, columns, priors, numbers).
        table: of the Yolo.
    """
    for scale, (_, rows, columns, count, _) in enumerate(shapes):
        if candidate < rows * columns * count:
            cell, slot = divmod(candidate, count)
            row, column = divmod(cell, columns)
            return YoloPlace(scale, row, column, slot, table[scale].priors[slot])
        candidate -= rows * columns * count
    raise IndexError(candidate)


def _sigmoid(t) -> float:
    return float(1 / (1 + np.exp(-t)))


@no_grad()
def _of_yolo(detector, x, candidate, kind, name) -> BoxArithmetic:
    net = detector.net
    raws = [raw.numpy() for raw in jit(detector.raw, detector, donate=False)(x)]
    at = yolo_place([raw.shape for raw in raws], net.table, candidate)
    stride = net.strides[at.scale]
    tx, ty, tw, th, to = (float(n) for n in raws[at.scale][0, at.row, at.column, at.slot, :NUMBERS])
    tc = float(raws[at.scale][0, at.row, at.column, at.slot, NUMBERS + kind])
    pw, ph = (float(n) for n in net.priors[at.prior])
    cx, cy = (_sigmoid(tx) + at.column) * stride, (_sigmoid(ty) + at.row) * stride
    w, h = pw * np.exp(tw), ph * np.exp(th)
    score = _sigmoid(to) * _sigmoid(tc)
    rows, columns = raws[at.scale].shape[1:3]
    middle = (at.column + 0.5) * stride, (at.row + 0.5) * stride
    prior = np.array([middle[0] - pw / 2, middle[1] - ph / 2, middle[0] + pw / 2,
                      middle[1] + ph / 2])  # fmt: skip
    box = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    s = _shown
    return BoxArithmetic(
        f"Prior {at.prior} ({s(pw)} x {s(ph)} pixels) in row {at.row}, column {at.column} of the "
        f"map of {rows} x {columns} cells of {stride} pixels",
        {"tx": tx, "ty": ty, "tw": tw, "th": th, "objectness": to, name: tc},
        [
            f"center x = (σ({s(tx)}) + {at.column}) · {stride} = "
            f"({s(_sigmoid(tx))} + {at.column}) · {stride} = {s(cx)}",
            f"center y = (σ({s(ty)}) + {at.row}) · {stride} = "
            f"({s(_sigmoid(ty))} + {at.row}) · {stride} = {s(cy)}",
            f"width    = {s(pw)} · exp({s(tw)}) = {s(w)}",
            f"height   = {s(ph)} · exp({s(th)}) = {s(h)}",
            f"corners  = center ± half: {_corners(box)}",
            f"score    = σ({s(to)}) · σ({s(tc)}) = {s(_sigmoid(to))} (an object) · "
            f"{s(_sigmoid(tc))} ({name}) = {s(score)}",
        ],
        prior,
        box,
        score,
        *_first_of(
            detector,
            [f"net.pyramid.output{len(net.table) - at.scale}", f"net.head{at.scale + 1}.0"],
            len(net.table) - 1 - at.scale,
        ),
    )


@no_grad()
def _of_ssd(detector, x, candidate, kind, name) -> BoxArithmetic:
    height, width = x.shape[1:3]
    found = jit(detector.raw, detector, donate=False)(x)
    raw = {key: value.numpy()[0, candidate] for key, value in found.items()}
    found = detector.net.priors(height, width)[candidate].astype(float)
    px, py, pw, ph = (float(n) for n in found * [width, height, width, height])
    prior = np.array([px - pw / 2, py - ph / 2, px + pw / 2, py + ph / 2])
    lines, box = _decoded(raw["codes"], prior, coding=SSD_CODING)
    logits = raw["classes"].astype(float)
    s = _shown
    if detector.scores == "sigmoid":
        score = _sigmoid(logits[kind + 1])
        lines.append(f"score    = σ({s(logits[kind + 1])}) = {s(score)} ({name})")
    else:
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        score = float(shares[kind + 1])
        lines.append(
            f"score    = softmax of {len(logits)} logits, {name} {s(logits[kind + 1])}, background "
            f"{s(logits[0])}: {s(score)} ({name}), {s(shares[0])} (background)"
        )
    values = dict(zip(("tx", "ty", "tw", "th"), map(float, raw["codes"]), strict=True))
    values |= {name: float(logits[kind + 1]), "background": float(logits[0])}
    maps = zip(detector.net.map_sizes(height, width), detector.net.sizes, strict=True)
    ends = np.cumsum([rows * columns * len(own) for (rows, columns), own in maps])
    return BoxArithmetic(
        f"Prior {candidate} ({s(pw)} x {s(ph)} pixels) at x {s(px)}, y {s(py)}",
        values, lines, prior, box, score,
        *_map_of_ssd(detector, int(np.searchsorted(ends, candidate, "right"))),
    )  # fmt: skip


@no_grad()
def _of_rcnn(net, x, candidate, kind, name) -> BoxArithmetic:
    size = x.shape[1:3]

    def of_candidate(x, candidate):
        maps = net.maps(x)
        found = net.with_proposals(x)[1] if isinstance(net, FastRcnn) else net.propose(maps, size)
        own = {
            key: lax.dynamic_slice_in_dim(as_array(value), as_array(candidate), 1, axis=1)
            for key, value in found.items()
        }
        regions = net.read(maps[: len(net.strides)], own["boxes"], net.region_size)
        logits, codes = net.box_head(regions)
        return {**own, "logits": logits, "codes": codes}

    found = jit(of_candidate, net, donate=False)(x, np.int32(candidate))
    own = {key: np.asarray(as_array(value))[0, 0] for key, value in found.items()}
    proposal, logits = own["boxes"].astype(float), own["logits"].astype(float)
    lines, box = _decoded(own["codes"][kind + 1].astype(float), proposal, coding=CODING)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    s = _shown
    lines.append(
        f"score    = softmax of {len(logits)} logits, {name} {s(logits[kind + 1])}, background "
        f"{s(logits[0])}: {s(shares[kind + 1])} ({name})"
    )
    level = int(np.asarray(levels_of(own["boxes"][None, None], net.strides))[0, 0])
    codes = map(float, own["codes"][kind + 1])
    values = dict(zip(("tx", "ty", "tw", "th"), codes, strict=True))
    values |= {name: float(logits[kind + 1]), "background": float(logits[0])}
    origin = f"Box {candidate} of the grid"
    if "scores" in own:
        origin = f"Proposal {candidate}, objectness {s(own['scores'])}"
    return BoxArithmetic(
        f"{origin}: {_corners(proposal)}; its {net.region_size} x {net.region_size} regions are "
        f"read from the map of 1/{net.strides[level]}",
        values, lines, proposal, box, float(shares[kind + 1]),
        *_first_of(net, [f"pyramid.output{level + 1}"], level),
    )  # fmt: skip


def _map_of_ssd(detector: SSDDetector, level: int) -> tuple[str | None, int]:
    body, paths = detector.net.body, [f"net.body.pyramid.output{level + 1}"]
    if isinstance(body, SSDMobile):
        extras = [f"extra{k}" for k in range(1, len(body.channels) - 1)]
        paths = [f"net.body.{n}" for n in (f"body.{body.expanded}.0.expand", "body.top", *extras)]
        paths = paths[level : level + 1]
    return _first_of(detector, paths, level)


def _first_of(net: Detector, paths: list[str], level: int) -> tuple[str | None, int]:
    """(the first of these paths at which there is a layer, level): it gives the map of a level."""
    modules = net.modules()
    return next((path for path in paths if path in modules), None), level


def _decoded(codes, prior, *, coding) -> tuple[list[str], np.ndarray]:
    """(lines of the arithmetic, box) of tx, ty, tw, th and a prior x1 y1 x2 y2."""
    tx, ty, tw, th = (float(n) for n in codes)
    ax, ay, aw, ah = (float(n) for n in np.asarray(to_centers(np.asarray(prior, np.float32))))
    wx, wy, ww, wh = coding
    cx, cy = ax + aw * tx / wx, ay + ah * ty / wy
    w, h = aw * np.exp(tw / ww), ah * np.exp(th / wh)
    s = _shown
    box = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return [
        f"center x = {s(ax)} + {s(aw)} · {s(tx)} / {wx:g} = {s(cx)}",
        f"center y = {s(ay)} + {s(ah)} · {s(ty)} / {wy:g} = {s(cy)}",
        f"width    = {s(aw)} · exp({s(tw)} / {ww:g}) = {s(w)}",
        f"height   = {s(ah)} · exp({s(th)} / {wh:g}) = {s(h)}",
        f"corners  = center ± half: {_corners(box)}",
    ], box


def _shown(value) -> str:
    return number(float(value))


def _corners(box) -> str:
    x1, y1, x2, y2 = (f"{float(n):.1f}" for n in box)
    return f"x {x1} to {x2}, y {y1} to {y2}"
