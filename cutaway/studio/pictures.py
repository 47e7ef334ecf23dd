"""Pictures made small enough for a frame."""

import math
from typing import Any

SIDE = 128  # pixels of the longer side of a picture in a frame


def reduction(shape, most: int = SIDE) -> int:
    """How many pixels along each side become one, so that none is longer than `most`."""
    return max(1, math.ceil(max(shape[:2]) / most))


def reduced(picture, every: int, *, axes=(0, 1)) -> Any:
    """The means of squares of `every` pixels; a rest at the right and lower edges is left out.

    Args:
        picture: array, NumPy's or a traced one; uint8 stays uint8. An axis shorter than `every`
            stays as it is.
        axes: the two axes of positions.
    """
    if every == 1:
        return picture
    for axis in axes:
        count = picture.shape[axis] // every
        if not count:
            continue
        kept = picture[(slice(None),) * axis + (slice(count * every),)]
        shape = (*kept.shape[:axis], count, every, *kept.shape[axis + 1 :])
        picture = kept.reshape(shape).mean(axis=axis + 1).astype(picture.dtype)
    return picture


def thinned(ids, every: int) -> Any:
    """Every so many pixels of a mask: classes have no mean."""
    return ids[every // 2 :: every, every // 2 :: every] if every > 1 else ids


def flat(picture) -> Any:
    """(height, width) of a picture of one channel, otherwise the first three channels."""
    if picture.ndim == 2:
        return picture
    return picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]
