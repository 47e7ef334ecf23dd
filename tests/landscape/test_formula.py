"""Formulas that users type: values and gradients against NumPy and by hand; nothing is run."""

import math

import numpy as np
import pytest

from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, ShapeError
from cutaway.landscape import race
from cutaway.landscape.formula import LONGEST, parse_formula
from cutaway.landscape.own_surface import formula_surface, surface_of

X, Y = np.array([0.3, 1.7, 2.0]), np.array([1.2, 0.4, 3.0])
VALUES = {
    "x**2 + y**2": X**2 + Y**2,
    "x^2*y - 3*sin(2*pi*x)": X**2 * Y - 3 * np.sin(2 * np.pi * X),
    "-x**2": -(X**2),
    "2**3**2 * x": 512 * X,
    "2**-1 * x": 0.5 * X,
    "exp(-(x² + y²)/2)": np.exp(-(X**2 + Y**2) / 2),
    "log(x) + ln(y)": np.log(X) + np.log(Y),
    "tanh(y) - abs(x - y)/sqrt(y)": np.tanh(Y) - np.abs(X - Y) / np.sqrt(Y),
    "x**y": X**Y,
    "cos(x) * e": np.cos(X) * np.e,
    "+x - -y": X + Y,
    "1 - 5/2": np.full(3, -1.5),
    "y": Y,
}


@pytest.mark.parametrize("text", VALUES)
def test_values_are_numpys(text):
    with float64():
        found = parse_formula(text)(Tensor(X), Tensor(Y))
    np.testing.assert_allclose(found.numpy(), VALUES[text], rtol=1e-13)


GRADIENTS = [
    ("x**2 + y**2", (2, 1), (4, 2)),
    ("x**2 + y**2", (0, 0), (0, 0)),
    ("x*y**3", (2, -1), (-1, 6)),
    ("sin(x)*exp(y)", (0.5, 0.2), (math.cos(0.5) * math.exp(0.2), math.sin(0.5) * math.exp(0.2))),
    ("log(x)/y", (2, 4), (1 / 8, -math.log(2) / 16)),
    ("sqrt(x) + tanh(y)", (4, 0), (0.25, 1)),
    ("abs(x) - abs(y)", (-2, -3), (-1, 1)),
    ("7", (1, 1), (0, 0)),
]


@pytest.mark.parametrize("case", GRADIENTS, ids=lambda c: f"{c[0]} {c[1]}")
def test_gradients_come_from_the_engine_and_are_right_by_hand(case):
    text, point, expected = case
    assert formula_surface(text, point).gradient(point) == pytest.approx(expected, rel=1e-14)


def test_curvature_of_a_power_at_zero_is_finite():
    found = formula_surface("x**2 + y**4 - 2*y**2", (0, 0)).curvature((0, 0))
    np.testing.assert_allclose(found.eigenvalues, [-4, 2], rtol=1e-13)
    assert found.verdict == "saddle"


def test_a_formula_is_shown_as_people_write_it():
    shown = {text: parse_formula(text).text for text in ("x**2 + 3*y", "2**3**2*x", "x**0.5")}
    assert shown == {"x**2 + 3*y": "x² + 3 y", "2**3**2*x": "2^3² x", "x**0.5": "x^0.5"}


REFUSED = {
    "__import__('os').system('ls')": "in the formula",
    "x.real": "'x.real' in the formula",
    "x[0]": "'x[0]' in the formula",
    "(lambda: 3)()": "in the formula",
    "x if y else 3": "in the formula",
    "'a'": "in the formula",
    "True": "in the formula",
    "1j*x": "'1j' in the formula",
    "[x for x in y]": "in the formula",
    "x // y": "in the formula",
    "z + 1": "the name 'z'",
    "sn(x)": 'did you mean "sin"',
    "sin": r"write sin\(x\)",
    "sin(x, y)": r"write sin\(x\)",
    "x(2)": r"write x \* ",
    "3x": r"write products with \*",
    "((((": "close every bracket",
    "": "has 0 characters",
    "x" * (LONGEST + 1): "at most",
    "9**9**9**9": "is inf",
    "(-8)**0.5 * x": "is nan",
    "log(0)": "is -inf",
    "x\x00": "cannot be read",
}


@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_anything_else_is_refused_with_what_it_is(text):
    with pytest.raises(OptionError, match=REFUSED[text].replace("[0]", r"\[0\]")):
        parse_formula(text)


def test_a_race_on_a_formula_ends_where_the_gradient_is_zero():
    found = race("x**2 + y**2", ["sgd", "adam"], start=(2, 1), steps=300)
    assert {racer.verdict for racer in found.racers} == {"minimum"}
    # 1/λ with λ = 2 leads to the minimum in one step: 2 - 0.5 · 4 = 0
    assert found["sgd"].lr == 0.5 and found["sgd"].reached == 1
    np.testing.assert_array_equal(found["sgd"].points[1], [0, 0])
    text = str(found)
    assert text.startswith("L = x² + y², from (2.00, 1.00), 300 steps.")
    assert "(0, 0)  minimum  eigenvalues 2, 2  sgd, adam" in text
    assert "gradient at the start: ∂L/∂x = 4, ∂L/∂y = 2" in text
    assert '<h1 class="heading">L = x² + y²</h1>' in found.page()
    found.figure().canvas.draw()


def test_the_plot_reaches_beyond_the_start():
    surface = surface_of("x*y", (3.0, -8.0))
    assert surface.x_range == surface.y_range == (-10.0, 10.0)


def test_what_is_no_number_at_the_start_is_an_error():
    with pytest.raises(OptionError, match="is nan"):
        race("log(x) + y", start=(-1, 1))
    with pytest.raises(ShapeError, match="two finite numbers"):
        race("x + y", start=(1,))
    with pytest.raises(OptionError, match='did you mean "ravine"'):
        surface_of("ravin")
