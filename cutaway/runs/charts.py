"""Charts for the report, as SVG text."""

import numpy as np

from cutaway.runs.preprocessing import score_in_words
from cutaway.story.design import BLACK, BLUE, CATEGORICAL, GRAY, ORANGE
from cutaway.story.figures import svg_of
from cutaway.story.plot import Plot, side_by_side
from cutaway.train.history_curves import history_plots

MARKERS = ("o", "^", "s")  # of groups in a scatter: each color once with each
SHOWN_STEPS = 200  # the last ones of the validation series


def curves(history, best_epoch=None, validation: str = "validation") -> str:
    """Loss and metrics over the epochs; a line marks the epoch whose weights were kept.

    Args:
        validation: what the curves of the validation are called.
    """
    return side_by_side(
        history_plots(history, best_epoch=best_epoch, named=score_in_words, validation=validation)
    )


def layer_flow(probes) -> str | None:
    """Gradient and relative update of each layer, at the start, middle and end of training.

    Args:
        probes: frame of train.Probes.

    Returns:
        SVG, or None for a network with one layer.
    """
    import polars as pl

    layers = probes.filter(pl.col("role") == "weights")
    # at the end of a schedule the learning rate may be 0
    steps = layers.filter(pl.col("update") > 0)["step"].unique().sort().to_list()
    if not steps or layers["layer"].n_unique() < 2:
        return None
    plots = []
    chosen = dict.fromkeys([steps[0], steps[len(steps) // 2], steps[-1]])
    for column, title in (
        ("grad", "gradient ∂L/∂z (rms)"),
        ("update", "relative update of the weights"),
    ):
        plot = Plot(title, x_label="layer", log_y=True, integer_x=True)
        for step, color in zip(chosen, (GRAY, BLUE, ORANGE), strict=False):
            at = layers.filter(
                (pl.col("step") == step) & (pl.col(column) > 0) & pl.col(column).is_finite()
            )
            plot.line(at["number"], at[column], color=color, dot=2.2, label=f"step {step:,}")
        plots.append(plot)
    return side_by_side(plots)


def residuals(truth, prediction, target: str) -> str:
    """Predicted against true values, and a histogram of the residuals."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    ends = [min(truth.min(), prediction.min()), max(truth.max(), prediction.max())]
    left = Plot("predicted vs. true", x_label=f"true {target}", y_label="predicted")
    left.line(ends, ends, color=GRAY, width=1.0, dashed=True)
    left.points(truth, prediction, color=BLUE)
    right = Plot("residuals", x_label="predicted - true", y_label="predictions", integer_y=True)
    bins = min(30, max(5, len(truth) // 5))
    counts, edges = np.histogram(prediction - truth, bins=bins)
    right.bars(edges, counts, color=BLUE)
    right.vertical(0.0, color=GRAY)
    return side_by_side([left, right])


def forecasts(truth, prediction, target: str, times=None) -> str:
    """A series and its forecasts, each starting where the previous one ends.

    Args:
        truth, prediction: (rows, horizon); row k starts at step k.
        target: name of the series.
        times: (rows,) labels of the steps at which the rows start, or None.
    """
    first = max(0, len(truth) - SHOWN_STEPS)
    truth, prediction = truth[first:], prediction[first:]
    rows, horizon = truth.shape
    # a gap after each forecast; forecasts of one step make one line
    steps, ahead = [], []
    for begin in range(0, rows, horizon):
        steps += [*range(begin, begin + horizon)]
        ahead += [*prediction[begin]]
        if horizon > 1:
            steps.append(np.nan)
            ahead.append(np.nan)
    ticks = None
    if times is not None:
        shown = np.unique(np.linspace(0, rows - 1, min(rows, 4)).round().astype(int))
        ticks = {int(k): str(times[first + k]) for k in shown}
    steps_ahead = "one-step" if horizon == 1 else f"{horizon}-step"
    plot = Plot(
        f"{steps_ahead} forecasts, validation",
        x_label="" if times is not None else "step",
        y_label=target,
        x_ticks=ticks,
    )
    series = np.r_[truth[:, 0], truth[-1, 1:]]
    plot.line(np.arange(len(series)), series, color=GRAY, width=1.4, label="true")
    plot.line(steps, ahead, color=BLUE, label="forecast")
    return side_by_side([plot], width=633.6, height=244.8)


def scatter(points, explained, groups, values, target: str, cross=None) -> str:
    """Points in a plane, colored by group, or by value if there are no groups.

    Args:
        points: (rows, 2).
        explained: fraction of the variance along each axis.
        groups: [(name, (rows,) booleans)], or None.
        values: (rows,).
        cross: (2,) one more point, highlighted; or None.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if groups is None:
        found = axes.scatter(*points.T, c=values, s=14, alpha=0.8, edgecolors="none")
        figure.colorbar(found, ax=axes, label=target.replace("$", r"\$"))
    else:
        for k, (name, rows) in enumerate(groups):
            color = (
                CATEGORICAL[k % len(CATEGORICAL)] if k < len(CATEGORICAL) * len(MARKERS) else GRAY
            )
            label = name.replace("$", r"\$").lstrip("_") or name
            axes.scatter(
                *points[rows].T,
                s=14,
                alpha=0.7,
                color=color,
                marker=MARKERS[k // len(CATEGORICAL) % len(MARKERS)],
                edgecolors="none",
                label=label,
            )
        axes.legend(
            frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=4
        )
    if cross is not None:
        axes.plot(*cross, "x", color=BLACK, markersize=13, markeredgewidth=2.5)
    axes.set_xlabel(f"PC 1 ({explained[0]:.0%} of variance)")
    axes.set_ylabel(f"PC 2 ({explained[1]:.0%} of variance)")
    return svg_of(figure)
