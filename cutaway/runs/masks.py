"""Pictures with masks: a class for every pixel."""

from typing import Any, Literal

import numpy as np

from cutaway.data import (
    ExampleAugmentation,
    MaskCoding,
    Normalize,
    RandomGeometry,
    RandomLight,
    find_masks,
    looks_like_masks,
    read_image,
)
from cutaway.data.decode import read_header
from cutaway.data.mask_folder import read_mask
from cutaway.nn import seed
from cutaway.runs.dense import evenly, split_rows
from cutaway.runs.dense_checks import Problem, shifted_masks
from cutaway.runs.dense_rows import BORDER, PICTURES, frame_of
from cutaway.runs.drawn_masks import png
from cutaway.runs.options.masks import MaskOptions
from cutaway.runs.preprocessing import ExampleFiles, expect_format
from cutaway.runs.schema import Edge, PixelClasses, expect_piece_fits, read_form
from cutaway.runs.segmentation import (
    SegmentationRows,
    pixel_loss,
)
from cutaway.runs.segmentation_training import SegmentationData, segmentation_experiment

SCALED = 16  # training examples by which the inputs are standardized
CHECKED = 8  # training examples whose masks are compared with the pictures
LARGEST = 192  # size of crops by default
ELASTIC = 10.0  # pixels: standard deviation of the displacements, as for the first U-Net
ZOOM = (0.75, 1.33)


class MaskForm(PixelClasses):
    """preprocessing.json of pictures with masks."""

    size: tuple[Edge, Edge]
    channels: Literal[1, 3]
    coding: dict[str, Any]
    turned: bool


class MaskRows(SegmentationRows):
    """Preprocessing of pictures with masks: their classes, how they are coded, and the threshold.

    Attributes:
        coding: how the values of mask files become class ids.
        others: see SegmentationRows and DenseRows.
    """

    examples = "pictures"
    files = PICTURES

    def __init__(
        self,
        size,
        channels: int,
        names,
        coding: MaskCoding,
        counts,
        *,
        threshold: float = 0.5,
        turned: bool = False,
    ):
        self.size = tuple(size)
        self.channels = channels
        self.names = list(names)
        self.coding = coding
        self.counts = [int(n) for n in counts]
        self.threshold = threshold
        self.turned = turned

    @property
    def ignore(self) -> int:
        return self.coding.ignore

    @property
    def colors(self):
        return [tuple(color) for color in self.coding.colors]

    @classmethod
    def from_json(cls, value: dict) -> "MaskRows":
        expect_format(value, "masks")
        found = read_form(value, MaskForm)
        expect_piece_fits(found.size, found.channels)
        coding = MaskCoding.from_json(found.coding)
        if len(coding.values) != len(found.classes):
            raise ValueError(f"{len(found.classes)} classes, {len(coding.values)} values of masks")
        return cls(
            found.size,
            found.channels,
            found.classes,
            coding,
            found.counts,
            threshold=found.threshold,
            turned=found.turned,
        )

    def to_json(self) -> dict:
        return {
            "kind": "masks",
            "format": 1,
            "size": list(self.size),
            "channels": self.channels,
            "classes": self.names,
            "coding": self.coding.to_json(),
            "counts": self.counts,
            "threshold": self.threshold,
            "turned": self.turned,
        }

    def examples_below(self, path):
        if not looks_like_masks(path):
            return None
        found = find_masks(path, classes=self.names, coding=self.coding, channels=self.channels)
        return mask_frame(found)

    def input_of(self, row):
        return read_image(row["input"], channels=self.channels)

    def target_of(self, row):
        size = read_header(row["input"]).size
        return read_mask(row["input"], row["target"], size, self.coding)

    def file_names(self, row):
        return [f"{row['name']}.png", f"{row['name']}_overlay.png"]

    def example_files(self, row, x, prediction):
        ids = self.ids_of(prediction)
        mask, overlay = self.file_names(row)
        shown = self.drawn_over(self.shown_input(x), ids)
        fractions = np.bincount(ids.ravel(), minlength=len(self.names)) / ids.size
        shares = dict(zip(self.names, fractions.round(4).tolist(), strict=False))
        return ExampleFiles(
            {mask: self.coding.encoded(ids), overlay: png(shown)},
            [{"picture": row["name"], "height": ids.shape[0], "width": ids.shape[1], **shares}],
        )

    def shown_input(self, x, target=None):
        return np.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x


def mask_frame(folder):
    """The frame of a MaskFolder."""
    return frame_of(folder.names, folder.pictures, folder.masks)


def prepare_masks(path, options: MaskOptions | None = None, *, why: str = ""):
    """Read and split pictures with masks, and build a network for them.

    Raises:
        DataError: see data.find_masks; a set without examples.
    """
    options = MaskOptions() if options is None else options
    data = read_masks(path, options, 2 ** (options.levels - 1), LARGEST)
    rows, train = data.rows, data.sets["train"][:SCALED]
    sample = [rows.input_of(data.frame.row(int(k), named=True)) for k in train]
    mean, std = channel_scale(sample)
    seed(options.seed)
    spec = {
        "model": "unet",
        **pixel_loss(options, rows.ignore),
        "channels": rows.channels,
        "outputs": len(rows.names),
        "base": options.width,
        "levels": options.levels,
        "dropout": options.dropout,
        "mean": mean,
        "std": std,
    }
    return segmentation_experiment(
        "masks", path, options, data, spec, augmentation(rows, options), unit="pixel", why=why
    )


def read_masks(
    path, options, multiple: int, largest: int, channels: int | None = None
) -> SegmentationData:
    """Pictures with masks, split, with what is wrong with them among the notes.

    Args:
        options: MaskOptions or MaskTransferOptions.
        multiple: of what the sizes of crops must be a multiple.
        largest: size of crops by default, at most.
        channels: of the pictures; None: as they are.
    """
    folder = find_masks(
        path, threshold=options.threshold, ignore=options.ignore_value, channels=channels
    )
    sets, notes = split_rows(folder, options)
    size = crop_size(options.size, folder.sizes, multiple, largest)
    counts = np.nansum(folder.counts[sets["train"]], axis=0)
    rows = MaskRows(
        size,
        folder.channels,
        folder.classes,
        folder.coding,
        counts,
        turned=options.augment and looks_alike(options, folder.channels),
    )
    frame = mask_frame(folder)
    problems = map(str, data_problems(rows, frame, sets["train"]))
    return SegmentationData(folder, frame, sets, rows, [*folder.notes, *notes, *problems])


def data_problems(rows: SegmentationRows, frame, train) -> list[Problem]:
    """What is wrong with pictures and masks, by a sample of the training examples."""
    chosen = [frame.row(int(k), named=True) for k in train[evenly(len(train), CHECKED)]]
    found = shifted_masks((rows.input_of(row), rows.target_of(row)) for row in chosen)
    return [] if found is None else [found]


def crop_size(given, sizes, multiple: int, largest: int) -> tuple[int, int]:
    """Size of the crops: as given, rounded up to what the network takes; or what the pictures fit.

    Args:
        given: an integer, (height, width) or None.
        sizes: (pictures, 2).
    """
    if given is None:
        edge = min(largest, int(np.median(np.min(sizes, axis=1))))
        given = (edge, edge)
    elif isinstance(given, int):
        given = (given, given)
    height, width = (-(-int(n) // multiple) * multiple for n in given)
    return height, width


def looks_alike(options, channels: int) -> bool:
    """Whether the pictures look alike in any direction."""
    return channels == 1 if options.turns is None else options.turns


def augmentation(rows: SegmentationRows, options) -> ExampleAugmentation:
    """Random crops, and if asked for flips, turns, zoom, deformation and light."""
    if not options.augment:
        return ExampleAugmentation(RandomGeometry(rows.size), border=BORDER, mask_fill=rows.ignore)
    if looks_alike(options, rows.channels):
        square = rows.size[0] == rows.size[1]
        geometry = RandomGeometry(rows.size, flips=(0, 1), quarter_turns=square, elastic=ELASTIC)
    else:
        geometry = RandomGeometry(rows.size, flips=(1,), zoom=ZOOM)
    return ExampleAugmentation(
        geometry, light=RandomLight(0.2, 0.2), border=BORDER, mask_fill=rows.ignore
    )


def channel_scale(pictures) -> tuple[list[float], list[float]]:
    """(mean, std) of each channel of uint8 pictures, from 0 to 255."""
    flat = np.concatenate([p.reshape(-1, 1, 1, p.shape[-1]) for p in pictures])
    scaling = Normalize.fit(flat)
    return [255 * m for m in scaling.mean], [255 * s for s in scaling.std]
