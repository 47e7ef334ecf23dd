"""Tables from files and frames, as polars frames."""

import io
from pathlib import Path

from cutaway.errors import DataError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".csv.gz", ".tsv.gz")
# strings that mean a missing value
MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "?")
SEPARATORS = (",", ";", "\t", "|")


def read_table(source):
    """Read a table as a polars frame.

    CSV: the separator (comma, semicolon, tab, bar) is detected; types are inferred from all rows,
    also for quoted numbers; empty cells, NA, NaN, null, None and ? are missing.

    Args:
        source: path of a .csv, .tsv or .parquet file (.csv.gz, .tsv.gz), or a polars or pandas
            frame, or a dict of columns.

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
    elif type(source).__module__.startswith("pandas"):
        frame = pl.DataFrame({str(name): source[name].to_numpy() for name in source.columns})
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


def _read_file(path: Path):
    if path.is_dir():
        raise DataError(
            f"{path} is a folder",
            expected="a file: " + ", ".join(SUFFIXES),
            fix="name the file inside it",
        )
    if not path.exists():
        near = [p.name for p in path.parent.glob("*") if p.name.endswith(SUFFIXES)]
        raise DataError(
            f"there is no file {path}",
            expected="an existing file",
            fix=did_you_mean(path.name, near) if near else "check the path",
        )
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(
            f"{path.name} has an unknown file format",
            expected="one of " + ", ".join(SUFFIXES),
            fix="save the table as CSV",
        )
    try:
        content = path.read_bytes() if not path.name.endswith(".parquet") else None
        if content == b"" or path.stat().st_size == 0:
            raise DataError(
                f"{path} is empty",
                expected="a header and at least one row of data",
                fix="check the path, or export the table again",
            )
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return _read_parquet(path) if content is None else _read_text(path, content)


def _read_parquet(path):
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path} is not a valid Parquet file: {_first_line(error)}",
            fix="write or copy it again",
        ) from error


def _read_text(path, content: bytes):
    import polars as pl

    if path.name.endswith(".gz"):
        import gzip
        import zlib

        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} is not a valid gzip file: {_first_line(error)}", fix="copy it again"
            ) from error
    content = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is not UTF-8 text (byte 0x{content[error.start]:02x})",
            expected="a text file in UTF-8",
            fix=f"convert it, for example: iconv -f latin1 -t utf-8 {path.name} > new.csv",
        ) from error
    lines = text.split("\n", 1)
    if not text.strip():
        raise DataError(
            f"{path} is empty",
            expected="a header and at least one row of data",
            fix="check the path, or export the table again",
        )
    if len(lines) == 1 or not lines[1].strip():
        raise DataError(
            f"{path} has a header and no rows",
            expected="at least one row of data",
            fix="add rows below the header",
        )
    separator = _separator(path, lines[0])
    names = [name.strip().strip('"').strip() for name in lines[0].split(separator)]
    _expect_names(path, names)
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            separator=separator,
            infer_schema=False,
            null_values=list(MISSING),
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} cannot be read as a table: {_ragged(text, separator, names, error)}",
            expected=f"{len(names)} cells in every line, as in the header",
            fix="fix that line, or put cells that contain separators into double quotes",
        ) from error
    frame.columns = names if len(names) == frame.width else [n.strip() for n in frame.columns]
    return frame.with_columns(_typed(frame[name]) for name in frame.columns)


def _typed(column):
    """Strings as integers, floats or booleans, if every value is one."""
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING).fill_null(False), None)
    known = text.drop_nulls()
    if known.is_empty():
        return text
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    for dtype in (pl.Int64, pl.Float64):
        numbers = text.cast(dtype, strict=False)
        if numbers.null_count() == text.null_count():
            return numbers
    return text


def _separator(path, header: str) -> str:
    if path.name.removesuffix(".gz").endswith(".tsv"):
        return "\t"
    counts = {s: header.count(s) for s in SEPARATORS}
    best = max(SEPARATORS, key=counts.__getitem__)
    return best if counts[best] else ","


def _expect_names(path, names):
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}: the column {twice[0]!r} occurs {names.count(twice[0])} times",
            expected="unique column names",
            fix="rename one of them in the header",
        )


def _ragged(text, separator, names, error) -> str:
    """The first line whose number of cells differs from the header's; otherwise polars' error."""
    import csv

    for row in (reader := csv.reader(io.StringIO(text), delimiter=separator)):
        if row and len(row) != len(names):
            return f"line {reader.line_num} has {len(row)} cells"
    return _first_line(error)


def _first_line(error) -> str:
    return str(error).split("\n")[0].strip()
