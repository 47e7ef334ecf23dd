"""Formulas that a user types, "x**2 + y**2", as functions of Tensors. Nothing is evaluated as code.

The text is parsed by Python's grammar, and a formula is built from what is allowed: numbers, the
variables, pi and e, + - * / **, and a few functions, each an operation of the engine with its rule.
"""

import ast
import dataclasses
import math
import re
from collections.abc import Callable

import numpy as np

from cutaway import ops
from cutaway.engine import Tensor
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
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
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
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        shown = f"has {len(text):,} characters" if isinstance(text, str) else f"is {text!r}"
        raise _wrong(f"the formula {shown}", variables, f"write at most {LONGEST} characters")
    source = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "**" + m[1].translate(FROM_SUPERSCRIPTS), text)
    source = source.replace("^", "**").replace("·", "*").replace("−", "-").replace("π", "pi")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
        used: set = set()
        compute = _built(tree, variables, used, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, OptionError):
            raise
        fix = "write products with *, as in 3*x, and close every bracket"
        raise _wrong(f"{text!r} cannot be read as a formula", variables, fix) from None
    if not callable(compute):
        constant = float(compute)
        return Formula(source, variables, frozenset(), lambda _: Tensor(constant))
    return Formula(source, variables, frozenset(used), compute)


def _built(node, variables, used, text):
    """A number, or a function {variable: Tensor} -> Tensor."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _number(node.value, text, variables)
    if isinstance(node, ast.Name):
        return _named(node.id, variables, used, text)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _built(node.operand, variables, used, text)
        if isinstance(node.op, ast.UAdd):
            return inner
        return (lambda values: -inner(values)) if callable(inner) else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        sides = [_built(side, variables, used, text) for side in (node.left, node.right)]
        return _joined(SIGNS[type(node.op)], *sides, text, variables)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node, variables, used, text)
    shown = ast.unparse(node)
    raise _wrong(f"{shown!r} in the formula {text!r}", variables, "leave it out")


def _named(name, variables, used, text):
    if name in variables:
        used.add(name)
        return lambda values: values[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    known = [*variables, *CONSTANTS, *FUNCTIONS]
    fix = did_you_mean(name, known)
    if name in FUNCTIONS:
        fix = f"write {name}({variables[0]})"
    raise _wrong(f"the name {name!r} in the formula {text!r}", variables, fix)


def _called(node, variables, used, text):
    name = node.func.id
    if name not in FUNCTIONS:
        fix = f"write {name} * (...)" if name in variables else did_you_mean(name, FUNCTIONS)
        raise _wrong(f"the function {name!r} in the formula {text!r}", variables, fix)
    if len(node.args) != 1 or node.keywords:
        fix = f"write {name}({variables[0]})"
        raise _wrong(f"{ast.unparse(node)!r} in the formula {text!r}", variables, fix)
    inner, function = _built(node.args[0], variables, used, text), FUNCTIONS[name]
    if callable(inner):
        return lambda values: function(inner(values))
    with np.errstate(all="ignore"):
        numbers = {"ln": np.log}
        value = numbers.get(name, getattr(np, name, None))(inner)
    return _number(value, text, variables)


def _joined(sign, left, right, text, variables):
    if not callable(left) and not callable(right):
        with np.errstate(all="ignore"):
            return _number(sign(np.float64(left), np.float64(right)), text, variables)

    def joined(values):
        a = left(values) if callable(left) else left
        b = right(values) if callable(right) else right
        if sign is np.power:
            return a**b
        if sign is np.divide:
            return a / b
        return a * b if sign is np.multiply else a + b if sign is np.add else a - b

    return joined


def _number(value, text, variables) -> float:
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        came = f"a number in the formula {text!r} is {value}"
        raise _wrong(came, variables, "write finite numbers")
    return value


def _wrong(came, variables, fix) -> OptionError:
    functions = ", ".join(name for name in FUNCTIONS if name != "ln")
    return OptionError(
        came,
        expected=f"a formula of {' and '.join(variables)}: numbers, pi, e, + - * / ** and the "
        f"functions {functions}",
        fix=fix,
    )
