"""Texts of stories as HTML: nothing that is said is lost, and columns become columns."""

import re
from html import unescape

import numpy as np
import pytest

import cutaway as ct
from cutaway.story.text import align
from cutaway.story.told_html import ACROSS, symbols, told_html


def words(html: str) -> str:
    """All that is written, without spaces and the signs of indices."""
    return re.sub(r"[\s_^()]", "", unescape(re.sub(r"<[^>]*>", "", html)))


def rows_of(html: str) -> list[list[str]]:
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def test_aligned_lines_become_a_table_with_numbers_to_the_right():
    rows = [["layer", "off", "factor"], ["1", "12.5%", "-0.5"], ["10", "0%", "1e-07"]]
    html = told_html("\n".join(align(rows, ">>>")))
    assert rows_of(html) == rows
    assert html.count("<th ") == 3 and html.count('class="n"') == 9


def test_a_cell_that_is_empty_stays_empty():
    html = told_html("a  1  2\nb     3\nc  4")
    assert rows_of(html) == [["a", "1", "2"], ["b", "", "3"], ["c", "4", ""]]


def test_rows_of_signs_become_bars_of_their_lengths_that_tell_their_sign():
    html = told_html("a   2  ++++++++\nb  -1  ----")
    widths = [int(width) for width in re.findall(r'<svg [^>]*width="(\d+)"', html)]
    assert widths[0] == 2 * widths[1]
    assert re.findall(r'aria-label="(\w+)"', html) == ["raises", "lowers"]
    assert html.count("stroke-dasharray") == 1  # not by color alone


def test_a_sentence_after_a_table_is_none_of_its_rows():
    html = told_html("a  1\nb  2\nFrom a to b it is 2.")
    assert html.count("<tr>") == 2 and "<p>From a to b it is 2.</p>" in html


def test_matrices_keep_their_columns():
    text = "z = W x\n  [ 1 ]   [ 0.5  1 ]   [ 2 ]\n  [ 2 ] = [   1  0 ] · [ 0 ]"
    assert text.partition("\n")[2] in told_html(text)


def test_what_could_be_a_tag_is_text():
    assert "<b>" not in told_html("<b>  1\n<i>  2") and "&lt;b&gt;" in told_html("<b>  1\n<i>  2")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("w_3,118^(1)", "w<sub>3,118</sub><sup>(1)</sup>"),
        ("∂z_1^(2)/∂O_1", "∂z<sub>1</sub><sup>(2)</sup>/∂O<sub>1</sub>"),
        ("1 / (1 + e^(-1.352))", "1 / (1 + e<sup>-1.352</sup>)"),
        ("e^z_2", "e<sup>z<sub>2</sub></sup>"),
        ("binary_cross_entropy of runs_2/x_ray", "binary_cross_entropy of runs_2/x_ray"),
        ("a -> b < c", "a → b &lt; c"),
    ],
)
def test_indices_and_powers_are_set_and_names_are_not(text, html):
    assert symbols(text) == html


def test_nothing_that_stories_tell_is_lost_in_their_html():
    rng = np.random.default_rng(0)
    net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 2), ct.Softmax())
    loss = ct.losses.sparse_categorical_cross_entropy
    why = ct.explain(net, rng.normal(size=3), np.array(1), loss=loss)
    for story in (why.forward("2", 1), why.losses(), why.flow(), why.layer("0")):
        text = story.text(ACROSS)
        kept = "\n".join(line for line in text.split("\n") if "[" not in line)  # matrices: typeset
        shown = words(re.sub(r"<title>.*?</title>|<svg.*?</svg>", "", story.html(), flags=re.S))
        for line in kept.split("\n"):
            said = words(line.replace("<-", "←").replace("->", "→").removesuffix(":"))
            assert said.removeprefix("!") in shown, line
