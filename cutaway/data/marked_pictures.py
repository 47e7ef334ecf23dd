"""What the readers of boxes have in common: pictures with their boxes, and which boxes are bad."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import bare_name, files_below
from cutaway.errors import DataError

MOST_BAD = 0.05  # fraction of bad boxes above which the whole set is wrong
OUTSIDE = 2.0  # pixels that a box may reach beyond its picture unnoticed
SHOWN = 3


@dataclasses.dataclass
class Marked:
    """A picture and its boxes as a reader found them.

    Attributes:
        picture: the file.
        source: the file that the boxes are from; the picture's own if it has none.
        boxes: x1 y1 x2 y2 in pixels, continuous, half-open.
        labels: class numbers.
        ignored: which boxes are crowds or difficult, neither taught nor held against a detector.
        places: where each stands in `source`, in words: "object 3", "line 2".
        outlines: of each box, list of polygons, run lengths or None.
        size: (height, width) that the source says; None if it says nothing.
        fractions: whether the boxes are fractions of the picture so far.
    """

    picture: Path
    source: Path
    boxes: list = dataclasses.field(default_factory=list)
    labels: list = dataclasses.field(default_factory=list)
    ignored: list = dataclasses.field(default_factory=list)
    places: list = dataclasses.field(default_factory=list)
    outlines: list = dataclasses.field(default_factory=list)
    size: tuple | None = None
    fractions: bool = False

    def add(self, box, label: int, place: str, *, ignored: bool = False, outline=None) -> None:
        """One more box."""
        self.boxes.append(box)
        self.labels.append(label)
        self.ignored.append(ignored)
        self.places.append(place)
        self.outlines.append(outline)


@dataclasses.dataclass
class MarkedPictures:
    """A set of pictures with boxes.

    Attributes:
        marked: the pictures, also those without boxes.
        classes: names.
        splits: {"train", "validation", "test": rows}, {} if the set has none.
        reason: how it was recognized, in words.
        notes: sentences for the user.
        as_written: how a box is written in such files, for errors.
    """

    marked: list[Marked]
    classes: list[str]
    splits: dict
    reason: str
    as_written: str
    notes: list[str] = dataclasses.field(default_factory=list)


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, none hidden, sorted."""
    return [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]


def pictures_by_name(folder: Path, prefix: str = "") -> dict[str, Path]:
    """{prefix and path below the folder, without suffix: path} of the pictures in a folder.

    Raises:
        DataError: two pictures of one name, of which labels could only belong to one.
    """
    found: dict[str, Path] = {}
    for path in files_below(folder, SUFFIXES):
        other = found.setdefault(prefix + bare_name(path, folder, SUFFIXES), path)
        if other != path:
            raise DataError(
                f"{other} and {path.name} have the same name",
                expected="one picture of each name",
                fix="rename or remove one of them",
            )
    return found


def names_by_stem(names) -> dict[str, list[str]]:
    """{the part of a name behind its folders: the names that end so}."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition("/")[2], []).append(name)
    return found


def finished(one: Marked, size) -> tuple[np.ndarray, np.ndarray, list[tuple[str, str]]]:
    """(boxes clipped to the picture, which of them are kept, [(place, what is wrong)]).

    Args:
        size: (height, width) of the picture.

    Raises:
        DataError: a coordinate that is not a number.
    """
    boxes = np.asarray(one.boxes, np.float64).reshape(-1, 4)
    height, width = size
    if one.fractions:
        boxes = boxes * [width, height, width, height]
        one.outlines = [
            None if outline is None else [np.asarray(p).reshape(-1, 2) * [width, height]
                                          for p in outline]
            for outline in one.outlines
        ]  # fmt: skip
    broken = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if len(broken):
        raise DataError(
            f"{one.source}: {one.places[broken[0]]} is {_numbers(boxes[broken[0]])}",
            expected="finite numbers",
            fix="correct or remove it",
        )
    wrong: list[tuple[str, str]] = []
    kept = np.ones(len(boxes), bool)
    clipped = np.clip(boxes, 0, [width, height, width, height])
    for k, (box, inside) in enumerate(zip(boxes, clipped, strict=True)):
        what = None
        if (box[2:] < box[:2]).any():
            what = "ends before it begins"
        elif (box[2:] == box[:2]).any():
            what = "has no area"
        elif (inside[2:] <= inside[:2]).any():
            what = f"lies outside of the picture, {width:,} x {height:,} pixels"
        elif (np.abs(box - inside) > OUTSIDE).any():
            what = f"reaches beyond the picture, {width:,} x {height:,} pixels"
        if what is not None:
            kept[k] = what.startswith("reaches")
            text = f"{one.places[k]}, x1 y1 x2 y2 = {_numbers(box)}"
            wrong.append((f"{one.source}: {text}, ", what))
    return clipped, kept, wrong


def expect_few_bad(wrong, count: int, as_written: str) -> list[str]:
    """Sentences about bad boxes, which are left out; an error if there are many.

    Args:
        wrong: [(where, what is wrong)] of all pictures.
        count: number of all boxes.
        as_written: how such files write a box.

    Raises:
        DataError: more than one in twenty is bad.
    """
    if not wrong:
        return []
    beyond = [item for item in wrong if item[1].startswith("reaches")]
    bad = [item for item in wrong if not item[1].startswith("reaches")]
    for found, allowed in ((bad, MOST_BAD), (beyond, 4 * MOST_BAD)):
        if len(found) > allowed * count:
            first = "".join(found[0])
            inverted = sum(what == "ends before it begins" for _, what in found)
            fix = "correct the boxes, or remove them"
            nothing = sum(" = 0 0 0 0, " in where for where, _ in found)
            if nothing > len(found) / 2:
                fix = "remove them: a picture without objects needs no box"
            if inverted > len(found) / 2:
                fix = "they look like x y w h, width and height in place of the second corner: "
                fix += "write x + w and y + h"
            elif found is beyond:
                fix = "they look like another form: corners in place of width and height, or "
                fix += "boxes of a picture of another size"
            raise DataError(
                f"{len(found):,} of {count:,} boxes are bad, such as {first}",
                expected=as_written,
                fix=fix,
            )
    notes = []
    if bad:
        shown = "; ".join("".join(item) for item in bad[:SHOWN])
        more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
        were = "box was" if len(bad) == 1 else "boxes were"
        notes.append(f"{len(bad):,} {were} left out: {shown}{more}")
    if beyond:
        notes.append(f"{len(beyond):,} boxes were clipped, such as {''.join(beyond[0])}")
    return notes


def _numbers(box) -> str:
    return " ".join(f"{value:g}" for value in box)
