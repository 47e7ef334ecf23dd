"""Texts and their labels, from tables and from files of lines."""

import dataclasses
import os
from pathlib import Path

from cutaway.data.columns import TEXT_WORDS, words_each
from cutaway.data.encoding import to_utf8
from cutaway.data.read import GZIP, SUFFIXES, read_table
from cutaway.errors import DataError, counted, did_you_mean
from cutaway.files.content import naming_source, read_content

MAX_LABELS = 50  # distinct labels in a file of labeled lines


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
    line.

    Args:
        source: path of a table or of a text file, or a frame or dict of columns.
        text: text column; by default the free-text column with the longest texts.
        label: label column; rows without a label are skipped. By default none, or that of the
            labeled lines.

    Raises:
        DataError: no such file or column, no free-text column, a column without texts.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        labeled = labeled_lines(path)
        if labeled is not None:
            return _chosen(labeled, text, label)
        if not path.name.lower().endswith(SUFFIXES) or path.name.lower().endswith(".txt"):
            return _lines(path, text or label)
    frame = read_table(source)
    for name in (text, label):
        if name is not None and name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the table",
                fix=did_you_mean(name, frame.columns),
            )
    if text is None:
        found = free_text_columns(frame, ignore=() if label is None else (label,))
        if not found:
            raise DataError(
                "no column holds free text",
                expected=f"texts of at least {TEXT_WORDS} words on average, most of them different",
                fix="name the column: text=... (--text COLUMN)",
            )
        text = found[0]
    notes = []
    rows = frame
    if label is not None and frame[label].null_count():
        rows = frame.filter(frame[label].is_not_null())
        lost = counted(frame.height - rows.height, "row")
        notes.append(f"{label}: skipped {lost} without a value")
    texts = _as_texts(rows[text], notes)
    labels = None if label is None else rows[label].to_list()
    return Texts(texts, labels, text, label, notes)


def free_text_columns(frame, ignore=()) -> list:
    """Names of the free-text columns, the one with the longest texts first."""
    import polars as pl

    lengths = {}
    for column in frame.get_columns():
        if column.name in ignore or column.dtype != pl.String:
            continue
        name, texts = column.name, column.drop_nulls()
        if texts.n_unique() <= len(texts) / 2:
            continue
        if words_each(texts) >= TEXT_WORDS:
            lengths[name] = texts.str.len_chars().mean()
    return sorted(lengths, key=lengths.__getitem__, reverse=True)


def read_text(path, *, encoding: str | None = None, notes: list[str] | None = None) -> str:
    """The whole text of a file.

    Args:
        encoding: by Python's name; None to find it.
        notes: a list to which is appended that the encoding is another than UTF-8.

    Raises:
        DataError: no such file, no text, or empty.
        OptionError: no such encoding.
    """
    path = Path(path)
    content = read_content(path)
    if content.startswith(GZIP):
        raise DataError(
            f"{path} is packed by gzip",
            expected="a text file",
            fix=f"unpack it: gunzip {path.name}",
        )
    content, _, note = to_utf8(content, path, encoding)
    if notes is not None and note is not None:
        notes.append(note)
    text = content.decode().removeprefix("\ufeff")
    if not text.strip():
        raise DataError(f"{path} is empty", expected="at least one line of text")
    return text.replace("\r\n", "\n")


def _lines(path, name) -> Texts:
    if name is not None:
        raise DataError(
            f"there is no column {name!r}: {path} holds lines, not columns",
            fix="omit the name, or use a table",
        )
    texts = [line for line in read_text(path).split("\n") if line.strip()]
    return Texts(texts, None, None, None, [])


def labeled_lines(path, known=None, *, encoding=None, notes=None):
    """A frame with the columns label and text; None if the file does not hold labeled lines.

    Args:
        known: the labels that there are, by which a few lines are enough; None: they are seen by
            their repeating.
        encoding, notes: see read_text.
    """
    import polars as pl

    name = path.name.lower()
    if not os.path.isfile(path) or (
        name.endswith(SUFFIXES) and not name.endswith((".txt", ".tsv"))
    ):
        return None
    try:
        text = read_text(path, encoding=encoding, notes=notes)
        lines = [line for line in text.split("\n") if line.strip()]
    except DataError:
        return None  # the next reader raises the error
    cells = [line.split("\t") for line in lines]
    if len(cells) < (3 if known is None else 1) or any(len(row) != 2 for row in cells):
        return None
    columns = [[row[k].strip() for row in cells] for k in range(2)]
    labels_known = set(known or ())
    for side in (0, 1) if labels_known else ():
        labels, texts = columns[side], columns[1 - side]
        begin = int(labels[0] not in labels_known)  # a header
        if len(labels) > begin and set(labels[begin:]) <= labels_known:
            names = (labels[0], texts[0]) if begin and labels[0] != texts[0] else ("label", "text")
            return pl.DataFrame({names[0]: labels[begin:], names[1]: texts[begin:]})
    for side in (0, 1) if len(cells) >= 3 else ():
        labels, texts = columns[side], columns[1 - side]
        distinct = set(labels[1:])
        few = len(distinct) <= min(MAX_LABELS, len(labels) / 5)
        free = words_each(pl.Series(texts[1:])) >= TEXT_WORDS
        if few and free:
            header = labels[0] not in distinct
            names = (labels[0], texts[0]) if header else ("label", "text")
            if names[0] == names[1]:
                names = "label", "text"
            rows = slice(int(header), None)
            return pl.DataFrame({names[0]: labels[rows], names[1]: texts[rows]})
    return None


def _chosen(frame, text, label) -> Texts:
    for name, column in ((text, frame.columns[1]), (label, frame.columns[0])):
        if name is not None and name != column:
            raise DataError(
                f"there is no column {name!r}",
                expected=f"the text column {frame.columns[1]!r} and the label column "
                f"{frame.columns[0]!r}",
                fix="omit the name",
            )
    notes = []
    texts = _as_texts(frame.to_series(1), notes)
    return Texts(texts, frame.to_series(0).to_list(), frame.columns[1], frame.columns[0], notes)


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
