"""Images, from a folder per class or IDX files: options and preparation for training."""

import base64
import dataclasses
import functools
import io
import os
from pathlib import Path
from typing import Literal

import numpy as np

from cutaway.data import (
    ClassFolder,
    Compose,
    ImageStream,
    Normalize,
    RandomCrop,
    RandomFlip,
    SkippedFiles,
    TableArrays,
    find_idx,
    find_images,
    load_images,
    read_idx,
    stratified_split,
)
from cutaway.data.decode import SUFFIXES
from cutaway.data.folders import expect_utf8
from cutaway.data.images import common_size, expect_size, find_channels
from cutaway.data.json_types import Count, Fraction, Size
from cutaway.errors import DataError, OptionError
from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.labeled_sets import encode_sets
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.flags import SKIP_OPTION
from cutaway.runs.options.images import ImageOptions, stage_widths
from cutaway.runs.preprocessing import (
    Preprocessing,
    Reasons,
    class_target,
    expect_format,
    stored_classes,
)
from cutaway.runs.schema import Classes, read_form
from cutaway.runs.split import sets_of_examples
from cutaway.train.blocks import expect_batch

LARGEST = 96  # default limit of the image size: a good network then trains in minutes on two cores
LARGEST_BYTES = 4 * 2**30  # of all decoded images, which stay in memory
MEASURED = 5000  # images per set used for scores, if a set does not fit in memory
SCALED = 20_000  # training images whose mean and deviation the network standardizes by
SMALLEST_STAGE = 6  # minimum height and width in the last stage of a network


class ImageForm(Classes):
    """preprocessing.json of images."""

    size: tuple[Size, Size]
    channels: Literal[1, 3]
    crop: Fraction = 1.0
    skip_unreadable: Count = 0


class ImageRows(Preprocessing):
    """Preprocessing of images: their size and classes.

    Attributes:
        size: (height, width).
        channels: 1 or 3.
        skip_unreadable: the most images that `transform` skips if they cannot be read.
        crop: fraction of the resized image that the center crop keeps, per axis.
        skipped: counts unreadable images of several calls of `transform` together, while a
            training is prepared; None: each call counts its own.
    """

    examples = "images"
    file_columns = ("path",)
    key_columns = ("path", "image")

    def __init__(self, size, channels: int, target, *, skip_unreadable: int = 0, crop: float = 1.0):
        self.size = tuple(size)
        self.channels = channels
        self.target = target
        self.skip_unreadable = skip_unreadable
        self.crop = crop
        self.skipped: SkippedFiles | None = None

    @classmethod
    def from_json(cls, value: dict) -> "ImageRows":
        expect_format(value, "images")
        found = read_form(value, ImageForm)
        target = stored_classes(found)
        skip = found.skip_unreadable
        return cls(found.size, found.channels, target, skip_unreadable=skip, crop=found.crop)

    def to_json(self) -> dict:
        return {
            "kind": "images",
            "format": 1,
            "size": list(self.size),
            "channels": self.channels,
            "classes": self.classes,
            "counts": self.target.counts,
            "skip_unreadable": self.skip_unreadable,
            "crop": self.crop,
        }

    def read(self, source):
        """An image, a folder of images, or a folder with one subfolder per class (its test set)."""
        path = Path(source)
        if os.path.isfile(path) and path.suffix.lower() in SUFFIXES:
            return _frame({"path": _names([path])})
        if (
            os.path.isdir(path)
            and not find_idx(path)
            and not any(p.is_dir() for p in path.iterdir())
        ):
            files = [p for p in path.iterdir() if p.is_file()]  # no pipes
            found = sorted(p for p in files if p.suffix.lower() in SUFFIXES)
            if not found:
                raise DataError(
                    f"{path} holds no images", expected="an image or a folder of images"
                )
            return _frame({"path": _names(found)})
        sets, _ = read_sets(path)
        return sets.get("test", sets["train"])

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        notes, rows = [], np.arange(frame.height)
        if "image" in frame.columns:
            x = frame["image"].to_numpy()
            x = x.reshape(*x.shape[:3], -1)
            if x.shape[1:] != (*self.size, self.channels):
                raise DataError(
                    f"the images have shape {x.shape[1:]}",
                    expected=f"{(*self.size, self.channels)}, as in training",
                )
        else:
            paths = [Path(p) for p in frame["path"]]
            self._expect_memory(len(paths))
            none = np.zeros(len(paths), np.int32)
            folder = ClassFolder(Path("."), paths, none, [""])
            whole = tuple(round(edge / self.crop) for edge in self.size)
            skipped = self.skipped or SkippedFiles(self.skip_unreadable, "")
            images = load_images(folder, whole, channels=self.channels, skip_unreadable=skipped)
            x = _middle(images.x, self.size)
            rows = np.flatnonzero([path not in images.skipped for path in paths])
            notes = skipped.note(paths, "images")
        y = self.class_numbers(frame[rows]) if with_target else None
        return TableArrays(x, y, rows, notes)

    def size_of(self, frame) -> int:
        """Bytes of these images when decoded."""
        return frame.height * self.size[0] * self.size[1] * self.channels

    def _expect_memory(self, count):
        needed = count * self.size[0] * self.size[1] * self.channels
        if needed > LARGEST_BYTES:
            raise DataError(
                f"{count:,} images of {self.size[0]} x {self.size[1]} take {needed / 2**30:.1f} GB",
                expected=f"at most {LARGEST_BYTES / 2**30:.0f} GB: they stay in memory",
                fix="use fewer images at a time, or train with a smaller --size",
            )

    def reasons(self, run, x, truth, outputs):
        from cutaway.runs.saliency import saliency_section

        if not len(x):
            return Reasons()
        return Reasons([("Saliency", saliency_section(run.net, x, truth, outputs, run))])

    def pictures(self, x):
        return [functools.partial(_picture, image) for image in x]


def read_sets(path):
    """({"train": frame, ...}, classes) of an image folder or a folder of IDX files."""
    path = Path(path)
    pairs = find_idx(path if os.path.isdir(path) else path.parent)
    if pairs:
        if "train" not in pairs:
            raise DataError(
                f"{path} has no training images",
                expected="train-images-idx3-ubyte and train-labels-idx1-ubyte, packed or not",
            )
        found = {split: _read_pair(*files) for split, files in pairs.items()}
        classes = sorted(set(np.unique(found["train"][1]).tolist()))
        frames = {
            split: _frame({"image": images, "class": [str(k) for k in labels]})
            for split, (images, labels) in found.items()
        }
        return frames, [str(k) for k in classes]
    folders = find_images(path)
    frames = {
        split: _frame(
            {
                "path": _names(folder.paths),
                "class": [folder.classes[k] for k in folder.labels],
            }
        )
        for split, folder in folders.items()
    }
    return frames, folders["train"].classes


def _read_pair(images, labels):
    x, y = read_idx(images), read_idx(labels)
    if x.ndim not in (3, 4) or x.dtype != np.uint8:
        raise DataError(
            f"{images} holds {x.dtype} of shape {x.shape}",
            expected="bytes of shape (images, height, width)",
        )
    if len(x) != len(y):
        raise DataError(
            f"{images} holds {len(x)} images, {labels} {len(y)} labels",
            expected="one label per image",
        )
    return x, y


def prepare_images(path, options: ImageOptions | None = None, *, why: str = "") -> Experiment:
    """Read, decode and split images, and build a network for them.

    Raises:
        DataError: no classes, only one class, images that cannot be read.
    """
    import polars as pl

    options = ImageOptions() if options is None else options
    sets, classes = read_sets(path)
    sets = sets_of_examples(sets, path, options.split)
    training_frame = sets["train"]
    size, channels = _shape(path, training_frame, options)
    numbers = {name: k for k, name in enumerate(classes)}
    y = np.array([numbers[name] for name in training_frame["class"]])
    rows = ImageRows(
        size, channels, class_target("class", classes, y), skip_unreadable=options.skip_unreadable
    )
    skipped = rows.skipped = SkippedFiles(options.skip_unreadable, SKIP_OPTION)
    transform = augmentation(size, channels) if options.augment else None
    stream, chosen = None, training_frame
    own = dataclasses.replace(options, test=0.0) if "test" in sets else options
    known = None
    if "path" in training_frame.columns and rows.size_of(training_frame) > LARGEST_BYTES:
        if own.test:
            raise OptionError(
                f"test={own.test:g} with images that do not fit in memory",
                expected="images that fit in memory, or a folder test next to train",
                fix="omit test, or use a smaller size",
            )
        whole = pl.concat([training_frame, *(sets[name] for name in sets if name != "train")])
        stream, sets = _streamed(training_frame, sets, y, rows, options, transform)
        chosen = sets["train"]
        streamed = pl.Series([str(path) for path in stream.folder.paths])
        known = whole, np.flatnonzero(whole["path"].is_in(streamed.implode()).to_numpy())
    found = encode_sets(rows, {**sets, "train": chosen}, options, is_stream=stream is not None)
    rows.skipped = None
    training, y = found.training, found.y
    notes = [*found.notes]
    if stream is not None:
        notes.append(
            f"{stream.rows:,} training images do not fit in memory: they are decoded again in "
            f"every epoch, and scores use at most {MEASURED:,} images per set"
        )
    count = len(training) if stream is None else stream.rows
    expect_batch(options.batch(count), count)
    rows.target = class_target("class", classes, y[training] if stream is None else stream.y)
    scaling = Normalize.fit(found.x[training[:SCALED]])
    seed(options.seed)
    spec = image_spec(options, size, len(classes), scaling)
    return Experiment(
        kind="images",
        source=str(path),
        target="class",
        options=options,
        frame=found.frame,
        preprocessing=rows,
        training=training,
        validation=found.validation,
        row_numbers=np.arange(len(y)) + 1,
        x=found.x,
        y=y,
        spec=spec,
        net=build_network(spec),
        notes=notes,
        why=why,
        test=found.test,
        transform=transform,
        stream=stream,
        skipped=skipped,
        known=found.known if known is None else known,
    )


def image_spec(
    options: ImageOptions, size, outputs: int, scaling: Normalize, *, unit: float = 255
) -> dict:
    """The spec of the network for images: JSON values, for `build_network`.

    Args:
        size: (height, width).
        scaling: of the training images.
        unit: the value of the pixels that `scaling` calls 1.
    """
    return {
        "model": options.model,
        "loss": DEFAULT_LOSSES["multiclass"],
        "channels": len(scaling.mean),
        "outputs": outputs,
        "widths": stage_widths(options.width, _count_stages(min(size))),
        "dropout": options.dropout,
        "mean": [unit * m for m in scaling.mean],
        "std": [unit * s for s in scaling.std],
    }


def _streamed(frame, sets, y, rows, options, transform):
    """(stream of the training images, the sets with at most MEASURED images of each)."""
    training = np.arange(len(y))
    if "validation" not in sets:
        training, validation = stratified_split(
            y, options.validation, seed=options.seed, stratify=True
        )
        sets = {**sets, "validation": frame[validation]}
    paths = [Path(frame["path"][int(k)]) for k in training]
    folder = ClassFolder(Path("."), paths, y[training].astype(np.int32), list(rows.classes))
    stream = ImageStream(
        folder,
        rows.size,
        channels=rows.channels,
        skip_unreadable=rows.skipped or 0,
        transform=transform,
    )
    measured = {"train": frame[training], **{k: v for k, v in sets.items() if k != "train"}}
    for name, found in measured.items():
        numbers = np.array([rows.classes.index(c) for c in found["class"]])
        if len(numbers) > MEASURED:
            _, part = stratified_split(
                numbers, MEASURED / len(numbers), seed=options.seed, stratify=True
            )
            measured[name] = found[np.sort(part)]
    return stream, measured


def _shape(path, frame, options):
    """((height, width), channels) of the decoded images."""
    if "image" in frame.columns:
        shape = frame["image"].to_numpy().shape[1:]
        return shape[:2], shape[2] if len(shape) > 2 else 1
    folder = find_images(path)["train"]
    if options.size is not None:
        return expect_size(options.size), find_channels(folder)
    return usual_size(common_size(folder)), find_channels(folder)


def usual_size(sizes) -> tuple[int, int]:
    """(height, width) to decode images of these sizes to: their own if it is one, and small."""
    size = next(iter(sizes)) if len(sizes) == 1 else (LARGEST, LARGEST)
    return size if max(size) <= LARGEST else (LARGEST, LARGEST)


def _count_stages(edge: int) -> int:
    """The number of stages that leaves at least SMALLEST_STAGE pixels in the last one."""
    stages = 1
    while edge // 2**stages >= SMALLEST_STAGE and stages < 5:
        stages += 1
    return stages


def augmentation(size, channels):
    moved = RandomCrop(max(1, min(size) // 8))
    return moved if channels == 1 else Compose(RandomFlip(), moved)


def _picture(image):
    from PIL import Image

    pixels = image[..., 0] if image.shape[-1] == 1 else image
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img class="pixels" alt="" src="data:image/png;base64,{data}">'


def _middle(x, size):
    """Center crop: (rows, *size, channels)."""
    top, left = ((x.shape[k + 1] - size[k]) // 2 for k in range(2))
    return x[:, top : top + size[0], left : left + size[1]]


def _names(paths) -> list[str]:
    expect_utf8(paths)
    return [str(path) for path in paths]


def _frame(columns):
    import polars as pl

    return pl.DataFrame(columns)
