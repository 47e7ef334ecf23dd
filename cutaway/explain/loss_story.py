"""The loss as arithmetic: of each row, (21 - 24)² = 9, and the cost, the mean over the rows."""

import dataclasses
import textwrap

import numpy as np

from cutaway.engine import float64
from cutaway.explain.arithmetic import wrapped_equation
from cutaway.explain.element_loss import ElementLoss, LossFormula, in_brackets, is_rowwise
from cutaway.explain.graph import Node
from cutaway.explain.graph_formula import GraphFormula
from cutaway.explain.names import ElementNames
from cutaway.explain.paths import LocalJacobians
from cutaway.nn.trees import leaves
from cutaway.optim.terms import Quantity
from cutaway.story.text import WIDTH, Story, align, latex_number, number

LONG = 100_000  # characters: a line that is not wrapped
SHOWN = 12  # losses of elements that are printed
TERMS_OF_MEAN = 8  # a longer sum of losses is not written out
COST = (
    "The loss is of one row; the cost is the mean of the losses of all rows. Training lowers the "
    "cost, and ∂L/∂w is its derivative."
)


@dataclasses.dataclass(frozen=True)
class LossPart:
    """One operation that computes a loss.

    Attributes:
        name: of the operation, "mean_squared_error".
        term: name of the loss term, or "L".
        value: the result.
        elements: [ElementLoss].
        count: number of elements.
        how: "mean", "sum" or "weighted".
        is_rowwise: whether an element is a whole row, not one output of it.
    """

    name: str
    term: str
    value: float
    elements: list
    count: int
    how: str
    is_rowwise: bool


class LossStory(Story):
    """How the loss follows from predictions and targets. Made by `Explanation.losses`.

    Attributes:
        value: the loss of all rows, or of the one row.
        parts: [LossPart] of the operations that compute it.
        rows: number of rows.
    """

    def __init__(self, trace, jacobians: LocalJacobians, names: ElementNames):
        graph = trace.graph
        self.value = float(trace.result.item())
        self.rows = names.rows
        operations = [n for n in graph.nodes if n.record and n.record.operation.value_formula]
        operations = [n for n in operations if not n.record.operation.traits.activation]
        with float64():
            self.parts = [_part(node, names) for node in operations]
        self._is_whole = len(operations) == 1 and operations[0] is graph.result
        self.composed = self._composed(trace, jacobians, names)
        self.operation = graph.result.record.operation.name if graph.result.record else ""

    def _composed(self, trace, jacobians, names) -> Quantity | None:
        """The formula of a loss that is not one operation."""
        if self._is_whole:
            return None
        targets = [] if trace.y is None else leaves(trace.y)
        found = GraphFormula(names, jacobians, targets, is_loss=True).of(trace.graph.result)
        is_right = found is not None and np.isclose(found.value, self.value, rtol=1e-9)
        return found if is_right else None

    def equations(self) -> list[str]:
        """The arithmetic of the whole loss, a line each; [] where no formula of it is declared."""
        if self.composed is not None:
            return [self._composed_line(self.composed)]
        written = all(element.arithmetic for part in self.parts for element in part.elements)
        if not self._is_whole or not written:
            return []
        (part,) = self.parts
        return self._part_lines(part, LONG)

    def text(self, width: int = WIDTH) -> str:
        lines = [f"Loss L: {self._title()}"]
        for part in self.parts:
            lines += ["", *self._part_lines(part, width)]
            slopes = self._slopes(part, self._called(part))
            lines += ["", *slopes] if slopes else []
        if self.composed is not None:
            lines += ["", *wrapped_equation(self._composed_line(self.composed), width)]
        elif not self.parts:
            lines += ["", f"L = {number(self.value)}; no formula of this loss is declared"]
        elif not self._is_whole:
            made = "computed from it" if len(self.parts) == 1 else "made of these parts"
            lines += ["", f"L = {number(self.value)}, {made}"]
        if self.rows is not None and self.rows > 1 and any(p.how == "mean" for p in self.parts):
            lines += ["", *textwrap.wrap(COST, width)]
        return "\n".join(lines)

    def _composed_line(self, found: Quantity) -> str:
        return f"L = {found.text()} = {found.text(numbers=True)} = {number(self.value)}"

    def _title(self) -> str:
        if not self.parts and self.composed is not None:
            return "a function composed of operations"
        if self._is_whole or not self.parts:
            return self.operation
        return "computed from " + ", ".join(dict.fromkeys(part.name for part in self.parts))

    def _called(self, part) -> str:
        """What the value of a part is called: L, if it is all of the loss."""
        return part.term if self._is_whole or part.term != "L" else part.name

    def _part_lines(self, part: LossPart, width) -> list:
        lines, called = [], self._called(part)
        alone = part.count == 1
        for k, element in enumerate(part.elements, 1):
            own = called
            if not alone:
                own = f"loss of {f'row {k}' if part.is_rowwise else element.prediction[0]}"
            for line in element.before:
                lines += wrapped_equation(line, width)
            lines += wrapped_equation(_written(own, element, alone=alone), width)
        return lines if alone else [*lines, *self._combined(part, called, width)]

    def _combined(self, part, called, width) -> list:
        left = part.count - len(part.elements)
        lines = [f"and {left:,} more"] if left > 0 else []
        what = {"mean": "the mean", "sum": "the sum", "weighted": "the weighted mean"}[part.how]
        total = number(part.value)
        if left or part.how == "weighted" or part.count > TERMS_OF_MEAN:
            return [*lines, f"{called} = {total}, {what} of {part.count:,}"]
        values = " + ".join(number(e.value) for e in part.elements)
        values = f"({values}) / {part.count}" if part.how == "mean" else values
        return [*lines, *wrapped_equation(f"{called} = {values} = {total}, {what}", width)]

    def _slopes(self, part, called) -> list:
        if part.how == "weighted":
            return []
        rows, count = [], part.count if part.how == "mean" else 1
        for element in part.elements:
            for slope in element.slopes:
                right = number(slope.value / count)
                numbers = slope.numbers
                if not numbers and slope.value and float(slope.value).is_integer():
                    numbers = number(slope.value)  # a constant such as the sign of an error
                if numbers and count > 1:
                    right = f"{in_brackets(numbers)} / {count} = {right}"
                elif slope.numbers:
                    right = f"{slope.numbers} = {right}"
                elif slope.because and count == 1:
                    right += f", because {slope.because}"
                symbols = f"{slope.symbols} = " if slope.symbols and part.count == 1 else ""
                rows.append([f"∂{called}/∂{slope.prediction}", f"= {symbols}{right}"])
        return align(rows[:SHOWN], gap=" ") + (
            [f"and {len(rows) - SHOWN:,} more"] if rows[SHOWN:] else []
        )

    def latex(self) -> str | None:
        if self.composed is not None:
            parts = [self.composed.latex(), self.composed.latex(numbers=True)]
            return f"L = {' = '.join(parts)} = {latex_number(number(self.value))}"
        if not self._is_whole:
            return None
        (part,) = self.parts
        lines = []
        if part.count == 1:
            (element,) = part.elements
            right = [*element.latex, latex_number(number(element.value))]
            return f"L = {' = '.join(dict.fromkeys(right))}"
        if part.count > TERMS_OF_MEAN or part.how == "weighted":
            return None
        for k, element in enumerate(part.elements, 1):
            right = [*element.latex, latex_number(number(element.value))]
            lines.append(rf"L_{{{k}}} &= {' = '.join(dict.fromkeys(right))}")
        values = " + ".join(latex_number(number(e.value)) for e in part.elements)
        total = latex_number(number(part.value))
        mean = rf"\frac{{{values}}}{{{part.count}}}" if part.how == "mean" else values
        lines.append(rf"L &= {mean} = {total}")
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def to_dict(self) -> dict:
        return {
            "value": self.value,
            "rows": self.rows,
            "parts": [
                {
                    **{k: v for k, v in dataclasses.asdict(part).items() if k != "elements"},
                    "elements": [
                        {
                            "prediction": e.prediction[0],
                            "prediction_value": e.prediction[1],
                            "target": e.target,
                            "value": e.value,
                            "arithmetic": e.arithmetic,
                            "because": e.because,
                            "slopes": [
                                {
                                    "prediction": slope.prediction,
                                    "value": slope.value,
                                    "arithmetic": slope.numbers,
                                }
                                for slope in e.slopes
                            ],
                        }
                        for e in part.elements
                    ],
                }
                for part in self.parts
            ],
        }


def _part(node: Node, names: ElementNames) -> LossPart:
    """What a loss operation computed, element by element."""
    assert node.record is not None
    operation, options = node.record.operation, node.record.options
    prediction, target = (np.asarray(array) for array in node.record.arrays[:2])
    result = operation.forward(prediction, target, **{**options, "reduction": "none"})
    values = np.asarray(result[0] if operation.saves else result)
    weights = [options.get(name) for name in ("rows", "class_weights", "ignore_index")]
    is_weighted = any(w is not None for w in weights) and options["reduction"] == "mean"
    elements = [
        LossFormula(node, k, names).loss(value)
        for k, value in enumerate(values.ravel()[:SHOWN].tolist())
    ]
    term = names.graph.term_of(node)
    term = "L" if term is None else f'L["{term}"]'
    how = "weighted" if is_weighted else options["reduction"]
    rowwise = is_rowwise(operation.value_formula)
    return LossPart(
        operation.name, term, float(np.sum(node.value)), elements, values.size, how, rowwise
    )


def _written(called, element: ElementLoss, *, alone: bool) -> str:
    """L = (ŷ - y)² = (24 - 21)² = 9."""
    value = number(element.value)
    if not element.arithmetic:
        name, prediction = element.prediction
        return f"{called} = {value}, of {name} = {number(prediction)}, y = {number(element.target)}"
    symbols = [element.symbols] if alone else []
    because = f", because {element.because}" if element.because else ""
    right = dict.fromkeys([*symbols, *element.arithmetic, value])
    return f"{called} = {' = '.join(right)}{because}"
