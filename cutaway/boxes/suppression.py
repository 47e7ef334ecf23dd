"""Non-maximum suppression and the choice of detections, with static shapes."""

import jax
import jax.numpy as jnp
from jax import lax

from cutaway.boxes.overlap import areas

BLOCK = 64  # boxes that are decided together


def suppress(boxes, scores, *, threshold: float, groups=None, valid=None) -> jax.Array:
    """Which boxes greedy non-maximum suppression keeps.

    In the order of falling scores (equal scores: the lower index first), a box is kept unless its
    IoU with a kept one before it is greater than the threshold.

    It is computed in blocks of boxes in that order. Within a block as a fixed point: a box lives if
    no living box before it covers it; the k-th box is right after k rounds at the latest, mostly
    after 3 to 6. Then those that live cover boxes of later blocks.

    Args:
        threshold: an IoU of exactly this is kept.
        groups: (n,) integers, classes or levels of a pyramid: only boxes of one group suppress
            each other. (Shifting the groups apart, as others do, rounds the IoU.)
        valid: (n,) bool, False for padding, which is not kept.

    Shapes:
        boxes: (n, 4)
        scores: (n,)
        out: (n,) bool

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import suppress
        >>> boxes = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]])
        >>> suppress(boxes, jnp.array([0.5, 0.9, 0.1]), threshold=0.5).tolist()
        [False, True, True]
    """
    count = scores.shape[0]
    if not count:
        return jnp.zeros(0, bool)
    valid = jnp.ones(count, bool) if valid is None else valid
    valid = valid & ~jnp.isnan(scores)
    order = jnp.argsort(jnp.where(valid, -scores, jnp.inf), stable=True)
    block = min(BLOCK, count)
    padding = (0, -count % block)

    def sorted_column(values):
        return jnp.pad(values[order], padding)

    columns = [*boxes.T, areas(boxes)]
    columns += [] if groups is None else [groups]
    # in columns, so that the overlaps are computed in vectors
    columns = [sorted_column(column) for column in columns]
    starts, place = sorted_column(valid), jnp.arange(count + padding[1])
    is_before = jnp.arange(block)[:, None] < jnp.arange(block)

    def of_block(k, alive):
        first = k * block
        own = [lax.dynamic_slice(column, (first,), (block,)) for column in columns]
        start = lax.dynamic_slice(alive, (first,), (block,))
        covers = _covers(own, own, threshold) & is_before

        def next_round(state):
            living, _ = state
            found = start & ~jnp.any(covers & living[:, None], axis=0)
            return found, jnp.any(found != living)

        living, _ = lax.while_loop(lambda state: state[1], next_round, (start, jnp.array(True)))
        covered = jnp.any(_covers(own, columns, threshold) & living[:, None], axis=0)
        alive = alive & ~(covered & (place >= first + block))
        return lax.dynamic_update_slice(alive, living, (first,))

    alive = lax.fori_loop(0, len(place) // block, of_block, starts)[:count]
    return jnp.zeros(count, bool).at[order].set(alive, unique_indices=True)


def _covers(one, two, threshold) -> jax.Array:
    """(n, m) whether the IoU of each box with each is above the threshold, in the same group.

    Args:
        one, two: [x1, y1, x2, y2, areas] and, if there are groups, their numbers: each (n,), (m,).
    """
    a, b = [column[:, None] for column in one], [column[None] for column in two]
    width = jnp.maximum(jnp.minimum(a[2], b[2]) - jnp.maximum(a[0], b[0]), 0)
    height = jnp.maximum(jnp.minimum(a[3], b[3]) - jnp.maximum(a[1], b[1]), 0)
    both = width * height
    union = a[4] + b[4] - both
    found = both / jnp.where(union == 0, 1, union) > threshold
    for own, other in zip(a[5:], b[5:], strict=True):
        found = found & (own == other)
    return found


def select_detections(
    boxes,
    scores,
    *,
    score_threshold: float,
    iou_threshold: float,
    candidates: int = 1000,
    limit: int = 100,
    least_side: float = 0.0,
    together: bool = False,
) -> dict[str, jax.Array]:
    """The detections of one picture: per class the best candidates, suppressed; the best of all.

    Args:
        boxes: (n, 4) for all classes, or (n, classes, 4).
        scores: (n, classes), without the background.
        score_threshold: scores must be greater.
        iou_threshold: of the suppression within a class.
        candidates: how many of a class are considered.
        together: whether so many of all classes together are considered, and not of each: of many
            classes that takes a fraction of the time, and gives the same if no more are above the
            threshold.
        limit: how many detections are returned.
        least_side: boxes with a shorter side are left out.

    Returns:
        {"boxes": (limit, 4), "scores": (limit,), "classes": (limit,) int32, "rows": (limit,)
        int32, the row that each comes from, "valid": (limit,) bool}, the best first; behind
        the last one zeros, and -1 as class and row.
    """
    fits = scores > score_threshold  # (n, classes)
    sides = boxes[..., 2:] - boxes[..., :2]
    large = jnp.all(sides >= least_side, axis=-1)
    fits = fits & (large if boxes.ndim == 3 else large[:, None])
    scores = jnp.where(fits, scores, -jnp.inf)
    classes = scores.shape[1]
    if together:
        best, at = lax.top_k(scores.ravel(), min(candidates, scores.size))
        rows, kinds = at // classes, at % classes
    else:
        best, rows = lax.top_k(scores.T, min(candidates, len(scores)))  # (classes, candidates)
        kinds = jnp.broadcast_to(jnp.arange(classes)[:, None], rows.shape)
    chosen = boxes[rows, kinds] if boxes.ndim == 3 else boxes[rows]

    def kept_of(boxes, scores, kinds):
        return suppress(
            boxes, scores, threshold=iou_threshold, groups=kinds, valid=scores > -jnp.inf
        )

    kept = (kept_of if together else jax.vmap(kept_of))(chosen, best, kinds)
    flat = jnp.where(kept, best, -jnp.inf).ravel()
    flat = jnp.pad(flat, (0, max(0, limit - flat.size)), constant_values=-jnp.inf)
    found, place = lax.top_k(flat, limit)
    valid = found > -jnp.inf
    place = jnp.where(valid, place, 0)
    return {
        "boxes": jnp.where(valid[:, None], chosen.reshape(-1, 4)[place], 0),
        "scores": jnp.where(valid, found, 0),
        "classes": jnp.where(valid, kinds.ravel()[place], -1).astype(jnp.int32),
        "rows": jnp.where(valid, rows.ravel()[place], -1).astype(jnp.int32),
        "valid": valid,
    }
