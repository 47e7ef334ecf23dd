"""Images whose network begins with the body of a known one."""

import dataclasses

import numpy as np

from cutaway.errors import DataError
from cutaway.models import pretrained_backbone
from cutaway.runs.images import (
    LARGEST_BYTES,
    ImageRows,
    augmentation,
    class_target,
    decoded,
    expect_size,
    read_sets,
)
from cutaway.runs.networks import DEFAULT_LOSSES
from cutaway.runs.transfer_options import TransferOptions
from cutaway.runs.transferred import TunedExperiment, prepare_transfer
from cutaway.train.blocks import expect_batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTransferOptions(TransferOptions):
    """Options of a training on images that begins with a known body.

    Attributes:
        size: edge in pixels, or (height, width), that all images get; None: what the known
            network was trained on.
        augment: whether fine-tuning sees them moved by up to an eighth and mirrored. A frozen
            body sees every image once, as it is.
        skip_corrupt: whether images that cannot be read are left out; otherwise they are errors.
        others: see TransferOptions.
    """

    size: int | tuple | None = None
    augment: bool = True
    skip_corrupt: bool = False


def prepare_transferred_images(path, options: ImageTransferOptions, *, why: str = ""):
    """Read and split images, as the known network saw its own, and put a head on its body.

    Raises:
        DataError: no classes, images that cannot be read, images that are no files.
        ShapeError: a size that is too small for the stages.
        OptionError, RunError: see prepare_transfer.
    """
    known, _ = pretrained_backbone(options.from_, "images")
    sets, classes = read_sets(path)
    frame = sets["train"]
    if "path" not in frame.columns:
        raise DataError(
            f"{path} holds arrays of pixels",
            expected=f"image files, which can be made as large as {options.from_} saw them",
            fix="save them as files in a folder for each class, or leave out from_ (--from)",
        )
    size = expect_size(known.size if options.size is None else options.size)
    numbers = {name: k for k, name in enumerate(classes)}
    y = np.array([numbers[name] for name in frame["class"]])
    rows = ImageRows(
        size,
        3,
        class_target("class", classes, y),
        skip_corrupt=options.skip_corrupt,
        crop=known.crop,
    )
    needed = sum(map(rows.size_of, sets.values()))
    if needed > LARGEST_BYTES:
        raise DataError(
            f"{sum(map(len, sets.values())):,} images of {size[0]} x {size[1]} take "
            f"{needed / 2**30:.1f} GB",
            expected=f"at most {LARGEST_BYTES / 2**30:.0f} GB: they stay in memory",
            fix="use fewer, or a smaller --size",
        )
    found = decoded(rows, sets, frame, options)
    rows.target = class_target("class", classes, found.y[found.training])
    expect_batch(options.batch(len(found.training)), len(found.training))
    ready = {
        "kind": "images",
        "source": str(path),
        "target": "class",
        "frame": found.frame,
        "preprocessing": rows,
        "training": found.training,
        "held": found.held,
        "row_numbers": np.arange(len(found.y)) + 1,
        "x": found.x,
        "y": found.y,
        "notes": found.notes,
        "why": f"{why} The network is {known.about}, with a new head.".strip(),
        "test": found.test,
    }
    if options.fine_tune and options.augment:
        ready["transform"] = augmentation(size, 3)
    loss = DEFAULT_LOSSES["multiclass"]
    return prepare_transfer(ready, options, len(classes), loss, TunedExperiment)
