"""Files that belong together by their names: a picture and its mask, two pictures of a pair."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np

from cutaway.data.folders import SPLITS, natural_key
from cutaway.errors import DataError
from cutaway.files.content import decoded, read_content

SHOWN = 3  # names in an error
PICTURE_FOLDERS = (
    "images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "inputs", "input",
    "frames", "originals", "original", "raw", "x", "volumes", "scans", "imagestr",
)  # fmt: skip
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "segmentations",
    "segmentation", "segmentationclass", "segmentationclasspng", "seg", "groundtruth",
    "ground_truth", "ground truth", "gt", "targets", "target", "semantic", "y", "labelstr",
)  # fmt: skip
MASK_WORDS = "masks?|labels?|segmentation|seg|gt|groundtruth|annotations?|matte|manual"
PICTURE_WORDS = "images?|img|im|pictures?|photos?|frame|scan|raw"


@dataclasses.dataclass(frozen=True)
class FilePairs:
    """Files in pairs.

    Attributes:
        root: the folder.
        names: of the pairs: the path of the first file below its folder, without suffix.
        first, second: the files.
        splits: {"train", "validation", "test": row indices}, those that the folders name.
        reason: in words, how they were recognized.
    """

    root: Path
    names: list[str]
    first: list[Path]
    second: list[Path]
    splits: dict[str, np.ndarray]
    reason: str

    def __len__(self):
        return len(self.names)


def files_below(folder, suffixes) -> list[Path]:
    """The files below a folder with these suffixes, none hidden, sorted by name."""
    found = []
    for path in Path(folder).rglob("*"):
        parts = path.relative_to(folder).parts
        if path.name.lower().endswith(tuple(suffixes)) and not any(p[0] == "." for p in parts):
            found.append(path)
    found = [path for path in found if path.is_file()]
    return sorted(found, key=lambda p: [natural_key(x) for x in p.relative_to(folder).parts])


def bare_name(path, folder, suffixes) -> str:
    """The path below a folder, without its suffix (also one of two parts, as .nii.gz)."""
    name = Path(path).relative_to(folder).as_posix()
    longest = max((s for s in suffixes if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(longest)]


def role_folders(root, first_names, second_names, suffixes) -> list[tuple[Path, Path, str]]:
    """[(first, second, split)]: folders with names of these roles, at the top or in splits.

    A second folder counts if a file below it has one of the suffixes.
    """
    found = []
    tops = {"": Path(root)} | {p.name: p for p in _folders(root) if p.name.lower() in SPLITS}
    for split, top in tops.items():
        below = {p.name.lower(): p for p in reversed(_folders(top))}
        first = next((below[n] for n in first_names if n in below), None)
        second = next(
            (below[n] for n in second_names if n in below and files_below(below[n], suffixes)), None
        )
        if first is not None and second is not None and first != second:
            found.append((first, second, split))
    return found if not found or found[0][2] else found[:1]


def match_folders(root, folders, first_suffixes, second_suffixes, what) -> FilePairs:
    """The pairs of files of equal names in two folders, or in those of each split.

    Names may differ by words such as _mask or image_ at their ends. Below the folders may be
    subfolders, which are part of the names; those named train, test, validation are splits.

    Args:
        folders: from role_folders.
        what: (of a first file, of a second one) in words: ("picture", "mask").

    Raises:
        DataError: a file without its partner; two files of one name; none at all.
    """
    names, firsts, seconds = [], [], []
    for first, second, split in folders:
        one = _by_name(first, first_suffixes, what[0])
        two = _by_name(second, second_suffixes, what[1])
        if not one or not two:
            lacking = (second, what[1], second_suffixes)
            empty, missing, suffixes = lacking if one else (first, what[0], first_suffixes)
            raise DataError(
                f"{empty} holds no {missing}s",
                expected=f"files that end in {', '.join(suffixes)}",
                fix="check the path",
            )
        if not set(one) & set(two):
            one = _without_words(one, PICTURE_WORDS, what[0])
            two = _without_words(two, f"{MASK_WORDS}|{PICTURE_WORDS}", what[1])
        expect_partners(one, two, what, (first, second))
        prefix = f"{split}/" if split else ""
        for name in one:
            names.append(prefix + name)
            firsts.append(one[name])
            seconds.append(two[name])
    shown = [f"{a.relative_to(root)} and {b.relative_to(root)}" for a, b, _ in folders]
    reason = f"{len(names):,} files of equal names in {', '.join(shown)}"
    return FilePairs(Path(root), names, firsts, seconds, splits_of(names), reason)


def match_beside(root, suffixes, what) -> FilePairs | None:
    """The pairs of files beside each other: NAME.jpg and NAME_mask.png, or NAME.png for a JPEG.

    Raises:
        DataError: a file without its partner, where most have one.
    """
    files = files_below(root, suffixes)
    names = {path: bare_name(path, root, suffixes) for path in files}
    ending = re.compile(rf"[_\-. ]({MASK_WORDS})$", re.IGNORECASE)
    masks = {ending.sub("", n): p for p, n in names.items() if ending.search(n)}
    pictures = {}
    for path, name in names.items():
        if not ending.search(name):
            pictures.setdefault(name, []).append(path)
    if not masks:  # a JPEG and a PNG of one name
        pairs = {n: sorted(p, key=_is_jpeg, reverse=True) for n, p in pictures.items()}
        both = {n for n, p in pairs.items() if len(p) == 2 and _is_jpeg(p[0]) != _is_jpeg(p[1])}
        if len(both) < 2 or len(both) < len(pairs) / 2:
            return None
        masks = {n: pairs[n][1] for n in both}
        pictures = {n: [p[0]] if n in both else p for n, p in pairs.items()}
    elif len(set(masks) & set(pictures)) < max(1, len(pictures) / 2):
        return None
    one = {name: _only(paths, what[0]) for name, paths in pictures.items()}
    expect_partners(one, masks, what, (Path(root), Path(root)))
    reason = f"{len(one):,} {what[0]}s with their {what[1]}s beside them in {Path(root).name}"
    listed = list(one)
    second = [masks[name] for name in listed]
    return FilePairs(Path(root), listed, list(one.values()), second, splits_of(listed), reason)


def expect_partners(one: dict, two: dict, what, folders) -> None:
    """Raise DataError for names that only one of two {name: path} has."""
    for having, lacking, (a, b), other in (
        (one, two, what, folders[1]),
        (two, one, what[::-1], folders[0]),
    ):
        alone = [having[name] for name in having if name not in lacking]
        if alone:
            more = f", and {len(alone) - SHOWN:,} more" if len(alone) > SHOWN else ""
            have = "has" if len(alone) == 1 else "have"
            raise DataError(
                f"{', '.join(map(str, alone[:SHOWN]))}{more} {have} no {b} in {other}",
                expected=f"one {b} of the same name for each of the {len(having):,} {a}s",
                fix=f"add the missing {b}, or remove the {a}",
            )


def splits_of(names) -> dict[str, np.ndarray]:
    """{"train", "validation", "test": rows} of names such as train/12, if one is for training."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        split = next((SPLITS[p] for p in name.lower().split("/")[:-1] if p in SPLITS), None)
        rows.setdefault(split or "", []).append(row)
    if "train" not in rows or "" in rows or len(rows) == 1:
        return {}
    order = [name for name in ("train", "validation", "test") if name in rows]
    return {name: np.array(rows[name]) for name in order}


def rows_named(names, path) -> np.ndarray:
    """The rows whose names a text file lists, one per line, with or without folder and suffix.

    Raises:
        DataError: no such file; a name that there is not, or that several have.
    """
    lines = decoded(read_content(path), path, "new.txt").splitlines()
    wanted = [line.split()[0] for line in lines if line.strip()]
    by_name: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        for known in {name, name.rpartition("/")[2]}:
            by_name.setdefault(known, []).append(row)
    rows = []
    for name in wanted:
        stem = re.sub(r"\.(nii\.gz|\w{2,4})$", "", name)
        found = next((by_name[n] for n in (name, stem, Path(stem).name) if n in by_name), [])
        if len(found) != 1:
            raise DataError(
                f"{path} lists {name!r}, the name of {len(found) or 'no'} files",
                expected="names of single files, one per line",
                fix="write the path below the folder, without suffix",
            )
        rows.append(found[0])
    if not rows:
        raise DataError(f"{path} lists no names", expected="one name per line")
    return np.unique(rows)


def _by_name(folder, suffixes, what) -> dict[str, Path]:
    named: dict[str, list[Path]] = {}
    for path in files_below(folder, suffixes):
        named.setdefault(bare_name(path, folder, suffixes), []).append(path)
    return {name: _only(paths, what) for name, paths in named.items()}


def _only(paths, what) -> Path:
    if len(paths) > 1:
        raise DataError(
            f"{paths[0]} and {paths[1].name} have the same name",
            expected=f"one {what} of each name",
            fix="rename or remove one of them",
        )
    return paths[0]


def _without_words(named: dict[str, Path], words: str, what) -> dict[str, Path]:
    """The names without a word of their role at the end or the beginning."""
    found: dict[str, list[Path]] = {}
    for name, path in named.items():
        folder, slash, own = name.rpartition("/")
        bare = re.sub(rf"[_\-. ]({words})$|^({words})[_\-. ]", "", own, flags=re.IGNORECASE)
        found.setdefault(folder + slash + bare, []).append(path)
    return {name: _only(paths, what) for name, paths in found.items()}


def _is_jpeg(path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg")


def _folders(root) -> list[Path]:
    if not os.path.isdir(root):
        return []
    return [p for p in sorted(Path(root).iterdir()) if p.is_dir() and p.name[0] != "."]
