"""Tables from files and frames, as polars frames with types."""

from collections.abc import Sequence
from pathlib import Path

from cutaway.data.cells import SUFFIXES as SUFFIXES
from cutaway.data.table_reading import read_encoded
from cutaway.files.content import is_pipe, naming_source
from cutaway.files.packing import GZIP as GZIP


@naming_source("a table")
def read_table(
    source,
    *,
    encoding: str | None = None,
    header: bool | None = None,
    missing: Sequence[str] = (),
    notes: list[str] | None = None,
):
    """Read a table as a polars frame.

    Text: encoding, separator (comma, semicolon, tab, bar, runs of spaces) and header are found in
    it; types are found over all rows, also of numbers as people write them (1,234.50 $; 12,5 %),
    see TableReading. Other formats state types, which are kept.

    Args:
        source: path of a table (.csv, .tsv, .txt, .arff, .jsonl, .json, .xlsx, .xls, .ods,
            .parquet; texts also packed: .csv.gz), or a polars or pandas frame, or a dict of
            columns. A pipe is read once, whatever its name.
        encoding: of a text, by Python's name; None to find it.
        header: whether the first line is a header; None to see.
        missing: texts that mean a missing value, in any column.
        notes: a list to which is appended what was decided and may be wrong.

    Returns:
        polars.DataFrame with at least one row and one column.

    Raises:
        DataError: no such file, nothing in it, or it cannot be read as a table.
        OptionError: no such encoding.
    """
    frame, reading, cells = read_encoded(source, encoding=encoding, header=header, missing=missing)
    if notes is not None:
        notes += reading.notes(cells)
    return frame


def unpiped(data):
    """The table in a pipe as a frame, since it can be read once only; any other data as they are.

    Args:
        data: see read_table.
    """
    return read_table(data) if isinstance(data, str | Path) and is_pipe(data) else data
