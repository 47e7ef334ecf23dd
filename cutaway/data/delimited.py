"""Delimited text, such as CSV: from bytes in UTF-8 to cells as they were written."""

import csv
import io
import re

from cutaway.data.cell_shapes import holds_values, is_value
from cutaway.data.delimiter import (
    RUNS,
    SEPARATORS,
    Sample,
    collapsed,
    find_sample,
    records,
    sample_of,
)
from cutaway.data.header import Header, find_header, is_data, with_names
from cutaway.errors import DataError
from cutaway.files.content import naming, reason_of
from cutaway.files.limits import expect_columns
from cutaway.files.panics import silent_panics

SAMPLE = 2**18  # bytes in which separator and header are looked for
DIRECTIVE = re.compile(rb"sep=([\x01-\x7f]) *\n", re.IGNORECASE)  # Excel's, in the first line
LEAD = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n)*")  # blank lines and comments


def read_delimited(content: bytes, path, *, header: bool | None = None, separator=None):
    """(frame of strings, separator, notes, header): the cells of a delimited text.

    The header holds the names of the columns as they were written; see Cells.

    Args:
        content: in UTF-8, without a mark.
        path: of the file, for errors.
        header: whether there is a header; None to see.
        separator: if it is known.

    Raises:
        DataError: empty, no rows, lines with too many cells, a quote that is not closed.
    """
    content = _with_newlines(content)
    if not content or content.isspace():
        raise DataError(
            f"{path} is empty",
            expected="a header and at least one row of data",
            fix="check the path, or export the table again",
        )
    with naming(path, "a table", expected="cells between separators, a row in every line"):
        start, comments, directed = _lead(content)
        sample = _sample(content, start, separator or directed, path)
        names = _names_in(comments, sample)
        if names is not None:
            comments.pop()
            found = Header(
                names, 0, ["the names of the columns are those of the comment above (#)"]
            )
        else:
            found = find_header(sample.rows, header)
        notes = [f"lines of comments (#) above the table: {len(comments):,}"] if comments else []
        lines = sample.ends[found.skipped - 1] if found.skipped else 0
        body = content[_after_lines(content, start, lines) :]
        if not body or body.isspace():
            raise DataError(
                f"{path} has a header and no rows",
                expected="at least one row of data",
                fix="add rows below the header",
            )
        before = content.count(b"\n", 0, len(content) - len(body))
        frame, more = _read_body(body, sample.separator, len(found.names), path, before)
        frame, new = with_names(frame, found)
    written = None if found.written is None else found.written[: frame.width]
    if written is not None:
        above = sample.ends[found.skipped - 2] if found.skipped > 1 else 0
        begin, end = (_after_lines(content, start, count) for count in (above, lines))
        written = _with_blanks(content[begin:end].decode(), sample.separator, written)
    return frame, sample.separator, [*notes, *found.notes, *new, *more], written


def _with_blanks(line: str, separator: str, written: list[str | None]) -> list[str | None]:
    """The cells of a header with the blanks in front of them, which the reader leaves out."""
    if separator == RUNS:
        return written
    try:
        cells = next(records(line, separator), [])
    except csv.Error:
        return written
    known = [cell for cell in written if cell is not None]
    places = [k for k, cell in enumerate(written) if cell is not None]
    if [cell.strip() for cell in cells[: len(known)]] != [cell.strip() for cell in known]:
        return written  # a quote behind blanks
    found = [*written]
    for place, cell in zip(places, cells, strict=False):
        found[place] = cell
    return found


def find_table(content: bytes) -> bool:
    """Whether the first lines of a text in UTF-8 have the same number of cells, two or more."""
    content = _with_newlines(content)
    start, _, separator = _lead(content)
    try:
        sample = _sample(content, start, separator, "")
    except (csv.Error, DataError):
        return False
    rows = sample.rows
    if len(rows) < 2 or sample.is_even:
        return sample.is_even and len(rows) > 1
    found = find_header(rows)
    below, width = rows[found.skipped :], len(found.names)
    return width > 1 and all(len(row) == width for row in below) and _has_values(below)


def _with_newlines(content: bytes) -> bytes:
    r"""The text with \n at the ends of lines, and no blank lines at its end."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
        if b"\n" not in content.rstrip(b"\r\n"):  # of an old Macintosh
            content = content.replace(b"\r", b"\n")
    tail = content[-2000:]  # a copy of all of it is not needed, unless it ends in many blanks
    blanks = len(tail) - len(tail.rstrip())
    if blanks == len(tail):
        blanks = len(content) - len(content.rstrip())
    end = content.find(b"\n", len(content) - blanks)
    return content if end in (-1, len(content) - 1) else content[: end + 1]


def _lead(content: bytes):
    """(where the table begins, the comments above it, the separator that is named there)."""
    directive = DIRECTIVE.match(content)
    start = directive.end() if directive else 0
    lead = LEAD.match(content, start)
    end = lead.end() if lead else start
    if end == len(content):
        return 0, [], None
    lines = content[start:end].decode(errors="replace").split("\n")
    comments = [line.strip() for line in lines if line.lstrip().startswith("#")]
    return end, comments, directive[1].decode(errors="replace") if directive else None


def _sample(content: bytes, start: int, separator: str | None, path) -> Sample:
    end = _after_lines(content, start, 2)
    end = max(start + SAMPLE, end)
    first = content[start : _after_lines(content, start, 1)]
    marks = [separator] if separator else SEPARATORS
    expect_columns(max(first.count(mark.encode()) for mark in marks) + 1, path)
    text = content[start:end].decode(errors="ignore")
    if separator:
        return sample_of(text, separator, is_cut=end < len(content))
    return find_sample(text, is_cut=end < len(content))


def _after_lines(content: bytes, start: int, count: int) -> int:
    """Where the line begins that follows so many lines."""
    for _ in range(count):
        end = content.find(b"\n", start)
        if end < 0:
            return len(content)
        start = end + 1
    return start


def _names_in(comments: list[str], sample: Sample) -> list[str | None] | None:
    """The names in the last comment, if it has as many as the lines have cells."""
    if not comments or not sample.is_even:
        return None
    marked = comments[-1].lstrip("#")
    if marked.startswith(sample.separator) and sample.separator != RUNS:
        marked = comments[-1]  # the first column is named #
    names = next(records(marked.strip(" "), sample.separator, skips_blanks=True), [])
    rows, width = sample.rows, len(sample.rows[0])
    if len(names) != width or any(map(is_value, names)):
        return None
    is_header = not any(map(is_value, rows[0])) and _has_values(rows[1:])
    if is_header or (width < 3 and not is_data(rows[0], rows[1:])):
        return None
    return [name.strip() or None for name in names]


def _has_values(rows: list[list[str]]) -> bool:
    """Whether a column holds numbers or dates."""
    return any(holds_values(list(cells)) for cells in zip(*rows, strict=True))


def _read_body(body: bytes, separator: str, width: int, path, before: int):
    """(frame, notes) of the lines below the header, which have `width` cells.

    Args:
        before: number of lines above, so that errors count from the first line of the file.
    """
    if separator == RUNS:
        body = collapsed(body.decode()).encode()
    whole = body  # its lines are those of the file
    has_quotes = b'"' in body
    frame, error = _parsed(body, separator, width, '"' if has_quotes else None)
    if width > 1 and (frame is None or frame.to_series(width - 1).null_count()):
        body = _without_blank_lines(body)
        if len(body) < len(whole):
            frame, error = _parsed(body, separator, width, '"' if has_quotes else None)
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    if frame is not None and frame.height == lines:
        return frame, _short_lines(frame, whole, separator, before)
    if has_quotes:
        found = _with_stray_quotes(body, separator, width, is_read=frame is not None)
        if found is not None:
            return found[0], [_stray(whole, before)] if found[1] else []
    if frame is not None:  # cells of several lines
        return frame, _short_lines(frame, whole, separator, before)
    raise DataError(
        f"{path} cannot be read as a table: {_ragged(whole, separator, width, before, error)}",
        expected=f"{width} cells in every line, as in the header",
        fix="fix that line, or put cells that contain separators into double quotes",
    ) from error


def _without_blank_lines(body: bytes) -> bytes:
    """The text without lines that are blank, but for those inside quotes."""
    parts = body.split(b'"')
    parts[::2] = [re.sub(rb"\n(?: *\n)+", b"\n", part) for part in parts[::2]]
    return b'"'.join(parts).lstrip(b"\n")


def _parsed(body: bytes, separator: str, width: int, quote: str | None):
    """(frame, None), or (None, polars' error)."""
    import polars as pl

    # a header of its own, to which polars extends lines that are shorter
    header = separator.join(map(str, range(width))).encode() + b"\n"
    try:
        with silent_panics():
            frame = pl.read_csv(
                io.BytesIO(b"".join([header, body])),
                separator=separator,
                quote_char=quote,
                infer_schema=False,
            )
    except pl.exceptions.PolarsError as error:
        return None, error
    return frame, None


def _with_stray_quotes(body: bytes, separator: str, width: int, *, is_read: bool):
    """(frame, whether there are stray quotes) if quotes are what polars refuses, or hide line ends.

    Args:
        is_read: whether polars reads it, with line ends inside cells.
    """
    import polars as pl

    if not is_read:
        for skips_blanks in (False, True):
            rows = _rows_that_fit(body, separator, width, skips_blanks)
            if rows is not None:
                columns = zip(*rows, strict=True)
                data = {str(k): [cell or None for cell in cells] for k, cells in enumerate(columns)}
                frame = pl.DataFrame(data, schema=dict.fromkeys(data, pl.String))
                return frame, not skips_blanks
    if width < 2 or not _fits_unquoted(body, separator, width):
        return None
    frame, _ = _parsed(body, separator, width, None)
    if frame is None:
        return None
    cell = pl.all()
    quoted = cell.str.starts_with('"') & cell.str.ends_with('"') & (cell.str.len_bytes() > 1)
    whole = pl.when(quoted).then(cell.str.slice(1, cell.str.len_chars() - 2)).otherwise(cell)
    return frame.with_columns(whole.name.keep()), True


def _rows_that_fit(body: bytes, separator: str, width: int, skips_blanks: bool):
    """The cells of all rows, if each has `width` of them and none contains the end of a line."""
    rows = []
    try:
        for row in records(body.decode(), separator, skips_blanks=skips_blanks):
            if len(row) != width or any("\n" in cell for cell in row):
                return None
            rows.append(row)
    except csv.Error:
        return None
    return rows


def _fits_unquoted(body: bytes, separator: str, width: int) -> bool:
    mark = separator.encode()
    return all(line.count(mark) == width - 1 for line in body.removesuffix(b"\n").split(b"\n"))


def _stray(body: bytes, before: int) -> str:
    """The note on quotes that enclose nothing."""
    for number, line in enumerate(body.split(b"\n"), before + 1):
        if line.count(b'"') % 2:
            return f"line {number}: a double quote without its partner is read as a character"
    return "double quotes inside cells are read as characters"


def _short_lines(frame, body: bytes, separator: str, before: int) -> list[str]:
    """A note on the first line with fewer cells than the header; polars leaves the rest empty."""
    width = frame.width
    if width < 2 or not frame.to_series(width - 1).null_count():
        return []
    between = body.count(separator.encode())
    if b'"' in body:
        inside = [c.str.count_matches(separator, literal=True).sum() for c in frame.get_columns()]
        between -= sum(inside)
    if between >= (width - 1) * frame.height:
        return []
    reader = records(body.decode(), separator)
    for row in reader:
        if row and len(row) < width:
            return [
                f"line {before + reader.line_num} has {len(row)} cells in place of {width}: what "
                "is missing at the end of such lines is empty"
            ]
    return []


def _ragged(body: bytes, separator: str, width: int, before: int, error) -> str:
    """The first line with more cells than the header; otherwise polars' error."""
    reader, last = records(body.decode(), separator), 0
    try:
        for row in reader:
            if any(cell.count("\n") > 1 for cell in row):
                return f"line {before + last + 1} has a double quote that is not closed"
            if len(row) > width:
                return f"line {before + reader.line_num} has {len(row)} cells"
            last = reader.line_num
    except csv.Error:
        pass  # polars' error says more
    return reason_of(error)
