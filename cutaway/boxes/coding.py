"""Boxes relative to priors, as R-CNN and SSD predict them, and in other forms.

With the prior's center (ax, ay) and size (aw, ah), those of the box (gx, gy, gw, gh), and weights:

    tx = wx (gx - ax) / aw    ty = wy (gy - ay) / ah    tw = ww ln(gw / aw)    th = wh ln(gh / ah)

Girshick et al. 2014, "Rich feature hierarchies", arXiv:1311.2524, appendix C. The way back, which
has a gradient, is `ops.decode_boxes`.
"""

import jax
import jax.numpy as jnp

SMALLEST = 1e-6  # ratio of sides whose logarithm is still taken: boxes of no area stay finite


def to_centers(boxes) -> jax.Array:
    """x1 y1 x2 y2 as center x, center y, width, height.

    Shapes:
        boxes, out: (..., 4)
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(low + high) / 2, high - low], axis=-1)


def to_corners(centers) -> jax.Array:
    """Center x, center y, width, height as x1 y1 x2 y2.

    Shapes:
        centers, out: (..., 4)
    """
    center, half = centers[..., :2], centers[..., 2:] / 2
    return jnp.concatenate([center - half, center + half], axis=-1)


def encode_boxes(boxes, priors, *, weights=(1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """What a network should predict at each prior for its box. No gradient is needed of it.

    Args:
        weights: (wx, wy, ww, wh): (10, 10, 5, 5) for SSD and the second stage of R-CNN, which is
            the same as dividing by "variances" 0.1 and 0.2; 1 for region proposals.

    Shapes:
        boxes, priors: (..., 4) x1 y1 x2 y2, broadcastable
        out: (..., 4)

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import encode_boxes
        >>> prior, box = jnp.array([0.0, 0.0, 10.0, 10.0]), jnp.array([1.0, 0.0, 11.0, 10.0])
        >>> encode_boxes(box, prior, weights=(10, 10, 5, 5)).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """
    box, prior = to_centers(boxes), to_centers(priors)
    size = jnp.where(prior[..., 2:] > 0, prior[..., 2:], 1)
    shift = (box[..., :2] - prior[..., :2]) / size
    growth = jnp.log(jnp.maximum(box[..., 2:] / size, SMALLEST))
    return jnp.concatenate([shift, growth], axis=-1) * jnp.asarray(weights, box.dtype)


def clip_to_picture(boxes, size) -> jax.Array:
    """Boxes clipped to a picture.

    Args:
        size: (height, width).

    Shapes:
        boxes, out: (..., 4)
    """
    height, width = size
    return jnp.clip(boxes, 0, jnp.asarray([width, height, width, height], boxes.dtype))
