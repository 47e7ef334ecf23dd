"""The separator of a delimited text, decided over many of its lines."""

import collections
import csv
import dataclasses
import io
import re

from cutaway.data.cell_shapes import holds_values, is_missing, is_value

SEPARATORS = (",", ";", "\t", "|")
RUNS = " "  # stands for runs of spaces and tabs
RUN = re.compile(r"\S {2,}\S")
DECIMAL = re.compile(r"[-+]?\d+(?:,\d+)?")
ROWS = 200  # rows that are looked at


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of a delimited text, cut into cells.

    Attributes:
        separator: one of SEPARATORS, or RUNS.
        rows: cells of each line that is not blank.
        ends: the number of the line with which each row ends, from 1.
        is_even: whether all rows have the same number of cells, two or more.
    """

    separator: str
    rows: list[list[str]]
    ends: list[int]
    is_even: bool


def records(text: str, separator: str, *, skips_blanks: bool = False):
    """A CSV reader of the text: its cells, row by row, as they are asked for.

    Args:
        skips_blanks: whether blanks between a separator and a cell are left out.
    """
    if separator == RUNS:
        text, skips_blanks = collapsed(text), True
    # csv refuses a lone carriage return inside a cell
    lines = (line.replace("\r", " ") for line in io.StringIO(text, newline="\n"))
    return csv.reader(lines, delimiter=separator, skipinitialspace=skips_blanks)


def collapsed(text: str) -> str:
    """The text with one space for each run of spaces and tabs outside quotes; none at line ends."""
    parts = text.split('"')
    parts[::2] = [re.sub(r"[ \t]+", " ", part) for part in parts[::2]]
    return re.sub(r"(?m)^ | $", "", '"'.join(parts))


def sample_of(text: str, separator: str, *, is_cut: bool = False) -> Sample:
    """The first rows of the text with this separator.

    Args:
        is_cut: whether the text ends in the middle of a row.
    """
    rows, ends, reader = [], [], records(text, separator, skips_blanks=True)
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                ends.append(reader.line_num)
            if len(rows) > ROWS:
                is_cut = False
                break
    except csv.Error:  # a cell that is too long
        if not rows:
            raise
    if is_cut and len(rows) > 1:
        rows, ends = rows[:-1], ends[:-1]
    widths = {len(row) for row in rows}
    return Sample(separator, rows, ends, len(widths) == 1 and widths != {1})


def find_sample(text: str, *, is_cut: bool = False) -> Sample:
    """The first rows of the text, with the separator that makes a table of them.

    The one with which most rows have the same number of cells, as many as the header; of equal
    ones, that whose cells are whole values: in 1,5;2,5 the semicolon separates.

    Args:
        is_cut: whether the text ends in the middle of a row.

    Example:
        >>> from cutaway.data.delimiter import find_sample
        >>> find_sample("a,cm;b,cm\\n1,5;2,5\\n3,5;4,0\\n").separator
        ';'
    """
    found = {s: sample_of(text, s, is_cut=is_cut) for s in SEPARATORS}
    scores = {s: score for s in SEPARATORS if (score := _score(found[s])) is not None}
    best = max(scores, key=scores.__getitem__, default=None)
    if best is None or scores[best][0] < 2 or (best == "\t" and _has_runs(found[best])):
        spaced = sample_of(text, RUNS, is_cut=is_cut)
        if _is_aligned(spaced):
            return spaced
        if best in (None, ",") and _has_decimal_commas(found[";"]):
            return found[";"]
    return found[best or ","]


def _score(sample: Sample):
    """How good a table the sample is: (rows that fit, values that are whole, width)."""
    rows = sample.rows
    if not rows:
        return None
    width = usual_width(rows)
    if width < 2 and len(rows[0]) < 2:
        return None
    below = rows[1:] or rows
    share = sum(len(row) == width for row in below) / len(below)
    # a header without the name of the row names, or a title line, is the second best
    head = 1.0 if len(rows[0]) == width else 0.5 if len(rows[0]) in (width - 1, 1) else 0.0
    others = set(SEPARATORS) - {sample.separator}
    cells = [cell for row in below for cell in row]
    whole = sum(is_missing(c) or is_value(c) or not others.intersection(c) for c in cells)
    return share + head, whole / max(1, len(cells)), width


def usual_width(rows: list[list[str]]) -> int:
    """The number of cells that most rows below the first have; of several, the first's."""
    counts = collections.Counter(len(row) for row in rows[1:] or rows)
    most = max(counts.values())
    return max(
        (width for width, count in counts.items() if count == most),
        key=lambda width: (width == len(rows[0]), width),
    )


def _is_aligned(sample: Sample) -> bool:
    """Whether spaces separate: all rows are of one width, and one column below holds numbers."""
    rows = sample.rows
    if len(rows) < 2:
        return False
    width = len(rows[1])
    if width < 2 or any(len(row) != width for row in rows[1:]):
        return False
    if len(rows[0]) != width and not (len(rows[0]) == width - 1 >= 2):
        return False
    return any(holds_values([row[k] for row in rows[1:]]) for k in range(width))


def _has_decimal_commas(sample: Sample) -> bool:
    """Whether the only column holds numbers such as 1,5."""
    below = sample.rows[1:]
    if not below or any(len(row) != 1 for row in sample.rows) or "," in sample.rows[0][0]:
        return False
    return all(DECIMAL.fullmatch(row[0].strip()) for row in below)


def _has_runs(sample: Sample) -> bool:
    """Whether every row has a cell with runs of spaces between words."""
    return all(any(RUN.search(cell) for cell in row) for row in sample.rows)
