"""Numbers in float32, in which networks compute."""

import numpy as np

from cutaway.errors import DataError

LARGEST = float(np.finfo(np.float32).max)


def to_float32(values, what: str) -> np.ndarray:
    """The values in float32.

    Args:
        values: array of numbers; NaN and infinity stay.
        what: what they are, in errors: "column 'size'".

    Raises:
        DataError: a number beyond the range of float32, which would become infinite.

    Example:
        >>> from cutaway.data.float32 import to_float32
        >>> to_float32([1.0, 1e39], "column 'size'")
        Traceback (most recent call last):
        cutaway.errors.DataError: column 'size' holds 1e+39, at index 1
          expected: numbers up to 3.4e+38, the range of float32
          fix: correct it, use another unit, or leave the cell empty if the number is unknown
    """
    values = np.asarray(values)
    expect_float32(values, what)
    return values.astype(np.float32)


def expect_float32(values: np.ndarray, what: str) -> None:
    """Raise DataError for a finite number beyond the range of float32."""
    if values.dtype.kind != "f" or values.dtype.itemsize < 8:
        return
    sizes = np.abs(values)
    beyond = (sizes > LARGEST) & (sizes < np.inf)
    if beyond.any():
        place = tuple(int(k) for k in np.argwhere(beyond)[0])
        raise DataError(
            f"{what} holds {values[place]:g}, at index {', '.join(map(str, place))}",
            expected=f"numbers up to {LARGEST:.2g}, the range of float32",
            fix="correct it, use another unit, or leave the cell empty if the number is unknown",
        )
