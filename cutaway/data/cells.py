"""Tables from files and frames, with their cells as they were written."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutaway.data.delimited import find_table, read_delimited
from cutaway.data.encoding import to_utf8
from cutaway.data.pandas_frames import from_pandas, is_pandas
from cutaway.data.parquet import PARQUET, read_parquet
from cutaway.errors import DataError, did_you_mean, expect_choice
from cutaway.files.content import exists, expect_file, is_pipe, naming_source, read_content
from cutaway.files.packing import ENDINGS, unpack

TEXTS = (".csv", ".tsv", ".txt", ".arff", ".jsonl", ".ndjson", ".json")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
PACKED = tuple(ENDINGS)
SUFFIXES = (
    *TEXTS,
    *SPREADSHEETS,
    ".parquet",
    *(text + ending for text in TEXTS for ending in PACKED),
    ".zip",
)
BEGIN = 2**18  # bytes of a text by which is seen whether it is a table


@dataclasses.dataclass(frozen=True)
class Cells:
    """A table with its cells as they were written.

    Attributes:
        frame: polars frame. From delimited text every column is String, as written between the
            separators: quotes removed, nothing stripped, no null values replaced; an empty cell is
            null or "". From Parquet, spreadsheets, ARFF and JSON it has the types that these state.
        notes: messages on what was decided and may be wrong: encoding, header, names, quotes.
        separator: of a delimited text, " " for runs of spaces; otherwise None.
        encoding: of a text, by Python's name; otherwise None.
        is_untyped: whether numbers and dates may stand in columns of strings, since nothing states
            their types: in delimited text, and in spreadsheets.
        header: the names of the columns as they were written, None for a column that the header
            has no cell for; None: nothing was written otherwise than the frame has it.
        has_quotes: whether cells that contain separators stand in quotes in that text.
    """

    frame: Any
    notes: list[str]
    separator: str | None = None
    encoding: str | None = None
    is_untyped: bool = False
    header: Sequence[str | None] | None = None
    has_quotes: bool = True


@naming_source("a table")
def read_cells(source, *, encoding: str | None = None, header: bool | None = None) -> Cells:
    """Read a table without finding the types of what is text in it.

    Encoding, separator and header of a text are found in it, and said in the notes where they may
    be wrong. Repeated and missing names of columns are numbered.

    Args:
        source: path of a table, also packed by gzip, zip, bzip2 or xz; or a polars or pandas
            frame, or a dict of columns. A pipe is read once, whatever its name.
        encoding: of a text, by Python's name; None to find it.
        header: whether the first line is a header; None to see.

    Raises:
        DataError: no such file, nothing in it, or it cannot be read as a table.
        OptionError: no such encoding.

    Example:
        >>> import pathlib, tempfile
        >>> from cutaway.data.cells import read_cells
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "a.csv")
        ...     _ = path.write_bytes(b"Stadt;km\\nK\\xf6ln;1,5\\nBonn;007\\n")
        ...     cells = read_cells(path)
        >>> cells.frame.rows(), cells.separator, cells.encoding
        ([('Köln', '1,5'), ('Bonn', '007')], ';', 'latin-1')
    """
    import polars as pl

    expect_choice(header, (None, True, False), what="header")
    if isinstance(source, str | Path):
        cells = _read_file(Path(source), encoding, header)
    elif isinstance(source, pl.DataFrame):
        cells = Cells(source, [])
    elif isinstance(source, pl.LazyFrame):
        cells = Cells(source.collect(), [])
    elif isinstance(source, dict):
        cells = Cells(pl.DataFrame(source), [])
    elif is_pandas(source):
        cells = Cells(from_pandas(source), [])
    else:
        raise DataError(
            f"the table is a {type(source).__name__}",
            expected="a path, a polars or pandas frame, or a dict of columns",
        )
    if cells.frame.width == 0 or cells.frame.height == 0:
        raise DataError(
            f"the table has {cells.frame.height} rows and {cells.frame.width} columns",
            expected="at least one row below the header",
            fix="check the file",
        )
    return cells


def holds_table(path) -> bool:
    """Whether a file is a table by its name, and where that says too little, by its content.

    A .txt file is one if its first lines have the same number of cells; JSON, if it is a list of
    objects; a zip archive, if it holds a single table.
    """
    name = os.path.basename(path).lower()
    if not name.endswith(SUFFIXES):
        return False
    bare = name.removesuffix(os.path.splitext(name)[1]) if name.endswith(PACKED) else name
    if bare.endswith(SUFFIXES) and not bare.endswith((".txt", ".json")):
        return True
    try:
        content, inner = unpack(read_content(path), path)
        inner = inner.lower()
        if not inner.endswith((".txt", ".json")):
            return inner.endswith(SUFFIXES)
        begin, _, _ = to_utf8(_first_lines(content), path)
    except DataError:
        # what is damaged is told when it is read as what its name says
        return not bare.endswith(".txt")
    if inner.endswith(".json"):
        from cutaway.data.json_rows import begins_with_objects

        return begins_with_objects(begin.decode(errors="ignore"))
    return find_table(begin)


def _first_lines(content: bytes) -> bytes:
    """The first lines of a text, an even number of bytes of it where it has no lines of ASCII."""
    if len(content) <= BEGIN:
        return content
    end = content.rfind(b"\n", 0, BEGIN)
    return content[:BEGIN] if end < 0 or b"\0" in content[:BEGIN] else content[: end + 1]


def _read_file(path: Path, encoding: str | None, header: bool | None) -> Cells:
    _expect_table(path)
    if not is_pipe(path) and path.name.lower().endswith(".parquet") and path.stat().st_size:
        return Cells(read_parquet(path), [])
    content, name = unpack(read_content(path), path)
    if content.startswith(PARQUET) and content.endswith(PARQUET):
        return Cells(read_parquet(path, content), [])
    if not content or content.isspace():
        raise DataError(
            f"{path} is empty",
            expected="a header and at least one row of data",
            fix="check the path, or export the table again",
        )
    from cutaway.data.excel import is_spreadsheet, read_excel

    name, notes = name.lower(), []
    if is_spreadsheet(content):
        return Cells(*read_excel(content, path, header=header), is_untyped=True)
    if name.endswith(SPREADSHEETS):
        if not find_table(_as_text(content)):
            return Cells(*read_excel(content, path, header=header), is_untyped=True)
        notes.append("the file is a text, whatever its name says, and no spreadsheet")
    text, found, note = to_utf8(content, path, encoding)
    notes += [note] if note else []
    if name.endswith((".jsonl", ".ndjson", ".json", ".arff")):
        frame, more = _reader_of(name)(text.decode(), path)
        return Cells(frame, [*notes, *more], encoding=found)
    tabs = "\t" if name.endswith(".tsv") else None
    frame, separator, more, names = read_delimited(text, path, header=header, separator=tabs)
    return Cells(frame, [*notes, *more], separator, found, is_untyped=True, header=names)


def _reader_of(name: str):
    if name.endswith(".arff"):
        from cutaway.data.arff import read_arff

        return read_arff
    from cutaway.data.json_rows import read_json_rows

    return read_json_rows


def _as_text(content: bytes) -> bytes:
    """The content in UTF-8, if it is a text; otherwise nothing."""
    try:
        return to_utf8(content, "")[0]
    except DataError:
        return b""


def _expect_table(path: Path) -> None:
    """Raise DataError unless a file or a pipe is there, and its name that of a table."""
    known = ", ".join((*TEXTS, *SPREADSHEETS[:2], ".ods", ".parquet"))
    if os.path.isdir(path):
        raise DataError(
            f"{path} is a folder",
            expected=f"a file: {known}",
            fix="name the file inside it",
        )
    if not exists(path):
        near = [name for name in _names_beside(path) if name.endswith(SUFFIXES)]
        raise DataError(
            f"there is no file {path}",
            expected="an existing file",
            fix=did_you_mean(path.name, near) if near else "check the path",
        )
    if is_pipe(path):  # has no suffix
        return
    expect_file(path)  # a device or a socket has no suffix either: say what it is
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(
            f"{path.name} has an unknown file format",
            expected=f"one of {known}; texts also packed: {', '.join(PACKED)}",
            fix="save the table as CSV",
        )


def _names_beside(path: Path) -> list[str]:
    try:
        return os.listdir(path.parent)
    except OSError:
        return []
