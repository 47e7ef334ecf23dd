"""Formulas that break into lines: nothing is lost, and lines break where a person would."""

import re
import xml.etree.ElementTree as ET

import pytest

from cutaway.story.formula import Exact, mathml
from cutaway.story.formula_lines import formula_lines


def texts(html: str) -> str:
    return re.sub(r"\s", "", "".join(ET.fromstring(html).itertext()))


def terms(html: str) -> list[str]:
    spans = (e for e in ET.fromstring(html).iter("span") if e.get("class") == "term")
    return [re.sub(r"\s", "", "".join(e.itertext())) for e in spans]


@pytest.mark.parametrize(
    "latex",
    [
        r"z = a \cdot (-0.5) + b \cdot c - d",
        r"\frac{\partial L}{\partial w} = \frac{\partial L}{\partial z} \cdot x + \ldots = 0.5",
        r"\begin{aligned} z &= 0.2 \cdot 1.5 = 0.3 \\ w &= 3.2 \times 10^{-5} \end{aligned}",
        r"\sum_i w_i x_i + \sqrt{a + b}",
    ],
)
def test_a_formula_in_lines_says_what_the_formula_says(latex):
    assert texts(formula_lines(latex)) == texts(mathml(latex))


def test_a_term_begins_at_a_relation_or_a_sum_sign():
    found = terms(formula_lines(r"z = a \cdot (-2) + b - (c + d) = 5"))
    assert found == ["z", "=a·(−2)", "+b", "−(c+d)", "=5"] or found == [
        "z", "=a⋅(−2)", "+b", "−(c+d)", "=5",
    ]  # fmt: skip


def test_the_sign_of_a_number_is_no_sum():
    assert terms(formula_lines("z = -a + b")) == ["z", "=−a", "+b"]


def test_a_term_breaks_between_its_factors():
    html = formula_lines(r"a \cdot b \cdot c")
    assert len(terms(html)) == 1 and html.count("<math") == 3


def test_an_operator_at_the_beginning_of_a_line_keeps_its_space():
    found = ET.fromstring(formula_lines("z = a + b"))
    signs = [e for e in found.iter("mo") if (e.text or "") in "=+"]
    assert len(signs) == 2 and all(e.get("form") == "infix" for e in signs)


def test_lines_of_equations_stand_below_each_other_and_a_matrix_stays_whole():
    lines = formula_lines(r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}")
    assert lines.count('class="equation"') == 2 and "mtable" not in lines
    matrix = formula_lines(r"z = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} + b")
    assert matrix.count("<mtable") == 1
    alone = formula_lines(r"\begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix}")
    assert alone.count("<mtable") == 1 and "equation" not in alone


def test_exact_values_stay_behind_the_numbers():
    html = formula_lines(r"z = 0.1235 + 1", Exact({"z": 0.123456789}))
    assert 'title="0.123456789">0.1235<' in html


def test_what_cannot_be_parsed_is_shown_as_its_source():
    assert formula_lines(r"\frac{") == r'<div class="formula"><code>\frac{</code></div>'
