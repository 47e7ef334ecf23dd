"""Pascal VOC's folders: Annotations/*.xml, JPEGImages, ImageSets/Main; corners count from 1."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from cutaway.data.coco import shallow_files
from cutaway.data.file_pairs import bare_name, files_below, splits_of, voc_lists
from cutaway.data.folders import SPLITS
from cutaway.data.marked_pictures import (
    Marked,
    MarkedPictures,
    folders_in,
    names_by_stem,
    pictures_by_name,
)
from cutaway.data.prefetch import in_threads
from cutaway.errors import DataError
from cutaway.files.content import naming, read_content

CORNERS = ("xmin", "ymin", "xmax", "ymax")
WRITTEN = "corners xmin ymin xmax ymax in pixels, counted from 1, the second one included"
LARGEST = 2**20  # characters of one file that are read with a document type, which none needs


def voc_folders(root: Path) -> list[tuple[Path, Path, str]]:
    """[(folder of the xml files, folder of the pictures, split)]; [] if it is not such a folder."""
    notes, pictures = root / "Annotations", root / "JPEGImages"
    if notes.is_dir() and pictures.is_dir():
        return [(notes, pictures, "")] if any(notes.glob("*.xml")) else []
    splits = [p for p in folders_in(root) if p.name.lower() in SPLITS]
    for tops in (splits, [root]):
        pairs = {"" if top == root else top.name: _folders_of(top) for top in tops}
        found = [(*pair, split) for split, pair in pairs.items() if pair is not None]
        if found:
            return found
    return []


def _folders_of(top: Path) -> tuple[Path, Path] | None:
    """(folder of the xml files, that of the pictures) or None."""
    notes = next((p for p in (top / "Annotations", top / "annotations") if p.is_dir()), top)
    xml = shallow_files(top, ".xml") if notes == top else files_below(notes, (".xml",))
    if not xml or not _is_voc(xml[0]):
        return None
    return notes, next((p for p in (top / "images", top / "JPEGImages") if p.is_dir()), top)


def read_voc(root: Path, folders) -> MarkedPictures:
    """The pictures and boxes of folders; pictures without an xml file have no boxes.

    Args:
        root: with ImageSets, if there are lists.
        folders: from voc_folders.

    Raises:
        DataError: an xml file that cannot be read, or whose picture is missing; two pictures of one
            name.
    """
    files: dict[str, Path] = {}
    by_name: dict[str, Path] = {}
    for notes, pictures, split in folders:
        prefix = f"{split}/" if split else ""
        own = pictures_by_name(pictures, prefix)
        named = names_by_stem(own)
        for path in files_below(notes, (".xml",)):
            name = prefix + bare_name(path, notes, (".xml",))
            if name not in own:
                beside = named.get(path.stem, [])
                if len(beside) != 1:
                    raise DataError(
                        f"{path} has {'no picture' if not beside else f'{len(beside)} pictures'} "
                        f"in {pictures}",
                        expected="a picture of the same name",
                        fix="add the picture, or remove the file",
                    )
                name = beside[0]
            files[name] = path
        by_name |= own
    read = dict(zip(files, in_threads(read_voc_file, list(files.values())), strict=True))
    classes = sorted({name for _, objects in read.values() for name, *_ in objects})
    corners = [box for _, objects in read.values() for _, box, *_ in objects]
    from_zero = any(0 in box[:2] for box in corners)
    start = 0 if from_zero else 1
    marked = []
    for name, picture in by_name.items():
        one = Marked(picture, files.get(name, picture))
        one.size, objects = read.get(name, (None, []))
        for number, (kind, box, difficult) in enumerate(objects, start=1):
            x1, y1, x2, y2 = box
            # the second corner is included; where both are one, nothing was drawn
            shift = start if x2 > x1 and y2 > y1 else 0
            box = [x1 - shift, y1 - shift, x2, y2]
            place = f"object {number} ({kind})"
            one.add(box, classes.index(kind), place, ignored=difficult)
        marked.append(one)
    notes_ = ["corners count from 0: some are 0"] if from_zero else []
    reason = f"{len(files):,} files of Pascal VOC in {folders[0][0].name}"
    splits = _listed(root, list(by_name)) or splits_of(by_name)
    return MarkedPictures(marked, classes, splits, reason, WRITTEN, notes_)


def read_voc_file(path) -> tuple[tuple[int, int] | None, list]:
    """((height, width) or None, [(class, [xmin, ymin, xmax, ymax], difficult)]) of an xml file.

    Raises:
        DataError: not such a file.
    """
    content = read_content(path)
    with naming(path, "an annotation of Pascal VOC"):
        if b"<!DOCTYPE" in content[:LARGEST] or b"<!ENTITY" in content:
            raise DataError("it declares a document type", expected="an annotation without one")
        root = ElementTree.fromstring(content)
        if root.tag != "annotation":
            raise DataError(f"its element is <{root.tag}>", expected="<annotation>")
        size = [root.findtext(f"size/{name}") for name in ("height", "width")]
        known = (int(float(size[0] or 0)), int(float(size[1] or 0)))
        found = []
        for number, element in enumerate(root.iter("object"), start=1):
            corners = [element.findtext(f"bndbox/{name}") for name in CORNERS]
            name = (element.findtext("name") or "").strip()
            if None in corners or not name:
                raise DataError(
                    f"object {number} has no {'name' if None not in corners else 'bndbox'}",
                    expected="a name, and bndbox with xmin, ymin, xmax, ymax",
                )
            box = [float(text) for text in corners if text is not None]
            difficult = (element.findtext("difficult") or "0").strip() == "1"
            found.append((name, box, difficult))
        return (known if min(known) > 0 else None), found


def _is_voc(path) -> bool:
    try:
        read_voc_file(path)
    except DataError:
        return False
    return True


def _listed(root: Path, names) -> dict:
    """{"train", "validation", "test": rows} of the lists in ImageSets, {} without them."""
    rows = {name.rpartition("/")[2]: row for row, name in enumerate(names)}
    splits = {}
    for split, listed in voc_lists(root, "Main").items():
        missing = [name for name in listed if name not in rows]
        if missing:
            raise DataError(
                f"the list for {split} in {root / 'ImageSets' / 'Main'} holds {missing[0]!r}",
                expected="names of pictures of the set",
                fix="add the picture, or remove the line",
            )
        if listed:
            splits[split] = np.unique([rows[name] for name in listed])
    return splits if "train" in splits else {}
