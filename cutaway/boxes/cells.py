"""Which cell and prior of a grid predicts each truth, as YOLO assigns them. Static shapes.

A truth belongs to the cell of its center. Where two claim one place, YOLOv2 and v3 let the later
one have it, YOLOv1 the first.
"""

import jax
import jax.numpy as jnp

from cutaway.boxes.coding import to_centers
from cutaway.boxes.overlap import shape_iou


def usable(boxes, valid) -> jax.Array:
    """Which truths are there and have an area: a center without a size teaches nothing."""
    return valid & jnp.all(boxes[..., 2:] > boxes[..., :2], axis=-1)


def cells_of(boxes, size, grid):
    """The cell of each box's center.

    Args:
        boxes: (..., 4) in a picture of `size` (height, width).
        grid: (rows, columns) of cells.

    Returns:
        (row, column, place in the cell (..., 2) as x, y in 0..1)
    """
    scale = jnp.asarray([grid[1] / size[1], grid[0] / size[0]], boxes.dtype)
    at = to_centers(boxes)[..., :2] * scale
    last = jnp.asarray([grid[1] - 1, grid[0] - 1])
    cell = jnp.clip(jnp.floor(at), 0, last)
    column, row = cell[..., 0].astype(jnp.int32), cell[..., 1].astype(jnp.int32)
    return row, column, at - cell


def best_prior(boxes, priors) -> jax.Array:
    """The prior (priors, 2) whose width and height fit each box (..., n, 4) best; ties: the first.

    Shapes:
        out: (..., n) int32
    """
    sizes = to_centers(boxes)[..., 2:]
    return jnp.argmax(shape_iou(sizes, priors), axis=-1).astype(jnp.int32)


def owners(places, count: int, *, is_last: bool) -> jax.Array:
    """The truth that each of `count` places is for, -1 where it is for none.

    Args:
        places: (truths,) place of each; `count` for those without one.
        is_last: of two truths in one place, the last (else the first).

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import owners
        >>> owners(jnp.array([1, 1, 3, 0]), 3, is_last=True).tolist()
        [3, 1, -1]
    """
    numbers = jnp.arange(len(places))
    if is_last:
        return jnp.full(count, -1).at[places].max(numbers, mode="drop")
    first = jnp.full(count, len(places)).at[places].min(numbers, mode="drop")
    return jnp.where(first == len(places), -1, first)


def kinds_in(places, classes, count: int, num_classes: int) -> jax.Array:
    """(count, num_classes) bool: the classes of all truths in each place."""
    found = jnp.zeros((count, num_classes), bool)
    return found.at[places, classes].max(True, mode="drop")
