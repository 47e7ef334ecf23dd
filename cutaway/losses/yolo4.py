"""YOLOv4's loss: the boxes learn their overlap, and several priors learn one truth."""

import math

import jax.numpy as jnp
import numpy as np

from cutaway.boxes import aligned_iou, best_prior, shape_iou, to_centers
from cutaway.engine import Tensor, as_array
from cutaway.losses.contract import expect_class_weights
from cutaway.losses.yolo import assigned, best_overlap, binary_sum, expect_map, truths_of
from cutaway.ops import complete_box_iou, concatenate, exp, minimum, sigmoid, sum

# as in the configuration of the paper
IGNORE, SHARE = 0.7, 0.213
OVERLAP = 3.0
LARGEST = math.log(1000 / 16)  # of tw and th, before the exponential


def yolo4_loss(
    maps,
    target,
    *,
    priors,
    heads,
    size,
    ignore: float = IGNORE,
    share: float = SHARE,
    overlap: float = OVERLAP,
    rescore: bool = False,
    class_weights=None,
) -> dict[str, Tensor]:
    """YOLOv4's loss: {"boxes", "objectness", "classes"}.

    As yolo3_loss, but

    - a truth is learned by the prior of all that fits its width and height best, and by every
      further one whose width and height overlap the truth's by more than `share`;
    - the boxes of these priors learn 1 - CIoU, the complete IoU with their truth, times `overlap`;
    - with `rescore` their objectness learns the IoU of the box with its truth instead of 1, as in
      YOLOv1 and v2, so that of several boxes on an object the best one has the highest score.

    Args:
        maps, target, priors, heads, size, ignore: see yolo3_loss.
        share: see above; 1: the best prior alone.
        overlap: weight of the boxes. (The configuration of the paper weighs the gradients of the
            coordinates in pixels by 0.07; here the boxes of a picture weigh about as much as its
            objectness.)
        class_weights: (classes,) factors of what the priors of a truth learn of its objectness and
            class; of several truths in one place, that of the largest.

    Raises:
        ShapeError: see yolo3_loss; weights that are not one for each class.
        DataError: weights below 0.

    References:
        Bochkovskiy et al. 2020, "YOLOv4: optimal speed and accuracy of object detection",
        arXiv:2004.10934, section 3.4.
    """
    priors = jnp.asarray(priors, jnp.float32)
    batch = as_array(maps[0]).shape[0]
    boxes, classes, valid = truths_of("yolo4_loss", target, batch)
    best = best_prior(boxes, priors)
    sides = to_centers(boxes)[..., 2:]
    terms: dict[str, Tensor] = {}
    for raw, head in zip(maps, heads, strict=True):
        expect_map("yolo4_loss", raw, head)
        values, own = as_array(raw), priors[jnp.asarray(head)]
        claims = (best[..., None] == jnp.asarray(head)) | (shape_iou(sides, own) > share)
        taken, _, truth, wanted = assigned(values.shape, boxes, classes, valid, claims, size)
        stride = size[1] / values.shape[2], size[0] / values.shape[1]
        found = decoded(raw, own, stride)
        certain = aligned_iou(as_array(found), truth) if rescore else 1.0
        free = best_overlap(as_array(found), boxes, valid) <= ignore
        weight = jnp.where(taken, overlap, 0.0)
        own_class = jnp.where(taken, _weights_of(class_weights, wanted), 0.0)
        parts = {
            "boxes": sum((1 - complete_box_iou(found, truth)) * weight),
            "objectness": binary_sum(
                raw[..., 4],
                jnp.where(taken, certain, 0.0),
                jnp.where(taken, own_class, jnp.where(free, 1.0, 0.0)),
            ),
            "classes": binary_sum(raw[..., 5:], wanted, own_class),
        }
        for name, term in parts.items():
            terms[name] = terms[name] + term / batch if name in terms else term / batch
    return terms


def _weights_of(class_weights, wanted):
    """The largest weight of the classes (..., K) that are on; 1 without weights."""
    if class_weights is None:
        return 1.0
    expect_class_weights("yolo4_loss", class_weights, wanted.shape[-1])
    return jnp.max(wanted * jnp.asarray(class_weights, jnp.float32), axis=-1)


def decoded(raw, priors, stride):
    """Boxes (batch, rows, columns, priors, 4) in pixels of a map of raw outputs of YOLOv2 to v4.

    Args:
        raw: (batch, rows, columns, priors, 5 + classes).
        priors: (priors, 2) of this map, in pixels.
        stride: (across, down) pixels from one cell to the next.
    """
    rows, columns = raw.shape[1:3]
    cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    center = (sigmoid(raw[..., 0:2]) + cell.astype(np.float32)) * np.array(stride, np.float32)
    half = exp(minimum(raw[..., 2:4], LARGEST)) * (priors / 2)
    return concatenate([center - half, center + half], axis=-1)
