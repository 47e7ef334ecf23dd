"""The gradient layer by layer: where it vanishes, where it explodes."""

import dataclasses
import itertools
import textwrap

import numpy as np

from cutaway.explain.graph import Node
from cutaway.explain.names import ElementNames
from cutaway.story.panels import new_axes
from cutaway.story.text import WIDTH, Story, align, number

SATURATED = 0.05  # a slope below this fraction of the function's largest slope
VANISHED, EXPLODED = 1e-3, 1e3  # the first layer's gradient relative to the last one's


@dataclasses.dataclass(frozen=True)
class LayerFlow:
    """The gradient at one layer.

    Attributes:
        layer: l.
        module: path of its activation.
        activation: name of the activation function, "" for none.
        slope: mean of |act'(z)| over its elements; 1 without an activation function.
        off: fraction of elements whose slope is exactly 0.
        saturated: fraction whose slope is small but not 0.
        gradient: root mean square of ∂L/∂z over its elements.
        factor: gradient relative to that of the next layer.
        largest_slope: supremum of |act'(z)|.
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


class FlowStory(Story):
    """The gradient from the loss back to the first layer. Made by `Explanation.flow`.

    Attributes:
        layers: [LayerFlow], the first layer first.
    """

    def __init__(self, graph, jacobians, names: ElementNames):
        gradients = graph.gradients()
        found = [
            self._at(node, layer, graph, jacobians, names, gradients[node.number])
            for node, layer in names.pre_activations
            if node.number in gradients
        ]
        found.sort(key=lambda flow: flow.layer)
        self.layers = [
            dataclasses.replace(flow, factor=_ratio(flow.gradient, after.gradient))
            for flow, after in itertools.pairwise(found)
        ] + found[-1:]

    def _at(self, node: Node, layer, graph, jacobians, names, gradient) -> LayerFlow:
        activation = _activation_after(node, graph, names)
        size = float(np.sqrt(np.mean(gradient**2))) if gradient.size else 0.0
        if activation is None:
            return LayerFlow(layer, node.module, "", 1.0, 0.0, 0.0, size, None)
        jacobian = jacobians.of(activation)
        factors = getattr(jacobian, "factors", None)
        slope = np.abs(factors[0]) if isinstance(factors, list) else np.ones(1)
        off = float(np.mean(slope == 0))
        traits = activation.record.operation.traits.activation
        largest = 1.0 if traits is None else traits.largest_slope
        least = SATURATED * largest
        flat = float(np.mean((slope < least) & (slope > 0)))
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
        )

    @property
    def product(self) -> float:
        """The first layer's gradient relative to the last one's."""
        if len(self.layers) < 2:
            return 1.0
        return _ratio(self.layers[0].gradient, self.layers[-1].gradient) or 0.0

    def notes(self) -> list:
        """What is wrong with this flow, in sentences; [] if nothing is."""
        notes = []
        slopes = [flow.slope for flow in self.layers if flow.activation]
        if self.layers and self.layers[0].gradient == 0:
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
            if flow.off > 0.9:
                notes.append(
                    f"layer {flow.layer}: {flow.off:.0%} of its units are off for this input"
                )
            if flow.saturated > 0.5:
                notes.append(f"layer {flow.layer}: {flow.saturated:.0%} of its units are saturated")
        return notes

    def text(self, width: int = WIDTH) -> str:
        rows = [["layer", "activation", "mean slope", "off", "saturated", "∂L/∂z (rms)", "factor"]]
        rows += [self._row(flow) for flow in self.layers]
        lines = [line[:width] for line in align(rows, "><>>>>>")]
        if len(self.layers) > 1:
            lines += ["", f"from the last layer to the first: × {number(self.product)}"]
        for note in self.notes():
            lines += textwrap.wrap(f"! {note}", width, subsequent_indent="  ")
        return "\n".join(lines)

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
            "product": self.product,
            "notes": self.notes(),
        }

    def plot(self, axes=None):
        """The gradient over the layers, on a logarithmic axis."""
        axes = new_axes(axes, height=3.5)
        layers = [flow.layer for flow in self.layers]
        axes.plot(layers, [flow.gradient for flow in self.layers], "o-", label="∂L/∂z (rms)")
        slopes = [(flow.layer, flow.slope) for flow in self.layers if flow.activation]
        if slopes:
            axes.plot(
                *zip(*slopes, strict=True), "s--", color="#d95f0e", label="mean slope act'(z)"
            )
        if all(flow.gradient > 0 for flow in self.layers):
            axes.set_yscale("log")
        axes.set_xticks(layers)
        axes.set_xlabel("layer")
        axes.legend()
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
                current is graph.output and current.record.operation.traits.is_function
            ):
                return current
            if not name.is_pooled and name.symbol not in ("n", "s"):
                continue
        waiting += [following[n.number] for n in consumers[current.number]]
    return None


def _ratio(a, b):
    return a / b if b else None
