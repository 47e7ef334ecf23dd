"""U-Net's weights of pixels: classes balanced, and borders between touching objects."""

import numpy as np

from cutaway.errors import OptionError, ShapeError, expect_range

REACH = 6  # standard deviations beyond which a border adds less than 2e-7


def border_weights(
    mask,
    *,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights=None,
    background: int = 0,
    are_objects: bool = False,
    ignore: int | None = None,
) -> np.ndarray:
    """Weight of each pixel in the loss, so that a network learns to separate touching objects [1].

        w = w_c + w0 exp(-(d1 + d2)² / (2 σ²)) on the background

    with d1 and d2 the distances to the nearest object and to the second nearest. Inside of objects
    the weight is that of the class.

    Args:
        mask: (*size) class ids, in two dimensions or three.
        w0, sigma: of the formula; σ in pixels.
        class_weights: w_c of each class id; by default inversely proportional to its pixels in the
            mask, with mean weight 1 over all pixels.
        background: class between the objects.
        are_objects: whether the ids are numbers of objects, so that there are two classes;
            otherwise each connected part of a class is an object.
        ignore: id of pixels that do not count: their weight is 0.

    Shapes:
        result: (*size), float32

    References:
        [1] Ronneberger et al. 2015, "U-Net", arXiv:1505.04597, equation 2.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import border_weights
        >>> mask = np.zeros((5, 9), int)
        >>> mask[:, :3] = mask[:, 6:] = 1
        >>> border_weights(mask, class_weights=(1, 1))[2].astype(float).round(1).tolist()
        [1.0, 1.0, 1.0, 8.3, 8.3, 8.3, 1.0, 1.0, 1.0]
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    mask = np.asarray(mask)
    if mask.ndim not in (2, 3) or mask.dtype.kind not in "uib":
        raise ShapeError(
            f"border_weights: a mask of shape {mask.shape} and type {mask.dtype}",
            expected="integers of two or three dimensions",
        )
    expect_range(sigma, what="border_weights: sigma", above=0)
    expect_range(w0, what="border_weights: w0", least=0)
    mask = mask.astype(np.int64)
    counted = np.ones(mask.shape, bool) if ignore is None else mask != ignore
    mask = np.where(counted, mask, background)
    if are_objects:
        objects = np.unique(mask, return_inverse=True)[1].reshape(mask.shape) + 1
        objects[mask == background] = 0
        mask = (mask != background).astype(np.int64)
    else:
        objects = _parts(mask, background)
    nearest = np.full(mask.shape, np.inf, np.float32)
    second = nearest.copy()
    reach = int(np.ceil(REACH * sigma))
    for number, box in enumerate(find_objects(objects), 1):
        if box is None:
            continue
        # farther away the exponential is nothing
        window = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        distance = np.asarray(distance_transform_edt(objects[window] != number), np.float32)
        one, two = nearest[window], second[window]
        second[window] = np.minimum(two, np.maximum(one, distance))
        nearest[window] = np.minimum(one, distance)
    between = w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    weights = _class_weights(mask[counted], class_weights)[mask]
    weights = weights + np.where(objects == 0, between, 0)
    return np.where(counted, weights, 0).astype(np.float32)


def _parts(mask, background) -> np.ndarray:
    """(*size) numbers of the connected parts of each class but the background."""
    from scipy.ndimage import label

    numbers, count = np.zeros(mask.shape, np.int64), 0
    for value in np.unique(mask):
        if value != background:
            parts, found = label(mask == value)  # pyright: ignore[reportGeneralTypeIssues]
            numbers[parts > 0] = parts[parts > 0] + count
            count += found
    return numbers


def _class_weights(mask, given) -> np.ndarray:
    counts = np.bincount(mask.ravel())
    if given is None:
        present = counts > 0
        return np.where(present, mask.size / np.maximum(counts, 1) / present.sum(), 0)
    weights = np.asarray(given, float)
    if weights.ndim != 1 or len(weights) < len(counts) or not (weights >= 0).all():
        raise OptionError(
            f"border_weights: class_weights is {given}",
            expected=f"a weight >= 0 for each of the {len(counts)} classes",
        )
    return weights
