"""Spreadsheets of Excel and OpenDocument, read by fastexcel, an extra."""

import io
import zipfile

from cutaway.data.header import find_header, with_names
from cutaway.errors import DataError, install_extra
from cutaway.files.content import naming
from cutaway.files.limits import expect_columns, expect_unpacked
from cutaway.files.panics import silent_panics

ROWS = 200  # rows in which the header is looked for
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how Excel's old files begin
ZIP = b"PK\x03\x04"
PARTS = ("[Content_Types].xml", "xl/workbook.xml", "xl/workbook.bin", "content.xml")


def is_spreadsheet(content: bytes) -> bool:
    """Whether a file is one of Excel or OpenDocument, whatever its name."""
    if content.startswith(OLE):
        return True
    if not content.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(part in archive.namelist() for part in PARTS)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError):
        return False


def read_excel(content: bytes, path, *, header: bool | None = None):
    """(frame, notes): the first sheet that is not empty, with the types that its cells have.

    A column with cells of several types is one of strings. Numbers that are all integers are
    integers, times that are all at midnight are dates, rows without any cell are left out.

    Args:
        content: of the file.
        path: of the file, for errors.
        header: whether there is a header; None to see.

    Raises:
        DataError: fastexcel is not installed; damaged; no sheet with rows.
    """
    with naming(path, "a spreadsheet", fix="save it again, or as CSV"):
        if content.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                expect_unpacked(size, len(content), f"{path} unpacks to much")
                damaged = archive.testzip()  # fastexcel does not look at the checksums
            if damaged is not None:
                raise DataError(
                    f"{path} is damaged: the checksum of {damaged} does not match",
                    expected="a complete file of Excel or OpenDocument",
                    fix="copy it again",
                )
        elif not content.startswith(OLE):
            raise DataError(
                f"{path} is no spreadsheet: it starts with {content[:8].hex(' ')}",
                expected="a file of Excel or OpenDocument",
                fix="save it again, or as CSV",
            )
        fastexcel = _fastexcel(path)
        with silent_panics():
            book = fastexcel.read_excel(content)
            for name in book.sheet_names:
                texts = _sheet(book, name, 0, dtypes="string")
                if texts.height:
                    return _table(book, name, texts, path, header)
    raise DataError(f"{path} has no rows", expected="a sheet with a header and rows")


def _fastexcel(path):
    try:
        import fastexcel  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            f"{path} is a spreadsheet, which is read by the package fastexcel: not installed",
            expected="fastexcel",
            fix=f"{install_extra('excel')}, or pip install fastexcel, or save the table as CSV",
        ) from None
    return fastexcel


def _sheet(book, name: str, skipped: int, dtypes: str | None = None):
    sheet = book.load_sheet(
        name, header_row=None, skip_rows=skipped, schema_sample_rows=None, dtypes=dtypes
    )
    return sheet.to_polars()


def _table(book, name: str, texts, path, header: bool | None):
    import polars as pl

    expect_columns(texts.width, path)
    is_filled = ~texts.select(pl.all_horizontal(pl.all().is_null())).to_series()
    places = is_filled.arg_true().to_list()
    rows = [[cell or "" for cell in texts.row(place)] for place in places[:ROWS]]
    found = find_header(_evened(rows), header)
    found = type(found)(_padded(found.names, texts.width), found.skipped, found.notes)
    if len(places) <= found.skipped:
        raise DataError(
            f"{path} has a header and no rows in the sheet {name!r}",
            expected="at least one row of data",
            fix="add rows below the header",
        )
    start = places[found.skipped]
    texts, typed = texts.slice(start), _sheet(book, name, start)
    if typed.shape != texts.shape:
        typed = texts
    is_row = is_filled.slice(start)
    pairs = zip(typed.get_columns(), texts.get_columns(), strict=True)
    columns = [_natural(column.filter(is_row), text.filter(is_row)) for column, text in pairs]
    notes = list(found.notes)
    others = [repr(other) for other in book.sheet_names if other != name]
    if others:
        notes.insert(0, f"read the sheet {name!r}; there are also {', '.join(others)}")
    frame = pl.DataFrame({str(k): column for k, column in enumerate(columns)})
    frame, new = with_names(frame, found)
    return frame, [*notes, *new]


def _evened(rows: list[list[str]]) -> list[list[str]]:
    """Titles as a single cell each, as a text would have them; all other rows as they are."""
    return [row[:1] if row[0].strip() and not any(row[1:]) else row for row in rows]


def _padded(names: list, width: int) -> list:
    return [*names, *[None] * (width - len(names))][:width]


def _natural(column, text):
    """The column with integers and dates where its values are; text where cells differ in type."""
    import polars as pl

    if column.null_count() != text.null_count():
        return text
    known = column.drop_nulls()
    if column.dtype == pl.Null:
        return column.cast(pl.String)
    if column.dtype == pl.Float64 and known.len() and (known == known.round()).all():
        return column.cast(pl.Int64) if (known.abs() < 2**53).all() else column
    if isinstance(column.dtype, pl.Datetime):
        is_date = bool((known.dt.truncate("1d") == known).all())
        return column.cast(pl.Date) if is_date else column.cast(pl.Datetime("us"))
    return column
