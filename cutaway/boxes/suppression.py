"""Non-maximum suppression and the choice of detections, with static shapes."""

import jax
import jax.numpy as jnp
from jax import lax

from cutaway.boxes.overlap import pairwise_iou


def suppress(boxes, scores, *, threshold: float, groups=None, valid=None) -> jax.Array:
    """Which boxes greedy non-maximum suppression keeps.

    In the order of falling scores (equal scores: the lower index first), a box is kept unless its
    IoU with a kept one before it is greater than the threshold.

    It is computed as a fixed point: a box lives if no living box before it covers it. The k-th box
    is right after k rounds at the latest, mostly after 3 to 6.

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
    valid = jnp.ones(count, bool) if valid is None else valid
    valid = valid & ~jnp.isnan(scores)
    order = jnp.argsort(jnp.where(valid, -scores, jnp.inf), stable=True)
    boxes, starts, place = boxes[order], valid[order], jnp.arange(count)
    covers = (pairwise_iou(boxes, boxes) > threshold) & (place[:, None] < place[None])
    if groups is not None:
        groups = groups[order]
        covers = covers & (groups[:, None] == groups[None])

    def next_round(state):
        alive, _ = state
        found = starts & ~jnp.any(covers & alive[:, None], axis=0)
        return found, jnp.any(found != alive)

    alive, _ = lax.while_loop(lambda state: state[1], next_round, (starts, jnp.array(True)))
    return jnp.zeros(count, bool).at[order].set(alive, unique_indices=True)


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
