"""A CurveChart drawn by matplotlib."""

import numpy as np

from cutaway.story.curve_chart import COLORS, CurveChart
from cutaway.story.panels import new_axes, new_figure, plain

INK = "0.45"  # a gray that is visible on white and in matplotlib's dark style
OFFSETS = {"above": ((0, 8), "center", "bottom"), "below": ((0, -8), "center", "top"),
           "left": ((-8, 0), "right", "center"), "right": ((8, 0), "left", "center")}  # fmt: skip


def curve_axes(chart: CurveChart, axes=None):
    """Draw the chart; returns the axes, new ones if None were given."""
    axes = new_axes(axes, width=6.0, height=4.0)
    for span in chart.spans:
        axes.axvspan(span.x0, span.x1, color=INK, alpha=0.15, lw=0, label=plain(span.label))
    for line in chart.lines:
        style = "--" if line.dashed else "-"
        axes.plot(line.x, line.y, style, color=_color(line.color), lw=1.8,
                  label=plain(line.label) or None)  # fmt: skip
    for arrow in chart.arrows:
        axes.annotate("", (arrow.x1, arrow.y1), (arrow.x0, arrow.y0),
                      arrowprops={"arrowstyle": "-|>", "color": _color(arrow.color), "lw": 2,
                                  "shrinkA": 0, "shrinkB": 0})  # fmt: skip
    for dot in chart.dots:
        axes.plot(dot.x, dot.y, "o", color=_color(dot.color), mec=INK, ms=7, zorder=4)
        offset, across, up = OFFSETS[dot.side]
        axes.annotate(plain(dot.label), (dot.x, dot.y), offset, textcoords="offset points",
                      ha=across, va=up, fontsize=9)  # fmt: skip
    x0, x1, y0, y1 = chart.limits()
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.axhline(0, color=INK, lw=0.6)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(plain(chart.title))
    axes.set_xlabel(plain(chart.x_label))
    axes.set_ylabel(plain(chart.y_label))
    if chart.legend():
        # below the axes, where it covers no curve
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False, ncols=2, fontsize=9
        )
    return axes


def curves_figure(charts):
    """Charts side by side, as a matplotlib Figure."""
    charts = list(charts)
    drawn = new_figure(6.0 * len(charts), 4.4)
    for chart, axes in zip(charts, np.ravel(drawn.subplots(1, len(charts))), strict=True):
        curve_axes(chart, axes)
    return drawn


def _color(name) -> str:
    return INK if name == "ink" else COLORS[name]
