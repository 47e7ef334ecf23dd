"""A small multilayer perceptron as nodes and edges."""

import dataclasses
import itertools
from html import escape

import numpy as np

from cutaway.errors import OptionError, did_you_mean
from cutaway.nn import Dropout, HebbianNeuron, Linear, Perceptron, Sequential
from cutaway.story.svg import Drawing, picture, text, text_width

SHOWN = 10  # nodes drawn per layer; of a larger layer the first ones and the last
COLUMN, ROW, RADIUS = 150, 30, 9  # distances in SVG units
MOST_LAYERS = 14  # deeper networks are drawn as blocks
NEURONS = (Linear, Perceptron, HebbianNeuron)


@dataclasses.dataclass
class NodeColumn:
    """A layer of nodes.

    Attributes:
        size: number of nodes.
        labels: texts below it, one for each module.
        paths: of the modules whose output this is.
        names: beside the nodes, or None.
        layer: the module whose weights lead here; None for the inputs.
        lit: indices of the highlighted nodes.
    """

    size: int
    labels: list
    paths: list
    names: list | None = None
    layer: object = None
    lit: set = dataclasses.field(default_factory=set)

    def shown(self) -> list:
        """Indices of the nodes that are drawn, with None for a gap; highlighted ones always are."""
        if self.size <= SHOWN:
            return list(range(self.size))
        others = {k for k in self.lit if k >= SHOWN - 3 and k != self.size - 1}
        numbers = sorted({*range(max(1, SHOWN - 3 - 2 * len(others))), *self.lit, self.size - 1})
        rows = numbers[:1]
        for k in numbers[1:]:
            rows += [k] if k == rows[-1] + 1 else [None, k]
        return rows


def columns_of(net) -> list | None:
    """The layers of `net` as columns of nodes; None if it is not a plain multilayer perceptron."""
    layers = list(_flat(net, ""))
    if not layers or not isinstance(layers[0][1], NEURONS):
        return None
    columns = [NodeColumn(layers[0][1].weight.shape[0], ["input"], [])]
    for path, layer in layers:
        if isinstance(layer, NEURONS):
            title = type(layer).__name__
            columns.append(NodeColumn(layer.weight.shape[1], [], [], layer=layer))
        elif isinstance(layer, Dropout):
            title = f"dropout {layer.p:g}"
        elif not layer.parameters() and layer.keeps_features:
            title = type(layer).__name__
        else:
            return None
        columns[-1].labels.append(f"{path} {title}".strip())
        columns[-1].paths.append(path)
    return columns if len(columns) <= MOST_LAYERS + 1 else None


def _flat(module, path):
    """(path, module) of all modules in a nested Sequential, in order."""
    if not isinstance(module, Sequential):
        yield path, module
        return
    for name, layer in enumerate(module):
        yield from _flat(layer, f"{path}.{name}" if path else str(name))


def draw_nodes(columns, *, input_names=None, output_names=None, path=()) -> Drawing:
    """Circles for neurons, lines for weights.

    Args:
        columns: from columns_of.
        input_names, output_names: beside the first and the last nodes.
        path: nodes (layer, i) of consecutive layers, or weights (layer, i, j), to highlight.
    """
    columns[0].names = names_of_nodes(input_names, columns[0], "input_names")
    columns[-1].names = names_of_nodes(output_names, columns[-1], "output_names")
    edges = _lit_edges(columns, path)
    distances = [_distance(a, b) for a, b in itertools.pairwise(columns)]
    left = max(_names_width(columns[0]), _labels_width(columns[0]) / 2) + 20
    xs = [left]
    for distance in distances:
        xs.append(xs[-1] + distance)
    right = max(_names_width(columns[-1]), _labels_width(columns[-1]) / 2) + 20
    below = 15 * max(len(column.labels) for column in columns)
    height = ROW * max(len(c.shown()) for c in columns) + 20
    places = [_places(c, x, height) for c, x in zip(columns, xs, strict=True)]

    parts = []
    for number, column in enumerate(columns[1:], start=1):
        parts += _edges(column.layer, number, places[number - 1], places[number], edges)
    for number, (column, x) in enumerate(zip(columns, xs, strict=True)):
        parts += _nodes(column, number, places[number], number == len(columns) - 1)
        parts.append(text(x, height + 6, f"{column.size:,}", side="middle", kind="strong"))
        for k, label in enumerate(column.labels):
            parts.append(text(x, height + 22 + 15 * k, label, side="middle", kind="small"))
    width = max(xs[-1] + right, 330)
    legend, end = _legend(height + below + 34, bool(edges), width)
    sizes = "-".join(str(column.size) for column in columns)
    return picture([*parts, *legend], width, end, f"network {sizes}, one node per neuron")


def names_of_nodes(names, column, what: str):
    """The names as texts, one per node; None if there are none."""
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != column.size:
        raise OptionError(
            f"draw: {what} has {len(names)} names",
            expected=f"{column.size}, one per node",
            fix="pass a name for each node, or none",
        )
    return names


def _lit_edges(columns, path) -> set:
    """{(layer, i, j)} of the path; also marks their nodes in the columns."""
    path = list(path)
    steps = [_checked(columns, step) for step in path]
    if len({len(step) for step in steps}) > 1:
        raise OptionError(
            f"draw: path {path!r} mixes nodes and weights",
            expected="either nodes (layer, i) of consecutive layers, or weights (layer, i, j)",
        )
    edges = {step for step in steps if len(step) == 3}
    nodes = [step for step in steps if len(step) == 2]
    for (layer, i), (after, j) in itertools.pairwise(nodes):
        if layer == after and i == j:
            continue  # z and O of one neuron
        if after - layer not in (1, -1):
            raise OptionError(
                f"draw: path goes from layer {layer} to layer {after}",
                expected="nodes of consecutive layers",
                fix="include a node of every layer in between",
            )
        edges.add((after, i, j) if after > layer else (layer, j, i))
    for layer, i in nodes:
        columns[layer].lit.add(i)
    for layer, i, j in edges:
        columns[layer - 1].lit.add(i)
        columns[layer].lit.add(j)
    return edges


def _checked(columns, step) -> tuple:
    """A step of the path with the layer as a number."""
    if not isinstance(step, tuple | list) or len(step) not in (2, 3):
        raise OptionError(
            f"draw: path has the step {step!r}",
            expected="(layer, i) for a node or (layer, i, j) for a weight",
        )
    layer, *indices = step
    if isinstance(layer, str):
        known = {path: k for k, column in enumerate(columns) for path in column.paths}
        if layer not in known:
            raise OptionError(
                f"draw: path names a layer {layer!r}",
                expected="the path of a layer, or its index, 0 for the inputs",
                fix=did_you_mean(layer, known),
            )
        layer = known[layer]
    first = 1 if len(indices) == 2 else 0
    if int(layer) != layer or not first <= layer < len(columns):
        raise OptionError(
            f"draw: path has the step {step!r}, of layer {layer}",
            expected=f"a layer from {first} to {len(columns) - 1}",
        )
    around = columns[layer - 1 : layer + 1] if len(indices) == 2 else [columns[layer]]
    for index, column in zip(indices, around, strict=True):
        if int(index) != index or not 0 <= index < column.size:
            raise OptionError(
                f"draw: path has the step {step!r}, but there is no node {index}",
                expected=f"0 to {column.size - 1}",
            )
    return int(layer), *map(int, indices)


def _distance(a, b) -> float:
    return max(COLUMN, (_labels_width(a) + _labels_width(b)) / 2 + 16)


def _labels_width(column) -> float:
    return max(text_width(label, 11) for label in [*column.labels, f"{column.size:,}"])


def _names_width(column) -> float:
    if column.names is None:
        return RADIUS
    shown = [k for k in column.shown() if k is not None]
    return 20 + max(text_width(_short(column.names[k])) for k in shown)


def _places(column, x, height) -> list:
    """[(x, y, index of the node or None)] of the rows, centered."""
    shown = column.shown()
    top = (height - 10 - ROW * (len(shown) - 1)) / 2
    return [(x, top + ROW * row, node) for row, node in enumerate(shown)]


def _edges(layer, number, sources, targets, lit):
    weight = layer.weight.numpy()
    largest = float(np.abs(weight).max()) if np.isfinite(weight).all() else 1.0
    largest = largest or 1.0
    later = []
    for x1, y1, i in sources:
        for x2, y2, j in targets:
            if i is None or j is None:
                continue
            w = float(weight[i, j])
            strength = min(1.0, abs(w) / largest) if np.isfinite(w) else 1.0
            # from rim to rim
            length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
            dx, dy = (x2 - x1) * RADIUS / length, (y2 - y1) * RADIUS / length
            ends = f'x1="{x1 + dx:.4g}" y1="{y1 + dy:.4g}" x2="{x2 - dx:.4g}" y2="{y2 - dy:.4g}"'
            sign = "negative" if w < 0 else "positive"
            tooltip = f"<title>w({number})[{i}, {j}] = {w!r}</title>"
            if (number, i, j) in lit:
                later.append(
                    f'<g class="lit"><path class="under" d="M{x1 + dx:.4g} {y1 + dy:.4g}'
                    f'L{x2 - dx:.4g} {y2 - dy:.4g}" stroke-width="7"/>'
                    f'<line class="{sign} lit" {ends} stroke-width="4">{tooltip}</line></g>'
                )
                continue
            opacity = (0.15 + 0.75 * strength) * (0.45 if lit else 1)
            yield (
                f'<line class="{sign}" {ends} stroke-width="{0.4 + 2.6 * strength:.2f}" '
                f'stroke-opacity="{opacity:.2f}">{tooltip}</line>'
            )
    yield from later


def _nodes(column, number, places, is_last):
    bias = getattr(column.layer, "bias", None)
    for x, y, node in places:
        if node is None:
            yield text(x, y + 5, "⋮", side="middle")
            continue
        lit = node in column.lit
        tooltip = f"node {node} of layer {number}"
        if bias is not None:
            tooltip += f", bias {float(bias.numpy()[node])!r}"
        if column.names is not None:
            tooltip = f"{column.names[node]}: {tooltip}"
        yield (
            f'<circle class="node{" lit" if lit else ""}" cx="{x:g}" cy="{y:g}" r="{RADIUS}">'
            f"<title>{escape(tooltip)}</title></circle>"
        )
        if lit:
            yield f'<path class="core" d="M{x - 3.5:g} {y:g}l3.5 -3.5 3.5 3.5 -3.5 3.5Z"/>'
        if column.names is not None:
            at, side = (x + 16, "start") if is_last else (x - 16, "end")
            kind = "strong" if lit else ""
            yield text(at, y + 4, _short(column.names[node]), side=side, kind=kind)


def _legend(y, lit, width):
    items = [
        ('<path class="positive" d="M0 -4H26" stroke-width="2.2"/>',
         "positive weight"),
        ('<path class="negative" d="M0 -4H26" stroke-width="2.2"/>',
         "negative; thicker is larger"),
    ]  # fmt: skip
    if lit:
        items.append(
            ('<path class="under" d="M2 -4H24" stroke-width="7"/>'
             '<path class="positive" d="M2 -4H24" stroke-width="4"/>',
             "highlighted path"),
        )  # fmt: skip
    parts, x = [], 14
    for mark, label in items:
        needed = 34 + text_width(label, 11) + 16
        if x > 14 and x + needed > width:
            x, y = 14, y + 18
        parts.append(f'<g transform="translate({x:g} {y:g})">{mark}</g>')
        parts.append(text(x + 34, y, label, kind="small"))
        x += needed
    return parts, y + 12


def _short(name) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
