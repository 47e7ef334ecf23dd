"""draw: the architecture of a network as SVG. Nodes and edges if it is small, blocks if not."""

import dataclasses
from html import escape
from pathlib import Path

import numpy as np

from cutaway.nn import Dropout, Linear, Module, Sequential

SHOWN = 10  # nodes of a layer that are drawn; of more, the first ones and the last
COLUMN, ROW, RADIUS = 150, 30, 9  # distances in SVG units

STYLE = """
.cutaway-net text { font: 12px system-ui, sans-serif; fill: currentColor; }
.cutaway-net .small { font-size: 11px; opacity: .7; }
.cutaway-net .node { fill: var(--node, #fff); stroke: currentColor; stroke-width: 1.2; }
.cutaway-net .positive { stroke: #2b7bba; }
.cutaway-net .negative { stroke: #d95f0e; }
.cutaway-net .block { fill: none; stroke: currentColor; stroke-width: 1.2; }
.cutaway-net .arrow { stroke: currentColor; stroke-width: 1.2; opacity: .6; }
"""


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture.

    Attributes:
        svg: the whole SVG element as text.
    """

    svg: str

    def _repr_svg_(self):
        return self.svg

    def save(self, path) -> None:
        """Write the picture as an .svg file."""
        Path(path).write_text(self.svg)


@dataclasses.dataclass(frozen=True)
class _Column:
    """A layer of nodes: how many, which are drawn, what stands below and beside."""

    size: int
    label: str
    names: list | None

    def shown(self) -> list:
        """Numbers of the nodes that are drawn, None for the gap."""
        if self.size <= SHOWN:
            return list(range(self.size))
        return [*range(SHOWN - 3), None, self.size - 1]


def draw(net: Module, *, input_names=None, output_names=None) -> Drawing:
    """The architecture of `net` as SVG.

    A Sequential of Linear layers and activations is drawn with its nodes, and with an edge for
    each weight between nodes that are shown: blue for positive, orange for negative, the thicker
    the larger. Any other network is drawn as blocks.

    Args:
        input_names, output_names: names beside the nodes of the first and last layer.

    Example:
        >>> from cutaway.models import mlp
        >>> draw(mlp((4, 3, 2, 1))).svg.count("<circle")
        10
    """
    layers = list(net) if isinstance(net, Sequential) else []
    linear = [layer for layer in layers if isinstance(layer, Linear)]
    plain = linear and all(
        isinstance(layer, Linear | Dropout) or not layer.parameters() for layer in layers
    )
    if plain and isinstance(layers[0], Linear):
        return _draw_nodes(layers, linear, input_names, output_names)
    return _draw_blocks(net)


def _draw_nodes(layers, linear, input_names, output_names):
    labels = ["input"]
    for layer in layers:
        if isinstance(layer, Linear):
            labels.append("")
        elif isinstance(layer, Dropout):
            labels[-1] += f" · dropout {layer.p:g}"
        else:
            labels[-1] += f" · {type(layer).__name__}"
    sizes = [linear[0].weight.shape[0], *(layer.weight.shape[1] for layer in linear)]
    columns = [
        _Column(size, label.removeprefix(" · "), None)
        for size, label in zip(sizes, labels, strict=True)
    ]
    columns[0] = dataclasses.replace(columns[0], names=input_names)
    columns[-1] = dataclasses.replace(columns[-1], names=output_names)
    left = 20 + _text_width(input_names, columns[0])
    height = ROW * max(len(c.shown()) for c in columns) + 60
    width = left + COLUMN * (len(columns) - 1) + 40 + _text_width(output_names, columns[-1])
    places = [_places(c, left + COLUMN * k, height - 50) for k, c in enumerate(columns)]

    parts = []
    for k, layer in enumerate(linear):
        parts += _edges(layer.weight.numpy(), places[k], places[k + 1])
    for k, column in enumerate(columns):
        side = "start" if k == len(columns) - 1 else "end"
        parts += _nodes(column, places[k], side)
        x = left + COLUMN * k
        parts.append(f'<text x="{x}" y="{height - 24}" text-anchor="middle">{column.size}</text>')
        parts.append(
            f'<text x="{x}" y="{height - 8}" text-anchor="middle" class="small">'
            f"{escape(column.label)}</text>"
        )
    return _picture(parts, width, height)


def _places(column, x, height) -> dict:
    """{number of a node, or None for the gap: (x, y)}, centred."""
    shown = column.shown()
    top = (height - ROW * (len(shown) - 1)) / 2
    return {node: (x, top + ROW * row) for row, node in enumerate(shown)}


def _edges(weight, sources, targets):
    largest = float(np.abs(weight).max()) or 1.0
    for i, (x1, y1) in sources.items():
        for j, (x2, y2) in targets.items():
            if i is None or j is None:
                continue
            w = float(weight[i, j])
            strength = abs(w) / largest
            yield (
                f'<line class="{"positive" if w >= 0 else "negative"}" x1="{x1}" y1="{y1:g}" '
                f'x2="{x2}" y2="{y2:g}" stroke-width="{0.4 + 2.6 * strength:.2f}" '
                f'stroke-opacity="{0.15 + 0.75 * strength:.2f}"/>'
            )


def _nodes(column, places, side):
    for node, (x, y) in places.items():
        if node is None:
            yield f'<text x="{x}" y="{y + 5:g}" text-anchor="middle">⋮</text>'
            continue
        yield f'<circle class="node" cx="{x}" cy="{y:g}" r="{RADIUS}"/>'
        if column.names is not None:
            at = x + 16 if side == "start" else x - 16
            yield (
                f'<text x="{at}" y="{y + 4:g}" text-anchor="{side}">'
                f"{escape(_short(column.names[node]))}</text>"
            )


def _draw_blocks(net):
    rows = net.summary().rows
    width, step = 380, 54
    parts = []
    for k, row in enumerate(rows):
        y = 10 + step * k
        below = f"{row.parameters + row.frozen:,} parameters" if row.parameters else ""
        detail = " · ".join(part for part in (row.output, below) if part)
        parts.append(f'<rect class="block" x="20" y="{y}" width="340" height="38" rx="6"/>')
        parts.append(f'<text x="34" y="{y + 16}">{escape(row.path)} {escape(row.layer)}</text>')
        parts.append(f'<text x="34" y="{y + 31}" class="small">{escape(detail)}</text>')
        if k:
            parts.append(f'<line class="arrow" x1="190" y1="{y - 16}" x2="190" y2="{y}"/>')
    return _picture(parts, width, step * len(rows) + 10)


def _picture(parts, width, height):
    return Drawing(
        f'<svg class="cutaway-net" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}"><title>the network</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def _short(name) -> str:
    name = str(name)
    return name if len(name) <= 22 else name[:21] + "…"


def _text_width(names, column) -> float:
    if names is None:
        return 20
    return 24 + 7 * max(len(_short(names[k])) for k in column.shown() if k is not None)
