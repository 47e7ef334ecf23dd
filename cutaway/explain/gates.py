"""The gates of an LSTM or GRU over time: what is let in, kept and let out at each step."""

import numpy as np

from cutaway.errors import OptionError, counted
from cutaway.explain.graph import ComputationGraph
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, align, number

LINES = 24  # steps in a text
CLOSED, OPEN = 0.1, 0.9  # a gate beyond these counts as closed, open
MEANINGS = {
    "i": "input gate: how much of the candidate g is written",
    "f": "forget gate: how much of the cell c is kept (1: all of it)",
    "o": "output gate: how much of the cell is shown as h",
    "g": "candidate, in -1..1",
    "c": "cell",
    "h": "state: the output of the step",
    "r": "reset gate: how much of h[t-1] the candidate n sees",
    "z'": "update gate: how much of h[t-1] is kept (1: all of it)",
    "n": "candidate, in -1..1",
}
GATES = ("i", "f", "o", "r", "z'")


class Gates(Story):
    """The values of the gates of a recurrent layer over time. Made by `Explanation.gates`.

    Attributes:
        layer: its path.
        values: {symbol: (time, units)}: i, f, o, g, c, h of an LSTM, r, z', n, h of a GRU. NaN
            where a gate plays no part: f at the first step, where there is nothing to forget.
    """

    def __init__(self, graph: ComputationGraph, layer: str | None, modules: dict):
        found: dict[str, dict] = {}
        for node in graph.nodes:
            if node.label is None or node.label[1] is None or node.label[0] not in MEANINGS:
                continue
            found.setdefault(node.module, {}).setdefault(node.label[0], {})[node.label[1]] = node
        found = {
            path: parts for path, parts in found.items() if any(gate in parts for gate in GATES)
        }
        layers = list(found)
        if layer is None and layers:
            layer = layers[0]
        inside = [path for path in layers if f"{path}.".startswith(f"{layer}.")]
        if not inside:
            kind = f", {type(modules[layer]).__name__}," if layer in modules else ""
            raise OptionError(
                f"the layer {layer!r}{kind} has no gates"
                if layer is not None
                else "this network has no layer with gates",
                expected="an LSTM or GRU" + (": " + ", ".join(layers) if layers else ""),
            )
        self.layer = inside[0]
        parts = found[self.layer]
        time = 1 + max(t for steps in parts.values() for t in steps)
        self.values = {}
        for symbol in MEANINGS:
            if symbol in parts:
                units = next(iter(parts[symbol].values())).shape[-1]
                values = np.full((time, units), np.nan)
                for t, node in parts[symbol].items():
                    values[t] = node.value[0]
                self.values[symbol] = values

    def text(self, width: int = WIDTH) -> str:
        time, units = next(iter(self.values.values())).shape
        lines = [
            f"Gates of layer {self.layer}: {counted(units, 'unit')} over {counted(time, 'step')}",
            "",
        ]
        lines += align([[f"  {s}", MEANINGS[s]] for s in self.values])
        lines += ["", "Mean over the units at each step:"]
        shown = [*range(time)]
        if time > LINES:
            shown = [*range(LINES // 2), *range(time - LINES // 2, time)]
        rows = [["  t", *self.values]]
        rows += [[f"  {t + 1}", *(self._mean(s, t) for s in self.values)] for t in shown]
        lines += align(rows, ">" * (1 + len(self.values)))
        if len(shown) < time:
            lines.append(f"  (the first and the last {LINES // 2} of {time} steps)")
        lines.append("")
        for symbol in (s for s in self.values if s in GATES):
            known = self.values[symbol][~np.isnan(self.values[symbol])]
            closed, opened = np.mean(known < CLOSED), np.mean(known > OPEN)
            lines.append(
                f"{symbol}: closed (below {CLOSED}) {100 * closed:.0f}%, open (above {OPEN}) "
                f"{100 * opened:.0f}% of all units and steps"
            )
        return "\n".join(lines)

    def _mean(self, symbol, t) -> str:
        row = self.values[symbol][t]
        return "-" if np.isnan(row).any() else number(row.mean(), 3)

    def option(self) -> str:
        """The option of `cutaway explain` that shows it."""
        return f"--gates {self.layer}"

    def to_dict(self) -> dict:
        return {
            "layer": self.layer,
            "values": {
                symbol: [[None if np.isnan(v) else float(v) for v in row] for row in values]
                for symbol, values in self.values.items()
            },
        }

    def plot(self, axes=None):
        """A heat map for each gate and state: units downwards, time to the right.

        Args:
            axes: None, since the heat maps need a new figure.
        """
        if axes is not None:
            raise OptionError(
                "the gates cannot be drawn into one axes",
                expected="axes=None, for a figure of its own",
            )
        count = len(self.values)
        figure = panels.new_figure(7.2, 1.9 * -(-count // 2) + 0.4)
        places = figure.subplots(-(-count // 2), 2, squeeze=False, sharex=True)
        for place, (symbol, values) in zip(places.ravel(), self.values.items(), strict=False):
            colors = {"cmap": panels.amount_map(), "vmin": 0, "vmax": 1}
            if symbol not in GATES:
                colors = panels.signed_range(np.nan_to_num(values))
            end = (0.5, len(values) + 0.5, values.shape[1] + 0.5, 0.5)
            drawn = place.imshow(
                values.T, aspect="auto", interpolation="nearest", extent=end, **colors
            )
            place.set_title(f"{symbol}: {MEANINGS[symbol].partition(':')[0]}", fontsize=9)
            place.xaxis.get_major_locator().set_params(integer=True)
            place.yaxis.get_major_locator().set_params(integer=True)
            figure.colorbar(drawn, ax=place)
        for place in places.ravel()[count:]:
            place.set_axis_off()
        for place in places[-1]:
            place.set_xlabel("time step")
        for place in places[:, 0]:
            place.set_ylabel("unit")
        return places
