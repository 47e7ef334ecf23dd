"""Folders with one subfolder per class: root/class/file, or root/split/class/file."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.errors import DataError

# names of the folders above the classes
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclasses.dataclass(frozen=True)
class ClassFolder:
    """Files and their classes.

    Attributes:
        root: the folder.
        paths: the files, class by class.
        labels: (files,) int32 class numbers.
        classes: names of the classes, sorted; numbers by value.
    """

    root: Path
    paths: list
    labels: np.ndarray
    classes: list

    def __len__(self):
        return len(self.paths)

    def subset(self, rows) -> "ClassFolder":
        """The files with these indices."""
        return dataclasses.replace(
            self, paths=[self.paths[k] for k in rows], labels=self.labels[rows]
        )


def find_class_folders(root, suffixes, *, what: str) -> dict:
    """The files below a folder, by split and class.

    Folders named train, test and validation (or val, valid, training, testing) are splits if one
    of them is for training; other folders next to them are then ignored, as is a split without
    class folders. Names that start with a dot are always ignored.

    Args:
        root: the folder.
        suffixes: of the files, in lower case with the dot.
        what: what the files are, in the plural, for errors.

    Returns:
        {"train": ClassFolder} and, if there are any, "validation" and "test".

    Raises:
        DataError: no such folder, no classes, only one class, a class without files, a split with
            a class that is not in the training data.
    """
    root = Path(root)
    if not os.path.isdir(root):
        came = f"{root} is a file" if os.path.exists(root) else f"there is no folder {root}"
        raise DataError(came, expected=f"a folder with one subfolder of {what} per class")
    splits = {}
    for folder in _folders(root):
        if folder.name.lower() in SPLITS:
            name = SPLITS[folder.name.lower()]
            if name in splits:
                raise DataError(
                    f"{root} holds {splits[name].name} and {folder.name}",
                    expected=f"one folder for {name}",
                    fix="rename or merge them",
                )
            splits[name] = folder
    if "train" not in splits or not _folders(splits["train"]):
        return {"train": _class_folder(root, suffixes, what)}
    found = {"train": _class_folder(splits["train"], suffixes, what)}
    classes = found["train"].classes
    for name in ("validation", "test"):
        if name in splits and _folders(splits[name]):
            found[name] = _class_folder(splits[name], suffixes, what, classes)
    return found


def files_by_label(root, suffixes, label, *, what: str) -> ClassFolder:
    """The files below a folder, each with the class that `label` returns for its path.

    Args:
        label: function from a path to the name of its class.

    Raises:
        DataError: no such folder, no files, only one class.

    Example:
        >>> from cutaway.data import files_by_label
        >>> import tempfile, pathlib
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("0_ann.wav", "1_ann.wav", "1_bob.wav"): (root / name).touch()
        >>> def digit(path): return path.name.split("_")[0]
        >>> files_by_label(root, [".wav"], digit, what="recordings").labels.tolist()
        [0, 1, 1]
    """
    root = Path(root)
    if not os.path.isdir(root):
        raise DataError(f"there is no folder {root}", expected=f"a folder of {what}")
    names = {}
    for path in _files(root, suffixes):
        names.setdefault(str(label(path)), []).append(path)
    return _assembled(root, names, sorted(names, key=natural_key), what)


def _class_folder(root, suffixes, what, classes=None) -> ClassFolder:
    folders = sorted(_folders(root), key=lambda folder: natural_key(folder.name))
    direct = sum(p.suffix.lower() in suffixes for p in root.iterdir() if p.is_file())
    if not folders:
        came = f"{root} holds no folders"
        if direct:
            came += f", but {direct:,} {what} at its top level"
        raise DataError(
            came,
            expected=f"one folder of {what} per class: {root.name}/class/file",
            fix="move the files of each class into a folder named after the class",
        )
    if direct:
        raise DataError(
            f"{root} holds {direct:,} {what} next to its {len(folders)} folders",
            expected=f"all {what} in the folders of their classes",
            fix="move or remove them",
        )
    by_class = {folder.name: _files(folder, suffixes) for folder in folders}
    empty = [name for name, files in by_class.items() if not files]
    if empty:
        everything = len(empty) == len(by_class)
        raise DataError(
            f"{root}: no {what} in the folder{'s' * (len(empty) > 1)} {', '.join(empty[:5])}"
            + (f" and {len(empty) - 5} more" if len(empty) > 5 else ""),
            expected=f"{what} ({', '.join(suffixes)}) in the folder of each class",
            fix="check the path" if everything else "remove the folder, or add files to it",
        )
    unknown = [] if classes is None else [name for name in by_class if name not in classes]
    if unknown and classes is not None:
        raise DataError(
            f"{root} has the class {unknown[0]!r}, which is not in the training data",
            expected="one of " + ", ".join(classes[:20]),
            fix="rename or remove that folder",
        )
    return _assembled(root, by_class, classes or list(by_class), what)


def _assembled(root, by_class: dict, classes: list, what: str) -> ClassFolder:
    if not by_class:
        raise DataError(f"{root} holds no {what}", fix="check the path")
    if len(classes) == 1:
        raise DataError(
            f"{root} holds only one class, {classes[0]!r}, with "
            f"{len(by_class[classes[0]]):,} {what}",
            expected="at least two classes",
            fix="add a folder with another class, or use the parent folder",
        )
    paths, labels = [], []
    for number, name in enumerate(classes):
        paths += by_class.get(name, [])
        labels += [number] * len(by_class.get(name, []))
    return ClassFolder(root, paths, np.array(labels, np.int32), classes)


def _folders(root) -> list:
    return [p for p in sorted(root.iterdir()) if p.is_dir() and not p.name.startswith(".")]


def _files(root, suffixes) -> list:
    found = (p for p in root.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    return sorted(
        (p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts)),
        key=lambda path: path.relative_to(root).parts,
    )


def expect_utf8(paths) -> None:
    """Raise DataError for a path that is not UTF-8: tables of paths are texts."""
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            shown = str(path).encode("utf-8", "backslashreplace").decode()
            raise DataError(
                f"the name {shown} is not UTF-8",
                expected="names in UTF-8",
                fix="rename it, for example with: convmv -f latin1 -t utf8 -r --notest FOLDER",
            ) from None


def natural_key(name: str):
    """Sort key: numbers by value, before names in alphabetical order."""
    return (0, int(name), name) if name.removeprefix("-").isdecimal() else (1, 0, name)
