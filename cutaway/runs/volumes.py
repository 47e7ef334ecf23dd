"""Volumes with labels: a class for every voxel."""

from typing import Annotated, Literal

import msgspec
import numpy as np

from cutaway.data import (
    ExampleAugmentation,
    Geometry,
    RandomGeometry,
    RandomLight,
    find_volumes,
    looks_like_volumes,
    read_volume,
    write_volume,
)
from cutaway.data.json_types import Positive
from cutaway.data.mask_coding import DISTINCT
from cutaway.data.nifti import SUFFIXES, read_volume_header
from cutaway.data.volume_folder import IGNORE, read_ids, resampled
from cutaway.errors import DataError
from cutaway.nn import seed
from cutaway.runs.dense import split_rows
from cutaway.runs.dense_rows import BORDER, InputFiles, frame_of
from cutaway.runs.drawn_masks import png
from cutaway.runs.options.volumes import VolumeOptions
from cutaway.runs.preprocessing import ExampleFiles, expect_format
from cutaway.runs.schema import Edge, PixelClasses, expect_piece_fits, read_form
from cutaway.runs.segmentation import (
    SegmentationRows,
    pixel_loss,
)
from cutaway.runs.segmentation_training import SegmentationData, segmentation_experiment

LARGEST = 64  # voxels of a crop along each axis, by default
SHIFT = 4  # voxels
SEEN = (1.0, 99.0)  # percentiles of the values that are shown as black and white


Number = Annotated[int, msgspec.Meta(ge=0, le=65_534)]  # of a class, as in the files
LabelType = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"
]


class VolumeForm(PixelClasses):
    """preprocessing.json of volumes with labels."""

    size: tuple[Edge, Edge, Edge]
    channels: Annotated[int, msgspec.Meta(ge=1, le=65_536)]
    numbers: list[Number]
    label_dtype: LabelType
    spacing: tuple[Positive, Positive, Positive] | None = None

    def __post_init__(self):
        super().__post_init__()
        if len(set(self.numbers)) < len(self.numbers) or len(self.numbers) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes with {len(set(self.numbers))} numbers")
        dtype = np.dtype(self.label_dtype)
        if dtype.kind in "iu" and max(self.numbers) > np.iinfo(dtype).max:
            raise ValueError(f"{self.label_dtype} does not hold the number {max(self.numbers)}")
        if len(self.classes) > IGNORE:
            raise ValueError(f"{len(self.classes)} classes")


class VolumeRows(SegmentationRows):
    """Preprocessing of volumes with labels.

    Each channel of a volume is standardized by its own mean and standard deviation.

    Attributes:
        numbers: the label in the files of each class.
        label_dtype: in which predictions are stored.
        spacing: size of a voxel in millimeters, to which volumes are resampled for the network;
            None: they are not.
        others: see SegmentationRows and DenseRows.
    """

    examples = "volumes"
    files = InputFiles(SUFFIXES, "NIfTI file", "a .nii or .nii.gz file, or a folder")
    ignore = IGNORE

    def __init__(
        self,
        size,
        channels: int,
        names,
        numbers,
        counts,
        *,
        label_dtype,
        threshold: float = 0.5,
        spacing=None,
    ):
        self.size = tuple(size)
        self.channels = channels
        self.names = list(names)
        self.numbers = [int(n) for n in numbers]
        self.counts = [int(n) for n in counts]
        self.label_dtype = np.dtype(label_dtype)
        self.threshold = threshold
        self.spacing = spacing

    @property
    def colors(self):
        return [DISTINCT[k % len(DISTINCT)] for k in range(len(self.names))]

    @classmethod
    def from_json(cls, value: dict) -> "VolumeRows":
        expect_format(value, "volumes")
        found = read_form(value, VolumeForm)
        expect_piece_fits(found.size, found.channels)
        return cls(
            found.size,
            found.channels,
            found.classes,
            found.numbers,
            found.counts,
            label_dtype=found.label_dtype,
            threshold=found.threshold,
            spacing=found.spacing,
        )

    def to_json(self) -> dict:
        return {
            "kind": "volumes",
            "format": 1,
            "size": list(self.size),
            "channels": self.channels,
            "classes": self.names,
            "numbers": self.numbers,
            "counts": self.counts,
            "label_dtype": self.label_dtype.name,
            "threshold": self.threshold,
            "spacing": None if self.spacing is None else list(self.spacing),
        }

    def examples_below(self, path):
        if not looks_like_volumes(path):
            return None
        return volume_frame(
            find_volumes(path, classes=self.names, numbers=self.numbers, spacing=self.spacing)
        )

    def input_of(self, row):
        return standardized(self._grid(row).picture(self._volume(row)))

    def target_of(self, row):
        return self._grid(row).mask(self.own_target(row))

    def own_input(self, row):
        return standardized(self._volume(row))

    def restored(self, row, prediction):
        return prediction if self.spacing is None else self._grid(row).undo_picture(prediction)

    def _grid(self, row) -> Geometry:
        """From the voxels of a row's files to those that the network gets."""
        header = read_volume_header(row["input"])
        if self.spacing is None:
            return Geometry.of(header.shape)
        return resampled(header, self.spacing)

    def _volume(self, row) -> np.ndarray:
        volume, header = read_volume(row["input"])
        if header.channels != self.channels:
            raise DataError(
                f"{row['input']} has {header.channels} channels",
                expected=f"{self.channels}, as in training",
            )
        return volume

    def own_target(self, row):
        header = read_volume_header(row["input"])
        return read_ids(row["target"], header, self.numbers, self.names)

    def file_names(self, row):
        return [f"{row['name']}.nii.gz", f"{row['name']}_overlay.png"]

    def example_files(self, row, x, prediction):
        ids = self.ids_of(prediction)
        labels, overlay = self.file_names(row)
        header = read_volume_header(row["input"])
        stored = np.asarray(self.numbers)[ids]
        picture, flat = self.flat(x, ids)
        found = np.bincount(ids.ravel(), minlength=len(self.names))
        liters = found * float(np.prod(header.spacing)) / 1000
        volumes = {
            f"{name} (ml)": round(float(n), 3) for name, n in zip(self.names, liters, strict=True)
        }

        def write(path):
            write_volume(path, stored, header, dtype=self.label_dtype)

        return ExampleFiles(
            {labels: write, overlay: png(self.drawn_over(picture, flat))},
            [{"volume": row["name"], **volumes}],
        )

    def flat(self, x, *masks):
        """The slice across the last axis with most of what is no background."""
        place = x.shape[2] // 2
        if masks:
            objects = (masks[0] != self.clear) & (masks[0] != self.ignore)
            place = int(objects.sum(axis=(0, 1)).argmax()) if objects.any() else place
        # anterior is at the top, the left at the left
        parts = [np.ascontiguousarray(a[:, ::-1, place].swapaxes(0, 1)) for a in (x, *masks)]
        return self.shown_input(parts[0]), *parts[1:]

    def shown_input(self, x, target=None):
        low, high = np.percentile(x[..., 0], SEEN)
        gray = np.clip((x[..., 0] - low) / max(high - low, 1e-6), 0, 1)
        return np.repeat(np.rint(255 * gray).astype(np.uint8)[..., None], 3, axis=-1)


def standardized(volume) -> np.ndarray:
    """Each channel of a volume (*size, channels) with mean 0 and standard deviation 1."""
    axes = tuple(range(volume.ndim - 1))
    std = volume.std(axis=axes)
    return (volume - volume.mean(axis=axes)) / np.where(std > 0, std, 1).astype(np.float32)


def volume_frame(folder):
    """The frame of a VolumeFolder."""
    return frame_of(folder.names, folder.volumes, folder.labels)


def prepare_volumes(path, options: VolumeOptions | None = None, *, why: str = ""):
    """Read and split volumes with labels, and build a network for them.

    Raises:
        DataError: see data.find_volumes; a set without examples.
    """
    options = VolumeOptions() if options is None else options
    folder = find_volumes(path, spacing=options.spacing)
    if options.spacing is not None:
        folder = folder.at_spacing(options.spacing)
    multiple = 2 ** (options.levels - 1)
    _expect_sizes(folder, multiple)
    sets, notes = split_rows(folder, options)
    size = volume_size(options.size, folder.sizes, multiple)
    counts = folder.counts[sets["train"]].sum(axis=0)
    rows = VolumeRows(
        size,
        folder.channels,
        folder.classes,
        folder.numbers,
        counts,
        label_dtype=folder.label_dtype,
        spacing=folder.spacing,
    )
    data = SegmentationData(folder, volume_frame(folder), sets, rows, [*folder.notes, *notes])
    seed(options.seed)
    spec = {
        "model": f"{options.model}-3d",
        **pixel_loss(options, IGNORE),
        "channels": rows.channels,
        "outputs": len(rows.names),
        "base": options.width,
        "levels": options.levels,
        "dropout": options.dropout,
    }
    return segmentation_experiment(
        "volumes",
        path,
        options,
        data,
        spec,
        augmentation(rows, options),
        unit="voxel",
        prepare=lambda x, y: (standardized(x), y),
        why=why,
    )


def _expect_sizes(folder, multiple: int) -> None:
    """Raise DataError unless the volumes can be halved as often as the network halves them."""
    small = np.flatnonzero(folder.sizes.min(axis=1) < multiple)
    if len(small):
        voxels = " x ".join(map(str, folder.sizes[small[0]]))
        raise DataError(
            f"{folder.volumes[small[0]]} has {voxels} voxels",
            expected=f"at least {multiple} along each axis: the network halves them "
            f"{multiple.bit_length() - 1} times",
            fix="crop larger parts, or resample them to smaller voxels (--spacing)",
        )


def volume_size(given, sizes, multiple: int) -> tuple[int, int, int]:
    """Size of the crops: as given, or that of the largest volume, rounded up.

    Args:
        given: an integer, (depth, height, width) or None.
        sizes: (volumes, 3).
        multiple: of what the sizes must be a multiple.
    """
    if given is None:
        given = np.minimum(sizes.max(axis=0), LARGEST)
    first, second, third = (
        -(-int(n) // multiple) * multiple for n in np.broadcast_to(np.asarray(given), (3,))
    )
    return first, second, third


def augmentation(rows: VolumeRows, options) -> ExampleAugmentation:
    """Random crops, and if asked for small shifts and light."""
    if not options.augment:
        return ExampleAugmentation(RandomGeometry(rows.size), border=BORDER, mask_fill=IGNORE)
    geometry = RandomGeometry(rows.size, shift=SHIFT)
    return ExampleAugmentation(
        geometry, light=RandomLight(0.1, 0.1), border=BORDER, mask_fill=IGNORE
    )
