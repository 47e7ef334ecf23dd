"""COCO's json files: images, annotations with boxes x y w h and outlines, categories."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import files_below
from cutaway.data.folders import SPLITS
from cutaway.data.marked_pictures import Marked, MarkedPictures
from cutaway.errors import DataError
from cutaway.files.content import naming, read_content, readable

WRITTEN = "bbox [x, y, width, height] in pixels of the picture"
LOOKED_AT = 2**16  # bytes of a json file by which it is recognized
# as Python writes them, and JSON has them not
NOT_NUMBERS = re.compile(rb"(?<=[\[,:\s])-?(?:NaN|Infinity)(?=[\s,\]}])")


class _Image(msgspec.Struct):
    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


class _Annotation(msgspec.Struct):
    image_id: int | str
    category_id: int
    bbox: list[float | None] | None = None
    id: int | str | None = None
    iscrowd: int | bool = 0
    segmentation: Any = None


class _Category(msgspec.Struct):
    id: int
    name: str


class _File(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def coco_files(root: Path) -> list[Path]:
    """The json files in a folder and the folders in it that look like COCO's, sorted."""
    found = [path for path in shallow_files(root, ".json") if looks_like_coco(path)]
    others = [p for p in found if not re.search(r"keypoints|captions|panoptic|stuff", p.name)]
    return others or found


def shallow_files(root: Path, suffix: str) -> list[Path]:
    """The files with a suffix in a folder and in the folders in it, none hidden, sorted."""
    tops = [root, *(p for p in root.iterdir() if p.is_dir() and p.name[0] != ".")]
    return sorted(
        Path(top, name)
        for top in tops
        for name in os.listdir(top)
        if name[0] != "." and name.lower().endswith(suffix)
    )


def looks_like_coco(path) -> bool:
    """Whether a json file begins as COCO's do."""
    try:
        with readable(path) as file:
            text = file.read(LOOKED_AT)
    except DataError:
        return False
    keys = set(re.findall(rb'"(images|annotations|categories|info|licenses)"\s*:', text))
    return text.lstrip()[:1] == b"{" and bool(keys & {b"images", b"annotations", b"categories"})


def looks_like_results(path) -> bool:
    """Whether a json file begins as a list of detections or annotations alone."""
    try:
        with readable(path) as file:
            text = file.read(LOOKED_AT)
    except DataError:
        return False
    return text.lstrip()[:1] == b"[" and b'"image_id"' in text and b'"bbox"' in text


def read_coco_file(path) -> _File:
    """The content of a json file.

    Raises:
        DataError: not such a file.
    """
    content = read_content(path)
    with naming(path, "a json file of COCO"):
        try:
            try:
                return msgspec.json.decode(content, type=_File)
            except msgspec.DecodeError:
                return msgspec.json.decode(NOT_NUMBERS.sub(b"null", content), type=_File)
        except msgspec.DecodeError as error:
            raise DataError(
                f"it is not COCO's json: {error}",
                expected="images, annotations and categories",
                fix="export the annotations again as COCO json",
            ) from error


def read_coco(root: Path, files: list[Path]) -> MarkedPictures:
    """The pictures and boxes of json files: one, or one for each split.

    Classes are numbered by their ids in rising order, whatever gaps these have.

    Raises:
        DataError: a file that cannot be read; ids that nothing has; a picture that is missing.
    """
    read = {path: read_coco_file(path) for path in files}
    by_id: dict[int, str] = {}
    for path, content in read.items():
        for category in content.categories:
            if by_id.setdefault(category.id, category.name) != category.name:
                raise DataError(
                    f"{path}: category {category.id} is {category.name!r}, in {files[0].name} "
                    f"{by_id[category.id]!r}",
                    expected="the same categories in all files",
                )
    ids = sorted(by_id)
    used = {a.category_id for content in read.values() for a in content.annotations}
    ids = [k for k in ids if k in used or len(ids) == 1 or k != 0]  # 0: a heading, in Roboflow's
    numbers = {k: number for number, k in enumerate(ids)}
    find = PictureFinder(root)
    marked: list[Marked] = []
    splits: dict[str, list[int]] = {}
    for path, content in read.items():
        split = split_of(path)
        rows = range(len(marked), len(marked) + len(content.images))
        splits.setdefault(split, []).extend(rows)
        marked.extend(pictures_of(path, content, numbers, by_id, find, split))
    names = [by_id[k] for k in ids]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{files[0]} has two categories {twice!r}", expected="each name once")
    found = {}
    if "train" in splits and "" not in splits and len(splits) > 1:
        found = {n: np.array(splits[n]) for n in ("train", "validation", "test") if n in splits}
    shown = ", ".join(path.name for path in files[:3]) + (", ..." if len(files) > 3 else "")
    notes = [] if ids == list(range(1, len(ids) + 1)) else ["category ids have gaps: renumbered"]
    return MarkedPictures(marked, names, found, f"COCO's json: {shown}", WRITTEN, notes)


def pictures_of(path, content: _File, numbers, by_id, find, split) -> Iterable[Marked]:
    """The pictures of one file with their boxes.

    Args:
        numbers, by_id: {category id: class number}, {category id: name}.
        find: function (file name, source, split) -> path of a picture.

    Raises:
        DataError: ids that nothing has, boxes and outlines of another form.
    """
    of_image: dict[int | str, Marked] = {}
    ids: dict[Path, int | str] = {}
    for image in content.images:
        if image.id in of_image:
            raise DataError(f"{path}: two images have the id {image.id}", expected="different ids")
        one = Marked(find(image.file_name, path, split), Path(path))
        if ids.setdefault(one.picture, image.id) != image.id:
            raise DataError(
                f"{path}: the images {ids[one.picture]} and {image.id} are both {one.picture}",
                expected="each picture once: the boxes of one would be background in the other",
                fix="give all annotations of the picture one image_id, and remove the other image",
            )
        if image.width and image.height:
            one.size = (image.height, image.width)
        of_image[image.id] = one
    for row, annotation in enumerate(content.annotations):
        name = row if annotation.id is None else annotation.id
        where = f"annotation {name}"
        if annotation.image_id not in of_image:
            raise DataError(
                f"{path}: {where} is of image {annotation.image_id!r}, which is not listed",
                expected="an id of images",
            )
        if annotation.category_id not in numbers:
            raise _unlisted(path, where, annotation.category_id, content, by_id)
        if annotation.bbox is None:
            continue  # of another task: a caption, a mask of stuff
        if len(annotation.bbox) != 4:
            raise DataError(f"{path}: the bbox of {where} is {annotation.bbox}", expected=WRITTEN)
        x, y, w, h = (float("nan") if v is None else v for v in annotation.bbox)
        of_image[annotation.image_id].add(
            (x, y, x + w, y + h),
            numbers[annotation.category_id],
            f"{where} ({by_id[annotation.category_id]})",
            ignored=bool(annotation.iscrowd),
            outline=_outline(annotation.segmentation, path, where),
        )
    return of_image.values()


def _unlisted(path, where: str, category: int, content: _File, by_id) -> DataError:
    """That an annotation is of a category that is not there, perhaps because of another count."""
    used, listed = {a.category_id for a in content.annotations}, sorted(by_id)
    fix = "add the category, or correct the annotation"
    for step in (1, -1):
        moved = {k - step for k in used}
        if moved <= set(listed) and moved & {listed[0], listed[-1]}:
            fix = (
                f"the annotations have categories from {min(used)} to {max(used)}, the list from "
                f"{listed[0]} to {listed[-1]}: they are off by one"
            )
    return DataError(
        f"{path}: {where} is of category {category}",
        expected=f"one of the categories {', '.join(map(str, listed[:20]))}",
        fix=fix,
    )


def _outline(value, path, where):
    """Polygons, run lengths, or None; checked."""
    if not value:
        return None
    if isinstance(value, dict):
        counts, size = value.get("counts"), value.get("size")
        numbers = isinstance(counts, list) and all(isinstance(n, int) for n in counts)
        sizes = isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size)
        if sizes and (numbers or isinstance(counts, str)):
            return {"counts": counts, "size": size}
    elif isinstance(value, list) and all(_is_polygon(part) for part in value):
        return [np.asarray(part, np.float32) for part in value]
    raise DataError(
        f"{path}: the segmentation of {where} is neither polygons nor run lengths",
        expected="[[x1, y1, x2, y2, ...], ...] or {counts, size}",
    )


def _is_polygon(part) -> bool:
    return (
        isinstance(part, list)
        and len(part) % 2 == 0
        and all(isinstance(n, int | float) and abs(n) < 1e9 for n in part)
    )


def split_of(path) -> str:
    """The split that the name of a file or its folder says: "train", "validation", "test", ""."""
    words = re.split(r"[^a-z]+", Path(path).stem.lower())
    found = [SPLITS[word] for word in words if word in SPLITS]
    return found[-1] if found else SPLITS.get(Path(path).parent.name.lower(), "")


class PictureFinder:
    """Finds the picture of a name below a folder."""

    def __init__(self, root: Path):
        self.root = root
        self.by_name: dict[str, list[Path]] = {}
        for path in files_below(root, SUFFIXES):
            self.by_name.setdefault(path.name, []).append(path)

    def __call__(self, name: str, source, split: str = "") -> Path:
        parts = Path(name.replace("\\", "/")).parts
        found = self.by_name.get(parts[-1] if parts else "", [])
        for length in range(len(parts), 1, -1):  # the longest path that fits
            fits = [p for p in found if p.parts[-length:] == parts[-length:]]
            if fits:
                found = fits
                break
        if len(found) > 1:
            beside = [p for p in found if p.parent == Path(source).parent]
            of_split = [p for p in found if split and split in map(split_of, p.parents)]
            found = beside or of_split or found
        if len(found) != 1:
            raise DataError(
                f"{source} names the picture {name!r}, of which {self.root} has "
                f"{len(found) or 'none'}",
                expected="one picture of that name",
                fix="put the pictures beside the file, or in folders named as its splits are",
            )
        return found[0]
