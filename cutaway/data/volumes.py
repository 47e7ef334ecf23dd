"""Volumes with labels in three dimensions: NIfTI files, MSD's dataset.json, nnU-Net's folders."""

import json
import os
import re
from pathlib import Path

import numpy as np

from cutaway.data.class_names import find_class_names
from cutaway.data.file_pairs import (
    MASK_FOLDERS,
    PICTURE_FOLDERS,
    FilePairs,
    empty_role,
    expect_folder,
    files_below,
    match_beside,
    match_folders,
    role_folders,
)
from cutaway.data.nifti import SUFFIXES, VolumeHeader, read_labels, read_volume_header
from cutaway.data.prefetch import in_threads
from cutaway.data.volume_folder import VolumeFolder, unknown_labels
from cutaway.errors import DataError, OptionError
from cutaway.files.content import decoded, naming, read_content

WHAT = ("volume", "label file")
SAME_SPACING = 1.1  # voxels of a set may differ by this factor along an axis
SAME_TILT = 5.0  # degrees by which the axes of the volumes of a set may differ


def looks_like_volumes(path) -> str | None:
    """Why a path looks like labeled volumes, in words; None if it does not."""
    if not os.path.isdir(path):
        return None
    root = Path(path)
    if not files_below(root, SUFFIXES):
        return None
    try:
        pairs = _pairs(root)
    except DataError:  # of this kind, with a fault that find_volumes names
        return "a folder of NIfTI files and one of labels"
    return None if pairs is None else pairs.reason


def find_volumes(path, *, classes=None, numbers=None, spacing=None) -> VolumeFolder:
    """The volumes and labels below a folder.

    Two folders of NIfTI files with the same names; MSD's dataset.json with "training" and, if its
    files have labels, "test"; or nnU-Net's imagesTr and labelsTr, one channel per file (_0000).

    Args:
        path: the folder.
        classes: names of the classes by their labels; by default those of dataset.json, or of a
            file such as classes.txt.
        numbers: the labels of these classes in the files, of another set, such as a trained one;
            then one class is enough. By default 0, 1, ...
        spacing: size of the voxels, in millimeters, to which the volumes will be resampled; so they
            may differ.

    Raises:
        DataError: no volumes with labels; a volume without labels or labels without a volume; other
            sizes or another place than the volume's; labels that are not classes, or of one class
            only; volumes whose directions differ, or, without a `spacing`, their voxels.
    """
    expect_folder(path)
    root = Path(path)
    pairs = _pairs(root)
    if pairs is None:
        empty = empty_role(root, PICTURE_FOLDERS, MASK_FOLDERS, SUFFIXES, WHAT)
        raise empty or DataError(
            f"{root} holds no volumes with labels",
            expected="folders images and labels of NIfTI files (.nii, .nii.gz) with the same "
            "names, or a dataset.json that lists them",
            fix="check the path",
        )
    rows = range(len(pairs))
    headers: list = in_threads(lambda row: read_volume_header(pairs.first[row]), rows)
    looked: list = in_threads(lambda row: _looked_at(headers[row], pairs.second[row]), rows)
    values = sorted({value for one in looked for value in one[0]})
    notes = _label_notes(looked)
    names, known = _classes_of(root, pairs, looked, values, (classes, numbers), notes)
    counts = np.array([[one[0].get(number, 0) for number in known] for one in looked])
    if numbers is None and (counts.sum(axis=0) > 0).sum() < 2:
        only = names[int(counts.sum(axis=0).argmax())]
        raise DataError(
            f"the labels in {pairs.second[0].parent} hold only the class {only!r}: all "
            f"{len(pairs):,} of them, such as {pairs.second[0].name}",
            expected="labels of at least two classes",
            fix="check that these are the label files",
        )
    if spacing is None:
        _expect_same_voxels(headers)
    _expect_same_directions(headers)
    channels = {header.channels for header in headers}
    if len(channels) > 1:
        other = next(h for h in headers if h.channels != headers[0].channels)
        raise DataError(
            f"{other.path} has {other.channels} channels, {headers[0].path} {headers[0].channels}",
            expected="as many channels in every volume",
        )
    empty = np.flatnonzero((counts > 0).sum(axis=1) == 1)
    if len(empty):
        name = pairs.second[empty[0]].name
        notes.append(f"{len(empty):,} of {len(counts):,} label files hold one class only: {name}")
    dtypes = [one[1].dtype.newbyteorder("=") for one in looked]
    return VolumeFolder(
        root=root,
        names=pairs.names,
        volumes=pairs.first,
        labels=pairs.second,
        headers=headers,
        channels=channels.pop(),
        classes=names,
        numbers=known,
        counts=counts,
        label_dtype=max(set(dtypes), key=dtypes.count),
        splits=pairs.splits,
        reason=pairs.reason,
        notes=notes,
    )


def _pairs(root: Path) -> FilePairs | None:
    listing = root / "dataset.json"
    if listing.is_file():
        pairs = _listed_pairs(root, listing)
        if pairs is not None:
            return pairs
    folders = role_folders(root, PICTURE_FOLDERS, MASK_FOLDERS, SUFFIXES)
    if folders:
        return match_folders(root, folders, _one_channel(root, folders), SUFFIXES, WHAT)
    return match_beside(root, SUFFIXES, WHAT)


def _one_channel(root, folders) -> tuple[str, ...]:
    """The suffixes of volumes: with nnU-Net's number of the channel, if the files have it."""
    names = [p.name for p in folders[0][0].rglob("*.nii*")]
    if names and all(re.search(r"_\d{4}\.nii(\.gz)?$", name) for name in names):
        if any(re.search(r"_000[1-9]\.nii", name) for name in names):
            raise DataError(
                f"{folders[0][0]} holds several channels of a volume in files of their own",
                expected="one file per volume",
                fix="stack the channels _0000, _0001, ... as the fourth axis of one file",
            )
        return ("_0000.nii.gz", "_0000.nii")
    return SUFFIXES


def _listed_pairs(root: Path, listing: Path) -> FilePairs | None:
    """What MSD's dataset.json lists; None if it lists no pairs."""
    content = _listing(listing)
    if content is None:
        return None
    first, second, names, splits = [], [], [], {}
    for split, key in (("train", "training"), ("validation", "validation"), ("test", "test")):
        entries = [e for e in content.get(key) or [] if isinstance(e, dict)]
        for entry in entries:
            files = [entry.get("image"), entry.get("label")]
            if not all(isinstance(f, str) for f in files):
                raise DataError(
                    f"{listing}: an entry of {key!r} is {str(entry)[:80]}",
                    expected='{"image": PATH, "label": PATH}',
                )
            found = [root / str(f) for f in files]
            for file, what in zip(found, WHAT, strict=True):
                if not file.is_file():
                    raise DataError(
                        f"{listing} lists the {what} {file}, and there is no such file",
                        expected="files below the folder of dataset.json",
                        fix="copy it there, or remove the entry",
                    )
            splits.setdefault(split, []).append(len(names))
            names.append(re.sub(r"\.nii(\.gz)?$", "", found[0].name))
            first.append(found[0])
            second.append(found[1])
    if not names:
        return None
    splits = {name: np.array(rows) for name, rows in splits.items()} if len(splits) > 1 else {}
    reason = f"dataset.json lists {len(names):,} volumes with labels"
    return FilePairs(root, names, first, second, splits, reason)


def _listing(path: Path) -> dict | None:
    with naming(path, "a list of volumes"):
        content = json.loads(decoded(read_content(path), path, "new.json"))
    is_list = isinstance(content, dict) and isinstance(content.get("training"), list)
    return content if is_list else None


def _looked_at(header: VolumeHeader, path) -> tuple[dict[int, int], VolumeHeader, bool]:
    """({label: voxels}, header of the labels, whether they borrow the affine of the volume)."""
    own = read_volume_header(path)
    borrows = not own.has_affine
    if own.stored_shape != header.stored_shape and (borrows or own.shape != header.shape):
        raise DataError(
            f"the labels {path} have {_by(own.shape)} voxels, their volume {header.path} "
            f"{_by(header.shape)}",
            expected="labels of the size of their volume",
            fix="resample the labels by nearest neighbor",
        )
    corners = np.array([[0, 0, 0, 1], [*header.shape, 1]], float).T
    apart = np.abs((own.affine - header.affine) @ corners).max()
    if not borrows and (own.shape != header.shape or apart > header.spacing.max() / 2):
        raise DataError(
            f"the labels {path} lie {apart:.3g} mm from their volume {header.path}, by the affines",
            expected="the same affine, or the same place in another orientation",
            fix="resample the labels onto the volume; if the voxels match, copy its affine",
        )
    labels, _ = read_labels(path, header if borrows else None)
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True)), own, borrows


def _label_notes(looked) -> list[str]:
    notes = []
    floats = [own.path.name for _, own, _ in looked if own.dtype.kind == "f"]
    if floats:
        notes.append(f"{len(floats):,} label files store floats, such as {floats[0]}: rounded")
    without = [own.path.name for _, own, borrows in looked if borrows]
    if without:
        notes.append(
            f"{len(without):,} label files have no affine, such as {without[0]}: that of the volume"
        )
    return notes


def _classes_of(root, pairs, looked, values, given, notes) -> tuple[list[str], list[int]]:
    """(names of the classes, their labels in the files)."""
    listing = root / "dataset.json"
    content = _listing(listing) if listing.is_file() else None
    table = content.get("labels") if content is not None else None
    where, (classes, numbers) = "the option classes", given
    if numbers is not None and len(numbers) != len(classes or ()):
        raise OptionError(
            f"find_volumes: {len(numbers)} numbers for {len(classes or ())} classes",
            expected="one for each of the classes",
        )
    if classes is not None:
        labels = range(len(classes)) if numbers is None else numbers
        named = {int(k): str(name) for k, name in zip(labels, classes, strict=True)}
    elif isinstance(table, dict) and table:
        named, where = _names_of_json(listing, table), listing.name
    else:
        found = find_class_names(root)
        where = "" if found is None else found.path.name
        named = {} if found is None else dict(enumerate(found.names))
    if not named:
        return [str(value) for value in values], [int(value) for value in values]
    outside = [value for value in values if value not in named]
    if outside:
        row = next(k for k, one in enumerate(looked) if outside[0] in one[0])
        numbers = sorted(named)
        names = [named[k] for k in numbers]
        raise unknown_labels(pairs.second[row], np.array(outside), numbers, names)
    numbers = sorted(named)
    missing = [named[k] for k in numbers if k not in values]
    if missing:
        notes.append(
            f"no voxel of {len(missing)} of {len(named)} classes: {', '.join(missing[:5])}"
        )
    notes.append(f"{len(named)} classes from {where}")
    return [named[k] for k in numbers], numbers


def _names_of_json(path, table: dict) -> dict[int, str]:
    """{label: name} of MSD ({"1": name}) and of nnU-Net 2 ({name: 1})."""
    with naming(path, "a list of volumes"):
        if all(str(key).lstrip("-").isdigit() for key in table):
            return {int(key): str(name) for key, name in table.items()}
        return {int(number): str(name) for name, number in table.items()}


def _expect_same_voxels(headers) -> None:
    """Raise DataError unless all volumes have about the same voxels."""
    spacings = np.array([header.spacing for header in headers])
    usual = np.median(spacings, axis=0)
    factors = np.maximum(spacings / usual, usual / spacings).max(axis=1)
    if factors.max() > SAME_SPACING:
        other, like = headers[int(factors.argmax())], headers[int(factors.argmin())]
        raise DataError(
            f"{other.path} has voxels of {_mm(other.spacing)}, {like.path} of {_mm(like.spacing)}",
            expected="voxels of one size in all volumes",
            fix=f"resample them: spacing=({', '.join(f'{s:.3g}' for s in usual)}) "
            f"(--spacing {','.join(f'{s:.3g}' for s in usual)})",
        )


def _expect_same_directions(headers) -> None:
    """Raise DataError unless the axes of all volumes have about the same directions."""
    directions = np.array([header.affine[:3, :3] / header.spacing for header in headers])
    cosines = np.einsum("rij,ij->rj", directions, directions[0]).min(axis=1)
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    if angles.max() > SAME_TILT:
        tilts = np.array([header.tilt for header in headers])
        other, like = headers[int(tilts.argmax())], headers[int(tilts.argmin())]
        raise DataError(
            f"{other.path} is rotated by {other.tilt:.0f} degrees, {like.path} by {like.tilt:.0f}",
            expected="volumes along the same directions",
            fix="resample them along the axes of the body: nibabel.processing.resample_to_output",
        )


def _by(shape) -> str:
    return " x ".join(str(int(n)) for n in shape)


def _mm(spacing) -> str:
    return " x ".join(f"{value:.3g}" for value in spacing) + " mm"
