"""Texts from a table, from labeled lines, or one per line: told apart and read."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from cutaway.data.cells import Cells
from cutaway.data.columns import TEXT_WORDS
from cutaway.data.labeled_lines import labeled_lines
from cutaway.data.read import SUFFIXES
from cutaway.data.table_reading import TableReading, read_encoded
from cutaway.data.text import decoded_text, free_text_columns, read_text
from cutaway.errors import DataError, counted, did_you_mean
from cutaway.files.content import is_pipe, naming_source


@dataclasses.dataclass(frozen=True)
class TextSource:
    """Texts as they were read.

    Attributes:
        frame: a row for each text.
        cells: as they were written.
        names: (label, text): the columns of a file of lines, whose label is None for unlabeled
            lines; None for a table.
        reading: of a table.
    """

    frame: Any
    cells: Cells
    names: tuple[str | None, str] | None = None
    reading: TableReading | None = None


def read_text_source(source, *, known=None, column=None, labels=None, **how) -> TextSource:
    """Read a table, labeled lines, or one text per line.

    Args:
        known: the TableReading of the training data; None to find it.
        column: of texts or target; a .txt or .tsv file whose first line names it is a table.
        labels: of the training data, by which labeled lines are known.
        how: see read_encoded.
    """
    import polars as pl

    if isinstance(source, str | Path) and not is_pipe(source):
        path = Path(source)
        name = path.name.lower()
        is_table = name.endswith(SUFFIXES)
        named = is_table and column is not None and _names_column(path, column)
        encoding = how.get("encoding") if known is None else known.encoding
        lines = None if named else labeled_lines(path, labels, encoding=encoding)
        if lines is not None:
            notes = [] if lines.note is None else [lines.note]
            cells = Cells(
                lines.written, notes, "\t", lines.encoding, header=lines.header, has_quotes=False
            )
            return TextSource(lines.frame, cells, (lines.label, lines.text))
        if not is_table or (name.endswith(".txt") and not named):
            text, encoding, note = decoded_text(path, encoding)
            frame = pl.DataFrame({"text": text.rstrip("\n").split("\n")})
            cells = Cells(frame, [] if note is None else [note], encoding=encoding)
            return TextSource(frame, cells, (None, "text"))
    if known is not None:
        cells = known.cells(source)
        return TextSource(known.apply(cells), cells, None, known)
    frame, reading, cells = read_encoded(source, **how)
    return TextSource(frame, cells, None, reading)


def _names_column(path: Path, column: str | None) -> bool:
    """Whether the first line of a file names this column."""
    try:
        first = read_text(path).split("\n", 1)[0]
    except DataError:
        return False  # the next reader raises the error
    return column in [name.strip().strip('"') for name in re.split(r"[\t,;|]", first)]


@dataclasses.dataclass(frozen=True)
class Texts:
    """Texts and their labels.

    Attributes:
        texts: list of str.
        labels: one value per text, or None.
        text: name of the text column; None for lines.
        label: name of the label column, or None.
        notes: messages for the user.
    """

    texts: list
    labels: list | None
    text: str | None
    label: str | None
    notes: list


@naming_source("texts")
def read_texts(source, *, text=None, label=None) -> Texts:
    """Read the texts in a table, or in a file of lines.

    A file whose lines each hold a label, a tab and a text (or a text, a tab and a label) is read
    as labeled lines, with or without a header. Any other file that is not a table has one text per
    line; blank lines are left out.

    Args:
        source: path of a table or of a text file, or a frame or dict of columns.
        text: text column; by default the free-text column with the longest texts.
        label: label column; rows without a label are skipped. By default none, or that of the
            labeled lines.

    Raises:
        DataError: no such file or column, no free-text column, a column without texts.
    """
    if isinstance(source, str | Path) and is_pipe(source):
        return _plain_lines(read_text(source).split("\n"), text or label, source, [])
    found = read_text_source(source, column=text or label)
    notes = [*found.cells.notes] if found.names is not None else []
    frame = found.frame
    if found.names is not None and found.names[0] is None:
        return _plain_lines(frame["text"].to_list(), text or label, source, notes)
    if found.names is not None:
        _expect_names(found.names, label, text)
        label, text = found.names
    for name in (text, label):
        if name is not None and name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    if text is None:
        usual = free_text_columns(frame, ignore=() if label is None else (label,))
        if not usual:
            raise DataError(
                "no column holds free text",
                expected=f"texts of at least {TEXT_WORDS} words on average, most of them different",
                fix="name the column: text=... (--text COLUMN)",
            )
        text = usual[0]
    rows = frame
    if label is not None and frame[label].null_count():
        rows = frame.filter(frame[label].is_not_null())
        lost = counted(frame.height - rows.height, "row")
        notes.append(f"{label}: skipped {lost} without a value")
    texts = _as_texts(rows[text], notes)
    return Texts(texts, None if label is None else rows[label].to_list(), text, label, notes)


def _plain_lines(lines: list[str], name: str | None, source, notes: list[str]) -> Texts:
    if name is not None:
        raise DataError(
            f"there is no column {name!r}: {source} holds lines, not columns",
            fix="omit the name, or use a table",
        )
    return Texts([line for line in lines if line.strip()], None, None, None, notes)


def _expect_names(names, label: str | None, text: str | None) -> None:
    """Raise DataError unless the columns of labeled lines are the ones that were asked for."""
    for asked, name in zip((label, text), names, strict=True):
        if asked is not None and asked != name:
            raise DataError(
                f"there is no column {asked!r}",
                expected=f"the text column {names[1]!r} and the label column {names[0]!r}",
                fix="omit the name",
            )


def _as_texts(series, notes) -> list:
    """Values as strings; missing ones are empty."""
    import polars as pl

    if series.null_count() == len(series):
        raise DataError(
            f"the column {series.name!r} is empty: none of its {len(series):,} rows has a text",
            expected="a text in every row",
            fix="choose another column",
        )
    if series.null_count():
        notes.append(f"{series.name}: {series.null_count():,} rows without a text")
    return series.cast(pl.String).fill_null("").to_list()
