"""Texts and what they are labeled with, from tables and from files of lines."""

import dataclasses
from pathlib import Path

from cutaway.data.read import SUFFIXES, read_table
from cutaway.errors import DataError, did_you_mean

FREE_TEXT_WORDS = 4  # words that the texts of a free-text column have at least, on average
MOST_LABELS = 50  # different labels in a file of labeled lines


@dataclasses.dataclass(frozen=True)
class Texts:
    """Texts and their labels.

    Attributes:
        texts: list of str.
        labels: as many values of any kind, or None.
        text: name of the column that they came from; None for lines.
        label: name of the column of the labels, or None.
        notes: what a user should know.
    """

    texts: list
    labels: list | None
    text: str | None
    label: str | None
    notes: list


def read_texts(source, *, text=None, label=None) -> Texts:
    """The texts in a table, or in a file of lines.

    A file whose lines each hold a label, a tab and a text (or a text, a tab and a label) is read
    as such, with or without a header. Any other file that is no table is a text a line.

    Args:
        source: path of a table or of a text file, or a frame or dict of columns.
        text: column of the texts; by default the one of free text with the longest texts.
        label: column of the labels; rows without a label are left out. By default none, or that
            of the labeled lines.

    Raises:
        DataError: no such file or column, no column of free text, a column without texts.
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
                expected=f"texts of at least {FREE_TEXT_WORDS} words on average, most of them "
                "different",
                fix="name the column: text=... (--text NAME)",
            )
        text = found[0]
    notes = []
    rows = frame
    if label is not None and frame[label].null_count():
        rows = frame.filter(frame[label].is_not_null())
        notes.append(f"{label}: {frame.height - rows.height:,} rows without it, left out")
    texts = _as_texts(rows[text], notes)
    labels = None if label is None else rows[label].to_list()
    return Texts(texts, labels, text, label, notes)


def free_text_columns(frame, ignore=()) -> list:
    """Names of the columns of free text, that with the longest texts first."""
    import polars as pl

    found = {}
    for name in frame.columns:
        known = frame[name].drop_nulls()
        if name in ignore or known.dtype != pl.String or known.n_unique() <= len(known) / 2:
            continue
        if words_each(known) >= FREE_TEXT_WORDS:
            found[name] = known.str.len_chars().mean()
    return sorted(found, key=found.get, reverse=True)


def words_each(series) -> float:
    """Mean number of words in the values of a column of texts."""
    counts = series.head(5000).str.count_matches(r"\S+")
    return float(counts.mean() or 0)


def read_text(path) -> str:
    """The whole text of a file in UTF-8.

    Raises:
        DataError: no such file, not UTF-8, nothing in it.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", fix="check the path") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is not UTF-8 text (byte 0x{content[error.start]:02x})",
            expected="a text file in UTF-8",
            fix=f"convert it, for example: iconv -f latin1 -t utf-8 {path.name} > new.txt",
        ) from error
    if not text.strip():
        raise DataError(f"{path} is empty", expected="at least one line of text")
    return text.replace("\r\n", "\n")


def _lines(path, name) -> Texts:
    if name is not None:
        raise DataError(
            f"there is no column {name!r}: {path} holds lines and no columns",
            fix="leave out the name, or give a table",
        )
    texts = [line for line in read_text(path).split("\n") if line.strip()]
    return Texts(texts, None, None, None, [])


def labeled_lines(path):
    """A frame with the columns label and text, or None if the file is not such lines."""
    import polars as pl

    name = path.name.lower()
    if not path.is_file() or (name.endswith(SUFFIXES) and not name.endswith((".txt", ".tsv"))):
        return None
    try:
        lines = [line for line in read_text(path).split("\n") if line.strip()]
    except DataError:
        return None  # whoever reads it next says what is wrong with it
    cells = [line.split("\t") for line in lines]
    if len(cells) < 3 or any(len(row) != 2 for row in cells):
        return None
    columns = [[row[k].strip() for row in cells] for k in range(2)]
    for side in (0, 1):
        labels, texts = columns[side], columns[1 - side]
        distinct = set(labels[1:])
        few = len(distinct) <= min(MOST_LABELS, len(labels) / 5)
        free = words_each(pl.Series(texts[1:])) >= FREE_TEXT_WORDS
        if few and free:
            header = labels[0] not in distinct
            names = (labels[0], texts[0]) if header else ("label", "text")
            rows = slice(int(header), None)
            return pl.DataFrame({names[0]: labels[rows], names[1]: texts[rows]})
    return None


def _chosen(frame, text, label) -> Texts:
    for name, column in ((text, frame.columns[1]), (label, frame.columns[0])):
        if name is not None and name != column:
            raise DataError(
                f"there is no such column {name!r}",
                expected=f"the texts are in {frame.columns[1]!r}, their labels in "
                f"{frame.columns[0]!r}",
                fix="leave out the name",
            )
    notes = []
    texts = _as_texts(frame.to_series(1), notes)
    return Texts(texts, frame.to_series(0).to_list(), frame.columns[1], frame.columns[0], notes)


def _as_texts(series, notes) -> list:
    """Values as texts; a missing one is empty."""
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
