"""Tables of boxes: a line per box with file, corners and class, as CSV."""

import csv
import io
from pathlib import Path

import numpy as np

from cutaway.data.coco import split_of
from cutaway.data.decode import SUFFIXES
from cutaway.data.marked_pictures import Marked, MarkedPictures
from cutaway.errors import DataError
from cutaway.files.content import decoded, naming, read_content, readable

FILE = ("file", "filename", "file_name", "image", "image_path", "path", "image_id", "picture")
CLASS = ("class", "label", "name", "category", "class_name", "classname", "label_name")
CORNERS = (
    ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"), ("left", "top", "right", "bottom"),
)  # fmt: skip
SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"),
         ("bbox_x", "bbox_y", "bbox_width", "bbox_height"))  # fmt: skip
SPLIT = ("split", "subset", "set")
WRITTEN = "columns such as file, x1, y1, x2, y2, class"


def looks_like_boxes(path) -> bool:
    """Whether the first lines of a CSV file are a table of boxes."""
    try:
        with readable(path) as file:
            text = file.read(2**14).decode("utf-8", errors="strict")
    except (DataError, UnicodeDecodeError):
        return False
    lines = text.splitlines()[:3]
    return bool(lines) and _columns(_split(lines[0], lines)) is not None


def read_box_table(path, find) -> MarkedPictures:
    """The pictures and boxes of a CSV file; a line without a box names a picture without boxes.

    Args:
        find: function (file name, source, split) -> path of a picture.

    Raises:
        DataError: columns or numbers that cannot be read, with the line; a picture that is missing.
    """
    text = decoded(read_content(path), path, "new.csv")
    first = text.splitlines()[:3]
    with naming(path, "a table of boxes"):
        dialect = _separator(first)
        rows = list(csv.reader(io.StringIO(text), delimiter=dialect, skipinitialspace=True))
    columns = _columns(rows[0]) if rows else None
    if columns is None:
        raise DataError(
            f"{path} has the columns {', '.join(rows[0]) if rows else 'none'}", expected=WRITTEN
        )
    file, box, kind, split, has_sides, has_header = columns
    by_name: dict[str, Marked] = {}
    of_split: dict[str, str] = {}
    found: list[tuple[Marked, list[float], str, str]] = []
    for number, row in enumerate(rows[has_header:], start=1 + has_header):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(file, *box, kind):
            raise DataError(f"{path}: line {number} has {len(row)} cells", expected=WRITTEN)
        name = row[file].strip()
        own = split_of(row[split].strip() or ".") if split is not None else ""
        if name not in by_name:
            by_name[name] = Marked(find(name, path, own), Path(path))
            of_split[name] = own
        cells = [row[k].strip() for k in box]
        if not any(cells):
            continue
        with naming(path, f"a table of boxes (line {number})", expected=WRITTEN):
            a, b, c, d = (float(cell) for cell in cells)
        corners = [a, b, a + c, b + d] if has_sides else [a, b, c, d]
        label = row[kind].strip()
        if not label:
            raise DataError(f"{path}: line {number} has no class", expected=WRITTEN)
        found.append((by_name[name], corners, label, f"line {number}"))
    classes = sorted({label for _, _, label, _ in found}, key=_by_number)
    numbers = {label: k for k, label in enumerate(classes)}
    for one, corners, label, place in found:
        one.add(corners, numbers[label], f"{place} ({label})")
    splits: dict[str, list[int]] = {}
    for row, name in enumerate(by_name):
        splits.setdefault(of_split[name], []).append(row)
    parts = {}
    if "train" in splits and "" not in splits and len(splits) > 1:
        parts = {n: np.array(splits[n]) for n in ("train", "validation", "test") if n in splits}
    written = "columns x, y, width, height in pixels" if has_sides else "corners x1, y1, x2, y2"
    reason = f"{len(found):,} boxes in the table {Path(path).name}"
    return MarkedPictures(list(by_name.values()), classes, parts, reason, written)


def _columns(header):
    """(file, four of the box, class, split or None, are they sides, is there a header) or None."""
    names = [cell.strip().lower() for cell in header]

    def one(known):
        return next((names.index(name) for name in known if name in names), None)

    file, kind = one(FILE), one(CLASS)
    for forms, has_sides in ((CORNERS, False), (SIDES, True)):
        for form in forms:
            if file is not None and kind is not None and all(name in names for name in form):
                box = [names.index(name) for name in form]
                return file, box, kind, one(SPLIT), has_sides, True
    # without names: file, x1, y1, x2, y2, class
    if len(names) == 6 and names[0].endswith(SUFFIXES):
        numbers = [cell for cell in names[1:5] if cell]
        if not numbers or all(_is_number(cell) for cell in numbers):
            return 0, [1, 2, 3, 4], 5, None, False, False
    return None


def _separator(lines) -> str:
    line = lines[0] if lines else ""
    return max(",;\t", key=line.count)


def _split(line, lines) -> list[str]:
    return next(csv.reader([line], delimiter=_separator(lines), skipinitialspace=True), [])


def _is_number(cell) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _by_number(label: str):
    """Numbers in their order, names behind them in theirs."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)
