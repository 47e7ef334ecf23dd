"""Tables from files and frames, as polars frames."""

import collections
import csv
import io
import os
import re
from pathlib import Path

from cutaway.data.pandas_frames import from_pandas, is_pandas
from cutaway.data.parquet import PARQUET, read_parquet
from cutaway.errors import DataError, did_you_mean
from cutaway.files.content import (
    decoded,
    exists,
    expect_file,
    is_pipe,
    naming,
    naming_source,
    read_content,
    reason_of,
)
from cutaway.files.limits import expect_columns, unpack_gzip
from cutaway.files.panics import silent_panics

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".csv.gz", ".tsv.gz")
# strings that mean a missing value
MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "?")
SEPARATORS = (",", ";", "\t", "|")
PRINTED = re.compile(rb"\S")
GZIP = b"\x1f\x8b"  # how a file begins that gzip has packed


@naming_source("a table")
def read_table(source):
    """Read a table as a polars frame.

    CSV: the separator (comma, semicolon, tab, bar) is detected; types are inferred from all rows,
    also for quoted numbers; empty cells, NA, NaN, null, None and ? are missing.

    Args:
        source: path of a .csv, .tsv or .parquet file (.csv.gz, .tsv.gz), or a polars or pandas
            frame, or a dict of columns. A pipe is read once, whatever its name.

    Returns:
        polars.DataFrame with at least one row and one column.

    Raises:
        DataError: no such file, nothing in it, or it cannot be read as a table.
    """
    import polars as pl

    if isinstance(source, pl.DataFrame):
        frame = source
    elif isinstance(source, pl.LazyFrame):
        frame = source.collect()
    elif isinstance(source, str | Path):
        frame = _read_file(Path(source))
    elif isinstance(source, dict):
        frame = pl.DataFrame(source)
    elif is_pandas(source):
        frame = from_pandas(source)
    else:
        raise DataError(
            f"the table is a {type(source).__name__}",
            expected="a path, a polars or pandas frame, or a dict of columns",
        )
    if frame.width == 0 or frame.height == 0:
        raise DataError(
            f"the table has {frame.height} rows and {frame.width} columns",
            expected="at least one row below the header",
            fix="check the file",
        )
    return frame


def unpiped(data):
    """The table in a pipe as a frame, since it can be read once only; any other data as they are.

    Args:
        data: see read_table.
    """
    return read_table(data) if isinstance(data, str | Path) and is_pipe(data) else data


def _read_file(path: Path):
    if os.path.isdir(path):
        raise DataError(
            f"{path} is a folder",
            expected="a file: " + ", ".join(SUFFIXES),
            fix="name the file inside it",
        )
    if not exists(path):
        near = [name for name in _names_beside(path) if name.endswith(SUFFIXES)]
        raise DataError(
            f"there is no file {path}",
            expected="an existing file",
            fix=did_you_mean(path.name, near) if near else "check the path",
        )
    name = path.name.lower()
    if is_pipe(path):  # has no suffix, and can be read once
        content = read_content(path)
        if content.startswith(PARQUET):
            return read_parquet(path, content)
        return _read_text(path, content)
    expect_file(path)  # a device or a socket has no suffix either: say what it is
    if not name.endswith(SUFFIXES):
        raise DataError(
            f"{path.name} has an unknown file format",
            expected="one of " + ", ".join(SUFFIXES),
            fix="save the table as CSV",
        )
    if name.endswith(".parquet") and path.stat().st_size:
        return read_parquet(path)
    return _read_text(path, read_content(path))


def _names_beside(path: Path) -> list[str]:
    try:
        return os.listdir(path.parent)
    except OSError:
        return []


def _read_text(path, content: bytes):
    import polars as pl

    if path.name.lower().endswith(".gz") or content.startswith(GZIP):
        content = unpack_gzip(content, path)
    content = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if b"\n" not in content:  # of an old Macintosh
        content = content.replace(b"\r", b"\n")
    decoded(content, path, "new.csv")
    if not content or content.isspace():
        raise DataError(
            f"{path} is empty",
            expected="a header and at least one row of data",
            fix="check the path, or export the table again",
        )
    with naming(path, "a table", expected="cells between separators, a row in every line"):
        first = content.partition(b"\n")[0].decode()
        separator = _separator(path, first)
        expect_columns(first.count(separator) + 1, path)
        names = [name.strip() for name in next(_rows(content, separator))]
        header_end = content.find(b"\n")
        if header_end < 0 or not PRINTED.search(content, header_end):
            raise DataError(
                f"{path} has a header and no rows",
                expected="at least one row of data",
                fix="add rows below the header",
            )
        _expect_names(path, names)
        try:
            with silent_panics():
                frame = pl.read_csv(
                    io.BytesIO(content),
                    separator=separator,
                    infer_schema=False,
                    null_values=list(MISSING),
                )
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"{path} cannot be read as a table: {_ragged(content, separator, names, error)}",
                expected=f"{len(names)} cells in every line, as in the header",
                fix="fix that line, or put cells that contain separators into double quotes",
            ) from error
        columns = [_typed(column) for column in frame.get_columns()]
        if len(names) != len(columns):
            names = [column.name.strip() for column in columns]
        return pl.DataFrame([c.alias(n) for c, n in zip(columns, names, strict=True)])


def _rows(content: bytes, separator: str):
    """The cells of each record, read as they are asked for."""
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="\n")
    # csv refuses a carriage return inside a cell
    plain = (line.replace("\r", " ") for line in lines)
    return csv.reader(plain, delimiter=separator, skipinitialspace=True)


def _typed(column):
    """Strings as integers, floats or booleans, if every value is one."""
    numbers = _numbers(column)
    if numbers is not None:
        return numbers
    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING).fill_null(False), None)
    known = text.drop_nulls()
    if known.is_empty():
        return text
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    numbers = _numbers(text)
    return text if numbers is None else numbers


def _numbers(text):
    """Strings as integers or floats; None if a string is neither, or if there is none."""
    import polars as pl

    if text.null_count() == len(text):
        return None
    for dtype in (pl.Int64, pl.Float64):
        numbers = text.cast(dtype, strict=False)
        if numbers.null_count() == text.null_count():
            return numbers
    return None


def _separator(path, header: str) -> str:
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    plain = re.sub(r'"[^"]*"', "", header)
    counts = {s: plain.count(s) for s in SEPARATORS}
    best = max(SEPARATORS, key=counts.__getitem__)
    return best if counts[best] else ","


def _expect_names(path, names):
    counts = collections.Counter(names)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise DataError(
            f"{path}: the column {twice[0]!r} occurs {counts[twice[0]]} times",
            expected="unique column names",
            fix="rename one of them in the header",
        )


def _ragged(content, separator, names, error) -> str:
    """The first line whose number of cells differs from the header's; otherwise polars' error."""
    try:
        for row in (reader := _rows(content, separator)):
            if row and len(row) != len(names):
                return f"line {reader.line_num} has {len(row)} cells"
    except csv.Error:
        pass  # polars' error says more
    return reason_of(error)
