"""The mask that a network gives for a box, put into the picture."""

import numpy as np

from cutaway.data.run_lengths import window_runs
from cutaway.errors import DataError, ShapeError


def pasted_mask(probabilities, box, size, *, threshold: float = 0.5) -> dict:
    """Which pixels of a picture belong to an object, as run lengths.

    The probabilities get a border of zeros, one wide, by which the box grows around its center; its
    corners lose their fractions, and both of their pixels belong to it. There the probabilities are
    interpolated between the middles of their cells, and compared with the threshold. Only the part
    of the picture under the box is ever in memory.

    Args:
        probabilities: (m, m) of the box's cells, 0 to 1.
        box: (4,) x1 y1 x2 y2 in pixels of the picture. One that was clipped to the picture moves
            the mask: give the box that the probabilities are of.
        size: (height, width) of the picture.
        threshold: least probability inside of the object.

    Returns:
        {"size": [height, width], "counts": text}, see data.run_lengths

    Raises:
        ShapeError: probabilities that are no square, or no box.
        DataError: a box that is not finite.

    References:
        `paste_masks_in_image` of torchvision.models.detection.roi_heads, whose rule this is.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.outlines import outline_mask
        >>> from cutaway.data.pasted_mask import pasted_mask
        >>> runs = pasted_mask(np.ones((28, 28)), [1, 0, 3, 2], (2, 4))
        >>> outline_mask(runs, (2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    probabilities, box = np.asarray(probabilities, np.float32), np.asarray(box)
    side = len(probabilities) if probabilities.ndim else 0
    if probabilities.shape != (side, side) or not side or box.shape != (4,):
        raise ShapeError(
            f"pasted_mask: probabilities of shape {probabilities.shape}, a box of {box.shape}",
            expected="(m, m) and (4,)",
        )
    if not np.isfinite(box).all():
        raise DataError(f"pasted_mask: the box {box.tolist()}", expected="finite corners")
    center, half = (box[2:] + box[:2]) * 0.5, (box[2:] - box[:2]) * 0.5 * ((side + 2) / side)
    low, high = (corner.astype(np.int64) for corner in (center - half, center + half))
    (columns, across), (rows, down) = (
        _interpolation(low[axis], high[axis], size[1 - axis], side + 2) for axis in (0, 1)
    )
    values = down @ np.pad(probabilities, 1) @ across.T  # (rows, columns)
    return window_runs(values >= threshold, (rows[0], columns[0]) if values.size else (0, 0), size)


def _interpolation(low, high, most: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """(pixels (n,) from low to high within a picture, weights (n, cells) of the cells in each)."""
    pixels = np.arange(max(low, 0), min(high + 1, most))
    length = max(high - low + 1, 1)
    place = (pixels - low + np.float32(0.5)) * np.float32(cells / length) - np.float32(0.5)
    place = np.maximum(place, 0).astype(np.float32)
    before = np.minimum(place.astype(np.int64), cells - 1)
    after = np.minimum(before + 1, cells - 1)
    weights = np.zeros((len(pixels), cells), np.float32)
    rows = np.arange(len(pixels))
    np.add.at(weights, (rows, before), 1 - (place - before))
    np.add.at(weights, (rows, after), place - before)
    return pixels, weights
