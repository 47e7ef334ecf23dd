"""Tables from files and frames, as polars frames with types."""

from pathlib import Path

from cutaway.data.cell_shapes import MISSING
from cutaway.data.cells import SUFFIXES as SUFFIXES
from cutaway.data.cells import read_cells
from cutaway.files.content import is_pipe, naming_source
from cutaway.files.packing import GZIP as GZIP

FIRST = 1000  # values that are tried before all of them


@naming_source("a table")
def read_table(
    source,
    *,
    encoding: str | None = None,
    header: bool | None = None,
    notes: list[str] | None = None,
):
    """Read a table as a polars frame.

    Text: encoding, separator (comma, semicolon, tab, bar, runs of spaces) and header are found in
    it; types are inferred from all rows, also for quoted numbers; empty cells, NA, NaN, null, None
    and ? are missing. Other formats state types, which are kept.

    Args:
        source: path of a table (.csv, .tsv, .txt, .arff, .jsonl, .json, .xlsx, .xls, .ods,
            .parquet; texts also packed: .csv.gz), or a polars or pandas frame, or a dict of
            columns. A pipe is read once, whatever its name.
        encoding: of a text, by Python's name; None to find it.
        header: whether the first line is a header; None to see.
        notes: a list to which is appended what was decided and may be wrong.

    Returns:
        polars.DataFrame with at least one row and one column.

    Raises:
        DataError: no such file, nothing in it, or it cannot be read as a table.
        OptionError: no such encoding.
    """
    cells = read_cells(source, encoding=encoding, header=header)
    if notes is not None:
        notes.extend(cells.notes)
    return typed(cells.frame) if cells.is_untyped else cells.frame


def unpiped(data):
    """The table in a pipe as a frame, since it can be read once only; any other data as they are.

    Args:
        data: see read_table.
    """
    return read_table(data) if isinstance(data, str | Path) and is_pipe(data) else data


def typed(frame):
    """The frame with its columns of strings as integers, floats or booleans, if all cells are."""
    import polars as pl

    columns = [_typed(c) if c.dtype == pl.String else c for c in frame.get_columns()]
    return pl.DataFrame(columns)


def _typed(column):
    """Strings as integers, floats or booleans, if every value is one."""
    numbers = _numbers(_known(column))
    if numbers is not None:
        return numbers
    text = _known(column.str.strip_chars())
    known = text.drop_nulls()
    if known.is_empty():
        return text
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    numbers = _numbers(text)
    return text if numbers is None else numbers


def _known(text):
    """The strings, null where one means a missing value."""
    return text.set(text.is_in(MISSING).fill_null(False), None)


def _numbers(text):
    """Strings as integers or floats; None if a string is neither, or if there is none."""
    import polars as pl

    if text.null_count() == len(text):
        return None
    for part in (text.head(FIRST), text):  # most columns of texts show what they are at once
        numbers = None
        for dtype in (pl.Int64, pl.Float64):
            cast = part.cast(dtype, strict=False)
            if cast.null_count() == part.null_count():
                numbers = cast
                break
        if numbers is None:
            return None
    return numbers
