"""History: the record of training, one row per epoch."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from cutaway.errors import DataError, expect_type
from cutaway.files import write_atomically


class History:
    """A table with one row per epoch.

    Attributes:
        rows: list of dicts: epoch (1 for the first), loss (mean over the epoch's steps), lr,
            val_loss and val_<metric> if there is a validation set, seconds (of this epoch).

    Example:
        >>> import cutaway as ct
        >>> history = ct.History([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}])
        >>> history["loss"]
        [0.7, 0.5]
    """

    def __init__(self, rows=()):
        expect_type(rows, Iterable, what="History: rows", expected="a dict per epoch")
        self.rows = list(rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, column: str) -> list:
        """One column; None where an epoch has no such value."""
        if column not in self.columns:
            raise DataError(
                f"the history has no column {column!r}",
                expected="one of " + ", ".join(self.columns),
            )
        return [row.get(column) for row in self.rows]

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def to_csv(self, path) -> None:
        """Write the table as CSV, atomically."""
        write_atomically(path, self.csv().encode())

    def csv(self) -> str:
        """The table as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    @classmethod
    def from_csv(cls, path) -> "History":
        """Read a file written by `to_csv`.

        Raises:
            DataError: it is not such a file.
        """
        return cls.parsed(Path(path).read_bytes(), path)

    @classmethod
    def parsed(cls, content: bytes, path) -> "History":
        """The table of the content of a CSV file; `path` is used in errors.

        Raises:
            DataError: it is not what `csv` returned.
        """
        try:
            lines = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
            if content != b"\n" and "epoch" not in (lines.fieldnames or ()):
                raise ValueError("it has no column epoch")
            names = lines.fieldnames or ()
            if len(set(names)) < len(names):
                raise ValueError("two of its columns have one name")
            rows = [{k: _number(v) for k, v in row.items() if v != ""} for row in lines]
        except (ValueError, TypeError, OverflowError, csv.Error) as error:
            raise DataError(
                f"{path} is not a history: {error}",
                expected="a CSV of numbers, one row per epoch, written by History.to_csv",
                fix="restore it from a backup, or train again",
            ) from error
        return cls(rows)

    def plot(self, path=None):
        """Plot the loss and each metric over the epochs.

        Args:
            path: file to save the figure to (.png, .svg or .pdf); None: do not save it.

        Returns:
            The matplotlib Figure, which shows itself in a notebook.
        """
        from matplotlib.ticker import MaxNLocator

        from cutaway.story.design import BLUE, GRAY
        from cutaway.story.panels import legend_above, new_figure

        metrics = [c[4:] for c in self.columns if c.startswith("val_") and c != "val_loss"]
        panels = ["loss", *metrics]
        figure = new_figure(4.2 * len(panels), 3.2)
        for k, name in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), k + 1)
            first = GRAY if f"val_{name}" in self.columns else BLUE
            for column, label, color in (
                (name, "training", first),
                (f"val_{name}", "validation", BLUE),
            ):
                if column in self.columns:
                    look = {"color": color, "linewidth": 1.5}
                    axes.plot(self["epoch"], self[column], label=label, **look)
            axes.set_title(name.replace("_", " "))
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            legend_above(axes)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _repr_html_(self):
        from cutaway.train.training_html import history_html

        return history_html(self)

    def __repr__(self):
        if not self.rows:
            return "History(no epochs)"
        last = ", ".join(f"{k} {v:.4g}" for k, v in self.rows[-1].items() if v is not None)
        return f"History({len(self)} epochs; last: {last})"


def _number(text):
    value = float(text)
    return int(value) if value.is_integer() and "." not in text and "e" not in text else value
