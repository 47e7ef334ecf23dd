"""Transfer learning on images."""

import numpy as np

from cutaway.data import SkippedFiles
from cutaway.errors import DataError
from cutaway.models import pretrained_backbone
from cutaway.runs.images import (
    LARGEST_BYTES,
    ImageRows,
    augmentation,
    class_target,
    expect_size,
    read_sets,
)
from cutaway.runs.labeled_sets import encode_sets
from cutaway.runs.networks import DEFAULT_LOSSES
from cutaway.runs.options.flags import SKIP_OPTION
from cutaway.runs.options.images import ImageTransferOptions
from cutaway.runs.split import sets_of_examples
from cutaway.runs.transferred import FineTuningExperiment, prepare_transfer
from cutaway.train.blocks import expect_batch


def prepare_transferred_images(path, options: ImageTransferOptions, *, why: str = ""):
    """Read and split images as the backbone expects them, and put a new head on it.

    Raises:
        DataError: no classes, images that cannot be read, images that are not files.
        ShapeError: a size that is too small for the stages.
        OptionError, RunError: see prepare_transfer.
    """
    backbone, _ = pretrained_backbone(options.from_, "images")
    sets, classes = read_sets(path)
    sets = sets_of_examples(sets, path, options.split)
    frame = sets["train"]
    if "path" not in frame.columns:
        raise DataError(
            f"{path} holds arrays of pixels",
            expected=f"image files, which can be resized for {options.from_}",
            fix="save them as files in one folder per class, or omit from_ (--from)",
        )
    size = expect_size(backbone.size if options.size is None else options.size)
    numbers = {name: k for k, name in enumerate(classes)}
    y = np.array([numbers[name] for name in frame["class"]])
    rows = ImageRows(
        size,
        3,
        class_target("class", classes, y),
        skip_unreadable=options.skip_unreadable,
        crop=backbone.crop,
    )
    skipped = rows.skipped = SkippedFiles(options.skip_unreadable, SKIP_OPTION)
    needed = sum(map(rows.size_of, sets.values()))
    if needed > LARGEST_BYTES:
        raise DataError(
            f"{sum(map(len, sets.values())):,} images of {size[0]} x {size[1]} take "
            f"{needed / 2**30:.1f} GB",
            expected=f"at most {LARGEST_BYTES / 2**30:.0f} GB: they stay in memory",
            fix="use fewer images, or a smaller --size",
        )
    found = encode_sets(rows, sets, options)
    rows.skipped = None
    rows.target = class_target("class", classes, found.y[found.training])
    expect_batch(options.batch(len(found.training)), len(found.training))
    ready = {
        "kind": "images",
        "source": str(path),
        "target": "class",
        "frame": found.frame,
        "preprocessing": rows,
        "training": found.training,
        "validation": found.validation,
        "row_numbers": np.arange(len(found.y)) + 1,
        "x": found.x,
        "y": found.y,
        "notes": found.notes,
        "why": f"{why} The network is {backbone.about}, with a new head.".strip(),
        "test": found.test,
        "skipped": skipped,
        "known": found.known,
    }
    if options.fine_tune and options.augment:
        ready["transform"] = augmentation(size, 3)
    loss = DEFAULT_LOSSES["multiclass"]
    return prepare_transfer(ready, options, len(classes), loss, FineTuningExperiment)
