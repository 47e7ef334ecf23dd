import html.parser
import re
import xml.etree.ElementTree as ET

import pytest

import cutaway as ct
from cutaway.diagram import draw
from cutaway.errors import OptionError, RunError
from cutaway.story import write_page
from cutaway.story.formula import Exact, mathml
from cutaway.story.text import Story

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Sum(Story):
    def text(self, width=80):
        return "z = 0.2346 · 1.5 = 0.3519 < 1"

    def to_dict(self):
        return {"w": 0.23456789, "terms": [{"value": 0.351851835}], "g": 3.21234e-5}

    def latex(self):
        return (
            r"\begin{aligned} z &= 0.2346 \cdot 1.5 = 0.3519 \\"
            r"\frac{\partial L}{\partial w} &= 3.212 \times 10^{-5} \end{aligned}"
        )

    def plot(self, axes=None):
        from matplotlib.figure import Figure

        axes = Figure(figsize=(3, 2)).add_subplot() if axes is None else axes
        axes.plot([0, 1], [0, 1])
        axes.set_title("a plot")
        return axes


class Plain(Story):
    def text(self, width=80):
        return "<b> & no formula"

    def to_dict(self):
        return {}


class Reader(html.parser.HTMLParser):
    """Checks that every element is closed, and gathers what a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.found = [], [], []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path):
    drawing = draw(ct.models.mlp((3, 2, 1)), path=[(0, 0), (1, 1), (2, 0)])
    path = tmp_path / "why.html"
    write_page(path, "Why <row> 3", [("The sum", Sum()), Plain()], drawing=drawing, lead="a & b")
    assert list(tmp_path.iterdir()) == [path]
    return path.read_text()


def test_a_drawing_that_fills_the_screen_comes_last(page, tmp_path):
    assert page.index("cutaway-net") < page.index("The sum")
    tall = draw(ct.models.cifar_resnet(20))
    assert tall.height > 1000
    write_page(tmp_path / "deep.html", "Why", [("The sum", Sum())], drawing=tall)
    deep = (tmp_path / "deep.html").read_text()
    assert "<details>" in deep  # folded below the stories
    write_page(tmp_path / "alone.html", "Alone", drawing=tall)
    assert "<details>" not in (tmp_path / "alone.html").read_text()
    assert deep.index("The sum") < deep.index("The network") < deep.index("cutaway-net")


def test_a_page_is_one_file_that_fetches_nothing(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert all(address.startswith("#") for address in reader.fetched)
    assert not {"script", "link", "iframe", "img"} & set(reader.found)
    assert "http://" not in page and "https://" not in page
    assert not re.search(r"url\((?!#)|@import", page)
    assert "default-src 'none'" in page


def test_a_page_shows_the_drawing_the_formula_the_text_and_the_plot(page):
    assert "<h1>Why &lt;row&gt; 3</h1>" in page and "a &amp; b" in page
    assert "highlighted path" in page  # of the drawing's legend
    assert page.index("highlighted path") < page.index("The sum") < page.index("<math")
    assert "<mfrac>" in page and "<h2>Plain</h2>" in page
    assert "&lt;b&gt; &amp; no formula" in page
    assert page.count("<svg") == 2 and "a plot" in page


def test_rounded_numbers_tell_their_exact_values(page):
    assert page.count('title="0.23456789">0.2346<') == 2  # in the formula and in the text
    assert page.count('title="0.351851835">0.3519<') == 2
    assert 'title="3.21234e-05">3.212<' in page
    assert 'title="1.5"' not in page


def test_a_number_that_two_values_round_to_is_left_alone():
    exact = Exact([0.12341, 0.12342, float("nan"), 7])
    assert exact.of("0.1234") is None
    assert exact.of("0.12341") is None  # exact already
    assert exact.of("7.0") is None
    assert exact.mark("<pre title='0.1234'>0.9999</pre>") == "<pre title='0.1234'>0.9999</pre>"
    assert Exact([-0.123456]).mark("-0.1235") == (
        '-<span class="exact" title="0.123456">0.1235</span>'
    )


@pytest.mark.parametrize(
    ("latex", "held"),
    [
        (r"w_{ij}^{(l)}", ["msubsup", "mi"]),
        (r"\frac{\partial L}{\partial \hat{y}}", ["mfrac", "mover"]),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", ["mtable", "mtr", "mtd"]),
        (r"\sum_i w_i \cdot \sqrt{x}", ["munder", "msqrt"]),
    ],
)
def test_formulas_are_typeset(latex, held):
    root = ET.fromstring(mathml(latex))
    tags = {element.tag for element in root.iter()}
    assert root.tag == "math" and set(held) <= tags
    assert "&" not in "".join(root.itertext())


def test_names_in_a_formula_stay_text():
    root = ET.fromstring(mathml(r"x_{\text{a \& <b>}} + \mathrm{softmax}(z)"))
    assert "a & <b>" in "".join(root.itertext()).replace("\xa0", " ")
    assert "softmax" in [element.text for element in root.iter("mi")]


def test_a_formula_that_cannot_be_parsed_is_shown_as_its_source():
    assert mathml(r"a < \frac{") == r"<code>a &lt; \frac{</code>"


def test_a_page_needs_a_folder_and_stories(tmp_path):
    with pytest.raises(RunError, match="no folder"):
        write_page(tmp_path / "none" / "why.html", "t")
    with pytest.raises(OptionError, match="a str among the stories"):
        write_page(tmp_path / "why.html", "t", ["text"])
    with pytest.raises(OptionError, match="drawing is a str"):
        write_page(tmp_path / "why.html", "t", drawing="<svg>")
    assert list(tmp_path.iterdir()) == []
