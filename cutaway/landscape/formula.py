"""Formulas that a user types, "x**2 + y**2", as functions of Tensors. Nothing is evaluated as code.

The text is parsed by Python's grammar, and a formula is built from what is allowed: numbers, the
variables, pi and e, + - * / **, and a few functions, each an operation of the engine with its rule.
"""

import ast
import dataclasses
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway import ops
from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, did_you_mean

LONGEST = 300  # characters of a formula
FUNCTIONS = {
    "sin": ops.sin,
    "cos": ops.cos,
    "exp": ops.exp,
    "log": ops.log,
    "ln": ops.log,
    "sqrt": ops.sqrt,
    "tanh": ops.tanh,
    "abs": ops.absolute,
}
CONSTANTS = {"pi": math.pi, "e": math.e}
SIGNS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
FROM_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


@dataclasses.dataclass(frozen=True)
class Formula:
    """A function of one or two variables, made by `parse_formula`. Works element by element.

    Attributes:
        source: as it was typed.
        variables: their names, in the order of the arguments.
        used: those that the formula contains.
    """

    source: str
    variables: tuple[str, ...]
    used: frozenset
    compute: Callable = dataclasses.field(repr=False)

    @property
    def text(self) -> str:
        """As people write it: "x² + 3 y"."""
        # 2**3**2 is 2^3²
        last_power = r"\s*\*\*\s*(\d+)(?![\w.]|\s*\*\*)"
        text = re.sub(last_power, lambda m: m[1].translate(SUPERSCRIPTS), self.source)
        text = re.sub(r"\s*(?<!\*)\*(?!\*)\s*", " ", text)
        return re.sub(r"\s+", " ", text.replace("**", "^")).strip()

    def __call__(self, *values) -> Tensor:
        given = [v if isinstance(v, Tensor) else Tensor(v) for v in values]
        found = self.compute(dict(zip(self.variables, given, strict=True)))
        # of the shape of the variables, also where the formula contains none of them
        nothing = given[0] * 0.0
        for value in given[1:]:
            nothing = nothing + value * 0.0
        return found if self.used == set(self.variables) else found + nothing


def parse_formula(text: str, variables=("x", "y")) -> Formula:
    """The function that a text describes; ^ and superscripts are powers, as ** is.

    Args:
        text: numbers, the variables, pi, e, + - * / **, sin cos exp log sqrt tanh abs.
        variables: names of the arguments, in order.

    Raises:
        OptionError: anything else is in it, with what it is.

    Example:
        >>> from cutaway.landscape.formula import parse_formula
        >>> f = parse_formula("x**2 + 3*y")
        >>> f(2.0, 1.0).item(), f.text
        (7.0, 'x² + 3 y')
    """
    variables = tuple(variables)
    reader = _Reader(text, variables)
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        shown = f"has {len(text):,} characters" if isinstance(text, str) else f"is {text!r}"
        raise reader.wrong(f"the formula {shown}", f"write at most {LONGEST} characters")
    source = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "**" + m[1].translate(FROM_SUPERSCRIPTS), text)
    source = source.replace("^", "**").replace("·", "*").replace("−", "-").replace("π", "pi")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
        compute = reader.build(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, OptionError):
            raise
        fix = "write products with *, as in 3*x, and close every bracket"
        raise reader.wrong(f"{text!r} cannot be read as a formula", fix) from None
    if not callable(compute):
        constant = float(compute)
        return Formula(source, variables, frozenset(), lambda _: Tensor(constant))
    return Formula(source, variables, frozenset(reader.used), compute)


class _Reader:
    """Builds a number, or a function {variable: Tensor} -> Tensor, from a parsed text."""

    def __init__(self, text: str, variables: tuple[str, ...]):
        self.text = text
        self.variables = variables
        self.used: set[str] = set()

    def build(self, node) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self.number(node.value)
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.build(node.operand)
            return (
                inner if isinstance(node.op, ast.UAdd) else self._joined(operator.mul, -1.0, inner)
            )
        if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
            ends = self.build(node.left), self.build(node.right)
            return self._joined(SIGNS[type(node.op)], *ends)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._called(node, node.func.id)
        raise self.wrong(f"{ast.unparse(node)!r} in the formula {self.text!r}", "leave it out")

    def _named(self, name: str) -> Any:
        if name in self.variables:
            self.used.add(name)
            return lambda values: values[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        fix = did_you_mean(name, [*self.variables, *CONSTANTS, *FUNCTIONS])
        if name in FUNCTIONS:
            fix = f"write {name}({self.variables[0]})"
        raise self.wrong(f"the name {name!r} in the formula {self.text!r}", fix)

    def _called(self, node: ast.Call, name: str) -> Any:
        if name not in FUNCTIONS:
            is_product = name in self.variables
            fix = f"write {name} * (...)" if is_product else did_you_mean(name, FUNCTIONS)
            raise self.wrong(f"the function {name!r} in the formula {self.text!r}", fix)
        if len(node.args) != 1 or node.keywords:
            fix = f"write {name}({self.variables[0]})"
            raise self.wrong(f"{ast.unparse(node)!r} in the formula {self.text!r}", fix)
        inner, function = self.build(node.args[0]), FUNCTIONS[name]
        if callable(inner):
            return lambda values: function(inner(values))
        with float64():
            return self.number(function(Tensor(np.float64(inner))).item())

    def _joined(self, sign, left: Any, right: Any) -> Any:
        if not callable(left) and not callable(right):
            with np.errstate(all="ignore"):
                return self.number(sign(np.float64(left), np.float64(right)))

        def joined(values):
            a = left(values) if callable(left) else left
            b = right(values) if callable(right) else right
            return sign(a, b)

        return joined

    def number(self, value) -> float:
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            came = f"a number in the formula {self.text!r} is {value}"
            raise self.wrong(came, "write finite numbers")
        return value

    def wrong(self, came: str, fix: str) -> OptionError:
        functions = ", ".join(name for name in FUNCTIONS if name != "ln")
        return OptionError(
            came,
            expected=f"a formula of {' and '.join(self.variables)}: numbers, pi, e, + - * / ** "
            f"and the functions {functions}",
            fix=fix,
        )
