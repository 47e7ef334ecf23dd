"""Plots of a comparison on a table: differences of each model from Cutaway, with intervals."""

from cutaway.search.charts import COLORS
from cutaway.story.design import GRAY
from cutaway.story.panels import new_figure
from cutaway.story.plot import Plot, chart_html


def axis_label(found) -> str:
    """What is drawn, in words.

    Args:
        found: search.table_comparison.TableComparison.
    """
    return f"{found.score_in_words} minus Cutaway's"


def advantage_chart(found) -> str:
    """The differences, as HTML for a page.

    Args:
        found: search.table_comparison.TableComparison.
    """
    names = list(found.advantages)
    plot = Plot(
        "above 0 Cutaway is better; 95% confidence intervals",
        y_label=axis_label(found),
        x_ticks={float(k): found.short(name) for k, name in enumerate(names)},
    )
    plot.line([-0.5, len(names) - 0.5], [0, 0], color=GRAY, width=1.0, dashed=True)
    for k, name in enumerate(names):
        one, color = found.advantages[name], COLORS[(k + 1) % len(COLORS)]
        plot.ranges([k], [one.low], [one.high], color=color)
        plot.points([k], [one.mean], color=color, radius=3.5, opacity=1.0)
    return chart_html([plot], width=470.0, height=280.0)


def advantage_figure(found):
    """The differences, as a matplotlib figure.

    Args:
        found: search.table_comparison.TableComparison.
    """
    names = list(found.advantages)
    figure = new_figure(6.6, 0.9 + 0.45 * len(names))
    one = figure.add_subplot(1, 1, 1)
    one.axvline(0, color=GRAY, lw=1, ls="--")
    for k, name in enumerate(names):
        gap = found.advantages[name]
        one.plot([gap.low, gap.high], [k, k], color=COLORS[(k + 1) % len(COLORS)], lw=1.6)
        one.plot([gap.mean], [k], "o", color=COLORS[(k + 1) % len(COLORS)], ms=6)
    one.set_yticks(range(len(names)), [found.short(name) for name in names])
    one.set_ylim(len(names) - 0.5, -0.5)
    one.set_xlabel(f"{axis_label(found)} (above 0 Cutaway is better)")
    one.spines[["top", "right"]].set_visible(False)
    one.grid(axis="x", alpha=0.25)
    return figure
