"""Outlines of objects as masks: polygons, and COCO's run lengths."""

import numpy as np

from cutaway.errors import DataError


def outline_mask(outline, size) -> np.ndarray:
    """A mask of one object.

    Args:
        outline: list of polygons, each a list x1, y1, x2, y2, ... in pixels, all of which belong to
            the object; or {"counts", "size"} of COCO.
        size: (height, width) of the picture.

    Shapes:
        result: (height, width) bool

    Raises:
        DataError: run lengths that do not add up to the picture, or of another size.

    Example:
        >>> from cutaway.data.outlines import outline_mask
        >>> outline_mask({"counts": [1, 2, 1], "size": [2, 2]}, (2, 2)).tolist()
        [[False, True], [True, False]]
    """
    if isinstance(outline, dict):
        return _of_runs(outline, size)
    return _of_polygons(outline, size)


def _of_polygons(polygons, size) -> np.ndarray:
    """Pixels whose middles are inside one of the polygons, by the even-odd rule."""
    height, width = size
    middles = np.arange(height) + 0.5
    mask = np.zeros(size, bool)
    for polygon in polygons:
        points = np.asarray(polygon, float).reshape(-1, 2)
        (x1, y1), (x2, y2) = points.T[..., None], np.roll(points, -1, axis=0).T[..., None]
        crosses = (y1 <= middles) != (y2 <= middles)  # (edges, rows)
        steep = np.where(y1 == y2, 1, y2 - y1)
        edge, row = np.nonzero(crosses)
        at = (x1 + (middles - y1) * (x2 - x1) / steep)[edge, row]
        # each crossing turns inside and outside over for all middles to its right
        column = np.clip(np.ceil(at - 0.5), 0, width).astype(int)
        turns = np.zeros((height, width + 1), int)
        np.add.at(turns, (row, column), 1)
        mask |= np.cumsum(turns, axis=1)[:, :-1] % 2 == 1
    return mask


def _of_runs(outline, size) -> np.ndarray:
    counts = outline["counts"]
    counts = runs_of_text(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if tuple(outline["size"]) != tuple(size):
        raise DataError(
            f"an outline of size {tuple(outline['size'])} in a picture of {tuple(size)}",
            expected="the size of the picture, (height, width)",
        )
    pixels = size[0] * size[1]
    wild = ((counts < 0) | (counts > pixels)).any()  # whose sum may even overflow
    if wild or counts.sum() != pixels:
        raise DataError(
            "run lengths beyond the picture" if wild else f"run lengths of {counts.sum()} pixels",
            expected=f"lengths that add up to {pixels}, the pixels of the picture",
        )
    values = np.arange(len(counts)) % 2 == 1  # the first run is outside
    return np.repeat(values, counts).reshape(size[1], size[0]).T


def runs_of_text(text: str) -> np.ndarray:
    """The run lengths of COCO's compressed form.

    Each character holds 5 bits, the least significant ones first; bit 32 says that more follow, the
    last one's bit 16 that the number is negative. From the third run on the difference to the run
    two before is stored.

    Raises:
        DataError: other characters, or an end within a number.
    """
    found: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise DataError(f"{character!r} in compressed run lengths", expected="letters 0 to o")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value, shift = 0, 0
    if shift:
        raise DataError("compressed run lengths end within a number", expected="all of them")
    return np.array(found, np.int64)
