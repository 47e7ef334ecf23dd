"""Detection of the kind of data at a path: table, images, text, series, recordings."""

import collections
import dataclasses
from pathlib import Path

from cutaway.data import audio, decode
from cutaway.data.columns import find_columns
from cutaway.data.folders import SPLITS
from cutaway.data.idx import TYPES, find_idx
from cutaway.data.read import SUFFIXES as TABLES
from cutaway.data.read import read_table
from cutaway.data.series import as_times, equal_steps, step_between
from cutaway.data.text import free_text_columns, labeled_lines, read_text, words_each
from cutaway.data.ucr import SPLIT_NAMES, ucr_pair
from cutaway.errors import DataError, did_you_mean

KINDS = (
    "table",
    "text",
    "language",
    "series",
    "time-series-classification",
    "image folder",
    "audio folder",
    "idx",
)
# names of folders that are not classes
NO_CLASSES = {"annotations", "images", "imagesets", "jpegimages", "labels", "masks"}
LONG_TEXT_WORDS = 5
MAX_OTHER_COLUMNS = 3  # usable columns besides the text in a table of texts


@dataclasses.dataclass(frozen=True)
class Recognized:
    """The kind of data at a path.

    Attributes:
        kind: one of KINDS. "series" is a time series to forecast, "text" labeled texts,
            "language" a plain text for a language model.
        reason: why this kind was detected.
    """

    kind: str
    reason: str


def recognize(path, *, target=None) -> Recognized:
    """The kind of data at a path; a table unless it is clearly something else.

    Args:
        path: a file or a folder.
        target: the column to predict, if the user named one.

    Raises:
        DataError: no such path, a folder without known files, a single image or recording.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        near = [p.name for p in path.parent.glob("*")]
        raise DataError(
            f"there is no {path}",
            expected="an existing file or folder",
            fix=did_you_mean(path.name, near) if near else "check the path",
        )
    return _file(path, target)


def _folder(path) -> Recognized:
    if find_idx(path):
        names = ", ".join(
            f"{split}: {images.name}" for split, (images, _) in find_idx(path).items()
        )
        return Recognized("idx", f"pairs of IDX files ({names})")
    pair = ucr_pair(path)
    if pair:
        return Recognized("time-series-classification", f"{pair[0].name} and its test file")
    counts = {}
    for kind, suffixes in (("image folder", decode.SUFFIXES), ("audio folder", audio.SUFFIXES)):
        files = [p for p in path.rglob("*") if p.suffix.lower() in suffixes]
        counts[kind] = (len(files), sum(p.parent != path for p in files))
    kind = max(counts, key=lambda k: counts[k][0])
    files, deeper = counts[kind]
    what = "images" if kind == "image folder" else "recordings"
    if deeper:
        folders = [p for p in sorted(path.iterdir()) if p.is_dir() and p.name[0] != "."]
        unlike_classes = [p.name for p in folders if p.name.lower() in NO_CLASSES]
        if unlike_classes:
            raise DataError(
                f"{path} holds the folder {unlike_classes[0]!r}, as detection and segmentation "
                "datasets do",
                expected=f"folders of {what} named after the classes",
            )
        splits = [p.name for p in folders if p.name.lower() in SPLITS]
        shown = ", ".join(p.name for p in folders[:4]) + (" ..." if len(folders) > 4 else "")
        below = f"the splits {', '.join(splits)}" if splits else f"the folders {shown}"
        return Recognized(kind, f"{files:,} {what} in {below}")
    if files and kind == "audio folder" and _named_by_class(path):
        return Recognized(kind, f"{files:,} {what} whose names start with the class")
    if files:
        raise DataError(
            f"{path} holds {files:,} {what} and no folders",
            expected=f"one folder of {what} per class",
            fix="move the files of each class into a folder named after the class",
        )
    tables = [p.name for p in sorted(path.iterdir()) if p.name.lower().endswith(TABLES)]
    raise DataError(
        f"{path} holds no images, recordings or IDX files",
        expected="a folder with one subfolder of images or recordings per class, or a file",
        fix=f"name the file inside it: {', '.join(tables[:4])}" if tables else "check the path",
    )


def _named_by_class(path) -> bool:
    """Whether the recordings are named class_anything.wav, with several per class."""
    names = [p.stem for p in path.iterdir() if p.suffix.lower() in audio.SUFFIXES]
    counts = collections.Counter(name.split("_")[0] for name in names if "_" in name)
    return sum(counts.values()) == len(names) and len(counts) > 1 and min(counts.values()) > 1


def _file(path, target) -> Recognized:
    name = path.name.lower()
    for suffixes, what in ((decode.SUFFIXES, "image"), (audio.SUFFIXES, "recording")):
        if path.suffix.lower() in suffixes:
            raise DataError(
                f"{path} is a single {what}",
                expected=f"a folder with one subfolder of {what}s per class",
                fix="name the folder",
            )
    if path.stem.endswith(SPLIT_NAMES) and ucr_pair(path) and target is None:
        return Recognized(
            "time-series-classification", "a file of the UCR archive: a label, then values"
        )
    if _begins_as_idx(path):
        return Recognized("idx", "the file starts with an IDX header")
    labeled = labeled_lines(path) if target is None else None
    if labeled is not None:
        label, text = labeled.columns
        return Recognized("text", f"each line is a {label}, a tab and a {text}, in either order")
    if not name.endswith(TABLES) or (name.endswith(".txt") and not _has_columns(path)):
        read_text(path)
        return Recognized("language", "lines of text without columns")
    return _table(read_table(path), target)


def _table(frame, target) -> Recognized:
    columns = find_columns(frame)
    series = _as_series(frame, columns) if target is None else None
    if series is not None:
        return series
    texts = free_text_columns(frame, ignore=() if target is None else (target,))
    used = ("number", "boolean", "category", "presence", "date")
    others = [c.name for c in columns if c.kind in used and c.name not in texts]
    shape = f"{frame.height:,} rows and {frame.width} columns"
    if not texts:
        return Recognized("table", shape)
    words = words_each(frame[texts[0]].drop_nulls())
    if words >= LONG_TEXT_WORDS and len(others) <= MAX_OTHER_COLUMNS:
        return Recognized(
            "text", f"the column {texts[0]!r} holds free text, {words:.0f} words on average"
        )
    return Recognized("table", f"{shape}, {texts[0]!r} is only one of them")


def _as_series(frame, columns):
    """A first column of equally spaced dates and a numeric column, and nothing else."""
    numbers = [c.name for c in columns[1:] if frame[c.name].dtype.is_numeric()]
    if frame.width != 2 or len(numbers) != 1:
        return None
    times = as_times(frame[columns[0].name])
    if times is None or not times.is_sorted() or not equal_steps(times):
        return None
    step = step_between(times)
    spacing = f"one per {step}" if step else "equally spaced"
    reason = f"{columns[0].name!r} holds dates, {spacing}, and {numbers[0]!r} numbers"
    return Recognized("series", reason)


def _has_columns(path) -> bool:
    """Whether a .txt file is a table: every line has as many separators as the header, and some."""
    try:
        lines = [line for line in read_text(path).split("\n") if line.strip()][:200]
    except DataError:
        return False
    for separator in ("\t", ";", "|", ","):
        counts = {line.count(separator) for line in lines}
        if len(counts) == 1 and counts != {0} and len(lines) > 1:
            return True
    return False


def _begins_as_idx(path) -> bool:
    import gzip

    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                begin = file.read(4)
    except (OSError, EOFError):
        return False
    return len(begin) == 4 and begin[:2] == b"\0\0" and begin[2] in TYPES and 0 < begin[3] < 8
