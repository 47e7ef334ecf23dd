"""What a run is worth on labeled data: its scores, and the tables and curves behind them."""

from html import escape
from typing import NamedTuple


class ScoreTable(NamedTuple):
    """A table of an evaluation.

    Attributes:
        heading: of a page's section.
        caption: sentences above it.
        headings, rows: texts; the first column names the row, the others are numbers.
    """

    heading: str
    caption: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def html(self) -> str:
        from cutaway.story.html import table  # its package imports numpy, the kinds must not

        numbers = range(1, len(self.headings))
        caption = f"<p class='soft'>{escape(self.caption)}</p>"
        return caption + table(self.headings, self.rows, numbers=numbers)

    def to_dict(self) -> dict:
        return {"heading": self.heading, "headings": self.headings, "rows": self.rows}


class Evaluation(NamedTuple):
    """Scores of a run on labeled data.

    Attributes:
        scores: {name: number}.
        notes: sentences for the user.
        tables: of single classes, of confusions.
        figures: [(heading, HTML)].
    """

    scores: dict
    notes: list[str]
    tables: tuple[ScoreTable, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()


def evaluation_page(title: str, found: Evaluation, scores: ScoreTable) -> str:
    """An HTML page of an evaluation.

    Args:
        scores: those of the evaluation in words.
    """
    from cutaway.story.html import page, section

    parts = [section(title, scores.html())]
    parts += [section(one.heading, one.html()) for one in found.tables]
    parts += [section(heading, html) for heading, html in found.figures]
    return page(title, parts)
