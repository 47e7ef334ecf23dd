"""Weights of the pixels of a mask, for the `row_weights` of a loss."""

import numpy as np

from cutaway.errors import ShapeError, expect_range


def border_weights(
    objects, *, border: float = 10.0, sigma: float = 5.0, balance: bool = True
) -> np.ndarray:
    """w(x) = w_c(x) + w0 exp(-(d1 + d2)² / (2 σ²)): large in the narrow gaps between objects.

    d1 and d2 are the distances to the nearest and the second nearest object, in pixels, for pixels
    of the background; the weight w_c of a pixel's class (object or background) is such that both
    classes have the same sum, with mean 1.

    Args:
        objects: a mask in which each object has a number of its own, 0 is the background; or a
            mask of 0 and 1, whose connected regions are the objects.
        border: w0.
        sigma: σ, in pixels.
        balance: whether there is w_c; otherwise it is 1.

    Shapes:
        objects: (height, width), or of more axes
        returns: the same, float32

    References:
        Ronneberger et al. 2015, arXiv:1505.04597, eq. 2.

    Example:
        >>> from cutaway.losses import border_weights
        >>> w = border_weights([[1, 0, 2]], balance=False)
        >>> round(float(w[0, 1]), 2)  # 1 + 10 exp(-(1 + 1)² / (2 · 5²))
        10.23
    """
    from scipy import ndimage

    expect_range(border, what="border_weights: border", least=0)
    expect_range(sigma, what="border_weights: sigma", above=0)
    objects = np.asarray(objects)
    if objects.ndim < 2:
        raise ShapeError(
            f"border_weights: the mask has shape {objects.shape}",
            expected="one mask, (height, width)",
            fix="call it for each mask of a batch",
        )
    if objects.max(initial=0) <= 1:
        objects = np.asarray(ndimage.label(objects > 0)[0])  # pyright: ignore
    is_background = objects == 0
    weights = np.ones(objects.shape)
    share = is_background.mean()
    if balance and 0 < share < 1:
        weights = np.where(is_background, 0.5 / share, 0.5 / (1 - share))
    nearest = np.full((2, *objects.shape), np.inf)  # d1, d2
    for number in np.unique(objects[~is_background]):
        distance = np.asarray(ndimage.distance_transform_edt(objects != number))
        between = np.maximum(nearest[0], distance)
        nearest[0] = np.minimum(nearest[0], distance)
        nearest[1] = np.minimum(nearest[1], between)
    gap = border * np.exp(-(nearest.sum(axis=0) ** 2) / (2 * sigma**2))
    return (weights + np.where(is_background, gap, 0)).astype(np.float32)
