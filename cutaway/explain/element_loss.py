"""The loss of one element as arithmetic, and its slopes by the predictions: 2 · (24 - 21) = 6."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.explain.arithmetic import Arithmetic
from cutaway.explain.graph import Node
from cutaway.explain.names import ElementNames
from cutaway.losses.contract import OPTION_LETTERS
from cutaway.optim.terms import Quantity, named
from cutaway.story.text import number


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


class LossFormula:
    """The formula of a loss operation with the values of one element.

    Args:
        node: of the operation.
        k: index of the element, in the flattened losses.
    """

    def __init__(self, node: Node, k: int, names: ElementNames):
        assert node.record is not None
        self.operation, self.options = node.record.operation, node.record.options
        self.source, self.names, self.before = node.sources[0], names, []
        prediction, target = (np.asarray(array) for array in node.record.arrays[:2])
        self.has_probability = "q" in self.operation.value_formula
        # a loss of a whole row has one value for several predictions
        self.width = prediction.shape[-1] if is_rowwise(self.operation.value_formula) else 1
        row = prediction.reshape(-1, self.width)[k]
        self.places = range(k * self.width, (k + 1) * self.width)
        self.variables: dict[str, Any] = dict(self._options())
        if self.width > 1 or is_rowwise(self.operation.value_formula):
            is_label = target.size * self.width == prediction.size
            self.aim, y = self._of_row(row, target, k, is_label=is_label)
        else:
            self.aim, y = 0, float(target.ravel()[k])
            self._of_number(float(row[0]))
            self.variables["y"] = y
        self.target = float(self.aim) if isinstance(y, list) else y
        self.prediction = self.name(self.aim), float(row[self.aim])

    def _options(self):
        return {
            name: Quantity(float(option), OPTION_LETTERS.get(name, name), fixed=True)
            for name, option in self.options.items()
            if isinstance(option, int | float) and not isinstance(option, bool)
        }

    def _of_number(self, p):
        name = None if self.source is None else self.names.of(self.source)
        is_score = self.has_probability or (name is not None and name.symbol == "z")
        symbol = "z" if is_score else "ŷ"
        self.variables |= {"p": named(symbol, p), "z": named(symbol, p)}
        if self.has_probability:
            probability = Arithmetic("1 / (1 + exp(-z))", {"z": p})
            self.variables["q"] = named("p", probability.value)
            right = [f"σ({self.name(0)})", *probability.steps(), number(probability.value)]
            self.before = [f"p = {' = '.join(right)}"]

    def _of_row(self, row, target, k, *, is_label: bool) -> tuple:
        """(index of the true class, the target: that index, or the whole row)."""
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

    def _named(self, symbol, row) -> list:
        return [named(f"{symbol}_{j}", float(v)) for j, v in enumerate(row, 1)]

    def _softmax(self, row, j, probability) -> str:
        written = Arithmetic("exp(z_i) / sum(exp(z))", {"z": row.tolist(), "z_i": float(row[j])})
        steps = written.steps() if written.is_equal(probability) else []
        return f"p_{j + 1} = {' = '.join([*steps, number(probability)])}, softmax of z"

    def name(self, j) -> str:
        """Of prediction j of the element."""
        return _name_of_prediction(self.source, self.places[j], self.names)

    def loss(self, value: float) -> ElementLoss:
        """The loss; without arithmetic where the formula does not give `value`."""
        is_known = is_unweighted(self.options)
        found = Arithmetic(self.operation.value_formula, self.variables) if is_known else None
        if found is None or not found.is_equal(value):
            return ElementLoss(self.prediction, self.target, value)
        found = found.calculable()
        return ElementLoss(
            self.prediction,
            self.target,
            value,
            found.symbols,
            found.steps(),
            self._because(found),
            [self.slope(j) for j in range(self.width)] if self.operation.slope_formula else [],
            self.before,
            found.latex_steps(),
        )

    def _because(self, found: Arithmetic) -> str:
        """Why this branch of the formula holds; the branch of a label 0 or 1 needs no reason."""
        if found.tested != "y":
            return found.condition
        return "" if " = " in found.condition else f"y = {number(self.target)}"

    def slope(self, j) -> Slope:
        """∂(the loss)/∂(prediction j of the element)."""
        own = {f"{name}_i": v[j] for name, v in self.variables.items() if isinstance(v, list)}
        found = Arithmetic(self.operation.slope_formula, {**self.variables, **own, "i": j})
        steps = found.steps()[0] if found.quantity.kind is not None else ""
        because = found.condition if not steps and self.width == 1 else ""
        symbols = found.symbols if steps or found.quantity.symbol else ""
        return Slope(self.name(j), found.value + 0.0, symbols, steps, because)


def is_rowwise(formula: str) -> bool:
    """Whether a formula takes a whole row of predictions."""
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
    if not is_unweighted(options):
        return ""
    width = node.record.arrays[0].shape[-1] if is_rowwise(operation.value_formula) else 1
    k, j = divmod(element, width)
    slope = LossFormula(node, k, names).slope(j)
    count = node.sources[0].value.size // width if options["reduction"] == "mean" else 1
    if not slope.numbers or not np.isclose(slope.value / count, value, rtol=1e-9, atol=1e-12):
        return ""
    return slope.numbers if count == 1 else f"{in_brackets(slope.numbers)} / {count}"


def is_unweighted(options) -> bool:
    """Whether all elements count alike, so that the formula of one tells all."""
    weights = [options.get(name) for name in ("class_weights", "ignore_index", "rows")]
    return all(w is None for w in weights) and not options.get("label_smoothing")


def _name_of_prediction(source, place, names) -> str:
    if source is None or names.of(source) is None:
        return f"prediction {place + 1}"
    return names.text(source, place)


def in_brackets(text: str) -> str:
    """A difference in brackets, as a factor or a dividend needs them."""
    return f"({text})" if " - " in text and "·" not in text else text
