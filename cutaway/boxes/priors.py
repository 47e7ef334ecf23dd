"""Priors that fit the boxes of a training set, and how well priors fit boxes."""

import numpy as np

from cutaway.errors import DataError, expect_integer

ROUNDS = 300  # of k-means at most
BEGINNINGS = 5  # of which the best priors are kept


def kmeans_priors(sizes, count: int, *, weights=None, seed: int = 0) -> np.ndarray:
    """Widths and heights around which those of boxes cluster, by k-means with distance 1 - IoU.

    The IoU is that of two boxes with the same center, so that the distance of small boxes counts as
    much as that of large ones. The centers are means; they begin with boxes that are far from each
    other (k-means++), several times, and the priors that fit best on average are kept.

    Args:
        sizes: (boxes, 2) widths and heights.
        count: of priors.
        weights: (boxes,) how much each counts, so that a rare class gets priors too; None: equally.
        seed: of the first centers.

    Returns:
        (count, 2) float64 by growing area. Fewer different sizes than priors are spread: the
        further priors are larger and smaller than those.

    Raises:
        DataError: no box with an area.

    References:
        Redmon & Farhadi 2017, "YOLO9000", arXiv:1612.08242, section 2; Arthur & Vassilvitskii 2007,
        "k-means++".

    Example:
        >>> from cutaway.boxes import kmeans_priors
        >>> kmeans_priors([[10, 10], [12, 10], [40, 80], [44, 80]], 2).tolist()
        [[11.0, 10.0], [42.0, 80.0]]
    """
    expect_integer(count, what="kmeans_priors: count", least=1)
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    weights = np.ones(len(sizes)) if weights is None else np.asarray(weights, np.float64)
    kept = (sizes > 0).all(axis=1) & (weights != 0)
    sizes, weights = sizes[kept], weights[kept]
    if not len(sizes) or weights.min() < 0:
        raise DataError(
            "kmeans_priors: no box with an area and a weight",
            expected="widths and heights above 0, weights of at least 0",
        )
    distinct = np.unique(sizes, axis=0)
    if len(distinct) <= count:
        return _by_area(_spread(distinct, count))
    rng = np.random.default_rng(seed)
    found = [
        _clusters(sizes, weights, _far_apart(sizes, weights, count, rng)) for _ in range(BEGINNINGS)
    ]
    return _by_area(max(found, key=lambda priors: weights @ best_prior_iou(sizes, priors)))


def best_prior_iou(sizes, priors) -> np.ndarray:
    """The largest IoU of each box with a prior that has its center.

    Shapes:
        sizes: (boxes, 2) widths and heights
        priors: (priors, 2)
        out: (boxes,)
    """
    sizes, priors = (np.asarray(a, np.float64).reshape(-1, 2) for a in (sizes, priors))
    return _overlaps(sizes, priors).max(axis=1, initial=0)


def _clusters(sizes, weights, centers) -> np.ndarray:
    for _ in range(ROUNDS):
        own = _overlaps(sizes, centers).argmax(axis=1)
        means = [
            np.average(sizes[own == k], axis=0, weights=weights[own == k])
            if (own == k).any()
            else center
            for k, center in enumerate(centers)
        ]
        if np.array_equal(means, centers):
            break
        centers = np.array(means)
    return centers


def _overlaps(sizes, priors) -> np.ndarray:
    both = np.minimum(sizes[:, None], priors).prod(axis=-1)
    union = sizes.prod(axis=-1)[:, None] + priors.prod(axis=-1) - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def _far_apart(sizes, weights, count, rng) -> np.ndarray:
    chosen = [sizes[rng.choice(len(sizes), p=weights / weights.sum())]]
    while len(chosen) < count:
        far = weights * (1 - _overlaps(sizes, np.array(chosen)).max(axis=1))
        chosen.append(sizes[rng.choice(len(sizes), p=far / far.sum())])
    return np.array(chosen)


def _spread(distinct, count) -> np.ndarray:
    """All sizes, and multiples of them by powers of √2, larger and smaller ones in turn."""
    found = [*distinct]
    step = 1
    while len(found) < count:
        found += [size * 2 ** (sign * step / 2) for size in distinct for sign in (1, -1)]
        step += 1
    return np.array(found[:count])


def _by_area(sizes) -> np.ndarray:
    return sizes[np.argsort(sizes.prod(axis=1), kind="stable")]
