"""Files of lines that each hold a label, a tab and a text, in either order."""

import dataclasses
import os
from typing import Any

from cutaway.data.columns import TEXT_WORDS, words_each
from cutaway.data.read import SUFFIXES
from cutaway.data.text import decoded_text
from cutaway.errors import DataError

MAX_LABELS = 50  # distinct labels in a file of labeled lines


@dataclasses.dataclass(frozen=True)
class LabeledLines:
    """The lines of a file that are not blank.

    Attributes:
        written: polars frame of both columns as they were written, in the order of the file.
        label, text: the names of its columns.
        header: the names in the first line, as they were written; None: there were none.
        encoding: by Python's name.
        note: that the encoding is another than UTF-8; None: it is not.
    """

    written: Any
    label: str
    text: str
    header: tuple[str, str] | None
    encoding: str
    note: str | None

    @property
    def frame(self):
        """The labels and the texts, without blanks around them."""
        return self.written.select(self.label, self.text).select(stripped())


def stripped():
    """The expression of all texts without blanks around them."""
    import polars as pl

    return pl.all().str.strip_chars()


def labeled_lines(path, known=None, *, encoding: str | None = None) -> LabeledLines | None:
    """The labels and texts of a file; None if it does not hold labeled lines.

    Args:
        known: the labels that there are, by which a few lines are enough; None: they are seen by
            their repeating.
        encoding: see read_text.

    Example:
        >>> import pathlib, tempfile
        >>> from cutaway.data.labeled_lines import labeled_lines
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "messages")
        ...     _ = path.write_text("see you at noon\\tham\\nwin a prize\\tspam\\n")
        ...     lines = labeled_lines(path, ["ham", "spam"])
        >>> lines.frame.rows(), lines.written.columns
        ([('ham', 'see you at noon'), ('spam', 'win a prize')], ['text', 'label'])
    """
    name = path.name.lower()
    if not os.path.isfile(path) or (
        name.endswith(SUFFIXES) and not name.endswith((".txt", ".tsv"))
    ):
        return None
    try:
        text, encoding, note = decoded_text(path, encoding)
    except DataError:
        return None  # the next reader raises the error
    cells = [line.split("\t") for line in text.split("\n") if line.strip()]
    if len(cells) < (3 if known is None else 1) or any(len(row) != 2 for row in cells):
        return None
    found = _sides(cells, set(known or ()))
    if found is None:
        return None
    side, has_header = found
    header = (cells[0][0], cells[0][1]) if has_header else None
    names = ["text", "text"]
    names[side] = "label"
    if header is not None and header[0].strip() != header[1].strip():
        names = [name.strip() for name in header]
    import polars as pl

    rows = cells[int(has_header) :]
    written = pl.DataFrame({name: [row[k] for row in rows] for k, name in enumerate(names)})
    return LabeledLines(written, names[side], names[1 - side], header, encoding, note)


def _sides(cells: list[list[str]], known: set) -> tuple[int, bool] | None:
    """(which of the two cells holds the label, whether the first line is a header)."""
    import polars as pl

    columns = [[row[k].strip() for row in cells] for k in range(2)]
    for side in (0, 1) if known else ():
        labels = columns[side]
        begin = int(labels[0] not in known)
        if len(labels) > begin and set(labels[begin:]) <= known:
            return side, bool(begin)
    for side in (0, 1) if len(cells) >= 3 else ():
        labels, texts = columns[side], columns[1 - side]
        distinct = set(labels[1:])
        few = len(distinct) <= min(MAX_LABELS, len(labels) / 5)
        if few and words_each(pl.Series(texts[1:])) >= TEXT_WORDS:
            return side, labels[0] not in distinct
    return None
