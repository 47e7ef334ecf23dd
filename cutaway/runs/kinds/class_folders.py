"""How folders with one subfolder per class are recognized: what images and recordings share."""

from cutaway.errors import DataError
from cutaway.runs.kinds.contract import Sign
from cutaway.runs.kinds.data_source import DataSource

# names of folders that are not classes
NO_CLASSES = {"annotations", "images", "imagesets", "jpegimages", "labels", "masks"}


def sign_of_classes(source: DataSource, suffixes, what: str, *, by_name=None) -> Sign | None:
    """The Sign of a folder that holds files with these suffixes.

    Args:
        what: what the files are, in the plural.
        by_name: function of the files that says whether their names hold the class; None: they
            cannot.
    """
    path, found = source.folder, source.files(suffixes)
    if path is None or not found:
        return None
    files, deeper = len(found), sum(p.parent != path for p in found)
    if deeper:
        folders = [p for p in sorted(path.iterdir()) if p.is_dir() and p.name[0] != "."]
        return Sign(f"{files:,} {what} in {_below(folders)}", files, _unlike(path, folders, what))
    if by_name is not None and by_name(found):
        return Sign(f"{files:,} {what} whose names start with the class", files)
    problem = DataError(
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


def _unlike(path, folders, what: str) -> DataError | None:
    unlike_classes = [p.name for p in folders if p.name.lower() in NO_CLASSES]
    if not unlike_classes:
        return None
    return DataError(
        f"{path} holds the folder {unlike_classes[0]!r}, as detection and segmentation datasets do",
        expected=f"folders of {what} named after the classes",
    )


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
