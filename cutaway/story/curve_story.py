"""CurveStory: a story whose picture is one or more CurveCharts."""

import textwrap
from html import escape

from cutaway.story.curve_axes import curve_axes, curves_figure
from cutaway.story.curve_chart import CurveChart
from cutaway.story.curve_svg import side_by_side_svg
from cutaway.story.curve_text import curve_text
from cutaway.story.html import table
from cutaway.story.text import WIDTH, Story, align


class CurveStory(Story):
    """Base of stories with curves: a subclass says what they are, a table, and sentences."""

    def headline(self) -> str:
        """What it is, in one line."""
        raise NotImplementedError

    def charts(self) -> list[CurveChart]:
        """The pictures, the most important first."""
        raise NotImplementedError

    def text_charts(self) -> list[CurveChart]:
        """The pictures in a terminal, where there is less room; by default the same."""
        return self.charts()

    def table(self) -> tuple[list, list]:
        """(headings, rows of texts); ([], []) for none."""
        return [], []

    def sentences(self) -> list[str]:
        """What the picture shows, each a sentence with its numbers."""
        return []

    def text(self, width: int = WIDTH) -> str:
        headings, rows = self.table()
        parts = [textwrap.fill(self.headline(), width)]
        parts += ["\n".join(curve_text(chart, width)) for chart in self.text_charts()]
        if rows:
            parts.append("\n".join(align([headings, *rows], ">" * len(headings))))
        parts += [textwrap.fill(s, width, break_on_hyphens=False) for s in self.sentences()]
        return "\n\n".join(parts)

    def html(self) -> str:
        headings, rows = self.table()
        shown = [f"<p><b>{escape(self.headline())}</b></p>", side_by_side_svg(self.charts())]
        shown += [f"<p>{escape(sentence)}</p>" for sentence in self.sentences()]
        if rows:
            shown.append(table(headings, rows, numbers=range(len(headings))))
        return f'<div class="cutaway-curves">{"".join(shown)}</div>'

    def plot(self, axes=None):
        """The first of the pictures by matplotlib."""
        return curve_axes(self.charts()[0], axes)

    def figure(self):
        """All pictures side by side, as a matplotlib Figure."""
        return curves_figure(self.charts())
