"""Terms: an optimizer's update of one weight, written out term by term.

Besides `update`, which works on a whole array, an optimizer has `terms`, the same algorithm for one
element. It is a generator that yields (symbol, formula, meaning) in the order of the calculation
and receives the result under that symbol:

    def terms(self, w, g, v):
        v = yield "v", constant("β", self.beta) * v + g, "velocity"
        yield "w", w - self.eta * v, "the new weight"

The formula is ordinary arithmetic on Quantities, which record how they were computed, so the
symbols, the numbers and the LaTeX come from the same line.
"""

import dataclasses
import math

import numpy as np

SUM, PRODUCT, POWER, ATOM = range(4)  # in order of precedence

LATEX = {
    "η": r"\eta",
    "η₀": r"\eta_0",
    "η_eff": r"\eta_\mathrm{eff}",
    "β": r"\beta",
    "β₁": r"\beta_1",
    "β₂": r"\beta_2",
    "ε": r"\varepsilon",
    "λ": r"\lambda",
    "λ₀": r"\lambda_0",
    "f_λ": r"f_\lambda",
    "s_λ": r"s_\lambda",
    "ρ": r"\rho",
    "μ": r"\mu",
    "μ₊": r"\mu_+",
    "ψ": r"\psi",
    "τ": r"\tau",
    "m̂": r"\hat{m}",
    "v̂": r"\hat{v}",
    "Δ": r"\Delta",
    "E[g²]": r"E[g^2]",
    "E[Δ²]": r"E[\Delta^2]",
    "‖g‖": r"\Vert g\Vert",
    "√(Σ g²)": r"\sqrt{\sum g^2}",
}


class Quantity:
    """A number and how it was computed. Made by `named`, `constant` and arithmetic.

    Attributes:
        value: the number, float64.
        symbol: its name in formulas; None for a literal number or a result.
        kind, parts: the operation that computed it, and its operands (Quantities).
        fixed: computed from options only; shown evaluated, such as 0.1 for 1 - β₁.
        digits: significant digits of its value in formulas.
    """

    def __init__(self, value, symbol=None, *, kind=None, parts=(), fixed=False, digits=4):
        self.value = np.float64(value)
        self.symbol = symbol
        self.kind = kind
        self.parts = parts
        self.fixed = fixed
        self.digits = digits

    def __add__(self, other):
        return _made("+", self, other)

    def __radd__(self, other):
        return _made("+", other, self)

    def __sub__(self, other):
        return _made("-", self, other)

    def __rsub__(self, other):
        return _made("-", other, self)

    def __mul__(self, other):
        return _made("*", self, other)

    def __rmul__(self, other):
        return _made("*", other, self)

    def __truediv__(self, other):
        return _made("/", self, other)

    def __rtruediv__(self, other):
        return _made("/", other, self)

    def __pow__(self, other):
        return _made("^", self, other)

    def __rpow__(self, other):
        return _made("^", other, self)

    def __neg__(self):
        return _made("neg", self)

    def __repr__(self):
        return f"{self.text()} = {self.value:.6g}"

    def rounded(self, digits: int) -> "Quantity":
        """The same formula of its numbers as `digits` significant digits show them.

        Example:
            >>> from cutaway.optim.terms import named
            >>> found = named("a", 0.50408) - named("b", 0.5)
            >>> found.rounded(4)
            a - b = 0.0041
        """
        digits = max(digits, self.digits)
        if self.kind is not None and not self.fixed:
            parts = [part.rounded(digits) for part in self.parts]
            return _made(self.kind, *parts)
        shown = float(f"{self.value:.{digits}g}")
        return Quantity(
            shown, self.symbol, kind=self.kind, parts=self.parts, fixed=self.fixed, digits=digits
        )

    def text(self, *, numbers: bool = False) -> str:
        """The formula in symbols, or with their values."""
        return _render(self, numbers, latex=False)[0]

    def latex(self, *, numbers: bool = False) -> str:
        """The formula in LaTeX."""
        return _render(self, numbers, latex=True)[0]


def named(symbol: str, value, *, digits: int = 4) -> Quantity:
    """A number with a symbol in formulas.

    Example:
        >>> from cutaway.optim.terms import named
        >>> w, g = named("w", 2.5), named("g", 0.004)
        >>> w - 0.5 * g
        w - 0.5 g = 2.498
        >>> (w - 0.5 * g).text(numbers=True)
        '2.5 - 0.5 · 0.004'
    """
    return Quantity(value, symbol, digits=digits)


def constant(symbol: str, value) -> Quantity:
    """An option of the optimizer; expressions of options alone are shown evaluated.

    Example:
        >>> from cutaway.optim.terms import constant, named
        >>> beta, g = constant("β", 0.9), named("g", 3)
        >>> ((1 - beta) * g).text(), ((1 - beta) * g).text(numbers=True)
        ('(1 - β) g', '0.1 · 3')
    """
    return Quantity(value, symbol, fixed=True)


def sqrt(x) -> Quantity:
    return _made("√", x)


def function(kind: str, *arguments) -> Quantity:
    """exp, ln, abs, σ, Φ (the normal distribution function), min or max of quantities.

    Example:
        >>> from cutaway.optim.terms import function, named
        >>> z = named("z", 0.5)
        >>> 1 / (1 + function("exp", -z))
        1 / (1 + e^-z) = 0.622459
    """
    return _made(kind, *arguments)


def grouped(x) -> Quantity:
    """The same in brackets: (a - b) + (c - d), the terms of a sum that belong together.

    Example:
        >>> from cutaway.optim.terms import grouped, named
        >>> grouped(named("a", 3) - named("b", 1)) + named("c", 2)
        (a - b) + c = 4
    """
    return _made("()", x)


def smaller(a, b) -> Quantity:
    return _made("min", a, b)


def larger(a, b) -> Quantity:
    return _made("max", a, b)


@dataclasses.dataclass(frozen=True)
class FormulaStep:
    """One line of the calculation.

    Attributes:
        symbol: what is computed.
        formula: how, in symbols: "β₁ m + (1 - β₁) g".
        numbers: the same with the values of this step: "0.9 · 0.012 + 0.1 · 0.034".
        latex, latex_symbol, latex_numbers: the three above in LaTeX.
        value: the result.
        meaning: what it is, in a few words.
        replaces: whether it takes the place of an older value of the same symbol.
    """

    symbol: str
    formula: str
    numbers: str
    latex_symbol: str
    latex: str
    latex_numbers: str
    value: float
    meaning: str
    replaces: bool


def spell(steps, known, *, digits: int = 4) -> list:
    """The FormulaSteps of a generator like `Optimizer.terms`.

    Args:
        known: symbols that have a value already.
        digits: significant digits of w.
    """
    terms, known, result = [], set(known), None
    with np.errstate(all="ignore"):  # an infinite gradient can be written out too
        while True:
            try:
                symbol, quantity, meaning = steps.send(result)
            except StopIteration:
                return terms
            terms.append(
                FormulaStep(
                    symbol=symbol,
                    formula=quantity.text(),
                    numbers=quantity.text(numbers=True),
                    latex_symbol=_latex_symbol(symbol),
                    latex=quantity.latex(),
                    latex_numbers=quantity.latex(numbers=True),
                    value=float(quantity.value),
                    meaning=meaning,
                    replaces=symbol in known,
                )
            )
            known.add(symbol)
            result = named(symbol, quantity.value, digits=digits if symbol == "w" else 4)


_COMPUTE = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "neg": np.negative,
    "√": np.sqrt,
    "()": np.positive,
    "min": np.minimum,
    "max": np.maximum,
    "exp": np.exp,
    "ln": np.log,
    "abs": np.abs,
    "σ": lambda z: 1 / (1 + np.exp(-z)),
    "Φ": lambda z: np.float64(0.5 * math.erfc(-z / math.sqrt(2))),
}


def _made(kind, *parts):
    parts = tuple(p if isinstance(p, Quantity) else Quantity(p, fixed=True) for p in parts)
    value = _COMPUTE[kind](*(p.value for p in parts))
    return Quantity(value, kind=kind, parts=parts, fixed=all(p.fixed for p in parts))


def _render(q, numbers, latex) -> tuple[str, int]:
    """(formula, its precedence)."""
    if q.kind is None and q.symbol is not None and not numbers:
        return (_latex_symbol(q.symbol) if latex else q.symbol), ATOM
    if q.kind is None or (numbers and q.fixed):
        return _number(q.value, q.digits, latex)
    inner = [_render(part, numbers, latex) for part in q.parts]

    def part(k, least):
        text, rank = inner[k]
        if rank >= least:
            return text
        return rf"\left({text}\right)" if latex else f"({text})"

    if q.kind == "()":
        return part(0, ATOM), ATOM
    if q.kind in "+-":
        return f"{part(0, SUM)} {q.kind} {part(1, PRODUCT)}", SUM
    if q.kind == "neg" and numbers and q.parts[0].kind is None:
        return _number(q.value + 0.0, q.parts[0].digits, latex)
    if q.kind == "neg":
        return f"-{part(0, PRODUCT)}", SUM
    if q.kind == "*":
        left, right = part(0, PRODUCT), part(1, PRODUCT)
        dot = r" \cdot " if latex else " · "
        return f"{left}{dot if numbers or right[0].isdigit() else ' '}{right}", PRODUCT
    if q.kind == "/":
        if latex:
            return rf"\frac{{{inner[0][0]}}}{{{inner[1][0]}}}", PRODUCT
        left = inner[0][0] if " " not in inner[0][0] else part(0, PRODUCT)  # -1 / p
        return f"{left} / {part(1, POWER)}", PRODUCT
    if q.kind == "^":
        if latex:
            return f"{part(0, ATOM)}^{{{inner[1][0]}}}", POWER
        return part(0, ATOM) + ("²" if inner[1][0] == "2" else f"^{part(1, ATOM)}"), POWER
    if q.kind == "√":
        return (rf"\sqrt{{{inner[0][0]}}}" if latex else f"√{part(0, ATOM)}"), ATOM
    if q.kind == "exp":
        return (f"e^{{{inner[0][0]}}}" if latex else f"e^{_exponent(*inner[0])}"), POWER
    if q.kind == "abs":
        return (rf"\left|{inner[0][0]}\right|" if latex else f"|{inner[0][0]}|"), ATOM
    if q.kind == "ln":
        return rf"\ln {part(0, ATOM)}" if latex else f"ln {part(0, ATOM)}", PRODUCT
    if q.kind in ("σ", "Φ"):
        name = {"σ": r"\sigma", "Φ": r"\Phi"}[q.kind] if latex else q.kind
        return f"{name}({inner[0][0]})", ATOM
    listed = ", ".join(text for text, _ in inner)
    return (rf"\{q.kind}\left({listed}\right)" if latex else f"{q.kind}({listed})"), ATOM


def _exponent(text, rank) -> str:
    """An exponent in a line of text: a sign alone needs no brackets, e^-2."""
    return text if rank == ATOM or " " not in text else f"({text})"


def _number(value, digits, latex) -> tuple[str, int]:
    text = f"{value:.{digits}g}"
    rank = ATOM if value >= 0 else SUM  # -0.1 is put in brackets inside a formula
    if not latex or "e" not in text:
        return text, rank
    mantissa, exponent = text.split("e")
    power = f"10^{{{int(exponent)}}}"
    if mantissa == "1":
        return power, POWER
    return rf"{mantissa} \cdot {power}", min(rank, PRODUCT)


def _latex_symbol(symbol: str) -> str:
    if symbol in LATEX:
        return LATEX[symbol]
    if len(symbol) == 1:
        return symbol
    return rf"\mathrm{{{symbol}}}".replace(" ", r"\ ")
