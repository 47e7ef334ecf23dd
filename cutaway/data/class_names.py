"""Names and colors of classes, from a text file or a table beside the data."""

import csv
import dataclasses
import io
import re
from pathlib import Path

from cutaway.errors import DataError
from cutaway.files.content import decoded, naming, read_content

FILES = (
    "classes.txt", "labels.txt", "class_names.txt", "labelmap.txt", "label_map.txt",
    "label_colors.txt", "classes.csv", "class_dict.csv", "labels.csv", "labelmap.csv",
)  # fmt: skip
MOST = 65_535  # ids of classes are below
# the classes of Pascal VOC, by their numbers; 255 is the border that does not count
VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
IGNORED = {"void", "ignore", "ignored", "unlabeled", "unlabelled"}


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """Classes as a file lists them.

    Attributes:
        path: the file.
        names: of the classes, by their ids.
        colors: (red, green, blue) of each; None if the file has none.
    """

    path: Path
    names: list[str]
    colors: list[tuple[int, int, int]] | None = None


def find_class_names(root) -> ClassNames | None:
    """The classes that a file in the folder lists; None without one.

    Read are classes.txt and the like, with a name per line, also after its number; labelmap.txt of
    CVAT (name:r,g,b::) and label_colors.txt (r g b name); and tables with a column name (or class)
    and, if there are, id and r, g, b, such as classes.csv and class_dict.csv. Ids that the file
    leaves out are classes named by their number.

    Raises:
        DataError: a file of such a name that cannot be read so.
    """
    present = {p.name.lower(): p for p in sorted(Path(root).iterdir()) if p.is_file()}
    for name in FILES:
        if name in present:
            return read_class_names(present[name])
    others = [n for n in present if n.endswith(("_classes.csv", "_classes.txt"))]
    return read_class_names(present[others[0]]) if len(others) == 1 else None


def read_class_names(path) -> ClassNames:
    """The classes that a file lists; see find_class_names."""
    path = Path(path)
    text = decoded(read_content(path), path, f"new{path.suffix}")
    with naming(path, "a list of classes"):
        rows = _table_rows(text) if path.suffix.lower() == ".csv" else _text_rows(text)
        if not rows:
            raise DataError("it lists no classes", expected="one class per line")
        numbers = [number for number, _, _ in rows]
        if all(number is not None for number in numbers):
            most = max(numbers)
            if len(set(numbers)) < len(numbers) or most >= MOST:
                raise DataError(
                    f"the numbers of its classes are {', '.join(map(str, sorted(numbers)[-8:]))}",
                    expected=f"different numbers below {MOST:,}",
                )
            listed = {row[0]: row for row in rows}
            gap = None if any(color is None for _, _, color in rows) else (0, 0, 0)
            rows = [listed.get(k, (k, str(k), gap)) for k in range(most + 1)]
        names = [name for _, name, _ in rows]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"it lists the class {twice!r} twice", expected="each class once")
        colors = [color for _, _, color in rows]
        if any(color is None for color in colors):
            return ClassNames(path, names)
        return ClassNames(path, names, [c for c in colors if c is not None])


def _table_rows(text: str) -> list:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    fields = {str(f).strip().lower(): f for f in reader.fieldnames or []}
    name = next((fields[f] for f in ("name", "class", "label", "class_name") if f in fields), None)
    if name is None:
        raise DataError(
            f"its columns are {', '.join(map(str, reader.fieldnames or [])) or 'none'}",
            expected="a column called name",
        )
    number = next((fields[f] for f in ("id", "index", "class_id") if f in fields), None)
    rgb = [
        next((fields[f] for f in (c, c[0]) if f in fields), None) for c in ("red", "green", "blue")
    ]
    rows = []
    for row in reader:
        color = None if None in rgb else _color([row[f] for f in rgb])
        rows.append((None if number is None else int(row[number]), str(row[name]).strip(), color))
    return rows


def _text_rows(text: str) -> list:
    rows = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"([^:]+):(\d+),(\d+),(\d+)(:.*)?", line)  # CVAT
        if found:
            rows.append((None, found[1].strip(), _color(found.groups()[1:4])))
            continue
        found = re.fullmatch(r"(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(.+)", line)  # CamVid
        if found:
            rows.append((None, found[4].strip(), _color(found.groups()[:3])))
            continue
        found = re.fullmatch(r"(\d+)\s*[\s:,=]\s*(\D.*)", line)
        rows.append((int(found[1]), found[2].strip(), None) if found else (None, line, None))
    return rows


def _color(parts) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in parts)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise DataError(f"the color {red}, {green}, {blue}", expected="numbers from 0 to 255")
    return red, green, blue
