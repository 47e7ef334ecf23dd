"""Indices of elements, checked against a shape."""

import numpy as np

from cutaway.errors import ShapeError


def expect_index(what: str, index, shape) -> tuple:
    """The index as a tuple of integers from 0, checked against a shape."""
    index = tuple(index) if isinstance(index, tuple | list) else (index,)
    fits = len(index) == len(shape) and all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not fits:
        ranges = ", ".join(f"0 to {n - 1}" for n in shape)
        raise ShapeError(
            f"{what} has no element {index}",
            expected=f"{len(shape)} integer{'s' * (len(shape) > 1)}: {ranges}"
            if shape
            else "no index: it is a scalar",
        )
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))
