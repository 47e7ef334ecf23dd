"""DataSource: what the kinds look at to recognize data, read once however many of them ask."""

import functools
import os
from pathlib import Path
from typing import Any


class DataSource:
    """A path, or data in memory, and what can be seen of it.

    Attributes:
        data: as it was given.
        path: of the file or folder; None for data in memory.
        target: the column to predict, if the user named one.
    """

    def __init__(self, data, target: str | None = None):
        self.data = data
        self.path = Path(data) if isinstance(data, str | Path) else None
        self.target = target

    @property
    def folder(self) -> Path | None:
        """The path, if it is one of a folder."""
        return self.path if self.path is not None and os.path.isdir(self.path) else None

    @property
    def file(self) -> Path | None:
        """The path, if it is one of a file."""
        return None if self.path is None or os.path.isdir(self.path) else self.path

    @functools.cached_property
    def _below(self) -> list[Path]:
        return [] if self.folder is None else [*self.folder.rglob("*")]

    def files(self, suffixes) -> list[Path]:
        """All files in the folder and below that have one of these suffixes, in lower case."""
        return [path for path in self._below if path.suffix.lower() in suffixes]

    def begins_with(self, count: int) -> bytes:
        """The first bytes of the file, unpacked if gzip has packed it; fewer if it is shorter."""
        import gzip
        import zlib

        if self.file is None:
            return b""
        try:
            with self.file.open("rb") as file:
                begin = file.read(max(2, count))
            if begin[:2] == b"\x1f\x8b":
                with gzip.open(self.file) as file:
                    begin = file.read(count)
        except (OSError, EOFError, zlib.error):
            return b""
        return begin[:count]

    @functools.cached_property
    def is_table(self) -> bool:
        """Whether it is a file with columns, by its name; .txt and .json also by their content."""
        from cutaway.data.cells import holds_table

        return self.file is not None and holds_table(self.file)

    @functools.cached_property
    def frame(self):
        """The table as a polars frame."""
        from cutaway.data import read_table

        return read_table(self.data)

    @functools.cached_property
    def columns(self) -> list[Any]:
        """The Columns of the table."""
        from cutaway.data.columns import find_columns

        return find_columns(self.frame)

    @functools.cached_property
    def free_texts(self) -> list[str]:
        """The columns of the table with free text besides the target, the longest texts first."""
        from cutaway.data.text import free_text_columns

        return free_text_columns(self.frame, ignore=() if self.target is None else (self.target,))
