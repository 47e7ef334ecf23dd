"""Plots of the probes: losses, gradients by layer, update sizes, outputs over time."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.evidence import Evidence
from cutaway.story.design import BLUE, CATEGORICAL, GRAY, ORANGE
from cutaway.story.panels import legend_above, new_axes
from cutaway.story.plot import Plot, chart_html
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.story.told_html import ACROSS, told_html

MAX_LAYERS = 12  # in a plot over time, evenly spaced
LINES = [(color, line) for line in (".-", ".--") for color in CATEGORICAL]  # of these layers
SIZE = {"width": 440.0, "height": 240.0}  # points, of a chart on a page
USUAL = (1e-4, 1e-2)  # range of ‖Δw‖/‖w‖; around 1e-3 is the common rule of thumb


def probe_charts(evidence) -> list:
    """[(heading, Story)] of all plots of a training."""
    found = [("Loss", LossCurves(evidence))]
    if evidence.probes.rows:
        found += [
            ("Gradients by layer", GradientByLayer(evidence)),
            ("Update sizes", StepSizes(evidence)),
            ("Outputs over time", OutputsOverTime(evidence)),
        ]
    return found


@dataclasses.dataclass(repr=False)
class LossCurves(Story):
    """Training and validation loss by epoch."""

    evidence: Evidence

    def text(self, width: int = WIDTH) -> str:
        losses = self.evidence.losses
        text = f"{len(losses)} epoch{'s' * (len(losses) != 1)}"
        if len(losses) == 1:
            text += f", training loss {number(losses[0])}"
        elif len(losses):
            text += f", training loss from {number(losses[0])} to {number(losses[-1])}"
        chance = self.evidence.chance_loss
        if math.isfinite(chance):
            text += f"\nThe best constant prediction has loss {number(chance)}."
        return text

    def to_dict(self) -> dict:
        validation = self.evidence.validation_losses
        return {
            "training": self.evidence.losses.tolist(),
            "validation": None if validation is None else validation.tolist(),
            "chance": self.evidence.chance_loss,
        }

    def _colors(self) -> tuple:
        """(name, color) of the curves: validation is what counts, as in the reports of runs."""
        alone = self.evidence.validation_losses is None
        return ("training", BLUE if alone else GRAY), ("validation", BLUE)

    def html(self) -> str:
        curves, plot = self.to_dict(), Plot("loss L", x_label="epoch", integer_x=True)
        values = [v for n in ("training", "validation") for v in curves[n] or ()]
        plot.log_y = bool(values) and min(values) > 0 and max(values) > 20 * min(values)
        for name, color in self._colors():
            if curves[name]:
                epochs = range(1, len(curves[name]) + 1)
                dot = 3.5 if len(epochs) == 1 else 0.0  # a line of one point is not seen
                plot.line(epochs, curves[name], color=color, label=name, dot=dot)
        if math.isfinite(curves["chance"]):
            ends = [1, max(2, len(curves["training"]))]
            label = "best constant prediction"
            plot.line(
                ends, [curves["chance"]] * 2, color=ORANGE, width=1.0, dashed=True, label=label
            )
        return told_html(self.text(ACROSS)) + chart_html([plot], **SIZE)

    def plot(self, axes=None):
        from matplotlib.ticker import MaxNLocator

        axes = _axes(axes)
        curves = self.to_dict()
        for name, color in self._colors():
            if curves[name]:
                epochs = np.arange(1, len(curves[name]) + 1)
                dots = "o" if len(epochs) == 1 else ""  # a line of one point is not seen
                axes.plot(epochs, curves[name], marker=dots, color=color, label=name)
                if len(epochs) == 1:
                    axes.set_xlim(0, 2)
        if math.isfinite(curves["chance"]):
            axes.axhline(curves["chance"], color=GRAY, ls=":", label="best constant prediction")
        values = [v for n in ("training", "validation") for v in curves[n] or ()]
        if values and min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss L")
        return _finished(axes)


class _ByLayer(Story):
    """Base: a quantity of each layer with weights, at the start and at the end."""

    key, label, heading = "", "", ""

    def __init__(self, evidence):
        self.evidence = evidence

    def ends(self) -> list:
        """[(path, number l, value at the start, at the end)]."""
        first, last = (
            {r["layer"]: r for r in self.evidence.probes.at(k) if r["role"] == "weights"}
            for k in (0, -1)
        )
        return [
            (path, row["number"], row[self.key], last[path][self.key])
            for path, row in first.items()
            if path in last
        ]

    def text(self, width: int = WIDTH) -> str:
        rows = [["layer", "", "at the start", "at the end"]]
        rows += [[str(n), path, number(a), number(b)] for path, n, a, b in self.ends()]
        return "\n".join([self.heading, *align(rows, sides="><>>")])

    def to_dict(self) -> dict:
        names = ("layer", "number", "start", "end")
        return {
            "what": self.key,
            "layers": [dict(zip(names, e, strict=True)) for e in self.ends()],
        }


class GradientByLayer(_ByLayer):
    """Gradient at each layer's output, at the start and at the end."""

    key = "grad"
    heading = "∂L/∂z, root mean square over the elements of a layer"

    def html(self) -> str:
        plot, ends = Plot("∂L/∂z (rms)", x_label="layer l", log_y=True, integer_x=True), self.ends()
        for k, (label, color) in enumerate((("at the start", GRAY), ("at the end", BLUE))):
            values = [_positive(end[2 + k]) for end in ends]
            plot.line([end[1] for end in ends], values, color=color, dot=2.4, label=label)
        return told_html(self.text(ACROSS)) + chart_html([plot], **SIZE)

    def plot(self, axes=None):
        from matplotlib.ticker import MaxNLocator

        axes = _axes(axes)
        ends = self.ends()
        layers = [end[1] for end in ends]
        for k, (label, color) in enumerate((("at the start", GRAY), ("at the end", BLUE))):
            values = [_positive(e[2 + k]) for e in ends]
            axes.plot(layers, values, "o-", color=color, label=label)
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("layer l")
        axes.set_ylabel("∂L/∂z (rms)")
        return _finished(axes)


class StepSizes(_ByLayer):
    """Size of the optimizer's updates relative to the weights, over time."""

    key = "update"
    heading = "‖Δw‖/‖w‖ per step"

    def html(self) -> str:
        plot, ends = (
            Plot("‖Δw‖/‖w‖, usual values shaded", x_label="step", log_x=True, log_y=True),
            [],
        )
        for (color, line), (path, rows) in zip(
            LINES, _over_time(self.evidence, "weights"), strict=False
        ):
            steps = [row["step"] + 1 for row in rows]
            ends += steps
            values = [_positive(row["update"]) for row in rows]
            plot.line(steps, values, color=color, dashed="--" in line, dot=1.6, label=path)
        if ends:
            around = [min(ends), max(ends)]
            plot.band(around, [USUAL[0]] * 2, [USUAL[1]] * 2, color=GRAY, opacity=0.18)
        return told_html(self.text(ACROSS)) + chart_html([plot], **SIZE)

    def plot(self, axes=None):
        axes = _axes(axes)
        for (color, line), (path, rows) in zip(
            LINES, _over_time(self.evidence, "weights"), strict=False
        ):
            axes.plot([r["step"] + 1 for r in rows], [_positive(r["update"]) for r in rows],
                      line, color=color, label=path)  # fmt: skip
        axes.axhspan(*USUAL, color=GRAY, alpha=0.15, lw=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("‖Δw‖/‖w‖")
        return _finished(axes)


class OutputsOverTime(Story):
    """The outputs of layers, from the 1% to the 99% quantile, over time."""

    def __init__(self, evidence):
        self.evidence = evidence
        roles = {row["role"] for row in evidence.probes.rows}
        self.role = "activation" if "activation" in roles else "weights"

    def text(self, width: int = WIDTH) -> str:
        rows = [["layer", "1% to 99%", "exactly 0", "dead", "saturated"]]
        for row in self.evidence.probes.at(-1):
            if row["role"] == self.role:
                rows.append(
                    [row["layer"], f"{number(row['low'], 3)} to {number(row['high'], 3)}"]
                    + [_percent(row[name]) for name in ("off", "dead", "saturated")]
                )
        return "\n".join(["At the end of training:", *align(rows, sides="<>>>>")])

    def to_dict(self) -> dict:
        keys = ("step", "layer", "mean", "std", "low", "high", "off", "dead", "saturated")
        rows = [r for r in self.evidence.probes.rows if r["role"] == self.role]
        return {"rows": [{key: row[key] for key in keys} for row in rows]}

    def html(self) -> str:
        plot = Plot("output: mean, and 1% to 99%", x_label="step", log_x=True)
        for (color, line), (path, rows) in zip(
            LINES, _over_time(self.evidence, self.role), strict=False
        ):
            steps = [row["step"] + 1 for row in rows]
            plot.band(steps, [r["low"] for r in rows], [r["high"] for r in rows], color=color)
            means = [row["mean"] for row in rows]
            plot.line(steps, means, color=color, dashed="--" in line, dot=1.6, label=path)
        return told_html(self.text(ACROSS)) + chart_html([plot], **SIZE)

    def plot(self, axes=None):
        axes = _axes(axes)
        for (color, line), (path, rows) in zip(
            LINES, _over_time(self.evidence, self.role), strict=False
        ):
            steps = [r["step"] + 1 for r in rows]
            axes.plot(steps, [r["mean"] for r in rows], line, color=color, label=path)
            low, high = ([r[name] for r in rows] for name in ("low", "high"))
            axes.fill_between(steps, low, high, color=color, alpha=0.12, lw=0)
        axes.set_xscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("output: mean, and 1% to 99%")
        return _finished(axes)


def _over_time(evidence, role):
    """[(path, rows in order of time)] of at most MAX_LAYERS layers, evenly spaced."""
    layers = {}
    for row in evidence.probes.rows:
        if row["role"] == role:
            layers.setdefault(row["layer"], []).append(row)
    paths = list(layers)
    chosen = np.unique(np.linspace(0, len(paths) - 1, MAX_LAYERS).astype(int)) if paths else []
    return [(paths[k], layers[paths[k]]) for k in chosen]


def _positive(value):
    return value if value > 0 and math.isfinite(value) else math.nan


def _percent(value):
    return "" if math.isnan(value) else f"{value:.0%}"


def _axes(axes):
    return new_axes(axes, width=7, height=3.6)


def _finished(axes):
    if axes.get_legend_handles_labels()[0]:
        legend_above(axes)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
