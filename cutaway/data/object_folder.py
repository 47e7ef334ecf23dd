"""ObjectFolder: pictures with boxes, read one by one."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data.decode import read_image
from cutaway.data.file_pairs import rows_named
from cutaway.data.framing import Framing
from cutaway.data.geometry import clip_boxes
from cutaway.data.object_crops import SIDE, object_crops
from cutaway.data.one_size import (
    array_size,
    count_positions,
    expect_same,
    same_size,
)
from cutaway.data.outlines import outline_mask
from cutaway.data.prefetch import in_threads
from cutaway.errors import DataError
from cutaway.files.content import naming
from cutaway.files.limits import expect_bytes

STEP = 8  # the number of boxes that a picture is padded to is a multiple of it


@dataclasses.dataclass(frozen=True)
class ObjectFolder:
    """Pictures with boxes of objects, read one by one when they are asked for.

    Boxes are x1 y1 x2 y2 in pixels, continuous and half-open: the width is x2 - x1. Classes count
    from 0; the background is none of them.

    Attributes:
        root: the folder.
        names: of the pictures.
        pictures: the files.
        sizes: (rows, 2), height and width of each picture, upright.
        channels: 1 if all pictures are gray, otherwise 3.
        boxes: of each picture (boxes, 4) float32.
        labels: of each picture (boxes,) int32.
        ignored: of each picture (boxes,) bool: crowds of COCO and difficult objects of Pascal VOC,
            which are neither taught nor held against a detector.
        outlines: of each picture, for each box its polygons, its run lengths or None.
        classes: names of the classes.
        capacity: number of boxes that examples are padded to, one for all.
        splits: {"train", "validation", "test": rows}, the set's own; {} if it has none.
        reason: in words, how the set was recognized.
        notes: sentences for the user.
        crop_side: of the masks in targets, each within a frame of its own; 0: they have none.
    """

    root: Path
    names: list[str]
    pictures: list[Path]
    sizes: np.ndarray
    channels: int
    boxes: list[np.ndarray]
    labels: list[np.ndarray]
    ignored: list[np.ndarray]
    outlines: list[list]
    classes: list[str]
    capacity: int
    splits: dict[str, np.ndarray]
    reason: str
    notes: list[str]
    crop_side: int = 0

    def __len__(self):
        return len(self.names)

    @property
    def same_size(self) -> tuple[int, int] | None:
        """(height, width) if all pictures have it, otherwise None."""
        return same_size(self.sizes)

    @property
    def counts(self) -> np.ndarray:
        """(rows, classes) number of boxes of each class, without those that are ignored."""
        found = np.zeros((len(self), len(self.classes)), int)
        for row, (labels, ignored) in enumerate(zip(self.labels, self.ignored, strict=True)):
            np.add.at(found[row], labels[~ignored], 1)
        return found

    @property
    def has_outlines(self) -> bool:
        """Whether every box that is not ignored has an outline."""
        rows = zip(self.outlines, self.ignored, strict=True)
        known = [o is not None for all_, skip in rows for o, s in zip(all_, skip, strict=True)
                 if not s]  # fmt: skip
        return bool(known) and all(known)

    def picture(self, row: int) -> np.ndarray:
        """(height, width, channels) uint8, upright.

        Raises:
            DataError: the file cannot be read, or has another size than before.
        """
        found = read_image(self.pictures[row], channels=self.channels)
        expect_same(self.pictures[row], found, self.sizes[row])
        return found

    def target(self, row: int) -> dict[str, np.ndarray]:
        """What is taught of a picture, padded to `capacity`.

        Returns:
            {"boxes": (capacity, 4) float32, "classes": (capacity,) int32, "valid": (capacity,)
            bool}; boxes that are ignored are left out. With `crop_side` also {"crops":
            (capacity, crop_side, crop_side) uint8, "frames": (capacity, 4) float32}, see
            data.object_crops

        Raises:
            DataError: an outline that does not fit the picture.
        """
        taught = np.flatnonzero(~self.ignored[row])
        boxes, crops = self.boxes[row][taught], None
        if self.crop_side:
            outlines = [self.outlines[row][k] for k in taught]
            size = tuple(int(n) for n in self.sizes[row])
            with naming(self.pictures[row], "a picture with outlines", failed="has a bad outline"):
                crops = object_crops(outlines, boxes, size, self.crop_side)
        return padded(boxes, self.labels[row][taught], self.capacity, crops)

    def example(self, row: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(picture, target)."""
        return self.picture(row), self.target(row)

    def mask(self, row: int, box: int) -> np.ndarray:
        """(height, width) bool: which pixels belong to an object; its box if it has no outline.

        Raises:
            DataError: an outline that does not fit the picture.
        """
        size = tuple(int(n) for n in self.sizes[row])
        outline = self.outlines[row][box]
        if outline is not None:
            with naming(self.pictures[row], "a picture with outlines", failed="has a bad outline"):
                return outline_mask(outline, size)
        mask = np.zeros(size, bool)
        x1, y1, x2, y2 = np.rint(self.boxes[row][box]).astype(int)
        mask[y1:y2, x1:x2] = True
        return mask

    def with_crops(self, side: int = SIDE) -> "ObjectFolder":
        """The same, with masks of this side in the targets."""
        return dataclasses.replace(self, crop_side=side)

    def subset(self, rows) -> "ObjectFolder":
        """The pictures with these indices, without splits; padded to the same number of boxes."""
        rows = np.asarray(rows, int)
        lists = ("names", "pictures", "boxes", "labels", "ignored", "outlines")
        kept = {name: [getattr(self, name)[k] for k in rows] for name in lists}
        return dataclasses.replace(self, **kept, sizes=self.sizes[rows], splits={})

    def bytes_of_arrays(self, framing: Framing | None = None) -> int:
        """How much memory `arrays` takes."""
        pixels = count_positions(self.sizes, framing)
        of_object = 21 + (self.crop_side**2 + 16 if self.crop_side else 0)
        return pixels * self.channels + len(self) * self.capacity * of_object

    def arrays(self, framing: Framing | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """All pictures and targets in memory.

        Args:
            framing: how pictures become one size; by default all must have one size. Boxes of which
                too little is left (see clip_boxes) are no longer valid.

        Shapes:
            result: (rows, height, width, channels) uint8, and {"boxes": (rows, capacity, 4),
            "classes": (rows, capacity), "valid": (rows, capacity)}

        Raises:
            DataError: sizes differ and there is no framing; a file that cannot be read; more than
                the limit of memory.
        """
        size = array_size(self.sizes, framing, self.pictures, "letterbox")
        expect_bytes(self.bytes_of_arrays(framing), f"{len(self):,} pictures in {self.root}")
        x = np.empty((len(self), *size, self.channels), np.uint8)
        y = [self.target(row) for row in range(len(self))]

        def fill(row):
            picture = self.picture(row)
            if framing is not None:
                geometry = framing.geometry(picture.shape[:2])
                picture = geometry.picture(picture, fill=127)
                moved, kept = clip_boxes(geometry.boxes(y[row]["boxes"]), geometry.output_size)
                y[row]["valid"] = y[row]["valid"] & kept
                y[row]["boxes"] = np.where(y[row]["valid"][:, None], moved, 0).astype(np.float32)
                if "frames" in y[row]:
                    y[row]["frames"] = geometry.boxes(y[row]["frames"]).astype(np.float32)
            x[row] = picture

        in_threads(fill, range(len(self)))
        return x, {name: np.stack([one[name] for one in y]) for name in y[0]}

    def rows_named(self, path) -> np.ndarray:
        """The rows that a text file lists; see file_pairs.rows_named."""
        return rows_named(self.names, path)


def padded(boxes, labels, capacity: int, crops=None) -> dict[str, np.ndarray]:
    """Boxes and classes padded with zeros to one number, and which of them are there.

    Args:
        crops: of the boxes, which are their frames; see data.object_crops.
    """
    count = len(boxes)
    if count > capacity:
        raise DataError(f"{count} boxes in a picture", expected=f"at most {capacity}")
    room = ((0, capacity - count),)
    found = {
        "boxes": np.pad(np.asarray(boxes, np.float32).reshape(-1, 4), (*room, (0, 0))),
        "classes": np.pad(np.asarray(labels, np.int32), room),
        "valid": np.arange(capacity) < count,
    }
    if crops is not None:
        found["crops"] = np.pad(crops, (*room, (0, 0), (0, 0)))
        found["frames"] = found["boxes"].copy()
    return found


def capacity_for(most: int) -> int:
    """The number of boxes that a set is padded to: a multiple of 8, so that few sizes occur."""
    return max(STEP, -(-most // STEP) * STEP)
