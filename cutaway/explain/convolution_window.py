"""One window of a convolution: the window, the kernel and their product side by side."""

from typing import Any

import numpy as np

from cutaway.engine import float64
from cutaway.errors import OptionError
from cutaway.explain.graph import Node
from cutaway.explain.indices import expect_index
from cutaway.explain.names import ElementNames
from cutaway.explain.paths import LocalJacobians
from cutaway.ops.windows import per_axis
from cutaway.story.design import shade
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.story.told_html import told_html

CHANNELS = 4  # whose windows are shown; of more those with the largest products
STYLE = (
    "border-collapse:collapse;display:inline-table;margin:.3rem .9rem .3rem 0;"
    "font-variant-numeric:tabular-nums"
)
CELL = "padding:.25rem .45rem;border:1px solid var(--line);text-align:right"


class ConvolutionWindow(Story):
    """How one value of a feature map is computed. Made by `Explanation.window`.

    Attributes:
        path, index: the convolution, and the element in its output (row, column, channel).
        name, value: of the element.
        window: (height, width, in): what the kernel lies over; 0 where it is padding.
        kernel: (height, width, in).
        padding: (height, width) whether a position lies outside of the input.
        bias: the value of the bias; 0 without one.
        corner: (row, column) of the window's first element in the input, negative in padding.
    """

    def __init__(
        self,
        jacobians: LocalJacobians,
        names: ElementNames,
        path: str,
        node: Node,
        index: tuple,
        bias: float,
    ):
        self.path, self.index, self.bias = path, tuple(index[1:]), bias
        element = int(np.ravel_multi_index(index, node.shape))
        self.name = _name(node, element, names)
        with float64():
            (inputs, values), (weights, _) = jacobians.of(node).terms(element)
        assert node.record is not None
        source, parameter = (np.asarray(array) for array in node.record.arrays[:2])
        *window, channels, _ = parameter.shape
        if len(window) == 1:
            window = [1, *window]
        self.window: Any = np.zeros((*window, channels))
        self.kernel: Any = np.asarray(parameter, np.float64)[..., index[-1]].reshape(
            self.window.shape
        )
        self.padding = np.ones(self.window.shape[:2], bool)
        at = np.unravel_index(np.asarray(weights), parameter.shape)[:-1]
        at = at if len(at) == 3 else (np.zeros_like(at[0]), *at)
        self.window[at] = values
        self.padding[at[:2]] = False
        place = np.unravel_index(int(np.asarray(inputs)[0]), source.shape)[1:-1]
        first = [int(p[0]) for p in at[:2]][-len(place) :]
        step = per_axis(node.record.options.get("dilation", 1), len(place), what="dilation")
        self.corner = tuple(int(p) - f * d for p, f, d in zip(place, first, step, strict=True))
        self.value = float(np.sum(self.products) + bias)

    @property
    def products(self) -> Any:
        """(height, width, in): window times kernel."""
        return self.window * self.kernel

    def _shown(self) -> list:
        """Channels with the largest products, in order."""
        sizes = np.abs(self.products).sum(axis=(0, 1))
        return sorted(np.argsort(-sizes, kind="stable")[:CHANNELS].tolist())

    def text(self, width: int = WIDTH) -> str:
        height, wide, channels = self.kernel.shape
        place = ", ".join(map(str, self.index))
        corner = ", ".join(map(str, self.corner))
        lines = [
            f"{self.name} = {number(self.value, 6)}   (layer {self.path}, element [{place}])",
            f"Window of {height} x {wide}, with its first element at ({corner}) of the input",
        ]
        if self.padding.any():
            lines.append("· marks padding: outside of the input, where its values are 0")
        for channel in self._shown():
            lines += ["", *self._side_by_side(channel, channels, width)]
        return "\n".join([*lines, "", *self._sum()])

    def _side_by_side(self, channel, channels, width) -> list:
        parts = [self.window, self.kernel, self.products]
        cells = [
            [
                [self._cell(part, row, column, channel, k) for column in range(part.shape[1])]
                for row in range(part.shape[0])
            ]
            for k, part in enumerate(parts)
        ]
        grids = [align(grid, ">" * len(grid[0]), gap=" ") for grid in cells]
        before = [f"input channel {channel}:"] if channels > 1 else []
        titles = ["window", "kernel", "product"]
        if 6 + sum(max(map(len, grid)) for grid in grids) > width:
            stacked = before
            for title, grid in zip(titles, grids, strict=True):
                stacked += [f"{title}:", *(f"  {line}"[:width] for line in grid)]
            return stacked
        rows = list(zip(*grids, strict=True))
        widths = [
            max(len(title), *map(len, grid)) for title, grid in zip(titles, grids, strict=True)
        ]
        middle = len(rows) // 2
        lines = [*before, self._line(titles, widths, [" ", " "])]
        for k, row in enumerate(rows):
            lines.append(self._line(row, widths, ["·", "="] if k == middle else [" ", " "]))
        return lines

    def _line(self, cells, widths, signs) -> str:
        first, second, third = (f"{c:<{w}}" for c, w in zip(cells, widths, strict=True))
        return f"  {first}  {signs[0]}  {second}  {signs[1]}  {third}".rstrip()

    def _cell(self, part, row, column, channel, k) -> str:
        if k != 1 and self.padding[row, column]:
            return "·"
        return number(part[row, column, channel], 3)

    def _sum(self) -> list:
        sums = self.products.sum(axis=(0, 1))
        shown, rows = self._shown(), []
        if len(sums) > 1:
            rows = [[f"sum of channel {c}", number(sums[c], 6)] for c in shown]
            left = len(sums) - len(shown)
            if left:
                rest = float(sums.sum() - sums[shown].sum())
                rows.append([f"sum of {left} other channels", number(rest, 6)])
        rows.append(["sum of all products", number(sums.sum(), 6)])
        rows += [["bias", number(self.bias, 6)], [self.name, number(self.value, 6)]]
        return align(rows, "<>")

    def html(self) -> str:
        """The three matrices as tables with colors, then the sums."""
        channels = self.kernel.shape[-1]
        parts = []
        for channel in self._shown():
            if channels > 1:
                parts.append(f"<p><b>Input channel {channel}</b></p>")
            tables = [
                self._table("window", self.window, channel, 0),
                self._table("· kernel", self.kernel, channel, 1),
                self._table("= product", self.products, channel, 2),
            ]
            parts.append(f'<div class="scroll">{"".join(tables)}</div>')
        return "".join(parts) + told_html("\n".join(self._sum()))

    def _table(self, title, array, channel, k) -> str:
        largest = float(np.abs(array[..., channel]).max()) or 1.0
        rows = []
        for row in range(array.shape[0]):
            cells = []
            for column in range(array.shape[1]):
                value = float(array[row, column, channel])
                color = shade(value / largest, most=55)
                shown = self._cell(array, row, column, channel, k)
                cells.append(f'<td style="{CELL};background:{color}">{shown}</td>')
            rows.append(f"<tr>{''.join(cells)}</tr>")
        caption = f'<caption style="text-align:left">{title}</caption>'
        return f'<table style="{STYLE}">{caption}{"".join(rows)}</table>'

    def option(self) -> str:
        """The option of `cutaway explain` that shows it."""
        return f"--window {self.path}:{','.join(map(str, self.index))}"

    def to_dict(self) -> dict:
        return {
            "path": self.path,
            "index": list(self.index),
            "value": self.value,
            "window": self.window.tolist(),
            "kernel": self.kernel.tolist(),
            "products": self.products.tolist(),
            "bias": self.bias,
            "corner": list(self.corner),
        }


def _name(node, element, names: ElementNames) -> str:
    """Of the element, or of it with the bias added."""
    users = names.graph.consumers()[node.number]
    for found in (node, *users):
        if names.of(found) is not None and found.shape == node.shape:
            return names.text(found, element)
    return "the value"


def window_of(explanation, path: str, index: tuple) -> ConvolutionWindow:
    """The ConvolutionWindow of an element of the output of a convolution.

    Args:
        explanation: the Explanation.
        path: of the convolution.
        index: (row, column, channel), or (position, channel); with the row of a batch first if
            there are several.

    Raises:
        OptionError: it is no convolution. ShapeError: no such element.
    """
    graph = explanation.trace.graph
    nodes = [
        n
        for n in graph.nodes
        if n.record is not None and n.module == path and n.name == "convolution"
    ]
    if not nodes or nodes[-1].value.ndim > 4:
        raise OptionError(
            f"{path!r} is no convolution of one or two axes that ran for this input",
            expected="the path of a Conv1d or Conv2d, as in net.summary()",
        )
    node = nodes[-1]
    if len(index) < len(node.shape) and node.shape[0] == 1:
        index = (0, *index)
    index = expect_index(f"the output of {path}", index, node.shape)
    bias = graph.parameters.get(f"{path}.bias")
    own = 0.0 if bias is None else float(bias.value[index[-1]])
    return ConvolutionWindow(explanation.jacobians, explanation.names, path, node, index, own)
