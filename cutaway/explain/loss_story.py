"""The loss as arithmetic: of each row, (21 - 24)² = 9, and the cost, the mean over the rows."""

import dataclasses
import textwrap
from typing import Any

import numpy as np

from cutaway.engine import float64
from cutaway.explain.arithmetic import Arithmetic, wrapped_equation
from cutaway.explain.graph import Node
from cutaway.explain.graph_formula import GraphFormula
from cutaway.explain.names import ElementNames
from cutaway.explain.paths import LocalJacobians
from cutaway.nn.trees import leaves
from cutaway.optim.terms import Quantity, named
from cutaway.story.text import WIDTH, Story, align, latex_number, number

GREEK = {"delta": "δ", "beta": "β"}
SHOWN = 12  # losses of elements that are printed
TERMS_OF_MEAN = 8  # a longer sum of losses is not written out
COST = (
    "The loss is of one row; the cost is the mean of the losses of all rows. Training lowers the "
    "cost, and ∂L/∂w is its derivative."
)


@dataclasses.dataclass(frozen=True)
class Slope:
    """The derivative of an element's loss by one prediction.

    Attributes:
        prediction: its name.
        value: the derivative.
        symbols, numbers: its formula, "2 (ŷ - y)" and "2 · (24 - 21)"; "" if it is a constant.
        because: why it is this constant.
    """

    prediction: str
    value: float
    symbols: str
    numbers: str
    because: str


@dataclasses.dataclass(frozen=True)
class ElementLoss:
    """The loss of one element: of a row, or of one output of a row.

    Attributes:
        prediction, target: name and value of the prediction, and value of the target.
        value: the loss.
        symbols: its formula, "(ŷ - y)²"; "" if none is known.
        arithmetic: it, step by step: ["(24 - 21)²"].
        because: why this branch of the formula holds; "" without branches.
        slopes: [Slope] by each prediction.
        before: lines that compute the probability of a logit.
        latex: of the arithmetic.
    """

    prediction: tuple
    target: float
    value: float
    symbols: str = ""
    arithmetic: list = dataclasses.field(default_factory=list)
    because: str = ""
    slopes: list = dataclasses.field(default_factory=list)
    before: list = dataclasses.field(default_factory=list)
    latex: list = dataclasses.field(default_factory=list)


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

    def text(self, width: int = WIDTH) -> str:
        lines = [f"Loss L: {self._title()}"]
        for part in self.parts:
            lines += ["", *self._part_text(part, width)]
        if self.composed is not None:
            symbols, numbers = self.composed.text(), self.composed.text(numbers=True)
            line = f"L = {symbols} = {numbers} = {number(self.value)}"
            lines += ["", *wrapped_equation(line, width)]
        elif not self.parts:
            lines += ["", f"L = {number(self.value)}; no formula of this loss is declared"]
        elif not self._is_whole:
            made = "computed from it" if len(self.parts) == 1 else "made of these parts"
            lines += ["", f"L = {number(self.value)}, {made}"]
        if self.rows is not None and self.rows > 1 and any(p.how == "mean" for p in self.parts):
            lines += ["", *textwrap.wrap(COST, width)]
        return "\n".join(lines)

    def _title(self) -> str:
        if not self.parts and self.composed is not None:
            return "a function composed of operations"
        if self._is_whole or not self.parts:
            return self.operation
        return ", ".join(dict.fromkeys(part.name for part in self.parts))

    def _called(self, part) -> str:
        """What the value of a part is called: L, if it is all of the loss."""
        return part.term if self._is_whole or part.term != "L" else part.name

    def _part_text(self, part: LossPart, width) -> list:
        lines, called = [], self._called(part)
        alone = part.count == 1
        for k, element in enumerate(part.elements, 1):
            own = called
            if not alone:
                own = f"loss of {f'row {k}' if part.is_rowwise else element.prediction[0]}"
            for line in element.before:
                lines += wrapped_equation(line, width)
            lines += wrapped_equation(_written(own, element, alone=alone), width)
        if not alone:
            lines += self._combined(part, called, width)
        slopes = self._slopes(part, called)
        return [*lines, "", *slopes] if slopes else lines

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
                    right = f"{_in_brackets(numbers)} / {count} = {right}"
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
    is_plain = _is_plain(options)
    weights = [options.get(name) for name in ("rows", "class_weights", "ignore_index")]
    is_weighted = any(w is not None for w in weights) and options["reduction"] == "mean"
    elements = [
        _Element(node, k, names).loss(value, is_plain=is_plain)
        for k, value in enumerate(values.ravel()[:SHOWN].tolist())
    ]
    term = names.graph.term_of(node)
    term = "L" if term is None else f'L["{term}"]'
    how = "weighted" if is_weighted else options["reduction"]
    rowwise = _is_rowwise(operation.value_formula)
    return LossPart(
        operation.name, term, float(np.sum(node.value)), elements, values.size, how, rowwise
    )


class _Element:
    """One element of a loss operation: what its formula is computed from.

    Args:
        node: of the operation.
        k: index of the element.
    """

    def __init__(self, node: Node, k: int, names: ElementNames):
        assert node.record is not None
        self.operation, self.options = node.record.operation, node.record.options
        self.source, self.names, self.before = node.sources[0], names, []
        prediction, target = (np.asarray(array) for array in node.record.arrays[:2])
        self.has_probability = "q" in self.operation.value_formula
        # a loss of a whole row has one value for several predictions
        self.width = prediction.shape[-1] if _is_rowwise(self.operation.value_formula) else 1
        row = prediction.reshape(-1, self.width)[k]
        self.places = range(k * self.width, (k + 1) * self.width)
        self.variables: dict[str, Any] = dict(self._options())
        if self.width > 1 or _is_rowwise(self.operation.value_formula):
            self.aim, y = self._of_row(row, target, k)
        else:
            self.aim, y = 0, float(target.ravel()[k])
            self._of_number(float(row[0]))
            self.variables["y"] = y
        self.target = float(self.aim) if isinstance(y, list) else y
        self.prediction = self.name(self.aim), float(row[self.aim])

    def _options(self):
        return {
            name: Quantity(float(option), GREEK.get(name, name), fixed=True)
            for name, option in self.options.items()
            if isinstance(option, int | float) and not isinstance(option, bool)
        }

    def _of_number(self, p):
        symbol = "z" if self.has_probability else "ŷ"
        self.variables |= {"p": named(symbol, p), "z": named(symbol, p)}
        if self.has_probability:
            probability = Arithmetic("1 / (1 + exp(-z))", {"z": p})
            self.variables["q"] = named("p", probability.value)
            right = [f"σ({self.name(0)})", *probability.steps(), number(probability.value)]
            self.before = [f"p = {' = '.join(right)}"]

    def _of_row(self, row, target, k) -> tuple:
        """(index of the true class, the target: that index, or the whole row)."""
        is_label = target.size * self.width == self.width * (self.source_size() // self.width)
        rows = None if is_label else target.reshape(-1, self.width)[k].astype(float)
        aim = int(target.ravel()[k]) if rows is None else int(np.argmax(rows))
        self.variables["p"] = self._named("ŷ", row)
        self.variables["z"] = self._named("z", row)
        if self.has_probability:
            shifted = np.exp(row - row.max())
            probabilities = shifted / shifted.sum()
            self.variables["q"] = self._named("p", probabilities)
            shown = range(self.width) if rows is not None and self.width <= 8 else [aim]
            self.before = [self._softmax(row, j, float(probabilities[j])) for j in shown]
        self.variables["y"] = aim if rows is None else self._named("y", rows)
        for letter in ("p", "q"):
            if letter in self.variables:
                self.variables[f"{letter}_y"] = self.variables[letter][aim]
        return aim, aim if rows is None else rows.tolist()

    def source_size(self) -> int:
        return self.source.value.size

    def _named(self, symbol, row) -> list:
        return [named(f"{symbol}_{j}", float(v)) for j, v in enumerate(row, 1)]

    def _softmax(self, row, j, probability) -> str:
        written = Arithmetic("exp(z_i) / sum(exp(z))", {"z": row.tolist(), "z_i": float(row[j])})
        steps = written.steps() if written.is_equal(probability) else []
        return f"p_{j + 1} = {' = '.join([*steps, number(probability)])}, softmax of z"

    def name(self, j) -> str:
        return name_of_prediction(self.source, self.places[j], self.names)

    def loss(self, value: float, *, is_plain: bool) -> ElementLoss:
        found = Arithmetic(self.operation.value_formula, self.variables) if is_plain else None
        if found is None or not found.is_equal(value):
            return ElementLoss(self.prediction, self.target, value)
        is_label = found.condition.replace(" ", "") in ("0=0", "1=1")
        return ElementLoss(
            self.prediction,
            self.target,
            value,
            found.symbols,
            found.steps(),
            "" if is_label else found.condition,
            [self.slope(j) for j in range(self.width)] if self.operation.slope_formula else [],
            self.before,
            found.latex_steps(),
        )

    def slope(self, j) -> Slope:
        own = {f"{name}_i": v[j] for name, v in self.variables.items() if isinstance(v, list)}
        found = Arithmetic(self.operation.slope_formula, {**self.variables, **own, "i": j})
        steps = found.steps()[0] if found.quantity.kind is not None else ""
        because = found.condition if not steps and self.width == 1 else ""
        symbols = found.symbols if steps or found.quantity.symbol else ""
        return Slope(self.name(j), found.value + 0.0, symbols, steps, because)


def _is_rowwise(formula: str) -> bool:
    return any(part in formula for part in ("sum(", "p_y", "q_y"))


def slope_of_loss(node: Node, element: int, value: float, names: ElementNames) -> str:
    """∂L/∂(a prediction) as arithmetic, "2 · (24 - 21)"; "" if that is not known.

    Args:
        element: of the prediction, in the flattened array.
        value: the slope, to compare with.
    """
    assert node.record is not None
    operation, options = node.record.operation, node.record.options
    if operation.slope_formula is None or operation.traits.activation is not None:
        return ""
    if not _is_plain(options):
        return ""
    width = node.record.arrays[0].shape[-1] if _is_rowwise(operation.value_formula) else 1
    k, j = divmod(element, width)
    slope = _Element(node, k, names).slope(j)
    count = node.sources[0].value.size // width if options["reduction"] == "mean" else 1
    if not slope.numbers or not np.isclose(slope.value / count, value, rtol=1e-9, atol=1e-12):
        return ""
    return slope.numbers if count == 1 else f"{_in_brackets(slope.numbers)} / {count}"


def _is_plain(options) -> bool:
    """Whether all elements count alike, so that the formula of one tells all."""
    weights = [options.get(name) for name in ("class_weights", "ignore_index", "rows")]
    return all(w is None for w in weights) and not options.get("label_smoothing")


def name_of_prediction(source, place, names) -> str:
    if source is None or names.of(source) is None:
        return f"prediction {place + 1}"
    return names.text(source, place)


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


def _in_brackets(text) -> str:
    return f"({text})" if " - " in text and "·" not in text else text
