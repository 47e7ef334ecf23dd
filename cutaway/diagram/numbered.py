"""A small network with the names and numbers of its weights, biases and activations."""

from html import escape
from typing import Any

import numpy as np

from cutaway.diagram.nodes import lit_edges, names_of_nodes
from cutaway.engine import no_grad
from cutaway.errors import OptionError, ShapeError
from cutaway.nn import Module, in_mode
from cutaway.story.svg import Drawing, picture, text, text_width
from cutaway.story.text import number, subscript

MOST_INPUTS, MOST_NEURONS = 10, 6  # of a layer, so that no two labels overlap
RADIUS, LINE = 24, 15  # in SVG units: of a node, and the height of a label
NODE = 2 * RADIUS + 3 * LINE  # height of a node with the texts above and below it
DIGITS = 3


def draw_numbered(
    columns, net: Module, x, *, input_names=None, output_names=None, path=()
) -> Drawing:
    """Nodes with biases and activations, edges with weights.

    Args:
        columns: from nodes.columns_of.
        x: a row of inputs, for the activations; None: without them.
        input_names, output_names, path: see draw.
    """
    _expect_small(columns)
    lit = lit_edges(columns, path)
    names = [names_of_nodes(input_names, columns[0], "input_names")]
    names += [None] * (len(columns) - 2)
    names.append(names_of_nodes(output_names, columns[-1], "output_names"))
    values = [None] * len(columns) if x is None else _activations(columns, net, x)
    weights = [column.layer.weight.numpy() for column in columns[1:]]
    labels = [_labels(weight, layer) for layer, weight in enumerate(weights, 1)]
    # the labels of a node's edges stand below each other at one distance behind it, where two edges
    # are 1 / (n + 2) of a row apart: so neither they nor those of the next node overlap
    row = max(NODE, *(LINE * (column.size + 2) for column in columns[1:]))
    left = RADIUS + 12 + max(text_width(n, 12) for n in names[0] or [""])
    xs, places = [left], []
    for column, own in zip(columns[1:], labels, strict=True):
        xs.append(xs[-1] + 2 * RADIUS + _middle(own) * (column.size + 2))
    height = row * max(column.size for column in columns)
    for column, at in zip(columns, xs, strict=True):
        top = (height - row * (column.size - 1)) / 2
        places.append([(at, top + row * k) for k in range(column.size)])
    parts = []
    for layer, (weight, own) in enumerate(zip(weights, labels, strict=True), 1):
        chosen = {(i, j) for at, i, j in lit if at == layer} if lit else None
        parts += _edges(weight, own, places[layer - 1], places[layer], chosen)
    for layer, column in enumerate(columns):
        last = layer == len(columns) - 1
        parts += _nodes(column, layer, places[layer], values[layer], names[layer], last)
        for k, label in enumerate(column.labels):
            parts.append(text(xs[layer], height + 14 + 15 * k, label, side="middle", kind="small"))
    right = RADIUS + 12 + max(text_width(n, 12) for n in names[-1] or ["ŷ_1"])
    ends = max(text_width(label, 11) for column in columns for label in column.labels) / 2
    width = xs[-1] + max(right, ends) + 8
    below = 15 * max(len(column.labels) for column in columns) + 14
    sizes = "-".join(str(column.size) for column in columns)
    return picture(parts, max(width, 200), height + below, f"network {sizes} with its numbers")


def _expect_small(columns):
    sizes = [column.size for column in columns]
    if sizes[0] > MOST_INPUTS or max(sizes[1:]) > MOST_NEURONS:
        raise OptionError(
            f"draw: numbers=True for a network of {'-'.join(map(str, sizes))} nodes",
            expected=f"at most {MOST_INPUTS} inputs and {MOST_NEURONS} neurons in a layer",
            fix="leave numbers out: widths and colors of the edges show the weights",
        )


def _activations(columns, net, x) -> list:
    """The values of all nodes for one row: the inputs, then each layer after its activation."""
    x = np.asarray(x, np.float32)
    if x.size != columns[0].size:
        raise ShapeError(
            f"draw: x has shape {x.shape}",
            expected=f"one row of {columns[0].size} inputs, to show its activations",
            fix="pass one row, x[0]",
        )
    values = [x.ravel()]
    current: Any = x.reshape(1, -1)
    modules = net.modules()
    with in_mode(net, False), no_grad():
        for column in columns[1:]:
            for path in column.paths:
                current = modules[path](current)
            values.append(current.numpy().ravel())
    return values


def _labels(weight, layer) -> dict:
    """{(i, j): label of a weight}."""
    return {
        (i, j): f"w_{subscript(i, j)} = {number(weight[i, j], DIGITS)}"
        for i, j in np.ndindex(*weight.shape)
    }


def _edges(weight, labels, sources, targets, lit):
    """Lines with labels; lit: the {(i, j)} of a path, which the others stand back from."""
    largest = float(np.abs(weight).max()) or 1.0
    texts = []
    for i, (x1, y1) in enumerate(sources):
        for j, (x2, y2) in enumerate(targets):
            w = float(weight[i, j])
            sign = "negative" if w < 0 else "positive"
            ends = f'x1="{x1 + RADIUS:.4g}" y1="{y1:.4g}" x2="{x2 - RADIUS:.4g}" y2="{y2:.4g}"'
            tooltip = f"<title>w[{i}, {j}] = {w!r}</title>"
            if lit is not None and (i, j) in lit:
                yield (
                    f'<g class="lit"><path class="under" d="M{x1 + RADIUS:.4g} {y1:.4g}'
                    f'L{x2 - RADIUS:.4g} {y2:.4g}" stroke-width="7"/>'
                    f'<line class="{sign} lit" {ends} stroke-width="4">{tooltip}</line></g>'
                )
            else:
                yield (
                    f'<line class="{sign}" {ends} '
                    f'stroke-width="{0.8 + 2 * abs(w) / largest:.2f}" '
                    f'stroke-opacity="{0.6 if lit is None else 0.3}">{tooltip}</line>'
                )
            along = 1 / (len(targets) + 2)
            texts.append(_halo(x1 + RADIUS + 8, y1 + (y2 - y1) * along + 4, labels[i, j]))
    yield from texts


def _middle(labels) -> float:
    """Distance from a node's rim to the middle of the labels behind it."""
    return 8 + max(text_width(label, 11) for label in labels.values()) / 2


def _halo(x, y, label) -> str:
    """A text that lines do not run through."""
    width = text_width(label, 11)
    return (
        f'<rect class="paper" x="{x - 2:.4g}" y="{y - 11:.4g}" width="{width + 2:.4g}" '
        f'height="14" rx="3"/>{text(x, y, label, kind="number")}'
    )


def _nodes(column, layer, places, values, names, is_last):
    bias = getattr(column.layer, "bias", None)
    for k, (x, y) in enumerate(places):
        symbol = "x" if layer == 0 else "ŷ" if is_last else "O"
        called = symbol if is_last and column.size == 1 else f"{symbol}_{subscript(k)}"
        called += f"^({layer})" if symbol == "O" else ""
        value = None if values is None else float(values[k])
        tooltip = called if value is None else f"{called} = {value!r}"
        yield (
            f'<circle class="node{" lit" * (k in column.lit)}" cx="{x:g}" cy="{y:g}" r="{RADIUS}">'
            f"<title>{escape(tooltip)}</title></circle>"
        )
        if value is not None:
            yield text(x, y + 4, number(value, DIGITS), side="middle", kind="number")
            yield text(x, y - RADIUS - 5, called, side="middle", kind="small")
        else:
            yield text(x, y + 4, called, side="middle", kind="number")
        if bias is not None:
            label = f"b_{subscript(k)} = {number(float(bias.numpy()[k]), DIGITS)}"
            yield text(x, y + RADIUS + 13, label, side="middle", kind="number")
        if names is not None:
            at, side = (x + RADIUS + 8, "start") if is_last else (x - RADIUS - 8, "end")
            yield text(at, y + 4, names[k], side=side)
