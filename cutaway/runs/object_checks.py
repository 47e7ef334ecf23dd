"""Checks of pictures with boxes, and of detectors trained on them."""

import numpy as np

from cutaway.boxes import pairwise_iou
from cutaway.runs.dense_checks import Problem

FITS = 0.5  # IoU with its best prior from which a box is fitted
UNFITTED = 0.2  # fraction of boxes without such a prior that is told
CHECKED = 400  # boxes whose edges are compared with the pictures
FEW = 40  # boxes below which nothing is said of edges
BETTER = 0.05  # mean logarithm by which edges are stronger under another reading
SURE = 5.0  # standard errors of this mean
MOST_PART = 0.9  # of a picture's side: the edges of larger boxes are those of the picture
SHIFTED = 0.6  # fraction of the boxes found with the number of the next class
LEAST_SIDE = 6  # pixels of a box whose edges can be told


def unfitted_boxes(best, names=None, labels=None) -> Problem | None:
    """That priors fit many of the boxes badly; None if they do not.

    Args:
        best: (boxes,) IoU of each with its best prior.
        names: of the classes; None: they are not told.
        labels: (boxes,) classes.
    """
    best = np.asarray(best, float)
    part = float((best < FITS).mean()) if len(best) else 0.0
    if part < UNFITTED:
        return None
    where = "all classes"
    if names is not None and labels is not None:
        labels = np.asarray(labels)
        parts = {k: (best[labels == k] < FITS).mean() for k in np.unique(labels)}
        worst = max(parts, key=lambda k: parts[k])
        where = f"most of all {names[worst]}: {parts[worst]:.0%}"
    return Problem(
        code="unfitted_boxes",
        where=where,
        measures={"median of the best IoU": float(np.median(best)), "below 0.5": part},
        explanation=f"{part:.0%} of the boxes overlap no prior by an IoU of {FITS:g} ({where}), so "
        "little teaches the network to find them.",
        fix="use a larger --size, or priors that fit the boxes",
    )


def nothing_found(pictures) -> Problem | None:
    """That a detector finds nothing, or nothing that is there.

    Args:
        pictures: of each (boxes (n, 4) of the truth, boxes (m, 4) found above the threshold).
    """
    truths = sum(len(truth) for truth, _ in pictures)
    found = sum(len(boxes) for _, boxes in pictures)
    if not truths:
        return None
    hits = sum(
        int((np.asarray(pairwise_iou(truth, boxes)) >= FITS).any(axis=1).sum())
        for truth, boxes in pictures
        if len(truth) and len(boxes)
    )
    if hits:
        return None
    said = "no box at all" if not found else f"{found:,} boxes, none where an object is"
    return Problem(
        code="nothing_found",
        where=f"{len(pictures):,} pictures",
        measures={"objects": float(truths), "found": float(found)},
        explanation=f"Of {truths:,} objects the network finds none: it gives {said}.",
        fix="train longer, check the boxes in the grid of report.html, or use a larger --size",
    )


def shifted_classes(confusion, names) -> Problem | None:
    """That the boxes are right, but the classes are off by one.

    Args:
        confusion: (classes + 1, classes + 1), by true and found class, the background last.
        names: of the classes.
    """
    counts = np.asarray(confusion)[: len(names), : len(names)]
    if len(names) < 3 or not counts.sum():  # of two classes, off by one is swapped
        return None
    for step in (1, -1):
        part = float(np.trace(np.roll(counts, -step, axis=1)) / counts.sum())
        if part >= SHIFTED:
            return Problem(
                code="shifted_classes",
                where=f"{len(names)} classes",
                measures={"found as the next class": part},
                explanation=f"{part:.0%} of the objects that are found have the number of the "
                f"{'next' if step == 1 else 'previous'} class: the numbers of the classes are off "
                "by one. Some programs count the background as class 0.",
                fix="number the classes from 0 in the order of their names, or write their names",
            )
    return None


READINGS = {
    "the first two numbers are the center": lambda b: _moved(b, -0.5, -0.5),
    "x and y are swapped": lambda b: b[:, [1, 0, 3, 2]],
}


def misread_boxes(examples) -> Problem | None:
    """That boxes fit the edges in the pictures better if their numbers mean something else.

    Args:
        examples: of each picture (height, width, channels) and its boxes (n, 4).
    """
    ratios: dict[str, list[float]] = {name: [] for name in READINGS}
    for picture, boxes in examples:
        height, width = picture.shape[:2]
        boxes = np.clip(np.asarray(boxes, float), 0, [width, height, width, height])
        sides = boxes[:, 2:] - boxes[:, :2]
        inner = (sides >= LEAST_SIDE) & (sides < MOST_PART * np.array([width, height]))
        boxes = boxes[inner.all(axis=1)]
        across, down = _slopes(picture)
        own = _edge_strength(across, down, boxes)
        for name, read in READINGS.items():
            ratios[name] += np.log(_edge_strength(across, down, read(boxes)) / own).tolist()
        if len(ratios[name]) >= CHECKED:
            break
    surest, reading = 0.0, ""
    for name, values in ratios.items():
        known = np.array([v for v in values if np.isfinite(v)])
        if len(known) >= max(FEW, 0.6 * len(values)) and known.mean() > BETTER:
            surest, reading = max(
                (surest, reading), (known.mean() / (known.std() / len(known) ** 0.5 + 1e-9), name)
            )
    if surest < SURE:
        return None
    known = np.array([v for v in ratios[reading] if np.isfinite(v)])
    return Problem(
        code="misread_boxes",
        where=f"{len(known)} boxes",
        measures={
            "edges so many times stronger": float(np.exp(known.mean())),
            "standard errors from 1": float(surest),
        },
        explanation="The boxes lie beside the edges in the pictures: along their sides the edges "
        f"would be {np.exp(known.mean()):.2f} times as strong if {reading}.",
        fix="look at the grid in report.html, and write the boxes as their format has them",
    )


def _moved(boxes, right: float, down: float):
    """The boxes moved by parts of their own sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + np.tile(sides * (right, down), 2)


def _slopes(picture):
    """|differences| to the right and below of the gray picture, the largest of 3 neighbors."""
    gray = np.asarray(picture, np.float32).mean(axis=-1)
    across = np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    down = np.abs(np.diff(gray, axis=0, append=gray[-1:]))
    across = np.maximum(np.maximum(across, np.roll(across, 1, 1)), np.roll(across, -1, 1))
    return across, np.maximum(np.maximum(down, np.roll(down, 1, 0)), np.roll(down, -1, 0))


def _edge_strength(across, down, boxes) -> np.ndarray:
    """Mean slope along the four sides of each box; NaN where it leaves the picture."""
    height, width = across.shape
    found = np.full(len(boxes), np.nan)
    for k, (x1, y1, x2, y2) in enumerate(np.rint(boxes).astype(int)):
        if x1 < 0 or y1 < 0 or x2 > width or y2 > height or x2 - x1 < 2 or y2 - y1 < 2:
            continue
        left, right = max(0, x1 - 1), min(width - 1, x2 - 1)
        top, bottom = max(0, y1 - 1), min(height - 1, y2 - 1)
        sides = (
            across[y1:y2, left].mean() + across[y1:y2, right].mean(),
            down[top, x1:x2].mean() + down[bottom, x1:x2].mean(),
        )
        found[k] = max(sum(sides) / 4, 1e-3)
    return found
