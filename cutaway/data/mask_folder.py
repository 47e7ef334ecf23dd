"""MaskFolder: pictures with masks, read one by one."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data.decode import read_header, read_image
from cutaway.data.file_pairs import rows_named
from cutaway.data.framing import Framing
from cutaway.data.mask_coding import MaskCoding
from cutaway.data.one_size import array_size, count_positions, height_by_width, same_size
from cutaway.data.prefetch import in_threads
from cutaway.data.raw_masks import read_raw_mask
from cutaway.errors import DataError
from cutaway.files.limits import expect_bytes


@dataclasses.dataclass(frozen=True)
class MaskFolder:
    """Pictures with masks of class ids, read one by one when they are asked for.

    Attributes:
        root: the folder.
        names: of the pictures.
        pictures, masks: the files.
        sizes: (rows, 2), height and width of each picture, upright.
        channels: 1 if all pictures are gray, otherwise 3.
        classes: names of the classes.
        coding: how the values of the files become ids.
        ignore: the id of pixels that do not count, 255 (65535 with more than 255 classes).
        has_ignored: whether there are such pixels.
        counts: (rows, classes), pixels of each class in each mask; NaN for masks that were not
            looked at, those beyond the first 2,000.
        splits: {"train", "validation", "test": rows}, the set's own; {} if it has none.
        reason: in words, how the set was recognized.
        notes: sentences for the user.
    """

    root: Path
    names: list[str]
    pictures: list[Path]
    masks: list[Path]
    sizes: np.ndarray
    channels: int
    classes: list[str]
    coding: MaskCoding
    has_ignored: bool
    counts: np.ndarray
    splits: dict[str, np.ndarray]
    reason: str
    notes: list[str]

    def __len__(self):
        return len(self.names)

    @property
    def ignore(self) -> int:
        return self.coding.ignore

    @property
    def same_size(self) -> tuple[int, int] | None:
        """(height, width) if all pictures have it, otherwise None."""
        return same_size(self.sizes)

    def picture(self, row: int) -> np.ndarray:
        """(height, width, channels) uint8, upright.

        Raises:
            DataError: the file cannot be read.
        """
        return read_image(self.pictures[row], channels=self.channels)

    def mask(self, row: int) -> np.ndarray:
        """(height, width) class ids, of the picture's size.

        Raises:
            DataError: the file cannot be read, has another size, or values that are not classes.
        """
        return read_mask(self.pictures[row], self.masks[row], self.sizes[row], self.coding)

    def example(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(picture, mask)."""
        return self.picture(row), self.mask(row)

    def subset(self, rows) -> "MaskFolder":
        """The pictures with these indices, without splits."""
        rows = np.asarray(rows)
        return dataclasses.replace(
            self,
            names=[self.names[k] for k in rows],
            pictures=[self.pictures[k] for k in rows],
            masks=[self.masks[k] for k in rows],
            sizes=self.sizes[rows],
            counts=self.counts[rows],
            splits={},
        )

    def bytes_of_arrays(self, framing: Framing | None = None) -> int:
        """How much memory `arrays` takes."""
        pixels = count_positions(self.sizes, framing)
        return pixels * (self.channels + (1 if self.ignore == 255 else 2))

    def arrays(self, framing: Framing | None = None) -> tuple[np.ndarray, np.ndarray]:
        """All pictures and masks in memory.

        Args:
            framing: how they become one size; by default all must have one size.

        Shapes:
            result: (rows, height, width, channels) uint8 and (rows, height, width) ids; outside of
                a picture its values are 0, and its mask is `ignore`

        Raises:
            DataError: sizes differ and there is no framing; a file that cannot be read; more than
                the limit of memory.
        """
        size = array_size(self.sizes, framing, self.pictures, "letterbox")
        expect_bytes(self.bytes_of_arrays(framing), f"{len(self):,} pictures in {self.root}")
        x = np.empty((len(self), *size, self.channels), np.uint8)
        y = np.empty((len(self), *size), np.uint8 if self.ignore == 255 else np.uint16)

        def fill(row):
            picture, mask = self.example(row)
            if framing is not None:
                geometry = framing.geometry(mask.shape)
                picture, mask = geometry.picture(picture), geometry.mask(mask, fill=self.ignore)
            x[row], y[row] = picture, mask

        in_threads(fill, range(len(self)))
        return x, y

    def rows_named(self, path) -> np.ndarray:
        """The rows that a text file lists; see file_pairs.rows_named."""
        return rows_named(self.names, path)


def read_mask(picture, mask, size, coding: MaskCoding) -> np.ndarray:
    """(height, width) class ids of a mask, upright as its picture.

    Args:
        picture, mask: the files.
        size: (height, width) of the picture, upright.

    Raises:
        DataError: the file cannot be read, has another size, or values that are not classes.
    """
    size = int(size[0]), int(size[1])
    raw = read_raw_mask(mask)
    if raw.values.shape != size:
        raw = turned_with(picture, mask, size, raw.values.shape)
    return coding.ids(raw, mask)


def turned_with(picture, mask, size, mask_size):
    """The mask turned like its photograph, on whose stored pixels it was drawn.

    Raises:
        DataError: it has neither the upright size nor the stored one.
    """
    header = read_header(picture)
    if header.orientation >= 5 and mask_size == size[::-1]:
        return read_raw_mask(mask, header.orientation)
    raise DataError(
        f"the mask {mask} has {height_by_width(mask_size)} pixels, its picture {picture} "
        f"{height_by_width(size)}",
        expected="masks of the size of their pictures (height x width)",
        fix="resize the mask by nearest neighbor, or replace the picture",
    )
