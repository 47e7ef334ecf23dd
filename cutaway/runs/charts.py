"""Charts for the report, by matplotlib, as SVG text."""

import numpy as np

from cutaway.story.figures import BLUE, GRAY, ORANGE, svg_of

SHOWN_STEPS = 200  # the last ones of the validation series


def _figure(panels: int):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * panels, 3.1), layout="constrained")
    axes = [figure.add_subplot(1, panels, k + 1) for k in range(panels)]
    for one in axes:
        one.grid(alpha=0.25)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def curves(history, best_epoch=None) -> str:
    """Loss and metrics over the epochs; a line marks the epoch whose weights were kept."""
    metrics = [c[4:] for c in history.columns if c.startswith("val_") and c != "val_loss"]
    panels = ["loss", *metrics]
    dot = "o" if len(history) == 1 else None  # one point makes no line
    figure, axes = _figure(len(panels))
    for one, name in zip(axes, panels, strict=True):
        for column, label, color in (
            (name, "training", GRAY),
            (f"val_{name}", "validation", BLUE),
        ):
            if column in history.columns:
                one.plot(
                    history["epoch"], history[column], color=color, label=label, lw=1.6, marker=dot
                )
        if best_epoch:
            one.axvline(best_epoch, color=ORANGE, lw=1, ls="--", label="weights kept")
        one.set_title(name.replace("_", " "))
        one.set_xlabel("epoch")
        one.legend(frameon=False)
    return svg_of(figure)


def layer_flow(probes) -> str | None:
    """Gradient and relative update of each layer, at the start, middle and end of training.

    Args:
        probes: frame of train.Probes.

    Returns:
        SVG, or None for a network with one layer.
    """
    import polars as pl
    from matplotlib.ticker import LogLocator, MaxNLocator

    layers = probes.filter(pl.col("role") == "weights")
    # at the end of a schedule the learning rate may be 0
    steps = layers.filter(pl.col("update") > 0)["step"].unique().sort().to_list()
    if not steps or layers["layer"].n_unique() < 2:
        return None
    figure, panels = _figure(2)
    chosen = dict.fromkeys([steps[0], steps[len(steps) // 2], steps[-1]])
    for one, column, title in zip(
        panels,
        ("grad", "update"),
        ("gradient ∂L/∂z (rms)", "relative update of the weights"),
        strict=True,
    ):
        for step, color in zip(chosen, (GRAY, BLUE, ORANGE), strict=False):
            at = layers.filter((pl.col("step") == step) & (pl.col(column) > 0))
            one.plot(
                at["number"], at[column], color=color, lw=1.6, marker="o", ms=3.5,
                label=f"step {step:,}",
            )  # fmt: skip
        one.set_yscale("log")
        low, high = one.get_ylim()
        one.yaxis.set_major_locator(LogLocator(subs=(1, 3) if high < 300 * low else (1,)))
        one.yaxis.set_major_formatter("{x:g}")  # formulas like 10⁻³ take most of a second
        one.yaxis.set_minor_formatter("")
        one.set_title(title)
        one.set_xlabel("layer")
        one.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        one.legend(frameon=False)
    return svg_of(figure)


def residuals(truth, prediction, target: str) -> str:
    """Predicted against true values, and a histogram of the residuals."""
    figure, (left, right) = _figure(2)
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    # a $ would start a formula
    name = target.replace("$", r"\$")
    ends = [min(truth.min(), prediction.min()), max(truth.max(), prediction.max())]
    left.plot(ends, ends, color=GRAY, lw=1, ls="--")
    left.scatter(truth, prediction, s=14, alpha=0.6, color=BLUE, edgecolors="none")
    left.set_xlabel(f"true {name}")
    left.set_ylabel("predicted")
    left.set_title("predicted vs. true")
    right.hist(prediction - truth, bins=min(30, max(5, len(truth) // 5)), color=BLUE, alpha=0.8)
    right.axvline(0, color=GRAY, lw=1, ls="--")
    right.set_xlabel("predicted - true")
    right.set_ylabel("rows")
    right.set_title("residuals")
    return svg_of(figure)


def forecasts(truth, prediction, target: str, times=None) -> str:
    """A series and its forecasts, each starting where the previous one ends.

    Args:
        truth, prediction: (rows, horizon); row k starts at step k.
        target: name of the series.
        times: (rows,) labels of the steps at which the rows start, or None.
    """
    figure, (axes,) = _figure(1)
    figure.set_size_inches(8.8, 3.4)
    first = max(0, len(truth) - SHOWN_STEPS)
    truth, prediction = truth[first:], prediction[first:]
    rows, horizon = truth.shape
    axes.plot(np.r_[truth[:, 0], truth[-1, 1:]], color=GRAY, lw=1.4, label="true")
    # a gap after each forecast; forecasts of one step make one line
    steps, ahead = [], []
    for begin in range(0, rows, horizon):
        steps += [*range(begin, begin + horizon)]
        ahead += [*prediction[begin]]
        if horizon > 1:
            steps.append(np.nan)
            ahead.append(np.nan)
    axes.plot(steps, ahead, color=BLUE, lw=1.6, label="forecast")
    if times is None:
        axes.set_xlabel("step")
    else:
        shown = np.unique(np.linspace(0, rows - 1, min(rows, 4)).round().astype(int))
        axes.set_xticks(shown, [times[first + k] for k in shown])
    steps_ahead = "one-step" if horizon == 1 else f"{horizon}-step"
    axes.set_title(f"{steps_ahead} forecasts, validation")
    axes.set_ylabel(target.replace("$", r"\$"))
    axes.legend(frameon=False)
    return svg_of(figure)


def scatter(points, explained, groups, values, target: str, cross=None) -> str:
    """Points in a plane, colored by group, or by value if there are no groups.

    Args:
        points: (rows, 2).
        explained: fraction of the variance along each axis.
        groups: [(name, (rows,) booleans)], or None.
        values: (rows,).
        cross: (2,) one more point, highlighted; or None.
    """
    import matplotlib

    figure, (axes,) = _figure(1)
    figure.set_size_inches(6.4, 4.4)
    if groups is None:
        found = axes.scatter(*points.T, c=values, s=14, alpha=0.8, edgecolors="none")
        figure.colorbar(found, ax=axes, label=target.replace("$", r"\$"))
    else:
        colors = matplotlib.colormaps["tab10"]
        for k, (name, rows) in enumerate(groups):
            color = colors(k) if k < colors.N else GRAY
            label = name.replace("$", r"\$").lstrip("_") or name
            axes.scatter(
                *points[rows].T, s=14, alpha=0.7, color=color, edgecolors="none", label=label
            )
        axes.legend(frameon=False, fontsize="small")
    if cross is not None:
        axes.plot(*cross, "x", color="black", markersize=13, markeredgewidth=2.5)
    axes.set_xlabel(f"PC 1 ({explained[0]:.0%} of variance)")
    axes.set_ylabel(f"PC 2 ({explained[1]:.0%} of variance)")
    return svg_of(figure)
