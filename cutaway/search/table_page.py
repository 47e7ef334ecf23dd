"""compare.html of a table, the method in words, and what a notebook shows."""

from html import escape

from cutaway.errors import counted
from cutaway.search.table_charts import advantage_chart
from cutaway.story.html import folded, page, section, table
from cutaway.story.notebook import chart_of, shown, title


def table_comparison_page(found) -> str:
    """The page as HTML.

    Args:
        found: search.table_comparison.TableComparison.
    """
    name = found.summary["title"]
    headings, rows = found.table()
    first, *others = (escape(sentence) for sentence in found.sentences())
    head = (
        f"<h1>{escape(name)}: Cutaway and other models</h1>"
        f'<p class="headline">{first}</p>'
        + "".join(f"<p>{sentence}</p>" for sentence in others)
        + advantage_chart(found)
    )
    return page(
        f"Comparison: {name}",
        [
            head,
            section("Test scores", table(headings, rows, range(1, len(headings)))),
            section("Method", f"<p>{escape(how_compared(found))}</p>"),
        ],
    )


def how_compared(found) -> str:
    """How the scores were measured, in words.

    Args:
        found: search.table_comparison.TableComparison.
    """
    summary = found.summary
    splits, wanted = summary["splits"], summary["wanted"]
    text = (
        f"{counted(splits, 'split')} into {summary['training_rows']:,} training and "
        f"{summary['test_rows']:,} test rows, the same for all models; the scores are means over "
        "the splits. "
    )
    if splits < wanted:
        text += (
            f"{wanted} splits were asked for; a further one would have ended after "
            f"{summary['budget_seconds']:g} seconds (--seconds). "
        )
    if found.is_over_splits:
        text += "± is a 95% confidence interval of the paired difference by Student's t"
        if summary["redrawn"]:
            text += ", corrected for overlapping splits (Nadeau & Bengio 2003)"
    else:
        text += (
            "With so few splits the 95% intervals of the differences are over the test rows, by "
            "the bootstrap: they do not include how scores vary between training sets"
        )
    return text + (
        ". Cutaway uses part of the training rows for validation; scikit-learn's models have "
        "their default options and train on all of them. Linear models "
        "and the MLP get the rows as Cutaway encodes them; trees get numbers as they are and "
        "categories as such. Groups of rows are quarters of a number column or levels of a "
        "category; one is named only if its difference is significant after Bonferroni's "
        "correction for all groups."
    )


def table_comparison_html(found) -> str:
    """What a notebook shows: the sentences, the differences, the scores."""
    headings, rows = found.table()
    return shown(
        title(found.summary["title"], "Cutaway and other models"),
        *(f"<p>{escape(sentence)}</p>" for sentence in found.sentences()),
        chart_of(found.plot()),
        table(headings, rows, range(1, len(headings))),
        folded("method", f"<p>{escape(how_compared(found))}</p>"),
    )
