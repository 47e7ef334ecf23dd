"""Texts: of whole files, and the columns of tables that hold them."""

from pathlib import Path

from cutaway.data.columns import TEXT_WORDS, words_each
from cutaway.data.encoding import to_utf8
from cutaway.data.read import GZIP
from cutaway.errors import DataError
from cutaway.files.content import read_content


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
    text, _, note = decoded_text(path, encoding)
    if notes is not None and note is not None:
        notes.append(note)
    return text


def decoded_text(path, encoding: str | None = None) -> tuple[str, str, str | None]:
    """(text, its encoding, a note if that is another than UTF-8) of a file; see read_text."""
    path = Path(path)
    content = read_content(path)
    if content.startswith(GZIP):
        raise DataError(
            f"{path} is packed by gzip",
            expected="a text file",
            fix=f"unpack it: gunzip {path.name}",
        )
    content, found, note = to_utf8(content, path, encoding)
    text = content.decode().removeprefix("\ufeff")
    if not text.strip():
        raise DataError(f"{path} is empty", expected="at least one line of text")
    return text.replace("\r\n", "\n"), found, note
