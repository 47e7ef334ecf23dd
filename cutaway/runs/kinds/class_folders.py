"""How folders with one subfolder per class are recognized: what images and recordings share."""

from cutaway.errors import DataError
from cutaway.runs.kinds.contract import Sign
from cutaway.runs.kinds.data_source import DataSource

# names of folders that are not classes
NO_CLASSES = {"annotations", "images", "imagesets", "jpegimages", "labels", "masks"}
BOX_FILES = {".txt": "YOLO", ".json": "COCO", ".xml": "Pascal VOC"}  # and whose form they have


def sign_of_classes(
    source: DataSource, suffixes, what: str, *, by_name=None, may_have_boxes: bool = False
) -> Sign | None:
    """The Sign of a folder that holds files with these suffixes.

    Args:
        what: what the files are, in the plural.
        by_name: function of the files that says whether their names hold the class; None: they
            cannot.
        may_have_boxes: whether files for object detection may lie beside them.
    """
    path, found = source.folder, source.files(suffixes)
    if path is None or not found:
        return None
    files, deeper = len(found), sum(p.parent != path for p in found)
    problem = (_with_boxes(path, what) if may_have_boxes else None) or _unlike(path, what)
    if deeper:
        return Sign(f"{files:,} {what} in {_below(_folders(path))}", files, problem)
    if by_name is not None and by_name(found):
        return Sign(f"{files:,} {what} whose names start with the class", files)
    problem = problem or DataError(
        f"{path} holds {files:,} {what} and no folders",
        expected=f"one folder of {what} per class",
        fix="move the files of each class into a folder named after the class",
    )
    return Sign(f"{files:,} {what}", files, problem)


def _below(folders) -> str:
    from cutaway.data.folders import SPLITS

    splits = [p.name for p in folders if p.name.lower() in SPLITS]
    shown = ", ".join(p.name for p in folders[:4]) + (" ..." if len(folders) > 4 else "")
    return f"the splits {', '.join(splits)}" if splits else f"the folders {shown}"


def _unlike(path, what: str) -> DataError | None:
    """That a folder holds no folders of classes; None if it may."""
    unlike_classes = [p.name for p in _folders(path) if p.name.lower() in NO_CLASSES]
    if not unlike_classes:
        return None
    return DataError(
        f"{path} holds the folder {unlike_classes[0]!r}, as detection and segmentation datasets do",
        expected=f"folders of {what} named after the classes; or images/, and masks/ with a PNG of "
        "the same name for each picture",
        fix="add the masks, or rename the folder",
    )


def _with_boxes(path, what: str) -> DataError | None:
    """That a folder holds files with boxes of objects which cannot be read; None if it does not."""
    from cutaway.data.unread_boxes import unread_boxes

    found, boxes = unread_boxes(path), _boxes_in(path)
    if found is not None or boxes is None:
        return found
    return DataError(
        f"{path} holds {what} with boxes: {boxes}, which are not read",
        expected=f"folders of {what} named after the classes, {what} with masks, or with boxes: "
        "images/ and labels/ as YOLO, Annotations/ and JPEGImages/ as Pascal VOC, COCO's json",
        fix="name the folders so, or name the file with the boxes; without boxes, add a mask PNG "
        f"for each of the {what} in masks/, or sort them into a folder per class",
    )


def _boxes_in(path) -> str | None:
    """Which files say that these are boxes of objects, in words; None: none does.

    They lie in a folder such as labels/, or beside the pictures: at the top, or in a split.
    """
    from cutaway.data.file_pairs import files_below
    from cutaway.data.folders import SPLITS

    tops = [path, *(p for p in _folders(path) if p.name.lower() in SPLITS)]
    for folder in (p for top in tops for p in _folders(top) if p.name.lower() in NO_CLASSES):
        for suffix, form in BOX_FILES.items():
            if files_below(folder, (suffix,)):
                place = folder.relative_to(path).as_posix()
                return f"{place}/ holds {suffix} files, as {form} has them"
    for top in tops:
        files = [p for p in sorted(top.iterdir()) if p.suffix.lower() in BOX_FILES and p.is_file()]
        stems = {p.stem for p in top.iterdir() if p.suffix.lower() not in BOX_FILES}
        for file in files:
            is_list = file.suffix.lower() == ".json" and "annotations" in file.name.lower()
            if is_list or file.stem in stems:
                place = file.relative_to(path).as_posix()
                return f"{place}, as {BOX_FILES[file.suffix.lower()]} has it"
    return None


def _folders(path) -> list:
    return [p for p in sorted(path.iterdir()) if p.is_dir() and p.name[0] != "."]


def sign_of_one(source: DataSource, suffixes, what: str) -> Sign | None:
    """The Sign, with its problem, of a single file of what a folder should hold many of."""
    if source.file is None or source.file.suffix.lower() not in suffixes:
        return None
    problem = DataError(
        f"{source.file} is a single {what}",
        expected=f"a folder with one subfolder of {what}s per class",
        fix="name the folder",
    )
    return Sign(f"a single {what}", problem=problem)
