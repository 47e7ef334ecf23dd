"""YOLO's folders: images/ and labels/, a txt per picture with lines class cx cy w h, data.yaml."""

import re
from pathlib import Path

import numpy as np

from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import bare_name, files_below, splits_of
from cutaway.data.folders import SPLITS
from cutaway.data.marked_pictures import Marked, MarkedPictures, folders_in, pictures_by_name
from cutaway.errors import DataError
from cutaway.files.content import decoded, naming, read_content

WRITTEN = "lines of: class, center x, center y, width, height, the last four in 0..1"
LOOKED_AT = 50  # txt files that may be empty before one by which the form is recognized
PLACE = re.compile(r"^(path|train|val|test)\s*:\s*([^\s#][^#\n]*?)\s*(?:#.*)?$", re.MULTILINE)
SPACES = "write numbers with spaces between them, the class as an integer from 0"
NAMES = ("classes.txt", "obj.names", "names.txt", "_darknet.labels")


def yolo_folders(root: Path) -> list[tuple[Path, Path, str]]:
    """[(pictures, labels, split)] of a folder; [] if it is not such."""
    tops = [root, *(p for p in folders_in(root) if p.name.lower() in SPLITS)]
    for found in (
        [(top / "images", top / "labels", "" if top == root else top.name) for top in tops],
        [(root, root, "")],  # side by side
    ):
        there = [f for f in found if f[0].is_dir() and (f[1].is_dir() or f[0] != root)]
        labels = [
            sorted(root.glob("*.txt")) if f[1] == root else files_below(f[1], (".txt",))
            for f in there
            if f[1].is_dir()
        ]
        texts = [path for files in labels for path in files if path.name.lower() not in NAMES]
        texts = [path for path in texts if path.stat().st_size]
        if there and texts and _is_label_file(there, texts):
            return there
    return []


def looks_like_yaml(path: Path) -> bool:
    """Whether a file is a data.yaml: it has names of classes, and says where the pictures are."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return False
    try:
        text = decoded(read_content(path), path, "new.yaml")
    except DataError:
        return False
    return bool(re.search(r"^names\s*:", text, re.MULTILINE) and PLACE.search(text))


def folders_of_yaml(path: Path) -> tuple[Path, list[tuple[Path, Path, str]]]:
    """(root, folders as of yolo_folders) of a data.yaml.

    Raises:
        DataError: there are none where it says, nor beside it.
    """
    given = _places(path)
    roots = [path.parent / given.get("path", "."), path.parent]
    for root in roots:
        found = yolo_folders(root) if root.is_dir() else []
        if found:
            return root, found
    raise DataError(
        f"{path} names the folder {roots[0]}, which holds no pictures with labels",
        expected="images/ and labels/ there, or beside the file",
        fix="correct `path`, or copy the file into the folder of the data",
    )


def _places(path: Path) -> dict[str, str]:
    """What a data.yaml says of path, train, val and test."""
    found = dict(PLACE.findall(decoded(read_content(path), path, "new.yaml")))
    return {key: value.strip("\"'") for key, value in found.items()}


def read_yolo(root: Path, folders, yaml: Path | None = None) -> MarkedPictures:
    """The pictures and boxes; a picture without a txt has no boxes.

    Args:
        yaml: the data.yaml; None: the one in the folder, if there is one.

    Raises:
        DataError: a line that cannot be read, with its number; a txt without a picture; no names
            for the classes that occur; two pictures of one name.
    """
    if yaml is None:
        yaml = next((p for p in (root / "data.yaml", root / "data.yml") if p.is_file()), None)
    names = _class_names(root) if yaml is None else names_of_yaml(yaml) or _class_names(root)
    marked, keys, most = [], [], -1
    for pictures, labels, split in folders:
        by_name = pictures_by_name(pictures)
        texts = {bare_name(p, labels, (".txt",)): p for p in files_below(labels, (".txt",))}
        alone = [p for name, p in texts.items() if name not in by_name]
        alone = [p for p in alone if p.name.lower() not in NAMES and pictures != labels]
        if alone:
            raise DataError(
                f"{alone[0]} has no picture in {pictures}",
                expected="a picture of the same name",
                fix="add the picture, or remove the file",
            )
        for name, picture in by_name.items():
            source = texts.get(name)
            one = Marked(picture, source or picture, fractions=True)
            if source is not None:
                most = max(most, read_label_file(one, source))
            marked.append(one)
            keys.append(f"{split}/{name}" if split else name)
    notes = []
    least = min((min(one.labels) for one in marked if one.labels), default=0)
    if names is None:
        names = [str(k) for k in range(most + 1)]
        if least > 0:
            notes.append(
                f"no file names the classes, and their ids begin with {least}: in YOLO they count "
                "from 0, so a class without boxes is trained"
            )
    elif most >= len(names):
        raise _unnamed(marked, len(names), least)
    splits = splits_of(keys)
    if not splits and yaml is not None:
        splits = listed_splits(root, [one.picture for one in marked], yaml)
    empty = sum(not one.boxes for one in marked)
    reason = f"{len(marked) - empty:,} txt files of YOLO for {len(marked):,} pictures"
    return MarkedPictures(marked, names, splits, reason, WRITTEN, notes)


def _unnamed(marked: list[Marked], count: int, least: int) -> DataError:
    """That a class has no name among `count`, where `least` is the smallest id of all files."""
    bad = next(one for one in marked if one.labels and max(one.labels) >= count)
    most = max(bad.labels)
    fix = "number the classes from 0, or add their names"
    if most == count and least == 1:
        fix = f"the ids go from 1 to {count}, in YOLO they count from 0: subtract 1 from each"
    return DataError(
        f"{bad.source}: {bad.places[bad.labels.index(most)]} is of class {most}",
        expected=f"classes from 0 to {count - 1}, for {count} names",
        fix=fix,
    )


def read_label_file(one: Marked, path) -> int:
    """Add the boxes of a txt file to its picture; the largest class, or -1.

    Raises:
        DataError: a line that cannot be read, with its number.
    """
    text = decoded(read_content(path), path, "new.txt")
    most = -1
    for number, line in enumerate(text.splitlines(), start=1):
        values = line.split()
        if not values:
            continue
        place = f"line {number}"
        what = f"labels of YOLO ({place}: {line.strip()[:60]!r})"
        with naming(path, what, expected=WRITTEN, fix=SPACES):
            kind, *rest = (float(value) for value in values)
        rest = rest[:4] if len(rest) == 5 else rest  # of a detection, with its score
        if kind != int(kind) or kind < 0 or (len(rest) != 4 and (len(rest) < 6 or len(rest) % 2)):
            raise DataError(
                f"{path}: {place} is {line.strip()[:60]!r}",
                expected=WRITTEN + ", or class and the corners of a polygon",
                fix="write the class as an integer from 0, and four numbers",
            )
        if max(map(abs, rest)) > 2:
            raise DataError(
                f"{path}: {place} is {line.strip()[:60]!r}",
                expected=WRITTEN,
                fix="divide by the width and the height of the picture",
            )
        outline = None
        if len(rest) == 4:
            x, y, w, h = rest
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        else:
            box = (min(rest[::2]), min(rest[1::2]), max(rest[::2]), max(rest[1::2]))
            outline = [rest]
        one.add(box, int(kind), place, outline=outline)
        most = max(most, int(kind))
    return most


def listed_splits(root: Path, pictures: list[Path], yaml: Path) -> dict[str, np.ndarray]:
    """{"train", "validation", "test": rows} of the text files or folders that data.yaml names.

    Raises:
        DataError: a picture of a list that is not there.
    """
    given = _places(yaml)
    bases = [yaml.parent / given.pop("path", "."), root, yaml.parent]
    rows = {picture.resolve(): row for row, picture in enumerate(pictures)}
    by_name = {picture.name: row for row, picture in enumerate(pictures)}
    found = {}
    for key, value in given.items():
        place = next((base / value for base in bases if (base / value).exists()), None)
        if place is None:
            continue
        if place.is_dir():
            below = place.resolve()
            own = [row for picture, row in rows.items() if below in picture.parents]
        else:
            own = []
            for line in decoded(read_content(place), place, "new.txt").splitlines():
                if line.strip():
                    known = by_name.get(Path(line.strip()).name)
                    if known is None:
                        raise DataError(
                            f"{place} lists {line.strip()!r}, which is not there",
                            expected="pictures of the set",
                            fix="add the picture, or remove the line",
                        )
                    own.append(known)
        found[SPLITS[key]] = np.unique(own).astype(int)
    found = {split: own for split, own in found.items() if len(own)}
    taken = np.concatenate([*found.values()]) if found else np.zeros(0, int)
    return found if "train" in found and len(np.unique(taken)) == len(taken) else {}


def _is_label_file(folders, texts) -> bool:
    """Whether the first txt file that is not empty has lines of numbers, and a picture."""
    is_beside = folders[0][0] == folders[0][1]
    for path in texts[:LOOKED_AT]:
        try:
            lines = decoded(read_content(path), path, "new.txt").splitlines()
            values = [[float(v) for v in line.split()] for line in lines if line.strip()]
        except (DataError, ValueError):
            return False
        if values:
            has_picture = any(path.with_suffix(suffix).is_file() for suffix in SUFFIXES)
            fits = all(len(v) in (5, 6) or (len(v) >= 7 and len(v) % 2) for v in values)
            return fits and (has_picture or not is_beside)
    return False


def _class_names(root: Path) -> list[str] | None:
    for path in (root / "data.yaml", root / "data.yml", *sorted(root.glob("*.y*ml"))):
        if path.is_file():
            names = names_of_yaml(path)
            if names is not None:
                return names
    for path in [root / name for name in NAMES] + [root / "labels" / "classes.txt"]:
        if path.is_file():
            lines = decoded(read_content(path), path, "new.txt").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return None


def names_of_yaml(path) -> list[str] | None:
    """The names of the classes in a data.yaml; None if it has none.

    Read are `names: [a, b]`, lines `- a` and lines `0: a` below `names:`.

    Raises:
        DataError: names that cannot be read so.
    """
    text = decoded(read_content(path), path, "new.yaml")
    lines = [re.sub(r"\s+#.*$", "", line).rstrip() for line in text.splitlines()]
    at = next((k for k, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if at is None:
        return None
    rest = lines[at].partition(":")[2].strip()
    below = []
    for line in lines[at + 1 :]:
        if line and not line[0].isspace() and not line.startswith("-"):
            break
        below.append(line.strip())
    if rest and rest[0] in "[{":
        inside = " ".join([rest, *below])
        inside = inside[1 : inside.find("]" if rest[0] == "[" else "}")]
        items = re.findall(r"""\s*((?:"[^"]*"|'[^']*'|[^,"'])+)""", inside)
    else:
        items = [line for line in below if line]
    names: dict[int, str] = {}
    for item in items:
        item = item.strip().removeprefix("-").strip()
        found = re.fullmatch(r"(\d+)\s*:\s*(.+)", item)
        number, name = (int(found[1]), found[2]) if found else (len(names), item)
        names[number] = name.strip().strip("\"'")
    if not names or sorted(names) != list(range(len(names))):
        raise DataError(
            f"{path}: the classes under names are {sorted(names)}",
            expected="names: [first, second, ...], or one per line from 0",
        )
    said = re.search(r"^nc\s*:\s*(\d+)", text, re.MULTILINE)
    if said is not None and int(said[1]) != len(names):
        raise DataError(
            f"{path}: nc is {said[1]}, and there are {len(names)} names",
            expected="as many names as classes",
            fix="correct nc, or the names",
        )
    return [names[k] for k in range(len(names))]
