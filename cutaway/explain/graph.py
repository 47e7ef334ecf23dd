"""ComputationGraph: the arrays of a computation, with composite operations decomposed.

A Node is an array; its elements are the nodes of the chain rule. Sources come before the nodes
computed from them, so the list of nodes is in topological order.

An operation that declares a decomposition (an LSTM over all time steps, attention) is recomputed by
the smaller operations of its formulas, and the result is compared with the original.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Record, Tensor, float64, module_scope
from cutaway.errors import GradientError


@dataclasses.dataclass(eq=False)
class Node:
    """An array of the computation.

    Attributes:
        number: its index in ComputationGraph.nodes.
        value: the array, float64 if it is floating-point.
        record: the Record that produced it; None for a leaf.
        output: which of the record's outputs it is; 0 where there is one.
        sources: the Node of each input of the record, None for a constant.
        leaf: the Tensor, for a leaf.
        module: path of the module it was computed in.
        label: (symbol, time step or None, formula or None), for labeled results inside a
            decomposed operation.
        inside: whether it is inside a decomposed operation that labels its results.
    """

    number: int
    value: np.ndarray
    record: Record | None = None
    sources: tuple = ()
    leaf: Tensor | None = None
    module: str = ""
    label: tuple | None = None
    inside: bool = False
    output: int = 0

    def alone(self, grad):
        """The gradient argument of the record's rule: `grad` for this output, 0 for the others."""
        assert self.record is not None
        if not isinstance(self.record.out, tuple):
            return grad
        return tuple(
            grad if k == self.output else jnp.zeros_like(out)
            for k, out in enumerate(self.record.out)
        )

    def pullback(self, grad) -> tuple:
        """Gradients of the record's inputs, given that of this array alone."""
        assert self.record is not None
        return self.record.operation.pullback(self.record, self.alone(grad))

    @property
    def shape(self):
        return self.value.shape

    @property
    def name(self) -> str:
        return "leaf" if self.record is None else self.record.operation.name


class ComputationGraph:
    """The nodes between the leaves and a loss or the outputs of a network.

    Args:
        result: the loss; None: the outputs alone.
        outputs: {(number of the call, keys in what it returned): Tensor}.
        parameters: {path: Parameter}.
        inputs, targets: {keys in the tree of inputs or targets: Tensor}.
        terms: {name: Tensor} of a loss that is a sum of several.

    Attributes:
        nodes: in topological order.
        result: the Node of the loss; without one that of the output, None if there are several.
        outputs, inputs, targets, terms, parameters: as given, of Nodes; what has none is left out.
    """

    def __init__(
        self,
        result: Tensor | None,
        outputs: dict,
        parameters: dict,
        *,
        inputs: dict,
        targets: dict,
        terms: dict,
    ):
        self.nodes = []
        self._of_leaf = {}
        self._labels = {}
        self._labeled = []  # records, kept so that no later one has the id of a label
        made = {}
        for tensor in (result, *outputs.values()):
            if tensor is not None:
                made = self._add(tensor, self._leaf, inside=False, made=made)

        def nodes_of(tensors) -> dict:
            found = {name: self._node_of(tensor, made) for name, tensor in tensors.items()}
            return {name: node for name, node in found.items() if node is not None}

        self.outputs = nodes_of(outputs)
        self.inputs, self.targets = nodes_of(inputs), nodes_of(targets)
        self.terms, self.parameters = nodes_of(terms), nodes_of(parameters)
        self.result: Any = None if result is None else self._node_of(result, made)
        if result is None and len(self.outputs) == 1:
            (self.result,) = self.outputs.values()

    def _node_of(self, tensor, made) -> Node | None:
        if tensor.record is None:
            return self._of_leaf.get(id(tensor))
        nodes = made.get(id(tensor.record))
        return None if nodes is None else nodes[tensor.output]

    def is_output(self, node: Node) -> bool:
        """Whether it is an output of the network."""
        return any(node is output for output in self.outputs.values())

    def term_of(self, node: Node) -> str | None:
        """Name of the term of the loss that a node is; None if it is none."""
        return next((name for name, term in self.terms.items() if term is node), None)

    def consumers(self) -> dict:
        """{number of a node: nodes computed from it}."""
        found = {node.number: [] for node in self.nodes}
        for node in self.nodes:
            for source in {id(s): s for s in node.sources if s is not None}.values():
                found[source.number].append(node)
        return found

    def cone(self, node: Node) -> set:
        """Numbers of the nodes that depend on `node`, itself included."""
        reached = {node.number}
        for other in self.nodes[node.number + 1 :]:
            if any(s is not None and s.number in reached for s in other.sources):
                reached.add(other.number)
        return reached

    def gradients(self) -> dict:
        """{number of a node: ∂result/∂node} by the operations' rules, decompositions included."""
        with float64():
            found = {self.result.number: jnp.ones(self.result.shape)}
            for node in reversed(self.nodes):
                if node.record is None or node.number not in found:
                    continue
                grads = node.pullback(found[node.number])
                for source, grad in zip(node.sources, grads, strict=True):
                    if source is not None and grad is not None:
                        before = found.get(source.number)
                        found[source.number] = grad if before is None else before + grad
        return {number: np.asarray(grad) for number, grad in found.items()}

    def _add(self, result: Tensor, leaf_node, inside: bool, made: dict | None = None) -> dict:
        """Nodes for all records behind `result`; {id(record): [Node of each output]}."""
        made = dict(made or {})
        for record in records_of(result):
            if id(record) in made:  # behind another output
                continue
            sources = tuple(
                None
                if tensor is None or not tensor.requires_grad
                else made[id(tensor.record)][tensor.output]
                if tensor.record is not None
                else leaf_node(tensor)
                for tensor in record.inputs
            )
            made[id(record)] = self._decomposed(record, sources) or [
                self._new(
                    array,
                    record=record,
                    output=output,
                    sources=sources,
                    module=record.module,
                    label=self._labels.get(id(record)),
                    inside=inside,
                )
                if jnp.issubdtype(jnp.result_type(array), jnp.floating)
                else None  # an index or a count: nothing flows through it
                for output, array in enumerate(record.outs)
            ]
        return made

    def _new(self, value, **parts) -> Node:
        node = Node(len(self.nodes), np.asarray(value), **parts)
        self.nodes.append(node)
        return node

    def _leaf(self, tensor) -> Node:
        if id(tensor) not in self._of_leaf:
            self._of_leaf[id(tensor)] = self._new(tensor.data, leaf=tensor)
        return self._of_leaf[id(tensor)]

    def _decomposed(self, record, sources):
        """The Nodes of a record's outputs by its operation's decomposition; None without one."""
        steps = record.operation.steps
        if steps is None:
            return None
        proxies, behind = [], {}
        for array, source in zip(record.arrays, sources, strict=True):
            if source is None:
                proxies.append(array)
                continue
            proxy = source.leaf if source.leaf is not None else Tensor(array, requires_grad=True)
            behind[id(proxy)] = source
            proxies.append(proxy)
        labels = {}

        def label(tensor, symbol, time=None, formula=None):
            if isinstance(tensor, Tensor) and tensor.record is not None:
                labels[id(tensor.record)] = (symbol, time, formula)
                self._labeled.append(tensor.record)
            return tensor

        with module_scope(record.module):
            out = steps(label, *proxies, **record.options)
        if out is None:
            return None
        outs = out if isinstance(out, tuple) else (out,)
        if len(outs) != len(record.outs) or not all(
            np.allclose(np.asarray(a), b, rtol=1e-9, atol=1e-12, equal_nan=True)
            for a, b in zip(outs, record.outs, strict=True)
        ):
            raise GradientError(
                f"the decomposition of {record.operation.name} does not reproduce its result",
                expected="equal values up to rounding",
                fix=f"correct the function under @{record.operation.name}.decomposition; if the "
                "operation is one of Cutaway's, please report this as a bug",
            )
        self._labels |= labels
        made = {}
        for one in outs:
            made |= self._add(
                one, lambda tensor: behind.get(id(tensor)) or self._leaf(tensor), bool(labels), made
            )
        return [one.record and made[id(one.record)][one.output] for one in outs]


def records_of(result: Tensor) -> list:
    """All records that `result` was computed from, in topological order."""
    found = {}
    pending: list[Record | None] = [result.record]
    while pending:
        record = pending.pop()
        if record is None or record.serial in found:
            continue
        found[record.serial] = record
        pending += [t.record for t in record.inputs if t is not None and t.requires_grad]
    return [found[serial] for serial in sorted(found)]
