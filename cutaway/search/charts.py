"""Plots of a search and of learning curves: for pages, and by matplotlib."""

import numpy as np

from cutaway.story.design import BLUE, CATEGORICAL, GRAY, ORANGE
from cutaway.story.panels import legend_above, new_figure
from cutaway.story.plot import Plot, chart_html


def _figure(panels: int, *, width: float = 4.6):
    figure = new_figure(width * panels, 3.3)
    axes = [figure.add_subplot(1, panels, k + 1) for k in range(panels)]
    for one in axes:
        one.grid(alpha=0.25)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def tune_figure(summary: dict):
    """The value of every trial and the best so far; importances, if there are enough trials.

    Args:
        summary: see search.result.Tuned.
    """
    importances = summary["importances"]
    figure, axes = _figure(2 if importances else 1, width=4.8)
    _course(axes[0], summary)
    if importances:
        names, shares = list(importances)[::-1], list(importances.values())[::-1]
        axes[1].barh(names, shares, color=BLUE, alpha=0.85)
        axes[1].set_xlim(0, 1)
        axes[1].xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axes[1].set_title("hyperparameter importances")
        axes[1].grid(axis="y", alpha=0)
    return figure


def _course(one, summary):
    from matplotlib.ticker import MaxNLocator

    trials = summary["trials"]
    better = max if summary["higher_is_better"] else min
    whole = [(k, t["value"]) for k, t in enumerate(trials) if t["state"] == "complete"]
    best, so_far = [], None
    for _, value in whole:
        so_far = value if so_far is None else better(so_far, value)
        best.append(so_far)
    places = [k + 1 for k, _ in whole]
    one.step(
        [*places, len(trials)], [*best, best[-1]], where="post", color=ORANGE, lw=1.6, label="best"
    )
    one.scatter(places, [v for _, v in whole], s=22, color=BLUE, label="trial", zorder=3)
    values = sorted(v for _, v in whole)
    low, high = values[0], values[-1]
    if len(values) > 4:  # an outlier should not flatten the others
        middle = values[len(values) // 2]
        if summary["higher_is_better"]:
            low = max(low, middle - 4 * (high - middle) - 1e-9)
        else:
            high = min(high, middle + 4 * (middle - low) + 1e-9)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    one.set_ylim(low - room, high + room)
    for state, marker, label in (("pruned", "|", "pruned"), ("failed", "x", "failed")):
        at = [k + 1 for k, t in enumerate(trials) if t["state"] == state]
        if at:
            edge = one.get_ylim()[0 if summary["higher_is_better"] else 1]
            one.scatter(
                at, [edge] * len(at), marker=marker, s=40, color=GRAY, label=label,
                clip_on=False, zorder=3,
            )  # fmt: skip
    one.set_title(f"validation {summary['measure'].removeprefix('val_').replace('_', ' ')}")
    one.set_xlabel("trial")
    one.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    legend_above(one)


def tune_chart(summary: dict) -> str:
    """The value of every trial and the best so far, as HTML for a page."""
    trials = [(k + 1, t) for k, t in enumerate(summary["trials"])]
    whole = [(k, t["value"]) for k, t in trials if t["state"] == "complete"]
    better = np.maximum if summary["higher_is_better"] else np.minimum
    best = better.accumulate([value for _, value in whole])
    name = summary["measure"].removeprefix("val_").replace("_", " ")
    plot = Plot(f"validation {name}", x_label="trial", integer_x=True)
    x = np.repeat([k for k, _ in whole] + [len(trials)], 2)[1:]  # a stair
    plot.line(x, np.repeat([*best, best[-1]], 2)[:-1], color=ORANGE, label="best")
    plot.points(*zip(*whole, strict=True), color=BLUE, radius=3.0, opacity=1.0, label="trial")
    ended = {"pruned": [], "failed": []}
    for k, trial in trials:
        if trial["state"] in ended:
            ended[trial["state"]].append(str(k))
    told = "; ".join(f"{state}: trial {', '.join(ks)}" for state, ks in ended.items() if ks)
    note = f'<p class="soft">{told[:1].upper()}{told[1:]}.</p>' if told else ""
    return chart_html([plot], width=440.0, height=240.0) + note


def compare_chart(found) -> str:
    """Score over the number of training rows with 95% confidence intervals, as HTML for a page."""
    plot = Plot(
        "mean, with 95% confidence intervals",
        x_label=f"training {found.summary['examples']}",
        y_label=f"test {found.summary['score']}",
        log_x=True,
        x_ticks={float(n): f"{n:,}" for n in found.sizes},
    )
    for k, (name, values) in enumerate(found.scores.items()):
        means, halves = found.interval(values)
        color, is_first = COLORS[k % len(COLORS)], k == 0
        # shifted slightly, to keep the error bars apart
        places = [n * (1 + 0.018 * (k - (len(found.scores) - 1) / 2)) for n in found.sizes]
        if halves[0] == halves[0]:
            plot.ranges(places, means - halves, means + halves, color=color)
        width, dot = (2.4, 3.2) if is_first else (1.5, 2.6)
        plot.line(places, means, color=color, width=width, dot=dot, dashed=k % 2 == 1, label=name)
    return chart_html([plot], width=470.0, height=290.0)


COLORS = (BLUE, ORANGE, GRAY, *CATEGORICAL[2:])


def compare_figure(found):
    """Score over the number of training rows, one line per model, with 95% confidence intervals.

    Args:
        found: search.compare.Comparison.
    """
    figure, (one,) = _figure(1, width=6.6)
    figure.set_size_inches(6.6, 4.0)
    lowest = []
    for k, (name, values) in enumerate(found.scores.items()):
        means, halves = found.interval(values)
        first = k == 0
        # shifted slightly, to keep the error bars apart
        places = [n * (1 + 0.018 * (k - (len(found.scores) - 1) / 2)) for n in found.sizes]
        one.errorbar(
            places, means, None if halves[0] != halves[0] else halves,
            color=COLORS[k % len(COLORS)], lw=2.2 if first else 1.4, marker="o",
            ms=5 if first else 4, capsize=3, elinewidth=1, label=name, zorder=4 if first else 3,
        )  # fmt: skip
        lowest.append(float(means.min()))
    if found.summary["score"] == "R²" and min(lowest) < -0.5:
        one.set_ylim(bottom=-0.5)  # below 0 it is worse than predicting the mean
    one.set_xscale("log")
    one.set_xticks(found.sizes, [f"{n:,}" for n in found.sizes])
    one.set_xticks([], minor=True)
    one.set_xlabel(f"training {found.summary['examples']}")
    one.set_ylabel(f"test {found.summary['score']}")
    legend_above(one)
    return figure
