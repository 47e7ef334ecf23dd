"""Pascal VOC's folders: Annotations/*.xml, JPEGImages, ImageSets/Main; corners count from 1."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from cutaway.data.coco import shallow_files
from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import files_below, voc_lists
from cutaway.data.marked_pictures import Marked, MarkedPictures
from cutaway.data.prefetch import in_threads
from cutaway.errors import DataError
from cutaway.files.content import naming, read_content

CORNERS = ("xmin", "ymin", "xmax", "ymax")
WRITTEN = "corners xmin ymin xmax ymax in pixels, counted from 1, the second one included"
LARGEST = 2**20  # characters of one file that are read with a document type, which none needs


def voc_folders(root: Path) -> tuple[Path, Path] | None:
    """(folder of the xml files, folder of the pictures), or None."""
    notes, pictures = root / "Annotations", root / "JPEGImages"
    if notes.is_dir() and pictures.is_dir():
        return (notes, pictures) if any(notes.glob("*.xml")) else None
    xml = shallow_files(root, ".xml")[:1]
    if not xml or not _is_voc(xml[0]):
        return None
    pictures = next((p for p in (root / "images", root / "JPEGImages") if p.is_dir()), root)
    return (notes if notes.is_dir() else root, pictures)


def read_voc(root: Path, notes: Path, pictures: Path) -> MarkedPictures:
    """The pictures and boxes of a folder; pictures without an xml file have no boxes.

    Raises:
        DataError: an xml file that cannot be read, or whose picture is missing.
    """
    files = files_below(notes, (".xml",))
    by_stem = {path.stem: path for path in files_below(pictures, SUFFIXES)}
    for path in files:
        if path.stem not in by_stem:
            raise DataError(
                f"{path} has no picture in {pictures}",
                expected="a picture of the same name",
                fix="add the picture, or remove the file",
            )
    read = dict(zip([p.stem for p in files], in_threads(read_voc_file, files), strict=True))
    classes = sorted({name for _, objects in read.values() for name, *_ in objects})
    corners = [box for _, objects in read.values() for _, box, *_ in objects]
    from_zero = any(0 in box[:2] for box in corners)
    start = 0 if from_zero else 1
    marked = []
    for stem, picture in by_stem.items():
        one = Marked(picture, notes / f"{stem}.xml" if stem in read else picture)
        one.size, objects = read.get(stem, (None, []))
        for number, (name, box, difficult) in enumerate(objects, start=1):
            x1, y1, x2, y2 = box
            # the second corner is included; where both are one, nothing was drawn
            shift = start if x2 > x1 and y2 > y1 else 0
            box = [x1 - shift, y1 - shift, x2, y2]
            place = f"object {number} ({name})"
            one.add(box, classes.index(name), place, ignored=difficult)
        marked.append(one)
    notes_ = ["corners count from 0: some are 0"] if from_zero else []
    reason = f"{len(files):,} files of Pascal VOC in {notes.name}"
    splits = _splits(root, list(by_stem))
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


def _splits(root: Path, stems) -> dict:
    rows = {stem: row for row, stem in enumerate(stems)}
    splits = {}
    for split, listed in voc_lists(root, "Main").items():
        missing = [stem for stem in listed if stem not in rows]
        if missing:
            raise DataError(
                f"the list for {split} in {root / 'ImageSets' / 'Main'} holds {missing[0]!r}",
                expected="names of pictures of the set",
                fix="add the picture, or remove the line",
            )
        if listed:
            splits[split] = np.unique([rows[stem] for stem in listed])
    return splits if "train" in splits else {}
