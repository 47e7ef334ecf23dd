"""Plots of an Attribution, and its HTML: bars, an overlay, a heat map over time, tokens."""

from html import escape

import numpy as np

from cutaway.story import panels
from cutaway.story.design import shade
from cutaway.story.text import WIDTH, number

SHOWN = 20  # columns or tokens in a text or plot


def height_of(found) -> float:
    """Height of the plot of an Attribution, in inches."""
    if found.kind in ("image", "series"):
        return 3.4
    return 1.3 + 0.27 * min(len(found.bars()), SHOWN)


def plot_bars(found, axes):
    from matplotlib.patches import Patch

    bars = found.bars()
    ranked = sorted(range(len(bars)), key=lambda k: -abs(bars[k][2]))[:SHOWN]
    if found.kind == "tokens":
        ranked = sorted(ranked)  # as they are read
    names = [
        panels.cut(bars[k][0], 28) + ("" if bars[k][1] is None else f" = {number(bars[k][1], 3)}")
        for k in ranked
    ]
    values = np.array([bars[k][2] for k in ranked])
    axes = panels.new_axes(axes, width=6.4, height=height_of(found))
    for k, value in enumerate(values):
        axes.barh(
            k,
            value,
            color=panels.UP if value >= 0 else panels.DOWN,
            hatch=None if value >= 0 else "////",
            edgecolor=axes.get_facecolor(),
            linewidth=0,
        )
    axes.set_yticks(range(len(ranked)), [panels.plain(name) for name in names])
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=axes.xaxis.label.get_color(), lw=0.8)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.set_title(panels.plain(found.title()))
    if found.is_unsigned():
        axes.set_xlabel("size of the contribution")
        return axes
    axes.set_xlabel("contribution to the output")
    paper = {"edgecolor": axes.get_facecolor(), "lw": 0}
    up = Patch(facecolor=panels.UP, label="raises it", **paper)
    down = Patch(facecolor=panels.DOWN, hatch="////", label="lowers it", **paper)
    panels.legend_above(axes, handles=[up, down])
    return axes


def plot_image(found, axes):
    axes, result = panels.beside_input(axes, found.x)
    steepness = found.method == "saliency"
    # as in Simonyan et al.: the maximum over the channels
    heat = found.values.max(axis=-1) if steepness else found.values.sum(axis=-1)
    # clipped at a percentile, so that a single outlier does not hide all others
    strong = np.percentile(np.abs(heat), 99) or np.abs(heat).max() or 1.0
    colors = {"cmap": panels.signed_map(), "vmin": -strong, "vmax": strong}
    if steepness:
        colors = {"cmap": panels.amount_map(), "vmin": 0, "vmax": strong}
    panels.overlay(
        axes,
        found.x,
        heat,
        np.abs(heat) / strong,
        title=found.title(),
        color_label=_color_label(found),
        beside=result,
        **colors,
    )
    return result


def plot_series(found, axes):
    from matplotlib.ticker import MaxNLocator

    count = found.x.shape[1]
    result = axes
    if axes is None:
        result = panels.new_figure(7.4, 4.2).subplots(2, 1, sharex=True)
        above, axes = result
        for k, style in zip(range(count), ("-", "--", ":", "-."), strict=False):
            above.plot(found.x[:, k], style, lw=1.4, label=panels.plain(found.feature(k)))
        above.set_title("input" if count <= 4 else f"input, 4 of {count} columns")
        if count > 1:
            above.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        above.grid(alpha=0.25)
    colors = panels.signed_range(found.values)
    if found.method == "saliency":
        colors = {"cmap": panels.amount_map(), "vmin": 0}
    drawn = axes.imshow(found.values.T, aspect="auto", interpolation="nearest", **colors)
    axes.set_title(panels.plain(found.title()))
    axes.set_xlabel("time step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    shown = np.unique(np.linspace(0, count - 1, min(count, 8)).astype(int))
    axes.set_yticks(shown, [panels.plain(found.feature(k)) for k in shown])
    bar = axes.figure.colorbar(drawn, ax=result)
    bar.set_label(_color_label(found))
    return result


def _color_label(found):
    if found.method == "saliency":
        return "steepness"
    return "lowers the output  ←  0  →  raises it"


def html_of_tokens(found):
    """Tokens on colors, stronger for larger values; those that lower the output are underlined."""
    largest = max((abs(value) for _, _, value in found.bars()), default=0.0) or 1.0
    spans = []
    for name, _, value in found.bars():
        spans.append(
            f'<span title="{value:+.4g}" style="{_shade(value / largest)}">'
            f"{escape(str(name))}</span>"
        )
    legend = (
        f'<span style="{_shade(1)}">raises</span> <span style="{_shade(-1)}">lowers</span> '
        "the output, the stronger the color the more"
    )
    if found.method == "saliency":
        legend = f'<span style="{_shade(1)}">steep</span>: the output changes most with these'
    sums = "<br>".join(escape(line) for line in found.sum_lines(WIDTH))
    return (
        f'<div class="cutaway-story"><p>{escape(found.title())}</p>'
        f'<p style="line-height:1.9">{" ".join(spans)}</p>'
        f"<p><small>{legend}<br>{sums}</small></p></div>"
    )


def _shade(value) -> str:
    line = ";text-decoration:underline" if value < 0 else ""
    return f"background:{shade(value)};padding:1px 3px;border-radius:3px{line}"
