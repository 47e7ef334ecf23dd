"""Formulas of values that are composed of several operations: 0.5 · (24 - 21)²."""

import functools
import math
import operator

import numpy as np

from cutaway.explain.graph import Node
from cutaway.explain.names import ElementNames
from cutaway.optim.terms import Quantity, function, grouped, named, sqrt
from cutaway.story.text import subscript

LARGEST = 24  # leaves of a formula that is written out
BINARY = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
}
UNARY = {
    "negative": operator.neg,
    "exp": functools.partial(function, "exp"),
    "log": functools.partial(function, "ln"),
    "absolute": functools.partial(function, "abs"),
    "sqrt": sqrt,
}


class GraphFormula:
    """The formula of an element, down to elements that have a name.

    Args:
        targets: Tensors of the targets, each called y.
        is_loss: down to the outputs of the network; otherwise to any element with a name.
    """

    def __init__(self, names: ElementNames, jacobians, targets=(), *, is_loss: bool = False):
        self._names, self._jacobians = names, jacobians
        self._is_loss, self._first = is_loss, None
        self._targets = {id(tensor) for tensor in targets}
        self._leaves = 0

    def of(self, node: Node, element: int = 0) -> Quantity | None:
        """The Quantity; None if an operation has no sign in formulas, or it is too long."""
        self._leaves, self._first = 0, node
        try:
            return self._of(node, element)
        except (KeyError, OverflowError):
            return None

    def _of(self, node, element):
        if self._is_end(node):
            return self._leaf(self._names.text(node, element), node.value.ravel()[element])
        record, traits = node.record, node.record.operation.traits
        if record.operation.value_formula and not traits.activation:  # a loss
            called = self._names.graph.term_of(node)
            called = record.operation.name if called is None else f'L["{called}"]'
            return self._leaf(called, node.value.ravel()[element])
        name = record.operation.name
        if traits.edges == "reduction":
            return self._reduced(node, element)
        if traits.edges == "movement":
            source, origin = self._jacobians.origin(node, element)
            if source is None:
                raise KeyError(name)
            return self._of(source, origin)
        if name not in ("square", *UNARY, *BINARY):
            raise KeyError(name)
        parts = [self._argument(node, k, element) for k in range(len(record.arrays))]
        if name == "square":
            return parts[0] ** 2
        return UNARY[name](*parts) if len(parts) == 1 else BINARY[name](*parts)

    def _is_end(self, node) -> bool:
        if node.record is None:
            return True
        if self._is_loss:
            return bool(node.module) or self._names.graph.is_output(node)
        return node is not self._first and self._names.of(node) is not None

    def _argument(self, node, k, element):
        source, tensor = node.sources[k], node.record.inputs[k]
        if source is not None:
            edges = {place: at for place, at, _ in self._jacobians.of(node).row(element)}
            return self._of(source, int(edges[k][0]))
        array = np.broadcast_to(np.asarray(node.record.arrays[k]), node.shape)
        value = float(array.ravel()[element])
        return self._leaf(self._target(tensor, node, element), value)

    def _target(self, tensor, node, element) -> str | None:
        """y, y_2 or y[row 3]: the name of an element of the targets; None for another constant."""
        if id(tensor) not in self._targets:
            return None
        if tensor.shape != node.shape or not node.shape:
            return "y"
        row, *place = (int(i) for i in np.unravel_index(element, node.shape))
        index = "_" + subscript(*place) if math.prod(node.shape[1:]) > 1 else ""
        rows = f"[row {row + 1}]" if self._names.rows == node.shape[0] > 1 else ""
        return f"y{index}{rows}"

    def _leaf(self, name, value):
        self._leaves += 1
        if self._leaves > LARGEST:
            raise OverflowError
        return Quantity(value, fixed=True) if name is None else named(name, value)

    def _reduced(self, node, element):
        name = node.record.operation.name
        if name not in ("sum", "mean"):
            raise KeyError(name)
        ((_, elements, _),) = self._jacobians.of(node).row(element)
        parts = [self._of(node.sources[0], int(at)) for at in elements]
        if len(parts) > 1 and parts[0].kind in ("+", "-"):
            parts[0] = grouped(parts[0])  # (y - ŷ[row 1]) + (y - ŷ[row 2])
        total = functools.reduce(operator.add, parts)
        return total / len(parts) if name == "mean" and len(parts) > 1 else total
