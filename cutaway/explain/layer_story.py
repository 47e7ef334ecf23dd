"""A layer in matrix form, Wᵀ x + b, with its numbers."""

import dataclasses

import numpy as np

from cutaway.engine import float64
from cutaway.errors import OptionError
from cutaway.explain.arithmetic import arithmetic_of
from cutaway.explain.graph import ComputationGraph, Node
from cutaway.explain.matrices import bmatrix, picked, side_by_side, table_of
from cutaway.explain.names import ElementNames, name_of_origin
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.story.told_html import ACROSS, is_matrix, told_html

MOST = 8  # neurons whose activation is written out


@dataclasses.dataclass(frozen=True)
class LayerValues:
    """The arrays of one layer of neurons.

    Attributes:
        x: (rows, inputs), what enters.
        weight: (inputs, neurons); weight[i, j] leads from input i to neuron j.
        bias: (neurons,), or None.
        z: (rows, neurons), x W + b.
        out: (rows, neurons), the activations, or None.
    """

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    z: np.ndarray
    out: np.ndarray | None


class LayerStory(Story):
    """All neurons of a layer at once. Made by `Explanation.layer`.

    Of one row, z = Wᵀ x + b with x as a column, as in textbooks; of several rows Z = X W + b with a
    row of X for each, as the engine computes it.

    Attributes:
        path: of the layer.
        number: l.
        activation: symbol of the function after it, or None.
        values: LayerValues.
        input_symbol: of what enters, "x" or "O^(1)".
        input_names, neuron_names, output_names: names of the elements.
        is_rowwise: whether the function is one of all neurons, as softmax is.
        formulas: {neuron: its activation with its number, "= 1 / (1 + e^-0.2)", or ""}.
    """

    def __init__(self, path, graph: ComputationGraph, names: ElementNames, jacobians, layers):
        product = _product_of(path, graph, layers)
        after = names.after_bias(product)
        z = product if after is None else after
        weight = next(
            k for k, s in enumerate(product.sources) if s is not None and names.weight_behind(s)
        )
        self.values, activation = _values(product, z, weight, graph)
        self.path = path
        self.number = names.layer_of(names.weight_behind(product.sources[weight]) or "")
        self.activation = None if activation is None else activation.record.operation.symbol
        inputs, neurons = self.values.weight.shape
        self.input_names = _names(product.sources[1 - weight], inputs, names, jacobians)
        self.neuron_names = [_without_row(names.text(z, k)) for k in range(neurons)]
        self.output_names = _activation_names(activation, neurons, names)
        source = names.of(product.sources[1 - weight]) if product.sources[1 - weight] else None
        is_output = source is not None and source.symbol == "O" and source.layer is not None
        self.input_symbol = f"O^({source.layer})" if is_output and source is not None else "x"
        self.is_rowwise = (
            activation is not None and activation.record.operation.traits.edges == "rowwise"
        )
        self.formulas = _formulas(activation, neurons) if self.is_one_row else {}

    @property
    def is_one_row(self) -> bool:
        return len(self.values.x) == 1

    def _called(self) -> str:
        """Its number, and its path in the network."""
        if self.number is None:
            return f"Layer {self.path!r}" if self.path else "The layer"
        return f"Layer {self.number}" + (f" ({self.path!r})" if self.path else "")

    def text(self, width: int = WIDTH) -> str:
        v = self.values
        inputs, neurons = v.weight.shape
        layer = "" if self.number is None else f"^({self.number})"
        count = v.weight.size + (0 if v.bias is None else v.bias.size)
        head = f"{_counted(inputs, 'input')}, {_counted(neurons, 'neuron')}: {inputs} · {neurons}"
        head += "" if v.bias is None else f" + {neurons}"
        head += f" = {count:,} parameters"
        lines = [
            f"{self._called()}, {head}",
            "",
            f"W{layer}, with w_ij from input i (row) to neuron j (column):",
            *table_of(v.weight, self.input_names, self.neuron_names, width),
            "",
        ]
        lines += self._one_row(layer, width) if self.is_one_row else self._rows(layer, width)
        return "\n".join(line[:width] for line in lines)

    def _one_row(self, layer, width) -> list:
        v = self.values
        x = self.input_symbol
        parts = [("z", v.z.T), ("=", None), ("Wᵀ", v.weight.T), ("·", None), (x, v.x.T)]
        if v.bias is not None:
            parts += [("+", None), ("b", v.bias[:, None])]
        head = f"z{layer} = W{layer}ᵀ {x}" + ("" if v.bias is None else f" + b{layer}")
        lines = [head, *side_by_side(parts, width)]
        if v.out is None:
            return lines
        lines += ["", f"O{layer} = {self.activation}(z{layer})"]
        shown = self._activations()
        lines += shown if max(map(len, shown)) <= width else self._activations(with_formula=False)
        left = v.out.shape[1] - len(shown)
        return [*lines, f"  and {left} more"] if left else lines

    def _activations(self, *, with_formula: bool = True) -> list:
        v, rows = self.values, []
        for j, formula in self.formulas.items():
            of = f"(z)_{j + 1}" if self.is_rowwise else f"({number(v.z[0, j])})"
            written = [formula] if with_formula and any(self.formulas.values()) else []
            rows.append(
                [f"  {self.output_names[j]}", f"= {self.activation}{of}", *written,
                 f"= {number(v.out[0, j])}"]
            )  # fmt: skip
        return align(rows, gap=" ")

    def _rows(self, layer, width) -> list:
        v = self.values
        x = "X" if self.input_symbol == "x" else self.input_symbol
        parts = [("Z", v.z), ("=", None), (x, v.x), ("·", None), ("W", v.weight)]
        if v.bias is not None:
            parts += [("+", None), ("b", v.bias[None])]
        head = f"Z{layer} = {x} W{layer}" + ("" if v.bias is None else f" + b{layer}")
        what = ", one row for each example" + ("" if v.bias is None else "; b is added to each")
        lines = [head + what, *side_by_side(parts, width)]
        if v.out is not None:
            lines += ["", f"O{layer} = {self.activation}(Z{layer})"]
            lines += side_by_side([("O", v.out)], width)
        return lines

    def html(self) -> str:
        """The text; the matrices of one row stand in the typeset formula."""
        lines = self.text(ACROSS).split("\n")
        if self.latex() is not None:
            lines = [line for line in lines if not is_matrix(line)]
        return told_html("\n".join(lines))

    def latex(self) -> str:
        v = self.values
        layer = "" if self.number is None else f"^{{({self.number})}}"
        plus = "" if v.bias is None else f" + b{layer}"
        if self.is_one_row:
            left, symbols = (
                f"z{layer}",
                rf"W^{{{layer[2:-1] if layer else ''}\top}} {_latex(self.input_symbol)}{plus}",
            )
            arrays = [v.weight.T, v.x.T]
            bias = None if v.bias is None else v.bias[:, None]
            z, out = v.z.T, None if v.out is None else v.out.T
        else:
            x = "X" if self.input_symbol == "x" else _latex(self.input_symbol)
            left, symbols = f"Z{layer}", f"{x} W{layer}{plus}"
            arrays, bias = [v.x, v.weight], None if v.bias is None else v.bias[None]
            z, out = v.z, v.out
        numbers = r" \, ".join(bmatrix(array) for array in arrays)
        numbers += "" if bias is None else f" + {bmatrix(bias)}"
        lines = [f"{left} &= {symbols}", f"&= {numbers}", f"&= {bmatrix(z)}"]
        if out is not None:
            called = str(self.activation).replace("_", r"\_")
            function = r"\sigma" if called == "σ" else rf"\mathrm{{{called}}}"
            lines.append(rf"O{layer} &= {function}({left}) = {bmatrix(out)}")
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def to_dict(self) -> dict:
        arrays = {
            name: None if array is None else array.tolist()
            for name, array in vars(self.values).items()
        }
        return {
            "path": self.path,
            "layer": self.number,
            "activation": self.activation,
            "input_names": self.input_names,
            "neuron_names": self.neuron_names,
            **arrays,
        }


def _product_of(path, graph, layers) -> Node:
    """The matrix product of activations and weights that a layer computes."""
    products = [
        n
        for n in graph.nodes
        if n.record is not None
        and n.record.operation.traits.edges == "product"
        and n.record.arrays[1].ndim == 2
    ]
    own = [n for n in products if n.module == path]
    if own:
        return own[-1]
    known = ", ".join(dict.fromkeys(repr(n.module) for n in products))
    raise OptionError(
        f"{path!r} is {type(layers[path]).__name__}, which does not compute Wᵀ x + b",
        expected=f"a layer of neurons such as Linear; here {known or 'there is none'}",
        fix="forward(path, index) shows one element of any layer",
    )


def _values(product, z, weight, graph) -> tuple:
    """(LayerValues, the Node of the activation or None)."""
    sides = [np.asarray(array) for array in product.record.arrays]
    matrix, x = sides[weight], sides[1 - weight]
    inputs, neurons = matrix.shape
    bias = None
    if z is not product:
        k = next(k for k, s in enumerate(z.sources) if s is not product)
        bias = np.asarray(z.record.arrays[k]).ravel()
    activation = _activation_of(z, graph)
    out = None if activation is None else activation.value.reshape(-1, neurons)
    z_rows = z.value.reshape(-1, neurons)
    return LayerValues(x.reshape(-1, inputs), matrix, bias, z_rows, out), activation


def _activation_of(z: Node, graph) -> Node | None:
    """The activation of z, right after it."""
    for node in graph.consumers()[z.number]:
        known = node.record.operation.traits.activation
        if known is not None and node.shape == z.shape and not known.changes_nothing:
            return node
    return None


def _formulas(activation, neurons) -> dict:
    if activation is None:
        return {}
    found = {}
    with float64():
        for j in range(min(neurons, MOST)):
            written = arithmetic_of(activation, j)
            steps = [] if written is None else written.steps()
            value = number(activation.value.ravel()[j])
            found[j] = f"= {steps[0]}" if steps and steps[0] != value else ""
    return found


def _activation_names(activation, neurons, names) -> list:
    if activation is None:
        return []
    if names.of(activation) is None:
        return [f"O_{j + 1}" for j in range(neurons)]
    return [names.text(activation, j) for j in range(neurons)]


def _names(source, size, names, jacobians) -> list:
    if source is None:
        return [f"x_{i + 1}" for i in range(size)]
    shown = {i for i in picked(range(size)) if i is not None}
    return [
        _without_row(name_of_origin(source, i, names, jacobians)) if i in shown else f"x_{i + 1}"
        for i in range(size)
    ]


def _without_row(name: str) -> str:
    """The name of an element of any row."""
    return name.removesuffix("[row 1]")


def _latex(symbol: str) -> str:
    """O^(1) in LaTeX."""
    return symbol.replace("(", "{(").replace(")", ")}")


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
