"""ElementNames: names for the elements of a graph, in textbook notation.

Layer l counts the places where weights meet activations. z_j^(l) is neuron j before its activation,
O_j^(l) after it, x_i an input, ŷ_j an output, z_j one that is a score (a logit), L the loss;
w_ij^(l) connects neuron i of the previous layer to neuron j. Of several inputs, outputs and terms
of the loss each has its key, as in Python: x["table"]_3, ŷ["class"]_1, L["class"]. Time steps and
rows of a batch are in brackets, h_3^(1)[t=5]. Indices count from 1, as in textbooks; arguments of
functions count from 0, as in Python. If a layer runs twice, or two results in one layer have the
same name, the second one is O_1^(1)[no. 2].
"""

import collections
import dataclasses

import numpy as np

from cutaway import nn
from cutaway.explain.graph import ComputationGraph, Node
from cutaway.nn.trees import subscripts
from cutaway.story.text import subscript

GREEK = {"ŷ": r"\hat y", "σ": r"\sigma", "η": r"\eta", "∂": r"\partial"}


@dataclasses.dataclass(frozen=True)
class Name:
    """The name of a node's elements.

    Attributes:
        symbol: "z", "O", "ŷ", "L", "w", ...
        layer: l, or None.
        time: the step of a sequence, or None.
        what: the layer or operation, in a few words.
        turn: 2 for the second result with this name, and so on.
        is_pooled: whether they are the results of pooling.
        formula: by which they were computed, if the operation's decomposition declares one.
        keys: of an input or output in its tree, or of a term of the loss; () for one alone.
    """

    symbol: str
    layer: int | None = None
    time: int | None = None
    what: str = ""
    turn: int = 1
    is_pooled: bool = False
    formula: str | None = None
    keys: tuple = ()


class ElementNames:
    """Names for the nodes of a graph.

    Args:
        graph: the ComputationGraph.
        modules: {path: Module} of the network.
        rows: size of the batch axis; None: there is none.
        columns: {keys of an input: names of its columns, shown after x_i, or None}.
        output: symbol of the outputs: "ŷ" for predictions, "z" for scores.
    """

    def __init__(
        self,
        graph: ComputationGraph,
        modules: dict,
        *,
        rows: int | None,
        columns: dict,
        output: str = "ŷ",
    ):
        self.graph = graph
        self._output_symbol = output
        self._modules = modules
        self._rows = None if rows is None else (rows,)
        self._inputs = {node.number: keys for keys, node in graph.inputs.items()}
        self._targets = {node.number: keys for keys, node in graph.targets.items()}
        self._columns = columns
        self._outputs = {node.number for node in graph.outputs.values() if node.leaf is None}
        self._paths = {node.number: path for path, node in graph.parameters.items()}
        self._consumers = graph.consumers()
        self._in_loss = {  # computed from outputs, outside the networks
            number
            for output in graph.outputs.values()
            for number in graph.cone(output)
            if not graph.nodes[number].module
        } - self._outputs
        self._number_layers()
        self._names: dict[int, Name] = {}
        turns = collections.Counter()
        for node in graph.nodes:
            name = self._name(node)
            if name is None:
                continue
            if node.record is not None and node.number not in self._outputs:
                called = name.symbol, name.layer, name.time
                turns[called] += 1
                name = dataclasses.replace(name, turn=turns[called])
            self._names[node.number] = name
        # (node, l) of the inputs of activations, in topological order
        self.pre_activations = [
            (node, self._names[node.number].layer)
            for node in graph.nodes
            if node.number in self._names
            and self._names[node.number].symbol == "z"
            and node.label is None
        ]
        self._name_ends()

    def _name_ends(self):
        """Name the loss, its terms, and the outputs."""
        graph = self.graph
        for name, node in graph.terms.items():
            self._names[node.number] = Name("L", what=f"a term of the loss, {name}", keys=(name,))
        if graph.result is not None and not graph.is_output(graph.result):
            what = "the sum of its terms" if graph.terms else graph.result.name
            self._names[graph.result.number] = Name("L", what=f"the loss, {what}")
        for (turn, keys), node in reversed(graph.outputs.items()):
            if node.number in self._outputs:
                name = self._names.get(node.number, Name(""))
                self._names[node.number] = dataclasses.replace(
                    name,
                    symbol=self._output_symbol,
                    layer=None,
                    what="the output",
                    turn=turn,
                    keys=keys,
                )

    @property
    def rows(self) -> int | None:
        """Number of rows of the batch; None: there is no batch axis."""
        return None if self._rows is None else self._rows[0]

    def of(self, node: Node) -> Name | None:
        """The name of a node's elements; None for intermediate results, which paths skip."""
        return self._names.get(node.number)

    def layer_of(self, path: str) -> int | None:
        """l of the layer that a parameter belongs to; None for those of norms."""
        return self._layers.get(_owner(path))

    def text(self, node: Node, element: int) -> str:
        """The element's name for a terminal: "z_1^(2)"."""
        name, place = self._names[node.number], self._place(node, element)
        out = name.symbol + subscripts(name.keys)
        if place:
            out += "_" + subscript(*place)
        if name.layer is not None:
            out += f"^({name.layer})"
        columns = self._columns.get(self._inputs.get(node.number))
        if columns is not None:
            out += f" ({columns[place[-1]]})"
        return out + self._brackets(name, node, element)

    def latex(self, node: Node, element: int) -> str:
        """The element's name for LaTeX."""
        name, place = self._names[node.number], self._place(node, element)
        symbol = GREEK.get(name.symbol, name.symbol)
        if len(name.symbol) > 2:
            symbol = rf"\mathrm{{{symbol.replace('_', chr(92) + '_')}}}"
        out = symbol
        if name.keys:
            keys = r",\,".join(str(key).replace("_", r"\_") for key in name.keys)
            out += rf"^{{\mathrm{{{keys}}}}}"
        if place:
            out += f"_{{{subscript(*place)}}}"
        if name.layer is not None:
            out += f"^{{({name.layer})}}"
        brackets = self._brackets(name, node, element)
        return out + (rf"\,{brackets}" if brackets else "")

    def _place(self, node, element) -> tuple:
        """The indices of the element to print, without the row of the batch."""
        place = tuple(int(i) for i in np.unravel_index(element, node.shape)) if node.shape else ()
        place = place[1:] if self._has_rows(node) else place
        # a network with one output has ŷ, not ŷ_1
        return () if node.number in self._outputs and node.shape[-1:] == (1,) else place

    def _brackets(self, name, node, element) -> str:
        parts = [] if name.time is None else [f"t={name.time + 1}"]
        if name.turn > 1:
            parts.append(f"no. {name.turn}")
        if self._has_rows(node) and self._rows != (1,):
            parts.append(f"row {int(np.unravel_index(element, node.shape)[0]) + 1}")
        return f"[{', '.join(parts)}]" if parts else ""

    def _has_rows(self, node) -> bool:
        activation = node.leaf is None or self.is_example(node)
        return activation and node.shape[:1] == self._rows

    def is_example(self, node: Node) -> bool:
        """Whether it is an input or a target, not a parameter."""
        return node.number in self._inputs or node.number in self._targets

    def _number_layers(self):
        """l of each module with weights, in order, and of the nodes after it."""
        self._layers, self._layer_at = {}, {}
        within = {}  # module: the layer whose weights it used last
        for node in self.graph.nodes:
            if node.record is not None and node.record.operation.traits.role == "weights":
                sources = sorted(node.sources, key=lambda s: s is None or s.leaf is None)
                path = next(filter(None, map(self.weight_behind, sources)), None)
                if path is not None:
                    layer = self._layers.setdefault(_owner(path), len(self._layers) + 1)
                    within[node.module] = layer
            self._layer_at[node.number] = within.get(node.module, len(self._layers) or None)

    def weight_behind(self, node) -> str | None:
        """The path of the parameter that a node is a view of; None if it is none."""
        while node is not None and node.record is not None:
            operation = node.record.operation
            if operation.traits.edges != "movement" or operation.traits.role == "lookup":
                return None  # a vector looked up in a table is not a weight of a product
            node = next((s for s in node.sources if s is not None), None)
        return None if node is None else self._paths.get(node.number)

    def _name(self, node) -> Name | None:
        if node.leaf is not None:
            return self._of_leaf(node)
        layer = self._layer_at[node.number]
        if node.label is not None:
            symbol, time, formula = node.label
            return Name(symbol, layer, time, f"{symbol} in {node.module}", formula=formula)
        operation = node.record.operation
        what = f"{operation.name} in {node.module}" if node.module else operation.name
        if operation.traits.edges == "movement" or node.inside:
            return None
        if operation.traits.role == "weights":
            return None if self._bias_after(node) else Name("z", layer, what=what)
        if operation.traits.role in ("arithmetic", "choice"):
            if any(s is not None and self._bias_after(s) is node for s in node.sources):
                return Name("z", layer, what=what)
            if node.module and self._is_last_of_module(node):
                return Name(self._symbol_of_module(node.module), layer, what=what)
            return None
        before = self._before(node)
        activation = operation.traits.activation
        if activation and activation.changes_nothing and (before is None or before.symbol != "z"):
            return None  # the identity keeps the name
        if operation.traits.role == "norm" and self._is_last_of_module(node):
            return Name("n", layer, what=what)

        is_function = operation.traits.is_function or activation
        if (
            before is not None
            and is_function
            and (before.is_pooled or before.symbol in ("z", "n", "s", "ŷ"))
        ):
            return Name("O", before.layer, before.time, what)
        layer = None if node.number in self._in_loss else layer
        return Name(operation.name, layer, what=what, is_pooled=operation.traits.edges == "pool")

    def after_bias(self, node: Node) -> Node | None:
        """The sum of a product and its bias; None if there is no bias."""
        return self._bias_after(node)

    def _of_leaf(self, node) -> Name:
        if node.number in self._inputs:
            return Name("x", what="the input", keys=self._inputs[node.number])
        if node.number in self._targets:
            return Name("y", what="the target", keys=self._targets[node.number])
        path = self._paths.get(node.number, "")
        layer = self.layer_of(path)
        used = layer or next((self._layer_at[n.number] for n in self._consumers[node.number]), None)
        module, own = self._modules.get(_module(path)), path.rpartition(".")[2]
        if layer is None and module is not None and module.layer_kind == "embedding":
            return Name("e", None, None, path)  # of a table: not a layer of weights
        if layer is None and _normalizes(module):
            return Name("β" if own == "bias" else "γ", used, None, path)
        if path in self._layers:
            return Name("w", layer, None, path)
        symbol = {"weight": "w", "bias": "b", "hidden_weight": "u"}.get(own, own or "w")
        return Name("b" if self._is_bias(node) else symbol, used, None, path)

    def _is_bias(self, node) -> bool:
        """Whether a parameter is added to a product."""
        return any(
            self._bias_after(source) is consumer
            for consumer in self._consumers[node.number]
            for source in consumer.sources
            if source is not None
        )

    def _symbol_of_module(self, path) -> str:
        """n for normalized values, s for sums where branches meet, a for anything else."""
        module = self._modules.get(path)
        if _normalizes(module):
            return "n"
        return "s" if isinstance(module, nn.Residual | nn.Add) else "a"

    def _bias_after(self, node):
        """The addition of a parameter right after a product, if there is one."""
        if node.record is None or node.record.operation.traits.role != "weights":
            return None
        for other in self._consumers[node.number]:
            if other.record.operation.traits.sign == "+" and any(
                s is not None and s is not node and self.weight_behind(s) for s in other.sources
            ):
                return other
        return None

    def _before(self, node):
        """The name of the nearest named node that a node was computed from."""
        source = next((s for s in node.sources if s is not None), None)
        while source is not None and source.number not in self._names:
            source = next((s for s in source.sources if s is not None), None)
        return None if source is None else self._names[source.number]

    def _is_last_of_module(self, node) -> bool:
        return not any(n.module == node.module for n in self._consumers[node.number])


def name_of_origin(node, element, names: ElementNames, jacobians) -> str:
    """The name of an element, or of the nearest named one and the operations after it."""
    value, made = node.value.ravel()[element], []
    while node is not None and names.of(node) is None:
        if node.record is not None and node.record.operation.traits.edges != "movement":
            made.append(node.record.operation.name)
        node, element = jacobians.origin(node, element)
    if node is None:
        return f"a result of {made[0]}" if made else "a constant"
    name = names.text(node, element)
    # a decomposed operation rounds differently
    if not made or np.isclose(node.value.ravel()[element], value, rtol=1e-9, atol=0):
        return name
    return f"{name} after {', '.join(reversed(made))}"


def _normalizes(module) -> bool:
    return module is not None and module.layer_kind == "normalization"


def _module(path) -> str:
    return path.rpartition(".")[0]


def _owner(path) -> str:
    """The layer that a weight belongs to: its module, unless that has the weights of several."""
    module, _, own = path.rpartition(".")
    return module if own in ("weight", "bias", "hidden_weight", "hidden_bias") else path
