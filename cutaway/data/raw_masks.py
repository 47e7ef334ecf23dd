"""Mask files as they are stored: gray levels, palette indices or colors, upright."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data.decode import (
    expect_pixels,
    named,
    opened,
    orientation_of,
    packed_bytes,
    upright,
)
from cutaway.errors import DataError
from cutaway.files.content import readable


@dataclasses.dataclass(frozen=True)
class RawMask:
    """The values of a mask file, before they are class ids.

    Attributes:
        values: (height, width) gray levels, indices into the palette, or r << 16 | g << 8 | b.
        form: "bits", "gray", "palette" or "colors".
        palette: {index: (r, g, b)} of the values that occur.
        is_lossy: whether the format is JPEG, which does not keep values.
    """

    values: np.ndarray
    form: str
    palette: dict[int, tuple[int, int, int]] | None
    is_lossy: bool

    def levels(self) -> np.ndarray:
        """The gray levels or indices; of colors the red channel."""
        return self.values & 255 if self.form == "colors" else self.values

    def codes(self) -> np.ndarray:
        """The colors as r << 16 | g << 8 | b."""
        if self.palette is None:
            return self.values if self.form == "colors" else self.values.astype(np.int32) * 0x10101
        table = np.zeros(256, np.int32)
        for index, color in self.palette.items():
            table[index] = color_code(color)
        return table[self.values]


def read_raw_mask(path, orientation: int | None = None) -> RawMask:
    """The values of a mask file, upright.

    Args:
        orientation: of EXIF, by which it is turned; None: its own.

    Raises:
        DataError: no such file, not an image, values that are not integers.
    """
    with readable(path) as file, named(path), opened(file) as image:
        expect_pixels(image, packed_bytes(file))
        turned = orientation_of(image) if orientation is None else orientation
        image.load()
        lossy, palette = image.format in ("JPEG", "MPO"), None
        if image.mode == "F":
            raise DataError("its values are floats", expected="a mask of integers")
        if image.mode in ("PA", "LA"):
            image = image.getchannel(0)
        elif image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
            image = image.convert("RGB")
        form = {"1": "bits", "P": "palette", "RGB": "colors"}.get(image.mode, "gray")
        if form == "palette":
            table = np.frombuffer(bytes(image.getpalette("RGB") or []), np.uint8).reshape(-1, 3)
            used = np.flatnonzero(np.bincount(np.asarray(image).ravel()))
            palette = {int(k): code_color(color_code(table[k])) for k in used if k < len(table)}
            if all(color == (k, k, k) for k, color in palette.items()):
                form, palette = "gray", None
        values = np.asarray(upright(image, turned))
    if form == "colors":
        red, green, blue = (values[..., k].astype(np.int32) for k in range(3))
        values = red << 16 | green << 8 | blue
    elif values.dtype == bool:
        values = values.astype(np.uint8)
    return RawMask(values, form, palette, lossy)


@dataclasses.dataclass(frozen=True)
class MaskValues:
    """What occurs in a mask file.

    Attributes:
        path: the file.
        raw: the RawMask without its values.
        values, counts: that occur, and how many pixels have each.
    """

    path: Path
    raw: RawMask
    values: np.ndarray
    counts: np.ndarray

    @property
    def levels(self) -> np.ndarray:
        """The values as gray levels or indices."""
        return dataclasses.replace(self.raw, values=self.values).levels()

    @property
    def is_gray(self) -> bool:
        """Whether the three channels of every color are equal."""
        red, green, blue = self.values >> 16, self.values >> 8 & 255, self.values & 255
        return bool(((red == blue) & (green == blue)).all())


def values_of(path, orientation: int | None = None) -> tuple[MaskValues, tuple[int, int]]:
    """(what occurs in a mask file, its size)."""
    raw = read_raw_mask(path, orientation)
    size = raw.values.shape
    if raw.values.dtype == np.uint8:
        counts = np.bincount(raw.values.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(raw.values, return_counts=True)
    bare = dataclasses.replace(raw, values=np.zeros((0, 0), raw.values.dtype))
    return MaskValues(path, bare, values, counts), (int(size[0]), int(size[1]))


def color_code(color) -> int:
    """r << 16 | g << 8 | b."""
    return int(color[0]) << 16 | int(color[1]) << 8 | int(color[2])


def code_color(code) -> tuple[int, int, int]:
    return int(code) >> 16, int(code) >> 8 & 255, int(code) & 255
