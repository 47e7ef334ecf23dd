"""Building blocks of plots: figures, colors, grids.

Signs differ in brightness, not in hue alone: signed_map() goes from light orange for negative over
gray for 0 to dark blue for positive, so plots work in grayscale and for color-blind readers.
Nothing is drawn in explicit black or white, so matplotlib's dark style works.
"""

import re

import numpy as np

from cutaway.story.design import BLUE, DIVERGING, GRAY, ORANGE, SEQUENTIAL, colormap
from cutaway.story.figures import svg_of, without_addresses

CHARACTERS = 14  # of small text to an inch
LEGEND_ROW = 13  # points
_INDEX = re.compile(r"(?<![A-Za-z0-9_$])([A-Za-z])_(\d+(?:,\d+)*)(?:\^(\(\d+\)))?(?![A-Za-z0-9_])")
UP, DOWN = BLUE, ORANGE  # what raises an output, and what lowers it


def signed_map():
    """Colors of values with a sign: light orange, gray at 0, dark blue."""
    return colormap(DIVERGING)


def amount_map():
    """Colors of amounts: from almost white for none to dark blue for much."""
    return colormap(SEQUENTIAL)


def light_map():
    """Colors of amounts that are laid over a photograph: dark for none, bright for much."""
    return colormap(SEQUENTIAL, backwards=True)


def new_axes(axes=None, *, width=6.0, height=4.0):
    """`axes`, or those of a new figure."""
    if axes is not None:
        return axes
    return new_figure(width, height).add_subplot()


def new_figure(width, height):
    """A figure of this size in inches, which shows itself in a notebook, as do its axes."""
    from cutaway.story.shown_figure import ShownFigure

    return ShownFigure(figsize=(width, height), layout="constrained")


def signed_bars(axes, labels, values, *, label: str):
    """Horizontal bars on both sides of 0, the first on top; returns the axes."""
    axes = new_axes(axes, height=0.3 * len(values) + 0.8)
    signs = [value >= 0 for value in values]
    axes.barh(
        labels,
        values,
        color=[UP if up else DOWN for up in signs],
        hatch=["" if up else "//" for up in signs],
    )
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.2)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=5)
    axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.set_xlabel(label)
    return axes


def indexed(name: str) -> str:
    """A name with its indices as matplotlib sets them: w_12^(1) becomes w with small numbers.

    Example:
        >>> from cutaway.story.panels import indexed
        >>> indexed("w_12^(1)")
        '$w_{12}^{(1)}$'
    """
    return _INDEX.sub(_math, plain(name))


def _math(found) -> str:
    above = "" if found[3] is None else f"^{{{found[3]}}}"
    return f"${found[1]}_{{{found[2]}}}{above}$"


def legend_above(axes, **options):
    """The legend above the axes, below their title, where it covers nothing; returns it.

    Args:
        options: more of Axes.legend.
    """
    handles = options.get("handles")
    if handles is None:
        labels = axes.get_legend_handles_labels()[1]
    else:
        labels = [handle.get_label() for handle in handles]
    wide = max((len(label) for label in labels), default=0) + 7  # the handle, in characters
    inches = axes.figure.get_figwidth() * axes.get_position().width
    columns = min(len(labels), max(1, int(inches * CHARACTERS / wide)))
    rows = -(-len(labels) // max(1, columns))
    if axes.get_title():
        axes.set_title(axes.get_title(), pad=10 + LEGEND_ROW * rows)
    return axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=max(1, columns),
        frameon=False,
        fontsize="small",
        borderaxespad=0.2,
        **options,
    )


def signed_range(values) -> dict:
    """Options of imshow that center the color map at 0."""
    largest = float(np.abs(values).max()) if np.size(values) else 0.0
    return {"cmap": signed_map(), "vmin": -largest or -1.0, "vmax": largest or 1.0}


def as_picture(x, low=0.0, high=1.0):
    """(height, width, channels) as an RGB image: colors if there are 3 or 4 channels, else gray.

    Values are scaled so that they range from low to high.
    """
    x = np.asarray(x, float)
    if x.shape[-1] not in (1, 3, 4):
        x = x.mean(axis=-1, keepdims=True)
    x = x[..., :3]
    span = x.max() - x.min()
    x = low + (high - low) * (x - x.min()) / (span or 1.0)
    return np.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x


def faint(x):
    """The image in medium grays, on which both dark and bright colors stand out."""
    return np.repeat(as_picture(x, 0.4, 0.6).mean(axis=-1, keepdims=True), 3, axis=-1)


def beside_input(axes, x):
    """(axes for an image over x, all axes); in a new figure x itself is on the left."""
    if axes is not None:
        return axes, axes
    height, width = np.shape(x)[:2]
    figure = new_figure(7.6, min(max(3.3 * height / width, 1.8), 6.5) + 0.3)
    both = figure.subplots(1, 2)
    left, right = both
    left.imshow(as_picture(x), interpolation="nearest")
    left.set_title("input")
    bare(left)
    return right, both


def overlay(axes, x, heat, strength, *, title, color_label, beside, **colors):
    """Draw `heat` over the faint image x, with `strength` (0 to 1) as its opacity.

    Args:
        beside: the axes that make room for the color bar.
    """
    from matplotlib.cm import ScalarMappable

    axes.imshow(faint(x), interpolation="nearest")
    drawn = axes.imshow(heat, alpha=np.clip(strength, 0, 1), interpolation="nearest", **colors)
    axes.set_title(plain(title))
    bare(axes)
    # the color bar shows the colors at full opacity
    bar = ScalarMappable(norm=drawn.norm, cmap=drawn.cmap)
    axes.figure.colorbar(bar, ax=beside, shrink=0.85).set_label(color_label)


def bare(axes):
    """No ticks: pixel positions carry no information."""
    axes.set_xticks([])
    axes.set_yticks([])


def grid(pictures, *, titles=None, columns=8, size=1.1, title, color_label, **colors):
    """Images side by side in a new figure, with one color bar for all; returns the axes.

    Args:
        pictures: arrays (height, width), or (height, width, 3) as RGB.
        color_label: label of the color bar; None: no color bar.
    """
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    height = size * np.shape(pictures[0])[0] / np.shape(pictures[0])[1]
    height = min(max(height, 0.4 * size), 2.5 * size)
    figure = new_figure(
        max(4.8, columns * size + 1.2), max(2.0, rows * (height + 0.25 * bool(titles)) + 0.7)
    )
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, place in enumerate(places):
        bare(place)
        if k >= len(pictures):
            place.set_axis_off()
            continue
        drawn = place.imshow(pictures[k], interpolation="nearest", **colors)
        if titles:
            place.set_title(titles[k], fontsize=8, pad=2)
    figure.suptitle(title)
    if color_label is not None:
        figure.colorbar(drawn, ax=list(places), shrink=0.8).set_label(color_label)
    return places[: len(pictures)]


def heat_map(axes, values, *, title, down, along, color_label, names=None):
    """values (rows, columns) as colors, with a color bar; returns the axes.

    Args:
        axes: where to draw; None: a new figure.
        down, along: labels of the rows and the columns.
        names: of the columns.
    """
    from matplotlib.ticker import MaxNLocator

    rows, columns = values.shape
    height = 1.8 + min(max(0.1 * rows, 1.2), 4.5)
    axes = new_axes(axes, width=min(max(5.0, 0.3 * columns + 2.5), 11), height=height)
    drawn = axes.imshow(values, aspect="auto", interpolation="nearest", **signed_range(values))
    axes.set_title(plain(title))
    axes.set_ylabel(down)
    axes.set_xlabel(along)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if names is not None:
        name_ticks(axes.xaxis, names, most=40)
    axes.figure.colorbar(drawn, ax=axes).set_label(color_label)
    return axes


def name_ticks(axis, names, *, most):
    """Label the ticks of an axis with names, at most `most` of them, vertical on the x axis."""
    step = -(-len(names) // most)
    at = range(0, len(names), step)
    axis.set_ticks(at, [plain(cut(names[k])) for k in at])
    axis.set_tick_params(length=0, labelsize=8)
    if axis.axis_name == "x":
        axis.set_tick_params(rotation=90)


def cut(name, most: int = 14) -> str:
    """The name in one line of at most `most` characters, shortened in the middle."""
    name = str(name).replace("\n", "⏎")
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def plain(text) -> str:
    """Text with $ escaped, so that it does not start a formula."""
    return str(text).replace("$", r"\$")


def as_svg(axes, description: str) -> str:
    """The figure of `axes` as an <svg> on the ground of the page, for a story's HTML."""
    drawn = without_addresses(svg_of(np.ravel(axes)[0].figure, description))
    return f'<div class="chart scroll">{drawn}</div>'
