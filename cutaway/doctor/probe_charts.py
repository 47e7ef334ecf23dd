"""What the probes saw, as plots: losses, gradient by layer, sizes of steps, outputs over time."""

import dataclasses
import math

import numpy as np

from cutaway.story.figures import BLUE, ORANGE
from cutaway.story.text import WIDTH, Story, align, number

MOST_LAYERS = 12  # that a plot over time shows, spread over all
STEADY = (1e-4, 1e-2)  # between which ‖Δw‖/‖w‖ usually is; around 1e-3 by common advice


def probe_charts(evidence) -> list:
    """[(heading, Story)] of all that can be shown of a training."""
    found = [("Loss", LossCurves(evidence))]
    if evidence.probes.rows:
        found += [
            ("Gradient by layer", GradientByLayer(evidence)),
            ("Size of the steps", StepSizes(evidence)),
            ("OutputsOverTime over time", OutputsOverTime(evidence)),
        ]
    return found


@dataclasses.dataclass(repr=False)
class LossCurves(Story):
    """The losses of the epochs of a training."""

    evidence: object

    def text(self, width: int = WIDTH) -> str:
        losses = self.evidence.losses
        told = f"{len(losses)} epochs"
        if len(losses):
            told += f", training loss from {number(losses[0])} to {number(losses[-1])}"
        chance = self.evidence.chance_loss
        if math.isfinite(chance):
            told += f"\nThe best constant answer has {number(chance)}."
        return told

    def to_dict(self) -> dict:
        held = self.evidence.validation_losses
        return {
            "training": self.evidence.losses.tolist(),
            "validation": None if held is None else held.tolist(),
            "chance": self.evidence.chance_loss,
        }

    def plot(self, axes=None):
        axes = _axes(axes)
        told = self.to_dict()
        for name, color in (("training", BLUE), ("validation", ORANGE)):
            if told[name]:
                axes.plot(np.arange(1, len(told[name]) + 1), told[name], color=color, label=name)
        if math.isfinite(told["chance"]):
            axes.axhline(told["chance"], color="#8a94a3", ls=":", label="best constant answer")
        values = [v for n in ("training", "validation") for v in told[n] or ()]
        if values and min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss L")
        return _finished(axes)


class _ByLayer(Story):
    """Base: what each layer with weights has, at the start and at the end."""

    key, label, heading = "", "", ""

    def __init__(self, evidence):
        self.evidence = evidence

    def ends(self) -> list:
        """[(name, number l, value at the start, at the end)]."""
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
    """Size of the gradient at each layer's output, first and last."""

    key = "grad"
    heading = "∂L/∂z, root mean square over the elements of a layer"

    def plot(self, axes=None):
        axes = _axes(axes)
        ends = self.ends()
        layers = [end[1] for end in ends]
        for k, (label, color) in enumerate((("at the start", BLUE), ("at the end", ORANGE))):
            values = [_positive(e[2 + k]) for e in ends]
            axes.plot(layers, values, "o-", color=color, label=label)
        axes.set_yscale("log")
        axes.set_xlabel("layer l")
        axes.set_ylabel("∂L/∂z (rms)")
        return _finished(axes)


class StepSizes(_ByLayer):
    """Size of a step of the optimizer, as a share of the weights, over time."""

    key = "update"
    heading = "‖Δw‖/‖w‖ of one step"

    def plot(self, axes=None):
        axes = _axes(axes)
        for path, rows in _over_time(self.evidence, "weights"):
            axes.plot([r["step"] + 1 for r in rows], [_positive(r["update"]) for r in rows],
                      ".-", label=path)  # fmt: skip
        axes.axhspan(*STEADY, color="#8a94a3", alpha=0.15, lw=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("‖Δw‖/‖w‖")
        return _finished(axes)


class OutputsOverTime(Story):
    """What layers give, from their 1% to their 99% quantile, over time."""

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
                    + [_share(row[name]) for name in ("off", "dead", "saturated")]
                )
        return "\n".join(["At the end of training:", *align(rows, sides="<>>>>")])

    def to_dict(self) -> dict:
        keys = ("step", "layer", "mean", "std", "low", "high", "off", "dead", "saturated")
        rows = [r for r in self.evidence.probes.rows if r["role"] == self.role]
        return {"rows": [{key: row[key] for key in keys} for row in rows]}

    def plot(self, axes=None):
        axes = _axes(axes)
        for path, rows in _over_time(self.evidence, self.role):
            steps = [r["step"] + 1 for r in rows]
            (line,) = axes.plot(steps, [r["mean"] for r in rows], ".-", label=path)
            low, high = ([r[name] for r in rows] for name in ("low", "high"))
            axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.12, lw=0)
        axes.set_xscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("output: mean, and 1% to 99%")
        return _finished(axes)


def _over_time(evidence, role):
    """[(path, rows in time)] of at most MOST_LAYERS layers, spread over all."""
    layers = {}
    for row in evidence.probes.rows:
        if row["role"] == role:
            layers.setdefault(row["layer"], []).append(row)
    paths = list(layers)
    chosen = np.unique(np.linspace(0, len(paths) - 1, MOST_LAYERS).astype(int)) if paths else []
    return [(paths[k], layers[paths[k]]) for k in chosen]


def _positive(value):
    return value if value > 0 and math.isfinite(value) else math.nan


def _share(value):
    return "" if math.isnan(value) else f"{value:.0%}"


def _axes(axes):
    if axes is not None:
        return axes
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 3.6), layout="constrained").subplots()


def _finished(axes):
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
