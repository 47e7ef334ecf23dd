"""Pictures and volumes of a folder as arrays: their common size, and how much they take."""

import math

import numpy as np

from cutaway.data.framing import Framing
from cutaway.errors import DataError


def same_size(sizes) -> tuple[int, int] | None:
    """(height, width) if all pictures have it, otherwise None.

    Args:
        sizes: (rows, 2) of each picture.
    """
    first = sizes[0]
    return (int(first[0]), int(first[1])) if (sizes == first).all() else None


def expect_same(path, picture, size) -> None:
    """Raise DataError unless a picture has the size (height, width) that its file once had."""
    if picture.shape[:2] != tuple(size):
        raise DataError(
            f"{path} has {height_by_width(picture.shape)} pixels",
            expected=f"{height_by_width(size)}, as when the set was first looked at",
            fix="begin again",
        )


def array_size(sizes, framing: Framing | None, paths, how: str) -> tuple[int, ...]:
    """(height, width) of the pictures in an array.

    Args:
        sizes: (rows, 2) of each picture.
        framing: how they become one size; None: all must have one.
        paths: of the pictures, for errors.
        how: a framing that is usual for such pictures, for errors.

    Raises:
        DataError: sizes differ and there is no framing.
    """
    size = same_size(sizes) if framing is None else framing.size
    if size is None:
        row = int(np.flatnonzero((sizes != sizes[0]).any(axis=1))[0])
        raise DataError(
            f"{paths[row]} has {height_by_width(sizes[row])} pixels, "
            f"{paths[0]} {height_by_width(sizes[0])}",
            expected="one size for all",
            fix=f'set a framing, such as Framing("{how}", (256, 256))',
        )
    return size


def count_positions(sizes, framing: Framing | None) -> int:
    """The number of pixels or voxels of all rows together.

    Args:
        sizes: (rows, axes) of each.
        framing: how they become one size; None: they keep theirs.
    """
    if framing is None or framing.size is None:
        return int(np.asarray(sizes, np.int64).prod(axis=1).sum())
    return len(sizes) * math.prod(framing.size)


def height_by_width(size) -> str:
    """A size in words: "512 x 1,024"."""
    return f"{int(size[0]):,} x {int(size[1]):,}"
