"""NIfTI files: volumes along the axes of the body, and predictions written as they came."""

import dataclasses
import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data.float32 import to_float32
from cutaway.errors import DataError, install_extra
from cutaway.files.content import naming, read_content, readable
from cutaway.files.limits import expect_bytes, expect_unpacked, unpack_gzip
from cutaway.files.writing import write_atomically

SUFFIXES = (".nii.gz", ".nii")
HEADER_BYTES = 352 + 2**16  # the header, and extensions that may follow
MAX_FACTOR = 1e-3  # labels stored as floats may differ so much from integers


@dataclasses.dataclass(frozen=True, eq=False)
class VolumeHeader:
    """What a NIfTI file says of its volume.

    Attributes:
        path: the file.
        stored_shape: as stored, without a channel axis.
        channels: of the fourth axis, 1 if there is none.
        dtype: in which it is stored.
        stored_affine: (4, 4), from stored indices to millimeters, right, anterior, superior.
        has_affine: whether the file sets it; if not, it is made of the voxel sizes.
        turned: (3, 2), for each stored axis the axis of the volume along which it runs, and 1 or
            -1 for its direction: nibabel's orientation to RAS+.
        shape: of the volume, its axes turned to run to the right, anterior and superior.
        affine: (4, 4) of the volume.
        spacing: size of a voxel along the axes of the volume, in millimeters.
    """

    path: Path
    stored_shape: tuple[int, int, int]
    channels: int
    dtype: np.dtype
    stored_affine: np.ndarray
    has_affine: bool
    turned: np.ndarray
    shape: tuple[int, int, int]
    affine: np.ndarray
    spacing: np.ndarray

    @property
    def tilt(self) -> float:
        """Largest angle in degrees between an axis of the volume and the body's."""
        directions = np.abs(np.diag(self.affine[:3, :3])) / self.spacing
        return float(np.degrees(np.arccos(np.clip(directions, 0, 1))).max())

    def to_volume(self, stored) -> np.ndarray:
        """A stored array (3 axes, or with channels behind them) with its axes turned."""
        order = [int(np.flatnonzero(self.turned[:, 0] == k)[0]) for k in range(3)]
        turned = np.transpose(stored, (*order, *range(3, stored.ndim)))
        return turned[tuple(slice(None, None, int(self.turned[k, 1])) for k in order)]

    def to_stored(self, volume) -> np.ndarray:
        """The inverse of to_volume."""
        order = [int(np.flatnonzero(self.turned[:, 0] == k)[0]) for k in range(3)]
        flipped = volume[tuple(slice(None, None, int(self.turned[k, 1])) for k in order)]
        return np.transpose(flipped, (*np.argsort(order), *range(3, flipped.ndim)))

    def with_affine_of(self, other: "VolumeHeader") -> "VolumeHeader":
        """As if this file had the affine of another."""
        names = ("stored_affine", "turned", "affine", "spacing", "has_affine")
        shape = tuple(np.take(self.stored_shape, np.argsort(other.turned[:, 0])).tolist())
        return dataclasses.replace(self, shape=shape, **{n: getattr(other, n) for n in names})


def read_volume_header(path) -> VolumeHeader:
    """The header of a NIfTI file; of a packed one only its beginning is unpacked.

    Raises:
        DataError: no such file, not NIfTI, not three axes (or four), an invalid affine.
    """
    nibabel = _nibabel()
    path = Path(path)
    with naming(path, "a NIfTI file"):
        with readable(path) as file:
            content = file.read(HEADER_BYTES)
        if content[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            content = unpacker.decompress(content, HEADER_BYTES)
        return _header_of(path, nibabel, content)


def read_volume(path, header: VolumeHeader | None = None) -> tuple[np.ndarray, VolumeHeader]:
    """(volume, header): the intensities, with the axes turned to right, anterior, superior.

    The factor and offset of the file are applied.

    Args:
        header: the affine that counts, if it is not the file's own.

    Shapes:
        volume: (*header.shape, channels), float32

    Raises:
        DataError: a truncated or damaged file; NaN or infinity; see read_volume_header.
    """
    header, stored = _stored(path, header)
    bad = ~np.isfinite(stored)
    if bad.any():
        place = tuple(int(k) for k in np.argwhere(bad)[0][:3])
        raise DataError(
            f"{path} holds NaN or infinity in {int(bad.sum()):,} voxels, the first at {place}",
            expected="a number in every voxel",
            fix="replace them, for example by 0: nibabel and numpy.nan_to_num",
        )
    values = to_float32(stored, f"{path}") if stored.dtype.itemsize > 4 else stored
    volume = header.to_volume(values.astype(np.float32, copy=False))
    return np.ascontiguousarray(volume), header


def read_labels(path, header: VolumeHeader | None = None) -> tuple[np.ndarray, VolumeHeader]:
    """(ids, header) of a label file; floats that are integers are taken as such.

    Shapes:
        ids: (*header.shape), int32

    Raises:
        DataError: several channels; values that are not integers >= 0; see read_volume.
    """
    header, stored = _stored(path, header)
    if header.channels != 1:
        raise DataError(
            f"{path} has {header.channels} channels",
            expected="labels of one channel, with the number of the class in each voxel",
            fix="number the classes, in one volume",
        )
    stored = stored[..., 0]
    rounded = np.rint(stored) if stored.dtype.kind == "f" else stored
    if not (np.abs(stored - rounded) <= MAX_FACTOR).all():  # also NaN
        value = stored[~(np.abs(stored - rounded) <= MAX_FACTOR)][0]
        raise DataError(
            f"the labels {path} hold {value:g}",
            expected="integers, the numbers of the classes",
            fix="resample labels by nearest neighbor, or check that this is the label file",
        )
    low, high = rounded.min(initial=0), rounded.max(initial=0)
    if low < 0 or high > 65_534:
        raise DataError(
            f"the labels {path} hold numbers from {low:g} to {high:g}",
            expected="numbers of classes from 0 to 65534",
        )
    return np.ascontiguousarray(header.to_volume(rounded.astype(np.int32))), header


def write_volume(path, volume, header: VolumeHeader, *, dtype=None) -> None:
    """Write a volume or labels as a NIfTI file with the stored axes and affine of `header`.

    Args:
        path: with the suffix .nii or .nii.gz.
        volume: (*header.shape), or with channels behind.
        dtype: in which it is stored; by default that of the array.

    Raises:
        DataError: another shape than the header's; values that the dtype does not hold.
        RunError: it cannot be written.
    """
    nibabel = _nibabel()
    volume = np.asarray(volume)
    if volume.shape[:3] != header.shape:
        raise DataError(
            f"a volume of shape {volume.shape} for {header.path}", expected=f"{header.shape}"
        )
    wanted = np.dtype(volume.dtype if dtype is None else dtype).newbyteorder("=")
    stored = np.ascontiguousarray(header.to_stored(volume)).astype(wanted)
    if not np.array_equal(stored, header.to_stored(volume), equal_nan=wanted.kind == "f") and (
        wanted.kind in "ui"
    ):
        raise DataError(
            f"{path}: {wanted} does not hold the values {volume.min():g} to {volume.max():g}",
            expected="a dtype that holds them",
        )
    image = nibabel.Nifti1Image(stored, header.stored_affine, dtype=wanted)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    packed = gzip.compress(content, 6, mtime=0) if str(path).endswith(".gz") else content
    write_atomically(path, packed)


def _stored(path, header) -> tuple[VolumeHeader, np.ndarray]:
    """(header, the array as stored, with an axis of channels)."""
    nibabel = _nibabel()
    path = Path(path)
    content = read_content(path)
    packed = len(content)
    with naming(path, "a NIfTI file"):
        if content[:2] == b"\x1f\x8b":
            content = unpack_gzip(content, path)
        own = _header_of(path, nibabel, content)
        values = int(np.prod(own.stored_shape, dtype=np.int64)) * own.channels
        expect_unpacked(values * max(4, own.dtype.itemsize), packed, f"{path}")
        expect_bytes(values * 8, f"{path}")
        image = _image_class(nibabel, content).from_bytes(content)
        stored = np.asanyarray(image.dataobj)
        stored = stored.reshape(*own.stored_shape, own.channels)
        if stored.dtype.kind not in "fui":
            raise DataError(f"it stores {stored.dtype}", expected="real numbers")
        return (own if header is None else own.with_affine_of(header)), stored


def _header_of(path, nibabel, content: bytes) -> VolumeHeader:
    kind = _image_class(nibabel, content)
    head = kind.header_class(content[: kind.header_class.sizeof_hdr], check=True)
    shape = [int(n) for n in head.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    channels = shape[-1] if len(shape) == 4 else 1
    if not 3 <= len(shape) <= 4 or min(shape) < 1:
        raise DataError(
            f"its shape is {tuple(shape)}",
            expected="three axes, or a fourth of channels",
            fix="train on slices as images, or split a series into volumes",
        )
    affine = np.asarray(head.get_best_affine(), float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise DataError(
            "its affine has no inverse", expected="an affine with three different directions"
        )
    turned = nibabel.io_orientation(affine)
    if np.isnan(turned).any():
        raise DataError("its affine has no directions", expected="three different directions")
    turned = turned.astype(int)
    stored = shape[0], shape[1], shape[2]
    order = np.argsort(turned[:, 0])
    volume_shape = int(stored[order[0]]), int(stored[order[1]]), int(stored[order[2]])
    canonical = affine @ nibabel.orientations.inv_ornt_aff(turned, stored)
    return VolumeHeader(
        path=path,
        stored_shape=stored,
        channels=channels,
        dtype=np.dtype(head.get_data_dtype()),
        stored_affine=affine,
        has_affine=bool(head["sform_code"] or head["qform_code"]),
        turned=turned,
        shape=volume_shape,
        affine=canonical,
        spacing=np.linalg.norm(canonical[:3, :3], axis=0),
    )


def _image_class(nibabel, content: bytes) -> Any:
    """NIfTI-1 or NIfTI-2, by the size of the header that the file states."""
    size = content[:4]
    for kind, number in ((nibabel.Nifti1Image, 348), (nibabel.Nifti2Image, 540)):
        if size in (number.to_bytes(4, "little"), number.to_bytes(4, "big")):
            if len(content) < number:
                raise DataError(f"it ends after {len(content)} bytes", fix="copy it again")
            return kind
    raise DataError(
        f"it begins with {content[:4].hex(' ') or 'nothing'}",
        expected="a NIfTI file, .nii or .nii.gz",
        fix="convert it, for example with dcm2niix or nibabel",
    )


def _nibabel() -> Any:
    try:
        import nibabel
    except ImportError:
        raise DataError(
            "NIfTI files are read by nibabel, which is not installed",
            expected="the extra volumes",
            fix=install_extra("volumes"),
        ) from None
    return nibabel
