"""The results of a search and of a comparison in a notebook."""

from html import escape

from cutaway.search.page import counted, how_measured, trial_rows
from cutaway.story.html import folded, table
from cutaway.story.notebook import chart_of, shown, title

SHOWN = 10  # trials in the table


def tuned_html(tuned) -> str:
    """What a notebook shows of a Tuned: the verdict, the trials, the report's path."""
    headings, rows = trial_rows(tuned, most=SHOWN)
    return shown(
        title(tuned.summary["title"], counted(tuned.summary)),
        f"<p>{escape(tuned.verdict())}</p>",
        chart_of(tuned.plot()),
        folded(f"the best {len(rows)} trials", table(headings, rows, range(4))),
        f'<p class="soft">report: {escape(str(tuned.report))}</p>',
    )


def comparison_html(found) -> str:
    """What a notebook shows of a Comparison: the verdict, the curves, the scores."""
    headings, rows = found.table()
    return shown(
        title(f"{found.summary['title']}: learning curves"),
        f"<p>{escape(found.verdict())}</p>",
        chart_of(found.plot()),
        table(headings, rows, range(len(headings))),
        folded("method", f"<p>{escape(how_measured(found))}</p>"),
    )
