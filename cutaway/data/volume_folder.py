"""VolumeFolder: volumes with labels, read one by one."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data.file_pairs import rows_named
from cutaway.data.framing import Framing
from cutaway.data.geometry import Geometry
from cutaway.data.nifti import VolumeHeader, read_labels, read_volume, read_volume_header
from cutaway.data.one_size import count_positions
from cutaway.data.prefetch import in_threads
from cutaway.errors import DataError, OptionError
from cutaway.files.limits import expect_bytes

IGNORE = 255


@dataclasses.dataclass(frozen=True, eq=False)
class VolumeFolder:
    """Volumes with labels, read one by one when they are asked for.

    All axes are turned to run to the right, anterior and superior (RAS+), so that volumes that are
    stored in other orientations are alike.

    Attributes:
        root: the folder.
        names: of the volumes.
        volumes, labels: the files.
        headers: VolumeHeader of each volume: shape, spacing, affine.
        channels: number of channels.
        classes: names of the classes.
        numbers: the label in the files of each class.
        ignore: the id of voxels that do not count, 255.
        counts: (rows, classes), voxels of each class.
        label_dtype: in which most label files are stored.
        splits: {"train", "validation", "test": rows}, the set's own; {} if it has none.
        reason: in words, how the set was recognized.
        notes: sentences for the user.
        spacing: size of a voxel in millimeters, along each axis, to which volumes and masks are
            resampled when they are read; None: they stay as they are. See `at_spacing`.
    """

    root: Path
    names: list[str]
    volumes: list[Path]
    labels: list[Path]
    headers: list[VolumeHeader]
    channels: int
    classes: list[str]
    numbers: list[int]
    counts: np.ndarray
    label_dtype: np.dtype
    splits: dict[str, np.ndarray]
    reason: str
    notes: list[str]
    ignore: int = IGNORE
    spacing: tuple[float, float, float] | None = None

    def __len__(self):
        return len(self.names)

    @property
    def sizes(self) -> np.ndarray:
        """(rows, 3), voxels along each axis."""
        if self.spacing is None:
            return np.array([header.shape for header in self.headers])
        return np.array([resampled(h, self.spacing).output_size for h in self.headers])

    @property
    def spacings(self) -> np.ndarray:
        """(rows, 3), size of a voxel along each axis, in millimeters."""
        return np.array([header.spacing for header in self.headers])

    def volume(self, row: int) -> np.ndarray:
        """(*size, channels) float32.

        Raises:
            DataError: the file is truncated, or holds NaN.
        """
        volume = read_volume(self.volumes[row])[0]
        return volume if self.spacing is None else self.resampled(row, self.spacing).picture(volume)

    def mask(self, row: int) -> np.ndarray:
        """(*size) uint8 class ids.

        Raises:
            DataError: the file cannot be read; a label that is not a class.
        """
        ids = read_ids(self.labels[row], self.headers[row], self.numbers, self.classes)
        return ids if self.spacing is None else self.resampled(row, self.spacing).mask(ids)

    def example(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(volume, mask)."""
        return self.volume(row), self.mask(row)

    def resampled(self, row: int, spacing) -> Geometry:
        """The Geometry that gives a volume voxels of this size, in millimeters.

        Example: folder.resampled(0, (1, 1, 1)).picture(folder.volume(0)).
        """
        return resampled(self.headers[row], spacing)

    def at_spacing(self, spacing) -> "VolumeFolder":
        """The volumes resampled to voxels of one size.

        Args:
            spacing: millimeters along each axis, or one number for all.
        """
        first, second, third = (float(n) for n in np.broadcast_to(np.asarray(spacing), (3,)))
        return dataclasses.replace(self, spacing=(first, second, third))

    def subset(self, rows) -> "VolumeFolder":
        """The volumes with these indices, without splits."""
        rows = np.asarray(rows)
        lists = {
            name: [getattr(self, name)[k] for k in rows]
            for name in ("names", "volumes", "labels", "headers")
        }
        return dataclasses.replace(self, **lists, counts=self.counts[rows], splits={})

    def bytes_of_arrays(self, framing: Framing | None = None) -> int:
        """How much memory `arrays` takes."""
        voxels = count_positions(self.sizes, framing)
        return voxels * (4 * self.channels + 1)

    def arrays(self, framing: Framing) -> tuple[np.ndarray, np.ndarray]:
        """All volumes and masks in memory, framed to one size.

        Shapes:
            result: (rows, *size, channels) float32 and (rows, *size) uint8; outside of a volume its
                values are 0, and its mask is `ignore`

        Raises:
            DataError: a file that cannot be read; more than the limit of memory.
        """
        if framing.size is None:
            raise OptionError('the framing "as is" gives no size', expected="a size for all")
        expect_bytes(self.bytes_of_arrays(framing), f"{len(self):,} volumes in {self.root}")
        x = np.empty((len(self), *framing.size, self.channels), np.float32)
        y = np.empty((len(self), *framing.size), np.uint8)

        def fill(row):
            volume, mask = self.example(row)
            geometry = framing.geometry(mask.shape)
            x[row], y[row] = geometry.picture(volume), geometry.mask(mask, fill=self.ignore)

        in_threads(fill, range(len(self)))
        return x, y

    def rows_named(self, path) -> np.ndarray:
        """The rows that a text file lists; see file_pairs.rows_named."""
        return rows_named(self.names, path)


def resampled(header: VolumeHeader, spacing) -> Geometry:
    """The Geometry that gives a volume voxels of this size, in millimeters."""
    spacing = np.broadcast_to(np.asarray(spacing, float), (3,))
    if not (spacing > 0).all():
        raise OptionError(f"spacing is {spacing.tolist()}", expected="three positive millimeters")
    size = np.maximum(1, np.rint(np.multiply(header.shape, header.spacing) / spacing))
    return Geometry.of(header.shape).resize(size.astype(int))


def read_ids(path, header: VolumeHeader, numbers, classes) -> np.ndarray:
    """(*size) uint8 class ids of a file of labels.

    Args:
        header: of the volume, whose affine labels without one of their own take.
        numbers: the label in the files of each class.
        classes: their names.

    Raises:
        DataError: the file cannot be read; a label that is not a class.
    """
    borrowed = None if read_volume_header(path).has_affine else header
    labels, _ = read_labels(path, borrowed)
    table = np.full(max(numbers) + 2, -1)
    table[numbers] = np.arange(len(numbers))
    ids = table[np.minimum(labels, len(table) - 1)]
    if (ids < 0).any():
        raise unknown_labels(path, labels[ids < 0], numbers, classes)
    return ids.astype(np.uint8)


def unknown_labels(path, labels, numbers, names) -> DataError:
    shown = ", ".join(map(str, np.unique(labels)[:5].tolist()))
    known = ", ".join(f"{k} {name}" for k, name in zip(numbers, names, strict=True))
    return DataError(
        f"the labels {path} hold {shown}",
        expected=f"the numbers of the classes: {known[:200]}",
        fix="list the missing classes, or correct the labels",
    )
