"""ARFF, the format of Weka and OpenML: a text that states the types of its columns.

References:
    Witten, Frank & Hall 2011, "Data Mining", section 2.4; Weka's documentation, "ARFF".
"""

import dataclasses
import re

from cutaway.data.header import unique_names
from cutaway.errors import DataError
from cutaway.files.limits import expect_columns

# a cell in quotes, or what stands before the next separator
CELL = re.compile(
    r"""[ ]*(?:'((?:[^'\\]|\\.)*)'[ ]*|"((?:[^"\\]|\\.)*)"[ ]*|((?!['"])[^,\t]*))(?:([,\t])|$)""",
    re.DOTALL,
)
WORD = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*""")
SPARSE = re.compile(r"\s*(\d+)\s+(.*)", re.DOTALL)
WEIGHT = re.compile(r",\s*\{\s*[-+.\deE]+\s*\}\s*$")  # of a row, after its cells
# what Java's SimpleDateFormat calls the parts of a date; longest first
TOKENS = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d",
    "d": "%d", "HH": "%H", "H": "%H", "mm": "%M", "ss": "%S", "SSS": "%3f", "a": "%p",
    "hh": "%I", "EEE": "%a",
}  # fmt: skip
PART = re.compile(r"'([^']*)'|" + "|".join(sorted(TOKENS, key=len, reverse=True)))
ISO = "yyyy-MM-dd'T'HH:mm:ss"
NUMBERS = ("numeric", "real", "integer")


@dataclasses.dataclass(frozen=True)
class ArffColumn:
    """A column as the header declares it.

    Attributes:
        name: of the column.
        kind: "numeric", "nominal", "string" or "date".
        levels: of a nominal column, in order.
        form: of the dates, in Java's notation.
    """

    name: str
    kind: str
    levels: tuple[str, ...] = ()
    form: str = ISO


def read_arff(text: str, path):
    """(frame, notes): the table in an ARFF file, with the types that it states.

    Numeric columns are floats, or integers if all of their values are; nominal ones and strings
    are strings; dates are times. A ? is a missing value. Rows may be sparse.

    Args:
        text: of the file.
        path: of the file, for errors.

    Raises:
        DataError: no attributes or rows; a row with another number of cells; a value that its
            column cannot have. Names the line.
    """
    import polars as pl

    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    attributes, start = _attributes(lines, path)
    expect_columns(len(attributes), path)
    columns: list[list[str | None]] = [[] for _ in attributes]
    numbers = []  # the line of each row
    for number, line in enumerate(lines[start:], start + 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("%"):
            continue
        numbers.append(number)
        for column, cell in zip(columns, _row(stripped, attributes, path, number), strict=True):
            column.append(cell)
    if not numbers:
        raise DataError(f"{path} has no rows below @data", expected="at least one row of data")
    names, notes = unique_names([a.name for a in attributes])
    series = [
        _as_series(attribute, name, column, numbers, path)
        for attribute, name, column in zip(attributes, names, columns, strict=True)
    ]
    return pl.DataFrame(series), notes


def _attributes(lines: list[str], path) -> tuple[list[ArffColumn], int]:
    """The declared columns, and the number of lines up to @data."""
    found = []
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        word = stripped.split(maxsplit=1)[0].lower() if stripped else ""
        if word == "@data":
            if not found:
                break
            return found, number
        if word == "@attribute":
            found.append(_attribute(stripped[len(word) :], path, number))
        elif word and word != "@relation" and not word.startswith("%"):
            raise _error(path, number, f"is {_shown(stripped)!r}", "@attribute NAME TYPE")
    raise DataError(
        f"{path} has no {'@data line' if found else '@attribute lines'}",
        expected="an ARFF file: @relation, @attribute lines, @data, rows",
        fix="export it again, or save it as CSV",
    )


def _attribute(text: str, path, number: int) -> ArffColumn:
    matched = WORD.match(text)
    if not matched:
        raise _error(path, number, "names no attribute", "@attribute NAME TYPE")
    name, rest = _unquoted(matched), text[matched.end() :].strip()
    if rest.startswith("{"):
        if not rest.rstrip().endswith("}"):
            raise _error(path, number, "has no closing }", "@attribute NAME {A, B, ...}")
        inside = rest.rstrip()[1:-1]
        levels = tuple(cell or "" for cell in _cells(inside, path, number)) if inside else ()
        return ArffColumn(name, "nominal", levels)
    kind, _, form = rest.partition(" ")
    if kind.lower() in NUMBERS:
        return ArffColumn(name, "numeric")
    if kind.lower() == "string":
        return ArffColumn(name, "string")
    if kind.lower() == "date":
        return ArffColumn(name, "date", form=form.strip().strip("\"'") or ISO)
    raise _error(
        path,
        number,
        f"declares the type {_shown(rest)!r}",
        "numeric, integer, real, string, date or {A, B, ...}",
    )


def _row(line: str, attributes: list[ArffColumn], path, number: int) -> list[str | None]:
    line = WEIGHT.sub("", line)
    if line.startswith("{") and line.endswith("}"):
        return _sparse_row(line[1:-1], attributes, path, number)
    cells = _cells(line, path, number)
    if len(cells) != len(attributes):
        raise _error(
            path, number, f"has {len(cells)} cells", f"{len(attributes)}, one for each attribute"
        )
    return cells


def _sparse_row(inside: str, attributes: list[ArffColumn], path, number: int) -> list[str | None]:
    """Cells of a row that lists only those that differ from 0, or from the first level."""
    row: list[str | None] = []
    for attribute in attributes:
        first = attribute.levels[0] if attribute.levels else None
        row.append("0" if attribute.kind == "numeric" else first)
    for part in re.findall(r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,'"])+""", inside):
        if not part.strip():
            continue
        matched = SPARSE.fullmatch(part)
        if not matched or int(matched[1]) >= len(attributes):
            raise _error(
                path,
                number,
                f"holds {_shown(part.strip())!r}",
                f"INDEX VALUE, the index below {len(attributes)}",
            )
        row[int(matched[1])] = _cells(matched[2].strip(), path, number)[0]
    return row


def _cells(line: str, path, number: int) -> list[str | None]:
    """The cells of a line; None where a ? stands without quotes."""
    if "'" not in line and '"' not in line and "\\" not in line:
        plain = (cell.strip() for cell in line.replace("\t", ",").split(","))
        return [None if cell == "?" else cell for cell in plain]
    found, at = [], 0
    while True:
        matched = CELL.match(line, at)
        if not matched:
            raise _error(path, number, "has a quote that is not closed", "cells in pairs of quotes")
        plain = (matched[3] or "").strip()
        found.append(None if plain == "?" else _unquoted(matched))
        at = matched.end()
        if not matched[4]:
            return found


def _unquoted(matched) -> str:
    quoted = matched[1] if matched[1] is not None else matched[2]
    return matched[3].strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _as_series(attribute: ArffColumn, name: str, cells: list, numbers: list[int], path):
    """One column with its type; DataError with the line of the first cell that is none of it."""
    import polars as pl

    column = pl.Series(name, cells, dtype=pl.String)
    typed, expected = column, ""
    if attribute.kind == "numeric":
        expected = "a number"
        typed = column.cast(pl.Int64, strict=False)
        if typed.null_count() != column.null_count():
            typed = column.cast(pl.Float64, strict=False)
    elif attribute.kind == "date":
        expected = f"a date like {attribute.form}"
        typed = column.str.to_datetime(_strftime(attribute.form), strict=False)
    elif attribute.kind == "nominal":
        expected = f"one of {_shown(', '.join(attribute.levels))}"
        is_known = column.is_in(list(attribute.levels))
        typed = column.set(~is_known.fill_null(True), None)
    wrong = (typed.is_null() & column.is_not_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise _error(path, numbers[row], f"has {cells[row]!r} in the column {name!r}", expected)
    return typed


def _strftime(form: str) -> str:
    """The pattern of dates in the notation of strftime."""
    return PART.sub(lambda part: part[1] if part[1] is not None else TOKENS[part[0]], form)


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _error(path, number: int, came: str, expected: str) -> DataError:
    return DataError(
        f"{path}: line {number} {came}", expected=expected, fix="fix that line of the ARFF file"
    )
