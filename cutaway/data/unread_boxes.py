"""Why files that seem to hold boxes of objects cannot be read so: the first one that is wrong."""

from pathlib import Path

from cutaway.data.coco import looks_like_results
from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import files_below
from cutaway.data.folders import SPLITS
from cutaway.data.marked_pictures import Marked, folders_in
from cutaway.data.voc import read_voc_file
from cutaway.data.yolo_labels import NAMES, WRITTEN, read_label_file
from cutaway.errors import DataError

PLACES = {"annotations", "images", "jpegimages", "labels"}  # of files with boxes
READABLE = 20  # files that are read until one is wrong


def unread_boxes(path: Path) -> DataError | None:
    """Why the files with boxes in a folder, or a json file, are not read; None if it has none.

    Looked at are the folders for labels and annotations at the top and in splits, and what lies
    beside the pictures. To be asked when `looks_like_objects` recognizes nothing.
    """
    if path.is_file():
        is_list = path.suffix.lower() == ".json" and looks_like_results(path)
        return _of_results(path) if is_list else None
    tops = [path, *(p for p in folders_in(path) if p.name.lower() in SPLITS)]
    places = [p for top in tops for p in folders_in(top) if p.name.lower() in PLACES]
    beside = [p for top in tops for p in sorted(top.iterdir()) if p.is_file()]
    files = [*beside, *(p for place in places for p in files_below(place, (".json",)))]
    for file in files:
        if file.suffix.lower() == ".json" and looks_like_results(file):
            return _of_results(file)
    if not places:
        return None
    texts = [p for place in places for p in files_below(place, (".txt",))]
    texts = [p for p in texts if p.name.lower() not in NAMES and not p.name.startswith("README")]
    pictures = len(files_below(path, SUFFIXES))
    found = _of_texts(path, texts, pictures) if texts else None
    for xml in [p for place in places for p in files_below(place, (".xml",))][:READABLE]:
        try:
            read_voc_file(xml)
        except DataError as error:
            found = found or error
    labels = [p for p in places if p.name.lower() == "labels" and not any(p.rglob("*.*"))]
    if found is None and labels and not files_below(path, (".json", ".xml", ".csv")):
        found = DataError(
            f"{path} holds {pictures:,} pictures and no box: there is no file in {labels[0]}",
            expected=f"a txt file per picture with {WRITTEN}",
            fix="put the files with the boxes there",
        )
    return found


def _of_results(file: Path) -> DataError:
    return DataError(
        f"{file} is a list of results or annotations, without images and categories",
        expected='COCO\'s json {"images": [...], "annotations": [...], "categories": [...]}',
        fix="train on the annotations that the results were made for, or put the list under "
        '"annotations" and add the other two',
    )


def _of_texts(path: Path, texts: list[Path], pictures: int) -> DataError:
    """Why txt files beside pictures are not labels of YOLO."""
    filled = [p for p in texts if p.stat().st_size > 0]
    for text in filled[:READABLE]:
        try:
            read_label_file(Marked(text, text), text)
        except DataError as error:
            return error
    if not filled or not any(p.read_bytes().strip() for p in filled):
        return DataError(
            f"{path} holds {pictures:,} pictures and no box: its {len(texts):,} txt files are "
            "empty",
            expected=f"in at least one of them {WRITTEN}",
            fix="check the program that wrote the labels",
        )
    return DataError(
        f"{filled[0]} has boxes as YOLO, but not where YOLO has them",
        expected="images/ with the pictures and labels/ with a txt of the same name for each",
        fix=f"rename {filled[0].parent} to labels, beside images",
    )
