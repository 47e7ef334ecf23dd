"""Reads the arithmetic of a story's text and calculates it again, to the digits printed."""

import ast
import itertools
import math
import re

NUMBER = re.compile(r"(?<![\w.^\]])\d+\.?\d*(?:e[+-]?\d+)?")
NAMES = {
    "ln": math.log,
    "max": max,
    "min": min,
    "sigma": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "relu": lambda z: max(0.0, z),
    "Phi": lambda z: 0.5 * math.erfc(-z / math.sqrt(2)),
    "sqrt": math.sqrt,
    "abs": abs,
    "exp": math.exp,
}
KNOWN = {"σ": "sigma", "Φ": "Phi", "tanh": "tanh", "relu": "relu", "max": "max", "min": "min"}


def as_python(text: str) -> str | None:
    """A side of an equation as Python; None if it is not made of numbers alone."""
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text.strip())
    text = text.replace("²", "**2").replace("·", "*").replace("√", "sqrt ")
    text = re.sub(r"\be\^(-?\d[\d.]*(?:e[+-]?\d+)?)", r"exp(\1)", text)
    text = re.sub(r"\b(ln|sqrt) (-?\d[\d.]*(?:e[+-]?\d+)?)", r"\1(\2)", text)
    text = re.sub(r"\b(ln|sqrt) \(", r"\1(", text).replace("^", "**")
    for sign, name in KNOWN.items():
        text = re.sub(rf"{sign}\(", f"{name}(", text)
    words = set(re.findall(r"[^\W\d_][\w]*", re.sub(r"\d+\.?\d*e[+-]?\d+", "1", text)))
    is_matrix = "[" in text or "]" in text
    return text if text and not is_matrix and words <= set(NAMES) else None


def could_be(text: str) -> tuple:
    """(least, largest) value of a side of an equation, whose numbers are rounded."""
    tree = ast.parse(text, mode="eval")
    constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    written = [text[n.col_offset : n.end_col_offset] for n in constants]
    exact = [float(n.value) for n in constants]

    def value(numbers):
        for node, x in zip(constants, numbers, strict=True):
            node.value = x
        return float(eval(compile(tree, "story", "eval"), {"__builtins__": {}}, NAMES))

    middle = value(exact)
    # first order, with room: each number may be off by half a unit of its last digit
    room = 0.0
    for k, (text_of, x) in enumerate(zip(written, exact, strict=True)):
        for sign in (-1, 1):
            moved = [*exact[:k], x + sign * half_unit(text_of), *exact[k + 1 :]]
            room = max(room, 0.0) + 0.5 * abs(value(moved) - middle) * (1 + 1e-3)
    return middle - 1.05 * room - 1e-12, middle + 1.05 * room + 1e-12


def half_unit(text: str, digits: int = 4) -> float:
    """Half a unit of the last digit that was printed, at least `digits`; 0 of a single digit.

    Zeros at the end are not printed: 0.328 is a number from 0.32795 to 0.32805.
    """
    value = abs(float(text))
    if len(text) == 1 or value == 0:
        return 0.0
    mantissa = text.partition("e")[0].replace(".", "").lstrip("0")
    last = math.floor(math.log10(value)) - max(digits, len(mantissa)) + 1
    return 0.5 * 10.0**last


def equations(story: str):
    """(left, right) of neighboring sides of equations that are made of numbers alone."""
    joined = re.sub(r"\n\s+(?=[=·+] )", " ", story)  # continued lines
    joined = re.sub(r"\n\s{2,}(?=[-(\d]\S* [·+-])", " ", joined)
    for line in joined.split("\n"):
        line = re.split(r", (?:because|the |softmax|slope)", line)[0]
        line = line.split(": ")[-1] if ": w" in line else line
        sides = [as_python(side) for side in re.split(r"\s+=\s+", line)]
        for left, right in itertools.pairwise(sides):
            if left is not None and right is not None:
                yield left, right


def check(story: str) -> int:
    """Assert that all equations of a story hold to their digits; the number of them."""
    count = 0
    for left, right in equations(story):
        low, high = could_be(left)
        least, largest = could_be(right)
        assert low <= largest and least <= high, f"{left} = {right}\nin\n{story}"
        count += 1
    return count
