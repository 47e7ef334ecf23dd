"""The slopes of a softmax as a matrix: every output depends on every score of its row."""

import dataclasses
import itertools

import numpy as np

from cutaway.story.text import align, number

WIDEST = 6  # outputs; a larger matrix is not printed


@dataclasses.dataclass(frozen=True)
class SlopeMatrix:
    """∂O_i/∂z_j of a function of a row.

    Attributes:
        function: the operation's name.
        outputs, inputs: names of the elements.
        values: (outputs, inputs).
        used: {(i, j)} of the slopes that are factors of the paths.
    """

    function: str
    outputs: list
    inputs: list
    values: np.ndarray
    used: set

    def lines(self) -> list:
        """The matrix as text, with the slopes of the paths in brackets."""
        lines = [f"All slopes of {self.function}; those of the paths are in brackets."]
        if self.function == "softmax":
            lines.append("With p = softmax(z): p_i (1 - p_i) on the diagonal, -p_i p_j elsewhere.")
        rows = [["", *self.inputs]]
        for i, output in enumerate(self.outputs):
            cells = [number(value) for value in self.values[i]]
            rows.append(
                [f"  ∂{output}"]
                + [f"[{c}]" if (i, j) in self.used else f" {c} " for j, c in enumerate(cells)]
            )
        rows[0][1:] = [f" ∂/∂{name} " for name in self.inputs]
        return [*lines, *align(rows, "<" + ">" * len(self.inputs))]

    def to_dict(self) -> dict:
        return {
            "function": self.function,
            "outputs": self.outputs,
            "inputs": self.inputs,
            "values": self.values.tolist(),
        }


def slope_matrix(paths, names, jacobians) -> SlopeMatrix | None:
    """The matrix of the first function of a row that these paths go through; None without one.

    Args:
        paths: lists of PathSteps, from the loss to the weight.
    """
    node, row, source = None, 0, None
    used = set()
    for steps in paths:
        for above, below in itertools.pairwise(steps):
            operation = above.node.record.operation
            if operation.traits.edges != "rowwise" or operation.traits.activation is None:
                continue
            width = above.node.shape[-1]
            place = divmod(above.element, width)
            if node is None and width <= WIDEST and names.of(above.node) and names.of(below.node):
                node, row, source = above.node, place[0], below.node
            if above.node is node and place[0] == row:
                used.add((place[1], below.element % width))
    if node is None or source is None:
        return None
    width = node.shape[-1]
    elements = range(row * width, (row + 1) * width)
    return SlopeMatrix(
        node.record.operation.name,
        [names.text(node, e) for e in elements],
        [names.text(source, e) for e in elements],
        np.asarray(jacobians.of(node).factors[row]).T,
        used,
    )
