"""Pictures and boxes of objects: COCO, Pascal VOC, YOLO, or a table."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data.box_table import looks_like_boxes, read_box_table
from cutaway.data.coco import PictureFinder, coco_files, looks_like_coco, read_coco
from cutaway.data.decode import SUFFIXES, read_header
from cutaway.data.folders import SPLITS
from cutaway.data.marked_pictures import MarkedPictures, expect_few_bad, finished, folders_in
from cutaway.data.object_folder import ObjectFolder, capacity_for
from cutaway.data.one_size import height_by_width
from cutaway.data.prefetch import in_threads
from cutaway.data.voc import read_voc, voc_folders
from cutaway.data.yolo_labels import folders_of_yaml, looks_like_yaml, read_yolo, yolo_folders
from cutaway.errors import DataError, expect_choice

FORMS = ("coco", "voc", "yolo", "table")
DEEPEST = 2  # folders in folders in which a set is looked for
FEW = 3  # folders of a folder that may wrap a set: those of classes are more
PARTS = {"images", "labels", "masks", "annotations", "imagesets", "jpegimages", *SPLITS}


def looks_like_objects(path) -> str | None:
    """Why a path looks like pictures with boxes, in words; None if it does not.

    Recognized are COCO's json files beside pictures, Pascal VOC's xml files, YOLO's txt files, and
    CSV files with a line per box; a folder, one that holds this folder alone, or the json, CSV or
    data.yaml file itself.

    Raises:
        DataError: several folders in it are such sets.
    """
    found = _form_of(Path(path))
    if found is None:
        return None
    form, what, _ = found
    return {
        "coco": lambda: f"COCO's json {what[0].name}",
        "voc": lambda: f"xml files of Pascal VOC in {what[0][0].name}",
        "yolo": lambda: "a txt file per picture with lines of class, center and size, as for YOLO",
        "table": lambda: f"a table of boxes, {what[0].name}",
    }[form]()


def find_objects(path, *, form: str | None = None, classes=None) -> ObjectFolder:
    """The pictures and boxes of a folder, a json file or a table.

    Boxes that are bad (without area, outside of their picture, ending before they begin) are left
    out and named in the notes; more than one in twenty is an error. Pictures without boxes are
    kept.

    Args:
        path: the folder, or the json, CSV or data.yaml file; see looks_like_objects.
        form: "coco", "voc", "yolo" or "table", where a folder has several; by default the first of
            these that is there.
        classes: names of the classes of another set, such as a trained one, in their order: this
            set's classes are numbered by them.

    Raises:
        DataError: no boxes at all; a file that cannot be read; a picture that is missing; a
            coordinate that is not a number; a class that is unknown; many bad boxes.
        OptionError: an unknown form.
    """
    root = Path(path)
    if not os.path.exists(root):
        raise DataError(f"there is no file or folder {root}", fix="check the path")
    found = _form_of(root, form)
    if found is None:
        raise DataError(
            f"{root} holds no pictures with boxes",
            expected="COCO's json, Pascal VOC's Annotations, YOLO's labels, or a CSV file with "
            "columns file, x1, y1, x2, y2, class, beside the pictures",
            fix="check the path and the names of the folders",
        )
    form, what, folder = found
    read = {
        "coco": lambda: read_coco(folder, what),
        "voc": lambda: read_voc(folder, what),
        "yolo": lambda: read_yolo(folder, what, root if root.is_file() else None),
        "table": lambda: read_box_table(what[0], PictureFinder(folder)),
    }[form]()
    return _folder(folder, read, classes)


def _form_of(root: Path, form: str | None = None) -> tuple[str, Any, Path] | None:
    """(form, its files or folders, folder) or None.

    Raises:
        DataError: several folders below are sets of pictures with boxes.
    """
    if form is not None:
        expect_choice(form, FORMS, what="form")
    if root.is_file():
        is_json = root.suffix.lower() == ".json"
        if is_json and form in (None, "coco") and looks_like_coco(root):
            return "coco", [root], root.parent
        if form in (None, "yolo") and looks_like_yaml(root):
            folder, found = folders_of_yaml(root)
            return "yolo", found, folder
        if not is_json and form in (None, "table") and looks_like_boxes(root):
            return "table", [root], root.parent
        return None
    return _form_in(root, form, DEEPEST) if root.is_dir() else None


def _form_in(root: Path, form: str | None, deeper: int) -> tuple[str, Any, Path] | None:
    """As _form_of, of a folder or of the only such set in it, so many folders deeper at most."""
    finders = {
        "coco": coco_files,
        "voc": voc_folders,
        "yolo": yolo_folders,
        "table": lambda root: [p for p in sorted(root.glob("*.csv")) if looks_like_boxes(p)][:1],
    }
    for name, find in finders.items():
        if form in (None, name):
            found = find(root)
            if found:
                return name, found, root
    below = folders_in(root) if deeper else []
    if not 1 <= len(below) <= FEW or any(p.suffix.lower() in SUFFIXES for p in root.iterdir()):
        return None
    inside = [_form_in(p, form, deeper - 1) for p in below if p.name.lower() not in PARTS]
    sets = [one for one in inside if one is not None]
    if len(sets) > 1:
        raise DataError(
            f"{root} holds several sets of pictures with boxes: "
            + ", ".join(str(folder.relative_to(root)) for _, _, folder in sets),
            expected="one set",
            fix=f"name one of them, such as {sets[0][2]}",
        )
    return sets[0] if sets else None


def _folder(root: Path, read: MarkedPictures, classes) -> ObjectFolder:
    marked = read.marked
    headers: list = in_threads(read_header, [one.picture for one in marked])
    wrong, boxes, labels, ignored, outlines = [], [], [], [], []
    count = sum(len(one.boxes) for one in marked)
    if not any(not skipped for one in marked for skipped in one.ignored):
        said = f", but for {count:,} crowds or difficult objects" if count else ""
        raise DataError(
            f"{root} holds {len(marked):,} pictures and no box{said}",
            expected="boxes of objects",
            fix="check that the files with the boxes belong to these pictures"
            if not count
            else "mark the objects that are to be found as neither iscrowd nor difficult",
        )
    names = read.classes if classes is None else [str(name) for name in classes]
    numbers = _renumbered(read.classes, names, root)
    for one, header in zip(marked, headers, strict=True):
        if one.size is not None and tuple(one.size) != tuple(header.size):
            raise DataError(
                f"{one.source} says that {one.picture.name} has {height_by_width(one.size)} "
                f"pixels, the file {one.picture} has {height_by_width(header.size)}",
                expected="boxes drawn on this picture (height x width, turned as EXIF says)",
                fix="replace the picture, or scale its boxes",
            )
        inside, kept, bad = finished(one, header.size)
        wrong += bad
        boxes.append(inside[kept].astype(np.float32))
        labels.append(numbers[np.asarray(one.labels, int)][kept].astype(np.int32))
        ignored.append(np.asarray(one.ignored, bool)[kept])
        outlines.append([o for o, is_kept in zip(one.outlines, kept, strict=True) if is_kept])
    notes = read.notes + expect_few_bad(wrong, count, read.as_written)
    empty = sum(not len(own) for own in boxes)
    if empty:
        notes.append(f"{empty:,} of {len(boxes):,} pictures have no boxes")
    skipped = int(sum(own.sum() for own in ignored))
    if skipped:
        notes.append(f"{skipped:,} boxes are crowds or difficult: neither taught nor counted")
    present = set(np.concatenate(labels).tolist())
    absent = [name for k, name in enumerate(names) if k not in present]
    if absent:
        shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        notes.append(f"no box of {len(absent)} of {len(names)} classes: {shown}")
    called = next((name for name in names if name.lower() in ("background", "__background__")), "")
    if called in {names[k] for k in present}:
        notes.append(
            f"a class is named {called!r}: its boxes are taught as objects; what is in no box is "
            "background by itself"
        )
    start = len(str(root)) + 1
    return ObjectFolder(
        root=root,
        names=[str(one.picture.with_suffix(""))[start:].replace(os.sep, "/") for one in marked],
        pictures=[one.picture for one in marked],
        sizes=np.array([header.size for header in headers]),
        channels=1 if all(header.is_gray for header in headers) else 3,
        boxes=boxes,
        labels=labels,
        ignored=ignored,
        outlines=outlines,
        classes=names,
        capacity=capacity_for(max(len(own) for own in boxes)),
        splits=read.splits,
        reason=read.reason,
        notes=notes,
    )


def _renumbered(own, names, root) -> np.ndarray:
    """The number of each of the set's own classes among `names`."""
    for name in own:
        if name not in names:
            raise DataError(
                f"{root} has boxes of the class {name!r}",
                expected=f"the classes {', '.join(names[:20])}",
                fix="leave them out, or train with this class",
            )
    return np.array([names.index(name) for name in own], int)
