"""Pictures and their masks of class ids: semantic segmentation."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.data.class_names import VOC, ClassNames, find_class_names
from cutaway.data.decode import SUFFIXES, read_header
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
    voc_lists,
)
from cutaway.data.mask_coding import MaskCoding
from cutaway.data.mask_folder import MaskFolder, turned_with
from cutaway.data.mask_values import find_coding
from cutaway.data.prefetch import in_threads
from cutaway.data.raw_masks import MaskValues, values_of
from cutaway.errors import DataError, OptionError

SCANNED = 2000  # masks whose values are looked at before training; others when they are read
MASK_SUFFIXES = tuple(s for s in SUFFIXES if s not in (".jpg", ".jpeg", ".webp"))
WHAT = ("picture", "mask")
FEW = 32  # different values up to which a gray file looks like a mask


def looks_like_masks(path) -> str | None:
    """Why a path looks like pictures with masks, in words; None if it does not.

    Recognized are a folder of pictures and one of masks, by the names of the folders or, of two
    folders with equal file names, by what stands in the files; pictures with masks beside them;
    and Pascal VOC's layout.
    """
    if not os.path.isdir(path):
        return None
    root = Path(path)
    if _voc_folders(root):
        return "JPEGImages and SegmentationClass, as in Pascal VOC"
    try:
        pairs = _pairs(root)
    except DataError:  # of this kind, with a fault that find_masks names
        return "a folder of pictures and one of masks"
    return None if pairs is None else pairs.reason


def find_masks(
    path,
    *,
    colors: dict | None = None,
    classes=None,
    ignore: int | None = None,
    threshold: int | None = None,
    coding: MaskCoding | None = None,
    channels: int | None = None,
) -> MaskFolder:
    """The pictures and masks below a folder.

    Masks are images without loss: class ids (gray, 16 bits, 1 bit, or indices of a palette), gray
    levels such as 0 and 255, or colors with a table.

    Args:
        path: the folder; see looks_like_masks for its layouts.
        colors: {name: (r, g, b)}, the table of masks in color; by default read from a file such as
            classes.csv in the folder.
        classes: names of the classes; by default from a file such as classes.txt.
        ignore: value of pixels that do not count; by default 255 (65535) beside smaller ids.
        threshold: gray values above it are class 1, all others class 0.
        coding: that of another set, such as a trained one, in whose form these masks are; then
            `classes` are its names, the other options do not count, and one class is enough.
        channels: 1 or 3 of the pictures; by default 1 if all are gray.

    Raises:
        DataError: no pictures with masks; a picture without mask or a mask without picture; sizes
            that differ; values that are not classes; masks that hold one class only.
    """
    expect_folder(path)
    root = Path(path)
    voc = _voc_folders(root)
    pairs = _voc_pairs(root, *voc) if voc else _pairs(root)
    if pairs is None:
        raise empty_role(root, PICTURE_FOLDERS, MASK_FOLDERS, SUFFIXES, WHAT) or DataError(
            f"{root} holds no pictures with masks",
            expected="a folder of pictures and one of masks with the same names, such as images/ "
            "and masks/, or NAME.jpg with NAME_mask.png",
            fix="check the path and the names of the folders",
        )
    headers: list = in_threads(read_header, pairs.first)
    found = _scanned(pairs, headers)
    if coding is None:
        listed = _listed_classes(root, classes)
        if voc and ignore is None:
            ignore = 255
        if voc and listed is None and _has_voc_palette(found.values()):
            listed = ClassNames(root / "the palette of Pascal VOC", list(VOC))
        options = {"colors": colors, "ignore": ignore, "threshold": threshold}
        coding, names, notes = find_coding(list(found.values()), listed, **options)
        if listed is not None:
            notes.append(f"{len(names)} classes from {listed.path.name}")
        needed = 2
    else:
        names, notes, needed = _names_of(coding, classes), [], 0
    counts, has_ignored = _counted(found, coding, len(pairs))
    _expect_classes(counts, names, pairs, needed)
    if len(pairs) > SCANNED:
        notes.append(f"the values of {SCANNED:,} of {len(pairs):,} masks were looked at")
    gray = all(header.is_gray for header in headers)
    return MaskFolder(
        root=root,
        names=pairs.names,
        pictures=pairs.first,
        masks=pairs.second,
        sizes=np.array([header.size for header in headers]),
        channels=channels or (1 if gray else 3),
        classes=names,
        coding=coding,
        has_ignored=has_ignored,
        counts=counts,
        splits=pairs.splits,
        reason=pairs.reason,
        notes=notes + _remarks(counts, names, pairs),
    )


def _pairs(root: Path) -> FilePairs | None:
    folders = role_folders(root, PICTURE_FOLDERS, MASK_FOLDERS, SUFFIXES)
    if folders:
        return match_folders(root, folders, SUFFIXES, SUFFIXES, WHAT)
    found = _unnamed_folders(root)
    if found is not None:
        return match_folders(root, [(*found, "")], SUFFIXES, SUFFIXES, WHAT)
    return match_beside(root, SUFFIXES, WHAT)


def _unnamed_folders(root: Path) -> tuple[Path, Path] | None:
    """(pictures, masks): two folders with equal file names, one of which looks like masks."""
    folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]
    if len(folders) != 2:
        return None
    files = [files_below(folder, SUFFIXES) for folder in folders]
    stems = [
        {p.relative_to(f).with_suffix("") for p in own}
        for f, own in zip(folders, files, strict=True)
    ]
    if not stems[0] or stems[0] != stems[1]:
        return None
    masks = [all(_is_masklike(path) for path in own[:: max(1, len(own) // 3)]) for own in files]
    if masks[0] == masks[1]:
        return None
    return (folders[0], folders[1]) if masks[1] else (folders[1], folders[0])


def _is_masklike(path) -> bool:
    try:
        found, _ = values_of(path)
    except DataError:
        return False
    return not found.raw.is_lossy and len(found.values) <= FEW


def _voc_folders(root: Path) -> tuple[Path, Path] | None:
    pictures, masks = root / "JPEGImages", root / "SegmentationClass"
    return (pictures, masks) if pictures.is_dir() and masks.is_dir() else None


def _voc_pairs(root: Path, pictures: Path, masks: Path) -> FilePairs:
    """The pairs of Pascal VOC: most pictures have no mask, and lists say which are for what."""
    by_stem = {path.stem: path for path in files_below(pictures, SUFFIXES)}
    second = files_below(masks, MASK_SUFFIXES)
    alone = [path for path in second if path.stem not in by_stem]
    if alone or not second:
        raise DataError(
            f"{alone[0]} has no picture in {pictures}" if alone else f"{masks} holds no masks",
            expected="a JPEG of the same name for each mask",
        )
    names = [path.stem for path in second]
    splits = {}
    for split, listed in voc_lists(root, "Segmentation").items():
        rows = np.flatnonzero(np.isin(names, listed))
        splits |= {split: rows} if len(rows) else {}
    first = [by_stem[name] for name in names]
    reason = f"{len(names):,} masks in SegmentationClass and their pictures in JPEGImages"
    return FilePairs(root, names, first, second, splits if "train" in splits else {}, reason)


def _has_voc_palette(values) -> bool:
    """Whether the colors of the indices are VOC's: the bits of the index, spread over r, g, b."""
    seen = {k: color for one in values for k, color in (one.raw.palette or {}).items()}
    return bool(seen) and all(
        color == tuple(
            sum((k >> (3 * bit + shift) & 1) << (7 - bit) for bit in range(8)) for shift in range(3)
        )
        for k, color in seen.items()
    )  # fmt: skip


def _listed_classes(root, classes) -> ClassNames | None:
    if classes is None:
        return find_class_names(root)
    names = [str(name) for name in classes]
    if len(set(names)) < len(names) or len(names) < 2:
        raise OptionError(f"classes is {names}", expected="two or more different names")
    return ClassNames(Path("the option classes"), names)


def _names_of(coding: MaskCoding, classes) -> list[str]:
    names = [] if classes is None else [str(name) for name in classes]
    if len(names) != len(coding.values):
        raise OptionError(
            f"find_masks: {len(names)} classes for a coding of {len(coding.values)}",
            expected="the names of the classes of that coding",
        )
    return names


def _scanned(pairs: FilePairs, headers) -> dict[int, MaskValues]:
    """{row: what occurs in its mask}, of all masks or of some, evenly spaced."""
    rows = range(len(pairs))
    if len(pairs) > SCANNED:
        rows = np.linspace(0, len(pairs) - 1, SCANNED).astype(int).tolist()

    def scan(row):
        found, size = values_of(pairs.second[row])
        if size != headers[row].size:
            turned_with(pairs.first[row], pairs.second[row], headers[row].size, size)
        return found

    return dict(zip(rows, in_threads(scan, rows), strict=True))


def _counted(found: dict[int, MaskValues], coding: MaskCoding, rows: int):
    """((rows, classes) pixels of each class, whether there are pixels that do not count)."""
    counts = np.full((rows, len(coding.values)), np.nan)
    has_ignored = False
    for row, one in found.items():
        raw = dataclasses.replace(one.raw, values=one.values[None])
        ids = coding.ids(raw, one.path)[0].astype(np.int64)
        ignored = ids == coding.ignore
        has_ignored |= bool(ignored.any())
        counts[row] = np.bincount(ids[~ignored], one.counts[~ignored], len(coding.values))
    return counts, has_ignored


def _expect_classes(counts, names, pairs: FilePairs, needed: int) -> None:
    """Raise DataError unless so many classes occur."""
    present = np.flatnonzero(np.nansum(counts, axis=0))
    if len(present) < needed:
        only = f"class {names[present[0]]!r}" if len(present) else "pixels that do not count"
        raise DataError(
            f"the masks in {pairs.second[0].parent} hold only {only}: all {len(pairs):,} of them, "
            f"such as {pairs.second[0].name}",
            expected="masks with at least two classes",
            fix="check that these are the masks, and how their values are read",
        )


def _remarks(counts, names, pairs) -> list[str]:
    notes = []
    missing = [name for name, n in zip(names, np.nansum(counts, axis=0), strict=True) if n == 0]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        notes.append(f"no pixel of {len(missing)} of {len(names)} classes: {shown}")
    with_one = np.flatnonzero((counts > 0).sum(axis=1) == 1)
    if len(with_one):
        name = pairs.second[with_one[0]].name
        notes.append(
            f"{len(with_one):,} of {len(counts):,} masks hold one class only, such as {name}"
        )
    return notes
