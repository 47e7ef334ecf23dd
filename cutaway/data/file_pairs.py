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
    "annot", "annots",
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
    endings, found = tuple(suffixes), []
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        parts = [natural_key(part) for part in Path(top).relative_to(folder).parts]
        for name in files:
            if name[0] != "." and name.lower().endswith(endings):
                found.append(([*parts, natural_key(name)], os.path.join(top, name)))
    return [Path(path) for _, path in sorted(found)]


def bare_name(path, folder, suffixes) -> str:
    """The path below a folder, without its suffix (also one of two parts, as .nii.gz)."""
    start = len(str(folder)) + 1 if str(folder) != "." else 0
    name = str(path)[start:].replace(os.sep, "/")  # relative_to takes ten times as long
    longest = max((s for s in suffixes if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(longest)]


def role_folders(root, first_names, second_names, suffixes) -> list[tuple[Path, Path, str]]:
    """[(first, second, split)]: folders with names of these roles, at the top or in splits.

    A second folder counts if a file below it has one of the suffixes. Beside train/ it may be
    trainannot/ or train_masks/.
    """
    expect_folder(root)
    found = _beside_splits(root, second_names, suffixes)
    if found:
        return found
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


def empty_role(root, first_names, second_names, suffixes, what) -> DataError | None:
    """That of two folders with names of these roles one holds no files; None if it is not so.

    Args:
        suffixes: of the files.
        what: (of a first file, of a second one) in words: ("picture", "mask").
    """
    below = {p.name.lower(): p for p in reversed(_folders(root))}
    first = next((below[n] for n in first_names if n in below), None)
    second = next((below[n] for n in second_names if n in below), None)
    if first is None or second is None:
        return None
    empty = next(((f, w) for f, w in zip((first, second), what, strict=True)
                  if not files_below(f, suffixes)), None)  # fmt: skip
    if empty is None:
        return None
    return DataError(
        f"{empty[0]} holds no {empty[1]}s",
        expected=f"files that end in {', '.join(suffixes)}",
        fix="check the path",
    )


def _beside_splits(root, second_names, suffixes) -> list[tuple[Path, Path, str]]:
    """[(train, train_masks, "train"), ...]: splits with a second folder of their name."""
    below = {p.name.lower(): p for p in _folders(root)}
    found = []
    for split in SPLITS:
        names = [f"{split}{join}{name}" for join in ("", "_", "-") for name in second_names]
        second = next((below[n] for n in names if n in below), None)
        if split in below and second is not None and files_below(second, suffixes):
            found.append((below[split], second, split))
    return found


def expect_folder(path) -> None:
    """Raise DataError unless a folder is at the path."""
    if not os.path.isdir(path):
        came = f"{path} is a file" if os.path.exists(path) else f"there is no folder {path}"
        raise DataError(came, expected="a folder", fix="check the path")


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
        own = {path: name for name, path in one.items()}
        one, two = _alike(one, two, what)
        expect_partners(one, two, what, (first, second))
        prefix = f"{split}/" if split else ""
        for key, path in one.items():
            names.append(prefix + own[path])
            firsts.append(path)
            seconds.append(two[key])
    first, second, _ = folders[0]
    reason = (
        f"{len(names):,} {what[0]}s in {first.relative_to(root)} with {what[1]}s of the same names "
        f"in {second.relative_to(root)}"
    )
    if len(folders) > 1:
        reason += f", also for {', '.join(split for _, _, split in folders[1:])}"
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


def voc_lists(root: Path, task: str) -> dict[str, list[str]]:
    """{"train", "validation", "test": names} of Pascal VOC's lists of pictures.

    Without train.txt, the training set is trainval.txt without those of val.txt.

    Args:
        task: folder of the lists in ImageSets, "Main" or "Segmentation".
    """
    listed = {}
    for file in ("train", "val", "test", "trainval"):
        path = root / "ImageSets" / task / f"{file}.txt"
        if path.is_file():
            lines = decoded(read_content(path), path, "new.txt").splitlines()
            listed[file] = [line.split()[0] for line in lines if line.strip()]
    if "train" not in listed and "trainval" in listed:
        others = set(listed.get("val", ()))
        listed["train"] = [name for name in listed["trainval"] if name not in others]
    names = {"train": "train", "validation": "val", "test": "test"}
    return {split: listed[file] for split, file in names.items() if file in listed}


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


def _alike(one: dict[str, Path], two: dict[str, Path], what) -> tuple[dict, dict]:
    """Both {name: path} with names as they agree: as they are, or without folders or words."""
    if set(one) & set(two):
        return one, two
    sets = (one, PICTURE_WORDS, what[0]), (two, f"{MASK_WORDS}|{PICTURE_WORDS}", what[1])
    for has_folders in (True, False):
        for has_words in (True, False):
            found = []
            for named, words, kind in sets:
                bare: dict[str, list[Path]] = {}
                for name, path in named.items():
                    folder, slash, key = name.rpartition("/")
                    if not has_words:
                        key = re.sub(
                            rf"[_\-. ]({words})$|^({words})[_\-. ]", "", key, flags=re.IGNORECASE
                        )
                    bare.setdefault(folder + slash + key if has_folders else key, []).append(path)
                found.append((bare, kind))
            (a, first), (b, second) = found
            if set(a) & set(b):
                return {k: _only(p, first) for k, p in a.items()}, {
                    k: _only(p, second) for k, p in b.items()
                }
    return one, two


def _is_jpeg(path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg")


def _folders(root) -> list[Path]:
    if not os.path.isdir(root):
        return []
    return [p for p in sorted(Path(root).iterdir()) if p.is_dir() and p.name[0] != "."]
