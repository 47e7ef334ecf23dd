"""Predictions as a table, which is written as its input was."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from cutaway.data.cells import Cells


@dataclasses.dataclass(frozen=True)
class RowPredictions:
    """Predictions as a table.

    Attributes:
        frame: polars frame: the columns of the input, then those of the predictions.
        notes: messages about the data.
        separator: of the cells of the input, if they were written in a text.
        given: number of columns of the input among those of the frame; they come first.
        encoding: of that text.
        decimal: the decimal mark of its numbers.
        header: the names of the given columns as they were written, None for one that the header
            had no cell for; None: as in the frame.
        has_quotes: whether cells that contain separators stand in quotes there.
        written: {column: texts} that are written in place of the values of the frame.
    """

    frame: "pl.DataFrame"
    notes: list[str]
    separator: str | None = None
    given: int = 0
    encoding: str | None = None
    decimal: str = "."
    header: Sequence[str | None] | None = None
    has_quotes: bool = True
    written: "Mapping[str, pl.Series]" = dataclasses.field(default_factory=dict)

    @classmethod
    def like(
        cls, cells: "Cells", frame: "pl.DataFrame", notes: list[str], given: int, decimal: str
    ) -> "RowPredictions":
        """Predictions that are written as these cells were."""
        header = cells.header
        if header is not None and len(header) != given:  # nested columns are not written
            header = None
        return cls(
            frame,
            notes,
            cells.separator,
            given,
            cells.encoding,
            decimal,
            header,
            cells.has_quotes,
        )

    def csv(self) -> str:
        """The table as text, with the header, the separator and the decimal mark of the input.

        Predicted numbers have seven significant digits, those of float32.
        """
        import polars as pl

        separator = "," if self.separator in (None, " ") else self.separator
        floats = [c for c in self.frame.columns[self.given :] if self.frame[c].dtype.is_float()]
        rounded = self.frame.with_columns(pl.col(floats).round_sig_figs(7))
        rounded = rounded.with_columns(texts.alias(name) for name, texts in self.written.items())
        names: list[str | None] = [*self.frame.columns]
        if self.header is not None:
            names = [*self.header, *names[len(self.header) :]]
        # an empty name is written as nothing, not as two quotes
        cells = {str(k): [name or None] for k, name in enumerate(names) if name is not None}
        first = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
        style = "necessary" if self.has_quotes or self._needs_quotes(separator) else "never"
        lines = [
            part.write_csv(
                include_header=False,
                separator=separator,
                decimal_comma=self.decimal == "," and separator != ",",
                quote_style=style,
            )
            for part in (first, rounded)
        ]
        return "".join(lines)

    def _needs_quotes(self, separator: str) -> bool:
        """Whether a name or a cell that was added contains what separates cells or lines."""
        import polars as pl

        added = self.frame.select(self.frame.columns[self.given :])
        texts = [*added.columns]
        for column in added.get_columns():
            if column.dtype == pl.String:
                texts += column.drop_nulls().unique().to_list()
        return any(mark in text for text in texts for mark in (separator, "\n", "\r"))

    def content(self) -> bytes:
        """The table as bytes, in the encoding of the input if that has all its characters."""
        text = self.csv()
        if self.encoding not in (None, "utf-8"):
            try:
                return text.encode(self.encoding)
            except UnicodeEncodeError:
                pass
        return text.encode()
