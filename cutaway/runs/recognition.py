"""recognize: what kind of data a path holds. Each kind says whether it is of that kind, and why."""

import dataclasses
from pathlib import Path

from cutaway.data import students_path
from cutaway.errors import DataError, RunError, did_you_mean
from cutaway.files.content import exists, expect_file, naming_source
from cutaway.runs.kinds import KINDS
from cutaway.runs.kinds.contract import AT_FIRST, AT_LAST, BY_CONTENTS, CERTAIN, DataKind, Sign
from cutaway.runs.kinds.data_source import DataSource


@dataclasses.dataclass(frozen=True)
class Recognized:
    """The kind of some data.

    Attributes:
        kind: name of a kind, a key of KINDS.
        reason: why this kind was detected.
    """

    kind: str
    reason: str


@naming_source("data of a known kind")
def recognize(data, *, target: str | None = None) -> Recognized:
    """The kind of data at a path or in memory; a table unless it is clearly something else.

    Args:
        data: a file, a folder or a frame.
        target: the column to predict, if the user named one.

    Raises:
        DataError: no such path, a folder without known files, data that their kind cannot use.
    """
    source = DataSource(data, target)
    if source.path is not None and not exists(source.path):
        raise _nothing(source.path)
    if source.file is not None:
        expect_file(source.file)  # before any kind reads it
    for asked in (AT_FIRST, BY_CONTENTS, AT_LAST):
        found = _strongest(source, asked)
        if found is not None:
            name, sign = found
            if sign.problem is not None:
                raise sign.problem
            return Recognized(name, sign.reason)
    raise _unknown(source)


def _strongest(source: DataSource, asked: int) -> tuple[str, Sign] | None:
    """(name, Sign) of the kind with the strongest sign, the first of equals.

    Raises:
        DataError: several kinds are certain of a folder.
    """
    best, certain = None, []
    for name, kind in KINDS.items():
        sign = kind.recognize(source) if kind.asked == asked else None
        if sign is None:
            continue
        if best is None or sign.strength > best[1].strength:
            best = name, sign
        if sign.strength == CERTAIN:
            certain.append((name, sign))
            if source.folder is None:
                break  # the others need not read
    if len(certain) > 1:
        raise DataError(
            f"{source.path} fits several kinds of data: "
            + "; ".join(f"{KINDS[name].title} ({sign.reason})" for name, sign in certain),
            expected="one kind",
            fix="choose it: " + " or ".join(f"--kind {name}" for name, _ in certain),
        )
    return best


def _nothing(path: Path) -> DataError:
    near = [p.name for p in path.parent.glob("[!.]*")] if exists(path.parent) else []
    if path.name == students_path().name:
        fix = f"for the table that is bundled with Cutaway name no data, or {students_path()}"
        return DataError(f"there is no {path}", expected="an existing file or folder", fix=fix)
    return DataError(
        f"there is no {path}",
        expected="an existing file or folder",
        fix=did_you_mean(path.name, sorted(near)) if near else "check the path",
    )


def _unknown(source: DataSource) -> DataError:
    """That no kind recognizes the data."""
    from cutaway.data.read import SUFFIXES

    known = "; ".join(kind.takes for kind in KINDS.values() if kind.takes)
    path = source.folder
    if path is None:
        what = type(source.data).__name__ if source.path is None else source.path
        return DataError(f"{what} is no data of a known kind", expected=known)
    tables = [p.name for p in sorted(path.iterdir()) if p.name.lower().endswith(SUFFIXES)]
    return DataError(
        f"{path} holds no images, recordings or other files of a known kind",
        expected=known,
        fix=f"name the file inside it: {', '.join(tables[:4])}" if tables else "check the path",
    )


def kind_of_run(name, where) -> DataKind:
    """The kind of that name, which stands in the config of the run at `where`.

    Raises:
        RunError: an unknown name.
    """
    if name not in KINDS:
        raise RunError(
            f"{where} is a run of the unknown kind {name!r}",
            expected="one of " + ", ".join(KINDS),
            fix="open it with the version of Cutaway that wrote it",
        )
    return KINDS[name]
