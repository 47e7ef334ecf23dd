"""Pairs of pictures, to make one of the other: two folders, or files with both side by side."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.data.decode import SUFFIXES, read_header, read_image
from cutaway.data.file_pairs import (
    MASK_FOLDERS,
    PICTURE_FOLDERS,
    FilePairs,
    bare_name,
    expect_folder,
    files_below,
    match_folders,
    role_folders,
    rows_named,
    splits_of,
)
from cutaway.data.folders import SPLITS
from cutaway.data.framing import Framing
from cutaway.data.one_size import (
    array_size,
    count_positions,
    expect_same,
    height_by_width,
    same_size,
)
from cutaway.data.prefetch import in_threads
from cutaway.data.raw_masks import read_raw_mask
from cutaway.errors import DataError
from cutaway.files.limits import expect_bytes

WHAT = ("picture", "picture")
INPUTS = (
    "a", "traina", "input", "inputs", "source", "sources", "condition", "conditions", "sketch",
    "sketches", "edges", *(n for n in MASK_FOLDERS if n not in ("target", "targets")), "images",
)  # fmt: skip
TARGETS = ("b", "trainb", "output", "outputs", "target", "targets", "real", *PICTURE_FOLDERS)
WIDE = 1.95, 2.05  # width over height of files that look like two squares
SAMPLED = 20  # files that are looked at to recognize a set


@dataclasses.dataclass(frozen=True)
class PairFolder:
    """Pairs of pictures of one size, read one by one when they are asked for.

    Attributes:
        root: the folder.
        names: of the pairs.
        inputs, targets: the files; the same file if it holds both.
        side: for files with both, "left" or "right", where the input is; otherwise None.
        sizes: (rows, 2), height and width of a picture, upright.
        input_channels, target_channels: 1 if all are gray, otherwise 3.
        splits: {"train", "validation", "test": rows}, the set's own; {} if it has none.
        reason: in words, how the set was recognized.
        notes: sentences for the user.
    """

    root: Path
    names: list[str]
    inputs: list[Path]
    targets: list[Path]
    side: str | None
    sizes: np.ndarray
    input_channels: int
    target_channels: int
    splits: dict[str, np.ndarray]
    reason: str
    notes: list[str]

    def __len__(self):
        return len(self.names)

    @property
    def same_size(self) -> tuple[int, int] | None:
        """(height, width) if all pictures have it, otherwise None."""
        return same_size(self.sizes)

    def example(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(input, target), each (height, width, channels) uint8.

        Raises:
            DataError: a file that cannot be read, or has another size than before.
        """
        if self.side is None:
            x = read_image(self.inputs[row], channels=self.input_channels)
            y = read_image(self.targets[row], channels=self.target_channels)
        else:
            both = read_image(self.inputs[row], channels=self.input_channels)
            x, y = (half_of(both, self.side, is_input=part) for part in (True, False))
        for path, picture in ((self.inputs[row], x), (self.targets[row], y)):
            expect_same(path, picture, self.sizes[row])
        return np.ascontiguousarray(x), np.ascontiguousarray(y)

    def input_ids(self, row: int) -> np.ndarray | None:
        """(height, width) indices of the palette of an input; None if it is not a palette image.

        As inputs such pictures are their colors; the indices are the classes they show.
        """
        if self.side is not None or read_header(self.inputs[row]).mode != "P":
            return None
        return read_raw_mask(self.inputs[row]).values

    def subset(self, rows) -> "PairFolder":
        """The pairs with these indices, without splits."""
        rows = np.asarray(rows)
        lists = {n: [getattr(self, n)[k] for k in rows] for n in ("names", "inputs", "targets")}
        return dataclasses.replace(self, **lists, sizes=self.sizes[rows], splits={})

    def bytes_of_arrays(self, framing: Framing | None = None) -> int:
        """How much memory `arrays` takes."""
        pixels = count_positions(self.sizes, framing)
        return pixels * (self.input_channels + self.target_channels)

    def arrays(self, framing: Framing | None = None) -> tuple[np.ndarray, np.ndarray]:
        """All pairs in memory.

        Args:
            framing: how they become one size; by default all must have one size.

        Shapes:
            result: (rows, height, width, channels) uint8, inputs and targets

        Raises:
            DataError: sizes differ and there is no framing; a file that cannot be read; more than
                the limit of memory.
        """
        size = array_size(self.sizes, framing, self.targets, "stretch")
        expect_bytes(self.bytes_of_arrays(framing), f"{len(self):,} pairs in {self.root}")
        x = np.empty((len(self), *size, self.input_channels), np.uint8)
        y = np.empty((len(self), *size, self.target_channels), np.uint8)

        def fill(row):
            pair = self.example(row)
            if framing is not None:
                geometry = framing.geometry(pair[0].shape[:2])
                pair = geometry.picture(pair[0]), geometry.picture(pair[1])
            x[row], y[row] = pair

        in_threads(fill, range(len(self)))
        return x, y

    def rows_named(self, path) -> np.ndarray:
        """The rows that a text file lists; see file_pairs.rows_named."""
        return rows_named(self.names, path)


def half_of(picture, side: str | None, *, is_input: bool) -> np.ndarray:
    """The input's or the target's half of a picture that holds both; all of it without a side.

    Args:
        picture: (height, width, ...); of an odd width the column in the middle is in neither.
        side: "left" or "right", where the input is.
    """
    if side is None:
        return picture
    half = picture.shape[1] // 2
    is_left = (side == "left") == is_input
    return picture[:, :half] if is_left else picture[:, picture.shape[1] - half :]


def looks_like_pairs(path) -> str | None:
    """Why a path looks like pairs of pictures, in words; None if it does not.

    Recognized are two folders of pictures with the same names (A and B, trainA and trainB, labels
    and photographs, ...) and folders of pictures twice as wide as high. Gray pictures in folders
    named as masks are, such as labels, are not pairs: see looks_like_masks. Nor are folders named a
    and b in small letters: they are as likely two classes.
    """
    if not os.path.isdir(path):
        return None
    root = Path(path)
    folders = _two_folders(root)
    if folders:
        files = [files_below(f, SUFFIXES) for f in folders[0][:2]]
        gray = [all(_is_gray(p) for p in own[:: max(1, len(own) // SAMPLED)]) for own in files]
        names = {f.name for f in folders[0][:2]}
        are_masks = any(gray) and {name.lower() for name in names} & set(MASK_FOLDERS)
        if not all(files) or are_masks or names == {"a", "b"}:
            return None
        try:
            return match_folders(root, folders, SUFFIXES, SUFFIXES, WHAT).reason
        except DataError:  # of this kind, with a fault that find_pairs names
            return "two folders of pictures"
    files = _wide_files(root)
    headers = [_header(p) for p in files[:: max(1, len(files) // SAMPLED)]]
    is_wide = [h is not None and WIDE[0] <= h.size[1] / h.size[0] <= WIDE[1] for h in headers]
    if len(files) < 2 or not all(is_wide):
        return None
    return f"{len(files):,} files with two pictures side by side"


def find_pairs(path, *, reverse: bool = False) -> PairFolder:
    """The pairs of pictures below a folder.

    Of folders A and B (input and target, ...) the first is the input; of labels and photographs
    the labels; of files with two pictures the left one. Palette images are read as their colors.

    Args:
        path: the folder; see looks_like_pairs for its layouts.
        reverse: whether input and target change places.

    Raises:
        DataError: no pairs; a picture without its partner; pictures of a pair that differ in size;
            a file of both with an odd width.
    """
    expect_folder(path)
    root = Path(path)
    folders = _two_folders(root)
    if folders:
        return _of_folders(root, folders, reverse)
    files = _wide_files(root)
    if not files:
        raise DataError(
            f"{root} holds no pairs of pictures",
            expected="two folders with the same file names, such as A and B, or files with two "
            "pictures side by side",
            fix="check the path and the names of the folders",
        )
    return _of_files(root, files, reverse)


def _of_folders(root, folders, reverse) -> PairFolder:
    pairs: FilePairs = match_folders(root, folders, SUFFIXES, SUFFIXES, WHAT)
    inputs, targets = (pairs.second, pairs.first) if reverse else (pairs.first, pairs.second)
    heads: list = in_threads(read_header, [*inputs, *targets])
    half = len(inputs)
    for one, two, a, b in zip(inputs, targets, heads[:half], heads[half:], strict=True):
        if a.size != b.size:
            raise DataError(
                f"{one} has {height_by_width(a.size)} pixels, {two} {height_by_width(b.size)}",
                expected="two pictures of one size in each pair (height x width)",
                fix="resize one of them",
            )
    names = [path.relative_to(root).parts[0] for path in (inputs[0], targets[0])]
    if folders[0][2]:
        names = [path.relative_to(root).parts[1] for path in (inputs[0], targets[0])]
    notes = [f"the pictures in {names[1]} are made from those in {names[0]}"]
    palettes = [path for path, head in zip(inputs, heads[:half], strict=True) if head.mode == "P"]
    if palettes:
        notes.append(
            f"{len(palettes):,} pictures of {names[0]} are palette images, such as "
            f"{palettes[0].name}: their colors are the input (as masks, the kind 'masks' reads "
            "the indices as class ids)"
        )
    return PairFolder(
        root=root,
        names=pairs.names,
        inputs=inputs,
        targets=targets,
        side=None,
        sizes=np.array([head.size for head in heads[:half]]),
        input_channels=_channels(heads[:half]),
        target_channels=_channels(heads[half:]),
        splits=pairs.splits,
        reason=pairs.reason,
        notes=notes,
    )


def _of_files(root, files, reverse) -> PairFolder:
    heads: list = in_threads(read_header, files)
    for file, head in zip(files, heads, strict=True):
        if head.size[1] % 2:
            raise DataError(
                f"{file} is {head.size[1]:,} pixels wide",
                expected="an even width: two pictures of one size side by side",
                fix="crop the line between them, or put the pictures into two folders",
            )
        if head.size[1] < head.size[0]:
            raise DataError(
                f"{file} has {height_by_width(head.size)} pixels, higher than wide",
                expected="two pictures side by side in each file (height x width)",
                fix="remove it, or put the pictures into two folders",
            )
    names = [bare_name(file, root, SUFFIXES) for file in files]
    side = "right" if reverse else "left"
    other = "left" if reverse else "right"
    channels = _channels(heads)
    return PairFolder(
        root=root,
        names=names,
        inputs=files,
        targets=files,
        side=side,
        sizes=np.array([(head.size[0], head.size[1] // 2) for head in heads]),
        input_channels=channels,
        target_channels=channels,
        splits=splits_of(names),
        reason=f"{len(files):,} files with two pictures side by side",
        notes=[f"the {other} half of each file is made from the {side} half"],
    )


def _two_folders(root: Path) -> list[tuple[Path, Path, str]]:
    """[(inputs, targets, split)]; trainA and trainB, testA and testB are splits of their own."""
    tops = {p.name.lower(): p for p in sorted(root.iterdir()) if p.is_dir()}
    found = []
    for split in ("train", "val", "valid", "validation", "test"):
        if f"{split}a" in tops and f"{split}b" in tops:
            found.append((tops[f"{split}a"], tops[f"{split}b"], split))
    return found or role_folders(root, INPUTS, TARGETS, SUFFIXES)


def _wide_files(root: Path) -> list[Path]:
    """The pictures at the top of a folder and below its splits, none in other folders."""
    folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]
    if any(p.name.lower() not in SPLITS for p in folders):
        return []
    return [p for p in files_below(root, SUFFIXES) if p.parent in (root, *folders)]


def _header(path):
    try:
        return read_header(path)
    except DataError:
        return None


def _is_gray(path) -> bool:
    header = _header(path)
    return header is not None and header.is_gray


def _channels(headers) -> int:
    return 1 if all(header.is_gray for header in headers) else 3
