"""The gradient layer by layer: where it vanishes, where it explodes."""

import dataclasses
import functools
import textwrap

import numpy as np

from cutaway.explain.graph import Node
from cutaway.explain.names import ElementNames
from cutaway.story.design import BLUE, ORANGE
from cutaway.story.panels import legend_above, new_axes
from cutaway.story.plot import Plot, chart_html
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.story.told_html import ACROSS, told_html

SATURATED = 0.05  # a slope below this fraction of the function's largest slope
LEGEND = (
    ["active", "the neuron is activated: z > 0, which for a sigmoid is σ(z) > 0.5"],
    ["off", "its slope is 0, so no gradient passes through it"],
    ["saturated", "its slope is below 5% of the largest that the function has"],
    ["factor", "∂L/∂z relative to that of the next layer"],
)
VANISHED, EXPLODED = 1e-3, 1e3  # the first layer's gradient relative to the last one's


@dataclasses.dataclass(frozen=True)
class LayerFlow:
    """The gradient at one layer.

    Attributes:
        layer: l.
        module: path of its activation.
        activation: name of the activation function, "" for none.
        slope: mean of |act'(z)| over its elements; 1 without an activation function.
        active: fraction of elements that are activated, z > 0: σ(z) > 0.5, relu(z) > 0. None
            without an activation function.
        off: fraction of elements whose slope is exactly 0.
        saturated: fraction whose slope is small but not 0, of a function that is bounded on a side.
        gradient: root mean square of ∂L/∂z over its elements.
        factor: gradient relative to that of the first layer that depends on this one; None for a
            last layer.
        largest_slope: supremum of |act'(z)|.
        path: of the module that computed z.
        title: the field's name of the activation function.
        following: places in `layers` of those that depend on this one, without others between.
    """

    layer: int
    module: str
    activation: str
    slope: float
    off: float
    saturated: float
    gradient: float
    factor: float | None
    largest_slope: float = 1.0
    path: str = ""
    following: tuple = ()
    active: float | None = None
    title: str = ""


class FlowStory(Story):
    """The gradient from the loss back to the first layer. Made by `Explanation.flow`.

    Attributes:
        layers: [LayerFlow], the first layer first.
        over_time: paths of the recurrent layers, which are not among them.
    """

    def __init__(self, graph, jacobians, names: ElementNames):
        gradients = graph.gradients()
        steps = [n.module for n in graph.nodes if n.label is not None and n.label[1] is not None]
        self.over_time = list(dict.fromkeys(steps))
        nodes = [(node, layer) for node, layer in names.pre_activations if node.number in gradients]
        nodes.sort(key=lambda pair: pair[1] or 0)
        found = [
            self._at(node, layer, graph, jacobians, names, gradients[node.number])
            for node, layer in nodes
        ]
        self.layers = [
            dataclasses.replace(
                flow, factor=_ratio(flow.gradient, found[after[0]].gradient), following=after
            )
            if after
            else flow
            for flow, after in zip(found, _following([n for n, _ in nodes], graph), strict=True)
        ]

    def _at(self, node: Node, layer, graph, jacobians, names, gradient) -> LayerFlow:
        activation = _activation_after(node, graph, names)
        size = float(np.sqrt(np.mean(gradient**2))) if gradient.size else 0.0
        if activation is None:
            return LayerFlow(layer, node.module, "", 1.0, 0.0, 0.0, size, None, path=node.module)
        jacobian = jacobians.of(activation)
        factors = getattr(jacobian, "factors", None)
        slope = np.abs(factors[0]) if isinstance(factors, list) else np.ones(1)
        off = float(np.mean(slope == 0))
        traits = activation.record.operation.traits.activation
        largest = 1.0 if traits is None else traits.largest_slope
        least = SATURATED * largest
        bounded = traits is None or any(map(np.isfinite, traits.range))
        flat = float(np.mean((slope < least) & (slope > 0))) if bounded else 0.0
        return LayerFlow(
            layer,
            activation.module,
            activation.name,
            float(slope.mean()),
            off,
            flat,
            size,
            None,
            largest,
            node.module,
            active=float(np.mean(node.value > 0)) if isinstance(factors, list) else None,
            title=activation.name if traits is None else traits.title,
        )

    @property
    def product(self) -> float:
        """The first layer's gradient relative to the last one's, on the branch of most change."""
        first, last = self._ends
        return 1.0 if first is last else _ratio(first.gradient, last.gradient) or 0.0

    def _first_layers(self) -> list:
        """The layers that depend on no other."""
        later = {k for flow in self.layers for k in flow.following}
        return [flow for k, flow in enumerate(self.layers) if k not in later]

    @functools.cached_property
    def _ends(self) -> tuple:
        """(first, last) layer of the branch along which the gradient changes most."""

        def last_after(flow):
            waiting, seen = [flow], set()
            while waiting:
                flow = waiting.pop()
                waiting += [self.layers[k] for k in flow.following if k not in seen]
                seen.update(flow.following)
                if not flow.following:
                    yield flow

        def change(ends):
            first, last = ends
            if not first.gradient or not last.gradient:
                return np.inf
            return abs(np.log(first.gradient / last.gradient))

        nothing = LayerFlow(0, "", "", 1.0, 0.0, 0.0, 1.0, None)
        pairs = [(flow, last) for flow in self._first_layers() for last in last_after(flow)]
        return max(pairs, key=change, default=(nothing, nothing))

    def notes(self) -> list:
        """What is wrong with this flow, in sentences; [] if nothing is."""
        notes = []
        slopes = [flow.slope for flow in self.layers if flow.activation]
        if any(flow.gradient == 0 for flow in self._first_layers()):
            notes.append("no gradient reaches the first layer: it is 0 there")
        elif len(self.layers) > 2 and self.product < VANISHED:
            notes.append(
                f"the gradient vanishes: at the first layer it is {number(self.product)} of that "
                f"at the last; the {len(slopes)} slopes alone multiply to {number(np.prod(slopes))}"
            )
        elif len(self.layers) > 2 and self.product > EXPLODED:
            notes.append(
                f"the gradient explodes: at the first layer it is {number(self.product)} times "
                "that at the last"
            )
        for flow in self.layers:
            if flow.activation and flow.largest_slope == 0:
                notes.append(
                    f"layer {flow.layer}: the slope of a {flow.title.lower()} function is 0 "
                    "everywhere, so no gradient passes through it"
                )
            elif flow.off > 0.9:
                notes.append(
                    f"layer {flow.layer}: {flow.off:.0%} of its units are off for this input"
                )
            if flow.saturated > 0.5:
                notes.append(f"layer {flow.layer}: {flow.saturated:.0%} of its units are saturated")
        return notes

    def text(self, width: int = WIDTH) -> str:
        rows = [["layer", "activation", "mean slope", "off", "saturated", "∂L/∂z (rms)", "factor"]]
        rows += [self._row(flow) for flow in self.layers]
        sides, ends = "><>>>>>", "from the last layer to the first"
        if not self._branches():
            active = [None, *(flow.active for flow in self.layers)]
            rows = [[*row[:2], _percent(a), *row[2:]] for row, a in zip(rows, active, strict=True)]
            rows[0][2], sides = "active", f"{sides[:2]}>{sides[2:]}"
        if self._branches():
            paths = ["path", *(flow.path for flow in self.layers)]
            rows = [[row[0], path, *row[1:]] for row, path in zip(rows, paths, strict=True)]
            first, last = self._ends
            sides, ends = "><<>>>>>", f"from {last.path} to {first.path}, where it changes most"
        lines = [line[:width] for line in align(rows, sides)]
        if len(self.layers) > 1:
            lines += ["", f"{ends}: × {number(self.product)}"]
        for note in self.notes():
            lines += textwrap.wrap(f"! {note}", width, subsequent_indent="  ")
        if self.over_time:
            told = (
                f"Recurrent: {', '.join(self.over_time)}. Such weights are used at every time "
                "step, so they have no row here; `through_time` of the explanation shows how a "
                "gradient shrinks or grows from step to step."
            )
            lines = [*lines, ""] if self.layers else []
            lines += textwrap.wrap(told, width)
        if any(flow.activation for flow in self.layers):
            legend = LEGEND if not self._branches() else LEGEND[1:]
            lines += ["", *align(legend)]
        return "\n".join(lines)

    def _branches(self) -> bool:
        """Whether several layers are the first or the last ones."""
        last = [flow for flow in self.layers if not flow.following]
        return len(self._first_layers()) > 1 or len(last) > 1

    def _row(self, flow):
        return [
            str(flow.layer),
            flow.activation or "-",
            number(flow.slope) if flow.activation else "",
            f"{flow.off:.0%}" if flow.activation else "",
            f"{flow.saturated:.0%}" if flow.activation else "",
            number(flow.gradient),
            "" if flow.factor is None else number(flow.factor),
        ]

    def beside(self, other: "FlowStory", names=("this network", "the other")) -> str:
        """Two flows side by side: layer, mean slope, gradient and factor of each."""
        rows = [["layer", "slope", "∂L/∂z (rms)", "factor", "|", "slope", "∂L/∂z (rms)", "factor"]]
        for k in range(max(len(self.layers), len(other.layers))):
            row = [str(k + 1)]
            for flow in (self, other):
                if k < len(flow.layers):
                    cells = flow._row(flow.layers[k])
                    row += [cells[2], cells[5], cells[6]]
                else:
                    row += ["", "", ""]
                row.append("|")
            rows.append(row[:-1])
        lines = align(rows, ">>>>^>>>")
        middle = lines[0].index("|")
        head = f"{names[0]:<{middle}}| {names[1]}"
        ends = [f"{name}: × {number(flow.product)} from the last layer to the first"
                for name, flow in zip(names, (self, other), strict=True)]  # fmt: skip
        return "\n".join([head, *lines, "", *ends])

    def to_dict(self) -> dict:
        return {
            "layers": [dataclasses.asdict(flow) for flow in self.layers],
            "over_time": self.over_time,
            "product": self.product,
            "notes": self.notes(),
        }

    def is_plotted(self) -> bool:
        """Whether there are layers to compare: a line of one point shows nothing."""
        return len(self.layers) > 1

    def html(self) -> str:
        told = told_html(self.text(ACROSS))
        if not self.is_plotted():
            return told
        plot = Plot("gradient, from the first layer to the last", x_label="layer", integer_x=True)
        plot.log_y = all(flow.gradient > 0 for flow in self.layers)
        layers = [flow.layer for flow in self.layers]
        gradients = [flow.gradient for flow in self.layers]
        plot.line(layers, gradients, color=BLUE, dot=2.6, label="∂L/∂z (rms)")
        slopes = [(flow.layer, flow.slope) for flow in self.layers if flow.activation]
        if slopes:
            look = {"color": ORANGE, "dashed": True, "dot": 2.2}
            plot.line(*zip(*slopes, strict=True), label="mean slope act'(z)", **look)
        return told + chart_html([plot], width=432.0)

    def plot(self, axes=None):
        """The gradient over the layers, on a logarithmic axis."""
        axes = new_axes(axes, height=3.5)
        layers = [flow.layer for flow in self.layers]
        axes.plot(
            layers, [flow.gradient for flow in self.layers], "o-", color=BLUE, label="∂L/∂z (rms)"
        )
        slopes = [(flow.layer, flow.slope) for flow in self.layers if flow.activation]
        if slopes:
            axes.plot(*zip(*slopes, strict=True), "s--", color=ORANGE, label="mean slope act'(z)")
        if all(flow.gradient > 0 for flow in self.layers):
            axes.set_yscale("log")
        axes.set_xticks(layers)
        axes.set_xlabel("layer")
        legend_above(axes)
        return axes


def _activation_after(node, graph, names):
    """The activation function applied to this layer's z, perhaps after a norm or pooling."""
    following = {n.number: n for n in graph.nodes}
    consumers = graph.consumers()
    waiting, steps = [node], 0
    while waiting and steps < 64:
        steps += 1
        current = waiting.pop(0)
        name = names.of(current)
        if current is not node and name is not None:
            if name.symbol == "O" or (
                graph.is_output(current) and current.record.operation.traits.is_function
            ):
                return current
            if not name.is_pooled and name.symbol not in ("n", "s"):
                continue
        waiting += [following[n.number] for n in consumers[current.number]]
    return None


def _following(nodes, graph) -> list:
    """For each of the nodes the indices of those that depend on it, without others between."""
    place = {node.number: k for k, node in enumerate(nodes)}
    consumers = graph.consumers()
    found = []
    for k, node in enumerate(nodes):
        waiting, seen, reached = [node.number], set(), set()
        while waiting:
            for other in consumers[waiting.pop()]:
                if other.number in seen:
                    continue
                seen.add(other.number)
                if place.get(other.number, -1) > k:
                    reached.add(place[other.number])
                else:
                    waiting.append(other.number)
        found.append(tuple(sorted(reached)))
    return found


def _percent(fraction) -> str:
    return "" if fraction is None else f"{fraction:.0%}"


def _ratio(a, b):
    return a / b if b else None
