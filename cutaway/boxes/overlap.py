"""Overlaps of boxes: areas, intersections, IoU of pairs and of all with all.

Boxes are x1 y1 x2 y2, continuous and half-open: the width is x2 - x1. One whose sides are negative
or zero has no area and overlaps nothing.
"""

import jax
import jax.numpy as jnp


def sides_of(boxes) -> jax.Array:
    """(..., 2) width and height, at least 0."""
    return jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)


def areas(boxes) -> jax.Array:
    """(...) areas of boxes (..., 4)."""
    return jnp.prod(sides_of(boxes), axis=-1)


def common_sides(a, b) -> jax.Array:
    """(..., 2) width and height of the intersections, at least 0. Shapes broadcast."""
    low, high = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    return jnp.maximum(high - low, 0)


def enclosing_sides(a, b) -> jax.Array:
    """(..., 2) width and height of the smallest boxes around both. Shapes broadcast."""
    low, high = jnp.minimum(a[..., :2], b[..., :2]), jnp.maximum(a[..., 2:], b[..., 2:])
    return high - low


def divided(a, b) -> jax.Array:
    """a / b, and 0 where b is 0."""
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))


def aligned_iou(a, b) -> jax.Array:
    """|A ∩ B| / |A ∪ B| of boxes of broadcastable shapes (..., 4); 0 where both have no area.

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import aligned_iou
        >>> a, b = jnp.array([0.0, 0.0, 2.0, 2.0]), jnp.array([1.0, 0.0, 3.0, 2.0])
        >>> round(float(aligned_iou(a, b)), 4)
        0.3333
    """
    both = jnp.prod(common_sides(a, b), axis=-1)
    return divided(both, areas(a) + areas(b) - both)


def pairwise_iou(a, b) -> jax.Array:
    """The IoU of each box of a with each of b.

    Shapes:
        a: (..., n, 4)
        b: (..., m, 4)
        out: (..., n, m)
    """
    return aligned_iou(a[..., :, None, :], b[..., None, :, :])


def overlap_with_crowd(boxes, crowds) -> jax.Array:
    """The part of each box that lies in a crowd: |A ∩ B| / |A|, as COCO counts it.

    Shapes:
        boxes: (..., n, 4)
        crowds: (..., m, 4)
        out: (..., n, m)
    """
    one, two = boxes[..., :, None, :], crowds[..., None, :, :]
    both = jnp.prod(common_sides(one, two), axis=-1)
    return divided(both, jnp.broadcast_to(areas(one), both.shape))


def shape_iou(a, b) -> jax.Array:
    """The IoU of each size of a with each of b, both with the same center: of width and height.

    Shapes:
        a: (..., n, 2)
        b: (..., m, 2)
        out: (..., n, m)

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import shape_iou
        >>> shape_iou(jnp.array([[2.0, 2.0]]), jnp.array([[1.0, 2.0], [4.0, 4.0]])).tolist()
        [[0.5, 0.25]]
    """
    one, two = a[..., :, None, :], b[..., None, :, :]
    both = jnp.prod(jnp.minimum(one, two), axis=-1)
    return divided(both, jnp.prod(one, axis=-1) + jnp.prod(two, axis=-1) - both)
