"""Plots of a race: the paths seen from above, and the loss over the steps."""

import itertools
from typing import Any

import numpy as np

from cutaway.optim import OPTIMIZERS
from cutaway.story.design import CATEGORICAL, GRAY, INK, WHITE
from cutaway.story.panels import new_axes, new_figure

# each differs in color, dashes and marker, so the lines can be distinguished without color too
_HUES = (INK, *CATEGORICAL, GRAY)
_DASHES = ("-", "-", "--", "-", "-.", "-", "--", ":", "-", "--")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
STYLES = tuple(zip(_HUES, _DASHES, _MARKERS, strict=True))
LEVELS = 14
GROUND = 141  # points of a side of the grid that a page's contours are made from


def style(race, k: int):
    """(color, dashes, marker) of racer k; each optimizer has the same ones in all races."""
    names = list(OPTIMIZERS)
    if all(racer.name in names for racer in race.racers):
        k = names.index(race.racers[k].name)
    else:
        k *= 7  # neighbors in the list look alike
    return STYLES[k % len(STYLES)]


def shade(axes, surface, x_range, y_range):
    """The surface as gray contours, darker is higher; returns the contours for a color bar."""
    xs, ys = np.linspace(x_range[0], x_range[1], 241), np.linspace(y_range[0], y_range[1], 241)
    with np.errstate(all="ignore"):
        values = surface.values(np.stack(np.meshgrid(xs, ys), axis=-1))
    values = np.ma.masked_invalid(values)
    levels = contour_levels(values.compressed())
    from matplotlib.colors import BoundaryNorm, ListedColormap

    grays = [str(g) for g in np.linspace(0.99, 0.58, len(levels) - 1)]
    scale = BoundaryNorm(levels, len(grays))
    filled = axes.contourf(xs, ys, values, levels, cmap=ListedColormap(grays), norm=scale)
    axes.contour(xs, ys, values, levels, colors=GRAY, linewidths=0.4, alpha=0.7)
    return filled


def contours(surface, x_range, y_range) -> list:
    """For each contour level the rings (points, 2) around what lies above it."""
    from contourpy import contour_generator

    xs, ys = (np.linspace(low, high, GROUND) for low, high in (x_range, y_range))
    with np.errstate(all="ignore"):
        values = surface.values(np.stack(np.meshgrid(xs, ys), axis=-1))
    values = np.ma.masked_invalid(values)
    levels = contour_levels(values.compressed())
    made: Any = contour_generator(xs, ys, values, fill_type="OuterOffset")
    found = []
    for level in levels[1:-1]:
        points, offsets = made.filled(level, np.inf)
        found.append(
            [
                ring[a:b]
                for ring, ends in zip(points, offsets, strict=True)
                for a, b in itertools.pairwise(ends)
            ]
        )
    return found


def contour_levels(values):
    """Contour levels: in equal steps, or in equal ratios if the surface is steep."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    if float(np.median(values)) - low >= 0.15 * (high - low):
        return MaxNLocator(LEVELS).tick_values(low, high)
    # above the lowest point: 1, 3, 10, 30, ... up to the highest
    top = np.ceil(2 * np.log10(high - low)) / 2
    return low + np.r_[0.0, 10.0 ** np.arange(top - 3.5, top + 0.1, 0.5)]


def frame(race):
    """(x_range, y_range) of the plot: the surface's, extended to the start."""
    surface = race.surface
    ranges = []
    for axis, (low, high) in enumerate((surface.x_range, surface.y_range)):
        margin = 0.05 * (high - low)
        at = race.start[axis]
        ranges.append((min(low, at - margin), max(high, at + margin)))
    return ranges


def plot_trajectories(race, axes=None):
    """The surface from above with the path of each racer; a color bar only in a new figure.

    Returns:
        the axes.
    """
    is_new = axes is None
    axes = new_axes(axes, width=8.6, height=5.4)
    x_range, y_range = frame(race)
    filled = shade(axes, race.surface, x_range, y_range)
    _draw_trajectories(race, axes)
    axes.set_xlim(x_range)
    axes.set_ylim(y_range)
    axes.set_xlabel(race.surface.axes[0])
    axes.set_ylabel(race.surface.axes[1])
    axes.set_title(race.surface.title)
    if is_new:
        _bar(axes, filled)
        _legend(axes.figure, axes)
    return axes


def plot_values(race, axes=None):
    """The height above the lowest point over the steps, on a logarithmic axis.

    Returns:
        the axes.
    """
    is_new = axes is None
    axes = new_axes(axes, width=7.6, height=4.2)
    lowest, name = _lowest(race)
    start = race.racers[0].values[0] - lowest
    for k, racer in enumerate(race.racers):
        color, dashes, mark = style(race, k)
        above = np.asarray(racer.values) - lowest
        # a diverging racer is cut off at 1000 times the start; a height of 0 has no logarithm
        above = np.where(above <= 1e3 * max(start, 1e-12), np.maximum(above, 1e-16), np.nan)
        places = [len(above) * (2 * k + 1) // (2 * len(race.racers))]  # markers do not overlap
        axes.plot(above, color=color, ls=dashes, lw=1.5, marker=mark, ms=5, markevery=places,
                  label=racer.name)  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(1e-12, axes.get_ylim()[0]))
    axes.set_xlabel("step")
    axes.set_ylabel(f"height above {name}")
    axes.set_title("loss after each step")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if is_new:
        _legend(axes.figure, axes)
    return axes


def figure(race):
    """Both plots side by side, with one legend."""
    drawn = new_figure(13.5, 5.2)
    left, right = drawn.subplots(1, 2, width_ratios=(1.25, 1))
    plot_trajectories(race, left)
    _bar(left, left.collections[0])
    plot_values(race, right)
    _legend(drawn, left)
    return drawn


def _draw_trajectories(race, axes):
    from matplotlib.patheffects import Normal, Stroke

    halo = [Stroke(linewidth=3, foreground=WHITE, alpha=0.8), Normal()]
    if race.surface.minima:
        xs, ys = np.transpose(race.surface.minima)
        few = len(xs) <= 10
        axes.plot(xs, ys, "*", color=WHITE, mec=INK, mew=0.8, ms=13 if few else 4,
                  ls="none", label="known minimum", zorder=3)  # fmt: skip
    for k, racer in enumerate(race.racers):
        color, dashes, mark = style(race, k)
        points = racer.points[np.isfinite(racer.points).all(axis=1)]
        # far outside, a line to 1e300 cannot be drawn
        points = points[(np.abs(points) < 1e6).all(axis=1)]
        line, = axes.plot(*points.T, color=color, ls=dashes, lw=1.6, label=racer.name,
                          marker=mark, markevery=[len(points) - 1], ms=7, mec=WHITE, mew=0.8,
                          zorder=4)  # fmt: skip
        line.set_path_effects(halo)
    axes.plot(*race.start, "o", color=WHITE, mec=INK, mew=1.6, ms=11, ls="none",
              label="start", zorder=3.5)  # fmt: skip


def _bar(axes, filled):
    bar = axes.figure.colorbar(filled, ax=axes, shrink=0.9, format="%.3g")
    bar.set_label("L")


def _legend(drawn, axes):
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False,
                 handlelength=3.2)  # fmt: skip


def _lowest(race):
    """(the loss that heights are measured from, its name)."""
    if race.surface.minima:
        lowest = float(race.surface.values(race.surface.minima[0]))
        return lowest, "the minimum" if len(race.surface.minima) == 1 else "the lowest minimum"
    finite = [r.values[np.isfinite(r.values)] for r in race.racers]
    return float(np.concatenate(finite).min()), "the lowest point reached"
