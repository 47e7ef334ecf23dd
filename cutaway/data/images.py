"""Folders of images, as arrays in memory or as a stream."""

import collections
import dataclasses
import math
from pathlib import Path

import numpy as np

from cutaway.data.decode import SUFFIXES, image_header, read_image
from cutaway.data.folders import ClassFolder, find_class_folders
from cutaway.data.prefetch import ArrayStream, BlockStream, in_threads
from cutaway.data.skipped import SkippedFiles
from cutaway.errors import DataError, OptionError
from cutaway.files.limits import expect_bytes

MEMORY_BYTES = 2**30


def find_images(root) -> dict:
    """The images below root/class/ or root/split/class/, by split; see find_class_folders."""
    return find_class_folders(root, SUFFIXES, what="images")


@dataclasses.dataclass(frozen=True)
class Images:
    """Images in memory.

    Attributes:
        x: (rows, height, width, channels) uint8.
        y: (rows,) int32 class numbers.
        classes: names of the classes.
        paths: file of each image.
        skipped: {path: reason} of files that could not be read.
    """

    x: np.ndarray
    y: np.ndarray
    classes: list
    paths: list
    skipped: dict


def load_images(
    folder: ClassFolder,
    size=None,
    *,
    fit="crop",
    channels=None,
    skip_unreadable: int | SkippedFiles = 0,
    threads=None,
) -> Images:
    """Decode all images of a folder.

    Args:
        folder: from find_images.
        size: (height, width) of the result; by default the common size.
        fit: "crop" or "stretch", see read_image.
        channels: 3 or 1; by default 1 if all images are grayscale.
        skip_unreadable: the most images that are skipped if they cannot be read; or a
            SkippedFiles, which counts those of several folders together.
        threads: for decoding; by default one per core.

    Raises:
        DataError: more images that cannot be read, all of which are looked at and the first ones
            named; different sizes and no `size`; no images left.
    """
    size = expect_size(size) if size is not None else same_size(folder)
    channels = find_channels(folder) if channels is None else channels
    skipped = _as_skipped(skip_unreadable)
    shape = len(folder), *size, channels
    expect_bytes(math.prod(shape), f"{len(folder):,} images in {folder.root} of {size}")
    x = np.empty(shape, np.uint8)

    def read(path):
        return read_image(path, size, fit=fit, channels=channels)

    def decode(row) -> bool:
        image = skipped.read(folder.paths[row], read)
        if image is None:
            return False
        x[row] = image
        return True

    kept = np.flatnonzero(in_threads(decode, range(len(folder)), threads))
    skipped.expect_within("images", len(folder))
    reasons = {path: skipped.reasons[path] for path in folder.paths if path in skipped.reasons}
    _expect_some(folder, len(kept), reasons)
    if reasons:
        x, folder = x[kept], folder.subset(kept)
    return Images(x, folder.labels, folder.classes, folder.paths, reasons)


class ImageStream(BlockStream):
    """A stream that decodes images again in every epoch, block by block, for Trainer.fit.

    Args:
        folder: from find_images.
        size: (height, width) of the images.
        fit, channels, skip_unreadable: see load_images. A skipped image is missing in its block,
            in this epoch and all that follow.
        transform: augmentation, with normalization last; by default none, which leaves uint8.
        block_rows, threads, ahead: see BlockStream.

    Attributes:
        classes: names of the classes.
        skipped: {path: reason} of the images that could not be read so far.
        notes: [] or [a sentence that names them, and how many images an epoch has].

    Raises:
        DataError: from `blocks`: an image that cannot be read, beyond skip_unreadable.
    """

    def __init__(
        self,
        folder,
        size,
        *,
        fit="crop",
        channels=None,
        skip_unreadable: int | SkippedFiles = 0,
        **options,
    ):
        size = expect_size(size)
        self.channels = find_channels(folder) if channels is None else channels
        super().__init__(folder.labels, (*size, self.channels), **options)
        self.folder = folder
        self.classes = folder.classes
        self.fit = fit
        self._skipped = _as_skipped(skip_unreadable)

    @property
    def skipped(self) -> dict:
        return dict(self._skipped.reasons)

    @property
    def notes(self) -> list[str]:
        found = self._skipped.note(self.folder.paths, "training images")
        left = self.rows - len(self._skipped.reasons.keys() & set(self.folder.paths))
        return [f"{note}; an epoch has {left:,}" for note in found]

    def state(self) -> dict:
        return {"skipped": {str(path): reason for path, reason in self.skipped.items()}}

    def load_state(self, state: dict) -> None:
        for path, reason in state.get("skipped", {}).items():
            self._skipped.reasons[Path(path)] = reason

    def join_state(self, state: dict) -> None:
        self._skipped.add({Path(path): why for path, why in state.get("skipped", {}).items()})
        self._skipped.expect_within("images", self.rows, may_remove=False)

    def read(self, rows):
        x = np.empty((len(rows), *self.row_shape), np.uint8)
        kept = np.ones(len(rows), bool)

        def decode(path):
            return read_image(path, self.row_shape[:2], fit=self.fit, channels=self.channels)

        for place, row in enumerate(rows):
            image = self._skipped.read(self.folder.paths[row], decode)
            if image is None:
                kept[place] = False
                self._skipped.expect_within("images", self.rows, may_remove=False)
            else:
                x[place] = image
        return (rows, x) if kept.all() else (rows[kept], x[kept])


def stream_images(
    folder,
    size,
    *,
    fit="crop",
    channels=None,
    skip_unreadable: int | SkippedFiles = 0,
    memory_bytes=MEMORY_BYTES,
    **options,
):
    """A stream of images: decoded once if they fit in memory, otherwise in every epoch.

    Args:
        memory_bytes: limit for the decoded images.
        options: transform, block_rows, threads, ahead, see BlockStream.
    """
    size = expect_size(size)
    channels = find_channels(folder) if channels is None else channels
    decoding = {"fit": fit, "channels": channels, "skip_unreadable": skip_unreadable}
    if len(folder) * size[0] * size[1] * channels > memory_bytes:
        return ImageStream(folder, size, **decoding, **options)
    return DecodedStream(
        load_images(folder, size, **decoding, threads=options.get("threads")), **options
    )


class DecodedStream(ArrayStream):
    """A stream of images in memory.

    Attributes:
        classes, skipped: see Images.
    """

    def __init__(self, images: Images, **options):
        super().__init__(images.x, images.y, **options)
        self.classes = images.classes
        self.skipped = images.skipped


def find_channels(folder: ClassFolder) -> int:
    """1 if all images are grayscale, otherwise 3; files that cannot be read are ignored."""
    for path in folder.paths:
        header = image_header(path)
        if header is not None and not header[1]:
            return 3
    return 1


def common_size(folder: ClassFolder, most: int = 1000):
    """Counter of the sizes (height, width) of at most `most` images, evenly spaced."""
    step = max(1, len(folder) // most)
    headers = (image_header(path) for path in folder.paths[::step])
    return collections.Counter(header[0] for header in headers if header is not None)


def same_size(folder: ClassFolder):
    """The size that all images have.

    Raises:
        DataError: they differ, or none can be read.
    """
    sizes = common_size(folder, most=len(folder))
    if not sizes:
        raise DataError(
            f"none of the {len(folder)} files in {folder.root} can be read as an image",
            expected="valid image files",
        )
    if len(sizes) > 1:
        shown = [f"{h}x{w} ({count:,})" for (h, w), count in sizes.most_common(4)]
        more = f" and {len(sizes) - 4} other sizes" if len(sizes) > 4 else ""
        raise DataError(
            f"the images in {folder.root} have different sizes: {', '.join(shown)}{more}",
            expected="one size (height x width) for all",
            fix="set the size, for example size=(64, 64)",
        )
    return next(iter(sizes))


def expect_size(size):
    """(height, width) from a pair or one integer; OptionError for anything else."""
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in pair):
        raise OptionError(
            f"size is {size}",
            expected="(height, width), positive integers",
            fix="write size=(64, 64)",
        )
    return int(pair[0]), int(pair[1])


def _expect_some(folder, kept, skipped):
    if not kept:
        path, reason = next(iter(skipped.items()))
        raise DataError(
            f"none of the {len(folder)} images in {folder.root} can be read; {path}: {reason}",
            expected="valid image files",
        )


def _as_skipped(given: int | SkippedFiles) -> SkippedFiles:
    return given if isinstance(given, SkippedFiles) else SkippedFiles(given)
