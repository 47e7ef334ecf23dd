"""Formulas of operations with their numbers: σ(-0.168) = 1 / (1 + e^0.168), (21 - 24)² = 9.

An operation declares its formula as a Python expression (`Operation.formula`). Here it is evaluated
on Quantities, which record how they were computed, so that it can be written with numbers.
"""

import ast
import copy
import functools
import math
import operator
import textwrap
from typing import Any

import numpy as np

from cutaway.optim.terms import Quantity, function, named, sqrt
from cutaway.story.equation import MOST_DIGITS
from cutaway.story.text import number

DIGITS = 4  # of results
LONGEST_SUM = 8  # of a softmax; the sum of a longer one is one number
FUNCTIONS = {
    "exp": functools.partial(function, "exp"),
    "ln": functools.partial(function, "ln"),
    "abs": functools.partial(function, "abs"),
    "min": functools.partial(function, "min"),
    "max": functools.partial(function, "max"),
    "sigmoid": functools.partial(function, "σ"),
    "Phi": functools.partial(function, "Φ"),
    "sqrt": sqrt,
}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS = {  # the comparison, its sign, and the sign of its opposite
    ast.Gt: (operator.gt, ">", "<="),
    ast.GtE: (operator.ge, ">=", "<"),
    ast.Lt: (operator.lt, "<", ">="),
    ast.LtE: (operator.le, "<=", ">"),
    ast.Eq: (operator.eq, "=", "≠"),
}


class Arithmetic:
    """A formula evaluated for one element.

    Args:
        formula: a Python expression, see `Operation.formula`.
        values: {variable: a number or Quantity, or a list of those of a row}.

    Attributes:
        quantity: the result, and how it was computed.
        condition: why this branch of the formula holds, "-2 <= 0"; "" if it has one branch.
        tested: the variable that decides which branch holds; "" if an expression does.
    """

    def __init__(self, formula: str, values: dict):
        self._values = {
            name: [_quantity(f"{name}_{k}", v) for k, v in enumerate(value, 1)]
            if isinstance(value, list)
            else _quantity(name, value)
            for name, value in values.items()
        }
        self._conditions = []
        self.tested = ""
        with np.errstate(all="ignore"):
            self.quantity = self._of(ast.parse(formula, mode="eval").body, None)
        self._steps = [self.quantity, *_evaluations(self.quantity)]
        self.condition = " and ".join(self._conditions[-1:])

    @property
    def value(self) -> float:
        return float(self.quantity.value)

    def is_equal(self, value: float) -> bool:
        """Whether the formula gives the value that the engine computed."""
        return bool(np.isfinite(self.value)) and math.isclose(
            self.value, value, rel_tol=1e-7, abs_tol=1e-12
        )

    @property
    def symbols(self) -> str:
        """The formula in symbols."""
        return self.quantity.text()

    def steps(self) -> list:
        """The formula with its numbers, then again with exponentials and logarithms evaluated."""
        return list(dict.fromkeys(q.text(numbers=True) for q in self._steps))

    def latex_steps(self) -> list:
        return list(dict.fromkeys(q.latex(numbers=True) for q in self._steps))

    def calculable(self) -> "Arithmetic":
        """The same with as many digits in each step as it takes to get the result from them."""
        found = copy.copy(self)
        found._steps = [_calculable(quantity) for quantity in self._steps]
        return found

    def _of(self, node, place):
        """The value of a part of the expression; `place` is that in the row, inside of a sum."""
        match node:
            case ast.Constant(value=value):
                return Quantity(value, fixed=True, digits=6)
            case ast.Name(id=name):
                value = self._values[name]
                return value[place] if isinstance(value, list) else value
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](self._of(left, place), self._of(right, place))
            case ast.UnaryOp(operand=operand):
                return -self._of(operand, place)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._of(body if self._holds(test) else other, place)
            case ast.Call(func=ast.Name(id="sum"), args=[part]):
                return self._sum(part)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name](*(self._of(part, place) for part in arguments))
        raise NotImplementedError(f"a formula with {ast.unparse(node)!r}")

    def _sum(self, part):
        size = max(len(v) for v in self._values.values() if isinstance(v, list))
        total = functools.reduce(operator.add, (self._of(part, k) for k in range(size)))
        return total if size <= LONGEST_SUM else Quantity(total.value)

    def _holds(self, test) -> bool:
        left, right = self._of(test.left, None), self._of(test.comparators[0], None)
        compare, sign, opposite = COMPARISONS[type(test.ops[0])]
        holds = bool(compare(left.value, right.value))
        texts = left.text(numbers=True), right.text(numbers=True)
        self.tested = test.left.id if isinstance(test.left, ast.Name) else ""
        self._conditions.append(f"{texts[0]} {sign if holds else opposite} {texts[1]}")
        return holds


def _quantity(name, value) -> Quantity:
    return value if isinstance(value, Quantity) else named(name, value)


def _calculable(quantity) -> Quantity:
    """The quantity with its numbers rounded as little as its result needs; see story.equation."""
    result = number(quantity.value, DIGITS)
    for digits in range(DIGITS, MOST_DIGITS + 1):
        with np.errstate(all="ignore"):
            shown = quantity.rounded(digits)
        if number(shown.value, DIGITS) == result:
            return shown
    return quantity


def _evaluations(quantity) -> list:
    """The quantity with its exponentials as numbers, then with its sums of them as well."""
    exponentials = _count(quantity, ("exp",))
    if exponentials > 1:
        first = _evaluated(quantity, ("exp",))
        return [first, *_evaluations(first)]
    if exponentials:
        return []
    if quantity.kind == "/" and any(part.kind == "+" for part in quantity.parts):
        return [_evaluated_parts(quantity)]
    logarithm = _first(quantity, "ln")
    if logarithm is not None and logarithm.parts[0].kind is not None:
        return [_evaluated(quantity, ("ln",), inside=True)]
    return []


def _count(quantity, kinds) -> int:
    return (quantity.kind in kinds) + sum(_count(part, kinds) for part in quantity.parts)


def _first(quantity, kind):
    if quantity.kind == kind:
        return quantity
    return next(filter(None, (_first(part, kind) for part in quantity.parts)), None)


def _evaluated(quantity, kinds, *, inside: bool = False):
    """The quantity with its parts of these kinds as numbers, or their arguments as numbers."""
    if quantity.kind in kinds:
        if not inside:
            return Quantity(quantity.value)
        return Quantity(
            quantity.value, kind=quantity.kind, parts=[Quantity(p.value) for p in quantity.parts]
        )
    if quantity.kind is None:
        return quantity
    parts = [_evaluated(part, kinds, inside=inside) for part in quantity.parts]
    return Quantity(quantity.value, kind=quantity.kind, parts=parts, fixed=quantity.fixed)


def _evaluated_parts(quantity):
    return Quantity(
        quantity.value, kind=quantity.kind, parts=[Quantity(p.value) for p in quantity.parts]
    )


def arithmetic_of(node, element: int) -> Arithmetic | None:
    """How an element was computed, by its operation's formula; None if it has none.

    Also None where the formula, with its numbers, does not give the value: 1 / (1 + e^1000).
    """
    operation = node.record.operation
    if operation.value_formula is None or not operation.traits.activation:
        return None
    found = Arithmetic(operation.value_formula, values_at(node, element))
    return found if found.is_equal(float(node.value.ravel()[element])) else None


def values_at(node, element: int) -> dict:
    """{variable of an activation's formula: number, or numbers of a row}."""
    record = node.record
    operation = record.operation
    values: dict[str, Any] = {
        name: float(np.asarray(value))
        for name, value in {**operation.defaults, **record.options}.items()
        if np.ndim(value) == 0 and isinstance(value, int | float) and name != "axis"
    }
    if operation.traits.edges == "elementwise":
        for name, array in zip(operation.input_names, record.arrays, strict=True):
            values[name] = float(np.broadcast_to(np.asarray(array), node.shape).ravel()[element])
    else:
        name, array = operation.input_names[0], np.asarray(record.arrays[0])
        row, place = divmod(element, node.shape[-1])
        values[name] = [float(v) for v in array.reshape(-1, node.shape[-1])[row]]
        values[f"{name}_i"] = values[name][place]
    values["out"] = float(node.value.ravel()[element])
    return values


def slope_at(node, element: int, source_element: int, value: float) -> Arithmetic | None:
    """∂(an element)/∂(one that it was computed from) with its numbers; None if that is a constant.

    Args:
        value: the slope, to compare with.
    """
    operation = node.record.operation
    if operation.slope_formula is None or not operation.traits.activation:
        return None
    values = values_at(node, element)
    if operation.traits.edges == "rowwise":
        width = node.shape[-1]
        (row, i), j = divmod(element, width), source_element % width
        out = node.value.reshape(-1, width)[row]
        values |= {"i": i, "j": j, "out_i": float(out[i]), "out_j": float(out[j])}
    found = Arithmetic(operation.slope_formula, values)
    return found if found.quantity.kind is not None and found.is_equal(value) else None


def wrapped_equation(line: str, width: int) -> list:
    """The line `a = b = c`, broken before an equals sign, or in a sum, if it is too long."""
    if len(line) <= width:
        return [line]
    head, *pieces = line.split(" = ")
    indent = " " * len(head)
    lines, current = [], head
    for k, piece in enumerate(pieces):
        if k and len(current) + 3 + len(piece) > width:
            lines.append(current)
            current = indent
        current += f" = {piece}"
        if len(current) > width:
            kept = current.replace(" · ", "\u00a0·\u00a0").replace("ln ", "ln\u00a0")
            parts = textwrap.wrap(
                kept, width, subsequent_indent=f"{indent}   ", break_long_words=False,
                drop_whitespace=True,
            )  # fmt: skip
            *full, current = (part.replace("\u00a0", " ") for part in parts)
            lines += full
    return [*lines, current]
