"""YOLO's losses, with the gradients of the original program, darknet.

All three take what a network predicts and a target {"boxes": (batch, truths, 4) x1 y1 x2 y2 in
pixels of the network's input, "classes": (batch, truths), "valid": (batch, truths)}, and return
{name: Tensor}, terms to be added, each summed over the cells and divided by the batch size. Which
prediction learns which truth is decided by the values, without a gradient.

Truths without area teach nothing. A picture without objects teaches its objectness.
"""

import jax
import jax.numpy as jnp

from cutaway.boxes import (
    aligned_iou,
    best_prior,
    cells_of,
    kinds_in,
    matched,
    owners,
    pairwise_iou,
    to_centers,
    to_corners,
    usable,
)
from cutaway.engine import Tensor, as_array
from cutaway.errors import ShapeError
from cutaway.losses.binary import binary_cross_entropy_with_logits
from cutaway.losses.regression import mean_squared_error
from cutaway.losses.sparse import sparse_categorical_cross_entropy_with_logits
from cutaway.ops import sigmoid


def truths_of(name, target, batch):
    """(boxes, classes, valid) of a target."""
    boxes, classes, valid = (as_array(target[key]) for key in ("boxes", "classes", "valid"))
    if boxes.shape != (batch, *valid.shape[1:], 4) or classes.shape != valid.shape:
        raise ShapeError(
            f"{name}: boxes {boxes.shape}, classes {classes.shape}, valid {valid.shape} for "
            f"{batch} pictures",
            expected="(batch, truths, 4), (batch, truths), (batch, truths)",
            fix="pad the truths of all pictures to one number",
        )
    return boxes, classes, usable(boxes, valid.astype(bool))


def _corners(shift, size, grid, picture):
    """Boxes (batch, rows, columns, priors, 4) in pixels from places in their cells and sizes."""
    cell = jnp.stack(jnp.meshgrid(jnp.arange(grid[1]), jnp.arange(grid[0])), axis=-1)
    stride = jnp.asarray([picture[1] / grid[1], picture[0] / grid[0]], shift.dtype)
    center = (cell[:, :, None] + shift) * stride
    return to_corners(jnp.concatenate([center, size], axis=-1))


def _area_weight(boxes, size):
    """2 - w h, the box's part of the picture: small boxes count more."""
    sides = to_centers(boxes)[..., 2:]
    return 2 - jnp.prod(sides, axis=-1) / (size[0] * size[1])


def _sum(prediction, target, weights):
    """Σ weights (prediction - target)² / 2, as darknet has it."""
    options = {"reduction": "sum", "row_weights": weights}
    return mean_squared_error(prediction, target, **options) * 0.5


def binary_sum(prediction, target, weights):
    options = {"reduction": "sum", "row_weights": weights}
    return binary_cross_entropy_with_logits(prediction, target, **options)


def _log_ratio(sides, priors, taken):
    return jnp.where(taken[..., None], jnp.log(jnp.where(taken[..., None], sides, 1) / priors), 0)


def yolo3_loss(maps, target, *, priors, heads, size, ignore: float = 0.7) -> dict[str, Tensor]:
    """YOLOv3's loss: {"center", "size", "objectness", "classes"}.

    Of each truth, the prior of all that fits it best by width and height, in the cell of its
    center, learns: σ(tx), σ(ty) the place in the cell by binary cross-entropy, tw, th the logarithm
    of truth / prior by half the squared error, both weighted by 2 - w h; objectness 1; and its
    class, each class by binary cross-entropy. All others learn objectness 0, unless their box
    overlaps some truth by more than `ignore`. If the best prior is in no head, nothing learns the
    truth; if it is in two, both do. Two truths in one place: the later one has the box, both
    classes are on.

    Args:
        maps: list of raw outputs (batch, rows, columns, priors of the head, 5 + classes): tx, ty,
            tw, th, objectness, classes.
        target: see above.
        priors: (priors, 2) widths and heights in pixels of the network's input.
        heads: for each map the numbers of its priors: [(3, 4, 5), (1, 2, 3)].
        size: (height, width) of the network's input.
        ignore: 0.7 in darknet's configurations; 0.5 in the paper.

    Raises:
        ShapeError: a map that does not fit its priors; targets that do not fit the maps.

    References:
        Redmon & Farhadi 2018, "YOLOv3", arXiv:1804.02767; darknet's yolo_layer.c, whose gradients
        these are. The paper says squared errors for the coordinates.
    """
    priors = jnp.asarray(priors, jnp.float32)
    batch = as_array(maps[0]).shape[0]
    boxes, classes, valid = truths_of("yolo3_loss", target, batch)
    best = best_prior(boxes, priors)
    terms: dict[str, Tensor] = {}
    for raw, head in zip(maps, heads, strict=True):
        expect_map("yolo3_loss", raw, head)
        values, own = as_array(raw), priors[jnp.asarray(head)]
        claims = best[..., None] == jnp.asarray(head)
        learned = assigned(values.shape, boxes, classes, valid, claims, size)
        taken, place, truth, wanted = learned
        centers = to_centers(truth)
        weight = jnp.where(taken, _area_weight(truth, size), 0)
        sides = own * jnp.exp(values[..., 2:4])
        decoded = _corners(jax.nn.sigmoid(values[..., :2]), sides, values.shape[1:3], size)
        free = best_overlap(decoded, boxes, valid) <= ignore
        found = {
            "center": binary_sum(raw[..., :2], place, weight),
            "size": _sum(raw[..., 2:4], _log_ratio(centers[..., 2:], own, taken), weight),
            "objectness": binary_sum(raw[..., 4], taken, jnp.where(taken | free, 1.0, 0.0)),
            "classes": binary_sum(raw[..., 5:], wanted, jnp.where(taken, 1.0, 0.0)),
        }
        for name, term in found.items():
            terms[name] = terms[name] + term / batch if name in terms else term / batch
    return terms


def expect_map(name: str, raw, head) -> None:
    """Raise ShapeError unless `raw` is a map of raw outputs for the priors of a head."""
    shape = as_array(raw).shape
    if len(shape) != 5 or shape[3] != len(head) or shape[4] < 6:
        raise ShapeError(
            f"{name}: a map of shape {shape} for {len(head)} priors",
            expected="(batch, rows, columns, priors, 5 + classes)",
            fix="reshape the head's channels: map.reshape(batch, rows, columns, priors, -1)",
        )


def assigned(shape, boxes, classes, valid, claims, size):
    """What each place of a map learns: (is it taken, place in the cell, truth's box, classes).

    Args:
        shape: (batch, rows, columns, priors, 5 + classes).
        claims: (batch, truths, priors) whether a prior of this map learns a truth.
    """
    batch, rows, columns, priors, outputs = shape
    count, num_classes = rows * columns * priors, outputs - 5
    row, column, at = cells_of(boxes, size, (rows, columns))
    places = (row * columns + column)[..., None] * priors + jnp.arange(priors)
    places = jnp.where(valid[..., None] & claims, places, count).reshape(batch, -1)
    # one row for each truth and prior
    boxes, at, classes = (jnp.repeat(a, priors, axis=1) for a in (boxes, at, classes))

    def of_picture(places, boxes, at, classes):
        owner = owners(places, count, is_last=True)
        kinds = kinds_in(places, classes, count, num_classes)
        return owner >= 0, matched(at, owner), matched(boxes, owner), kinds

    found = jax.vmap(of_picture)(places, boxes, at, classes)
    return tuple(a.reshape(*shape[:4], *a.shape[2:]) for a in found)


def best_overlap(decoded, boxes, valid):
    """(batch, rows, columns, priors) largest IoU of each prediction with a truth."""
    batch, *places, _ = decoded.shape
    overlaps = pairwise_iou(decoded.reshape(batch, -1, 4), boxes)
    overlaps = jnp.where(valid[:, None], overlaps, 0)
    return jnp.max(overlaps, axis=-1, initial=0).reshape(batch, *places)


def yolo2_loss(
    raw, target, *, priors, size, ignore: float = 0.6, objectness: float = 5.0, seen=None
) -> dict[str, Tensor]:
    """YOLOv2's region loss: {"center", "size", "objectness", "classes"}, and "priors" at first.

    As yolo3_loss on one map, but σ(tx), σ(ty) and σ(objectness) learn by half the squared error;
    the objectness of a truth's partner is to be its IoU with the truth, and counts 5 times; classes
    by the cross-entropy of their softmax; of two truths in one place the later one is learned.

    Args:
        raw: (batch, rows, columns, priors, 5 + classes).
        priors: (priors, 2) widths and heights in cells.
        size: (height, width) of the network's input in pixels.
        ignore: no objectness is learned where the IoU with some truth is larger.
        objectness: weight of the objectness of the partners.
        seen: how many pictures have been trained on. Below 12,800 all boxes without a truth are
            drawn to their priors, weight 0.01; None: they are not.

    References:
        Redmon & Farhadi 2017, "YOLO9000", arXiv:1612.08242; darknet's region_layer.c.
    """
    values = as_array(raw)
    batch, rows, columns = values.shape[:3]
    stride = jnp.asarray([size[1] / columns, size[0] / rows], jnp.float32)
    own = jnp.asarray(priors, jnp.float32) * stride
    boxes, classes, valid = truths_of("yolo2_loss", target, batch)
    claims = best_prior(boxes, own)[..., None] == jnp.arange(len(own))
    taken, place, truth, _ = assigned(values.shape, boxes, classes, valid, claims, size)
    label = _labels(values.shape, boxes, classes, valid, own, size)
    decoded = _corners(
        jax.nn.sigmoid(values[..., :2]), own * jnp.exp(values[..., 2:4]), (rows, columns), size
    )
    free = best_overlap(decoded, boxes, valid) <= ignore
    weight = jnp.where(taken, _area_weight(truth, size), 0)
    wanted = jnp.where(taken, aligned_iou(decoded, truth), 0)
    certain = jnp.where(taken, objectness, jnp.where(free, 1.0, 0.0))
    sizes = _log_ratio(to_centers(truth)[..., 2:], own, taken)
    p = sigmoid(raw[..., :2])
    entropy = sparse_categorical_cross_entropy_with_logits(
        raw[..., 5:], label, reduction="sum", row_weights=jnp.where(taken, 1.0, 0.0)
    )
    found = {
        "center": _sum(p, place, weight),
        "size": _sum(raw[..., 2:4], sizes, weight),
        "objectness": _sum(sigmoid(raw[..., 4]), wanted, certain),
        "classes": entropy,
    }
    if seen is not None:
        draws = jnp.where(taken | (jnp.asarray(seen) >= 12_800), 0, 0.01)
        middle = jnp.full_like(place, 0.5)
        found["priors"] = _sum(p, middle, draws) + _sum(raw[..., 2:4], 0 * middle, draws)
    return {name: term / batch for name, term in found.items()}


def _labels(shape, boxes, classes, valid, own, size):
    """(batch, rows, columns, priors) class of the truth that owns each place, or 0."""
    _, rows, columns, priors, _ = shape
    row, column, _ = cells_of(boxes, size, (rows, columns))
    places = (row * columns + column) * priors + best_prior(boxes, own)
    places = jnp.where(valid, places, rows * columns * priors)

    def of_picture(places, classes):
        owner = owners(places, rows * columns * priors, is_last=True)
        return jnp.where(owner >= 0, matched(classes, owner), 0)

    return jax.vmap(of_picture)(places, classes).reshape(shape[:4])


def yolo1_loss(
    boxes,
    confidence,
    classes,
    target,
    *,
    size,
    coordinates: float = 5.0,
    empty: float = 0.5,
) -> dict[str, Tensor]:
    """YOLOv1's loss: {"center", "size", "objectness", "empty", "classes"}, all squared errors.

        λ_coord Σ [(x - x̂)² + (y - ŷ)²] + λ_coord Σ [(√w - √ŵ)² + (√h - √ĥ)²]
        + Σ (C - Ĉ)² + λ_noobj Σ (C - 0)² + Σ (p(c) - p̂(c))²

    The sums: over the boxes that are responsible for a truth; the last but one over all others; the
    last over the cells with a truth. Responsible is, of the boxes of the truth's cell, the one with
    the largest IoU, or if all are 0 the one with the least squared error; its Ĉ is that IoU. Of two
    truths in one cell the first counts. (darknet's gradients are half of these.)

    Args:
        boxes: (batch, rows, columns, boxes, 4): x, y in the cell, √w, √h as parts of the picture.
        confidence: (batch, rows, columns, boxes).
        classes: (batch, rows, columns, classes).
        target: see above.
        size: (height, width) of the network's input in pixels.
        coordinates, empty: λ_coord and λ_noobj.

    References:
        Redmon et al. 2016, "You only look once", arXiv:1506.02640, eq. 3; darknet's
        detection_layer.c.
    """
    values, kinds = as_array(boxes), as_array(classes)
    batch, rows, columns, per_cell, _ = values.shape
    truths, labels, valid = truths_of("yolo1_loss", target, batch)
    row, column, at = cells_of(truths, size, (rows, columns))
    places = jnp.where(valid, row * columns + column, rows * columns)

    def of_picture(places, truths, at, labels):
        owner = owners(places, rows * columns, is_last=False)
        parts = owner >= 0, matched(truths, owner), matched(at, owner), matched(labels, owner)
        return tuple(part.reshape(rows, columns, *part.shape[1:]) for part in parts)

    taken, truth, place, label = jax.vmap(of_picture)(places, truths, at, labels)
    picture = jnp.asarray([size[1], size[0]], values.dtype)
    decoded = _corners(values[..., :2], values[..., 2:] ** 2 * picture, (rows, columns), size)
    iou = aligned_iou(decoded, truth[:, :, :, None])
    far = jnp.sum(
        (to_centers(decoded) - to_centers(truth)[:, :, :, None]) ** 2
        / jnp.concatenate([picture, picture]) ** 2,
        axis=-1,
    )
    any_overlap = jnp.max(iou, axis=-1) > 0
    chosen = jnp.where(any_overlap, jnp.argmax(iou, axis=-1), jnp.argmin(far, axis=-1))
    responsible = (jnp.arange(per_cell) == chosen[..., None]) & taken[..., None]
    weight = jnp.where(responsible, 1.0, 0.0)
    roots = jnp.sqrt(to_centers(truth)[..., 2:] / picture)
    roots = jnp.where(taken[..., None], roots, 0)

    def squared(prediction, target, weights):
        options = {"reduction": "sum", "row_weights": weights}
        return mean_squared_error(prediction, target, **options) / batch

    def of_each(value):
        return jnp.broadcast_to(value[:, :, :, None], (*values.shape[:4], 2))

    hot = jax.nn.one_hot(label, kinds.shape[-1])
    return {
        "center": squared(boxes[..., :2], of_each(place), weight) * coordinates,
        "size": squared(boxes[..., 2:], of_each(roots), weight) * coordinates,
        "objectness": squared(confidence, iou, weight),
        "empty": squared(confidence, 0 * iou, 1 - weight) * empty,
        "classes": squared(classes, hot, jnp.where(taken, 1.0, 0.0)),
    }
