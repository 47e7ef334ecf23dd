"""What objects show in a notebook: one wrapper, the color of the page, ids of their own."""

import re
import sys
import types

import matplotlib.pyplot
import numpy as np
import pytest
from PIL import Image

import cutaway as ct
from cutaway.explain.convolution_views import feature_maps
from cutaway.story.notebook import chart, chart_of, facts, in_notebook, shown, story_parts
from cutaway.story.panels import new_axes, new_figure
from cutaway.story.plot import Plot, side_by_side
from cutaway.supplied import supplied


def ids(html):
    return re.findall(r'\sid="([^"]+)"', html)


def references(html):
    return re.findall(r"url\(#([^)]+)\)", html) + re.findall(r'href="#([^"]+)"', html)


def line_plot():
    plot = Plot("loss", x_label="epoch")
    plot.line([1, 2, 3], [3.0, 2.0, 1.0], color="#2b7bba", label="training")
    return side_by_side([plot])


def drawn_axes():
    axes = new_axes()
    axes.plot([0, 1], [1, 0], marker="o", label="a line")
    axes.legend()
    return axes


@pytest.fixture
def why():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
    return ct.explain(net, [1.0, 2.0, 3.0], [1.0], loss=ct.losses.mean_squared_error)


def test_all_is_wrapped_once_with_a_style_that_reaches_nothing_else():
    html = shown("<p>a</p>", "<p>b</p>")
    assert html.startswith('<div class="cutaway-shown"><style>') and html.count("<div") == 1
    rules = html.partition("<style>")[2].partition("</style>")[0]
    selectors = [s for rule in re.findall(r"([^{}]+)\{", rules) for s in rule.split(",")]
    assert len(selectors) > 20
    assert all(s.strip().startswith(".cutaway-shown") for s in selectors)
    assert html.endswith("<p>a</p><p>b</p></div>")


def test_hostile_names_in_facts_are_texts():
    html = shown(facts([("<b>", "</td><script>")]))
    assert "<script>" not in html and "&lt;b&gt;" in html and "&lt;/td&gt;" in html


@pytest.mark.parametrize(
    "html", [lambda: chart(line_plot()), lambda: chart_of(drawn_axes().figure)]
)
def test_a_chart_takes_the_color_of_the_page_and_has_no_ground(html):
    found = html()
    assert "currentColor" in found
    assert not re.search(r"#000000|\"#000\"|fill: #ffffff|fill=\"#fff\"", found)
    assert "http" not in found


def test_two_equal_charts_share_no_id_and_refer_to_their_own():
    one, two = (chart_of(drawn_axes().figure) for _ in range(2))
    assert references(one) and not set(ids(one)) & set(ids(two))
    for html in (one, two):
        assert len(ids(html)) == len(set(ids(html)))
        assert set(references(html)) == set(ids(html))


def test_plots_show_their_figure_are_saved_and_leave_none_open(tmp_path):
    axes = drawn_axes()
    both = new_figure(4, 2).subplots(1, 2)
    for k, plot in enumerate((axes, axes.figure, both, both[:1])):
        assert plot._repr_html_().count("<svg") == 1
        plot.save(tmp_path / f"{k}.png", dpi=50)
        with Image.open(tmp_path / f"{k}.png") as picture:
            assert picture.size == ((300, 200) if k < 2 else (200, 100))
    assert matplotlib.pyplot.get_fignums() == []


def test_every_kind_of_plot_of_stories_shows_itself(why):
    image = ct.Sequential(ct.Conv2d(1, 3, 3), ct.ReLU(), ct.GlobalAvgPool())
    maps = feature_maps(image, np.ones((6, 6, 1), np.float32), "0")
    plots = [why.forward("0", 0).plot(), why.flow().plot(), maps.plot(), why.attribution().plot()]
    plots += [ct.History([{"epoch": 1, "loss": 2.0}]).plot()]
    for plot in plots:
        assert plot._repr_html_().count("<svg") == 1


def test_a_story_is_typeset_with_exact_values_and_its_plot_and_prints_as_before(why):
    story = why.gradient("0.weight", (1, 0))
    html = story._repr_html_()
    assert html.count("<math") == 1 and html.count("<svg") == 1 and "cutaway-told" in html
    assert repr(story) == story.text()
    exact = re.findall(r'class="exact" title="([^"]+)">([^<]+)<', html)
    assert exact and all(f"{float(long):.4g}" == f"{float(short):.4g}" for long, short in exact)


def test_a_story_without_a_plot_of_its_rows_is_shown_without_one():
    net = ct.Sequential(ct.Conv2d(1, 2, 3), ct.GlobalAvgPool())
    many = ct.attribute(net, np.ones((3, 5, 5, 1), np.float32), target=0)
    assert "<svg" not in story_parts(many, plotted=True)


def test_a_kernel_of_jupyter_is_a_notebook_and_a_terminal_is_none(monkeypatch):
    assert not in_notebook()
    fake = types.ModuleType("IPython")
    fake.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert in_notebook()
    fake.get_ipython = lambda: types.SimpleNamespace()  # IPython's terminal
    assert not in_notebook()
    fake.get_ipython = lambda: None  # imported by another library
    assert not in_notebook()


def test_what_nobody_supplies_is_said():
    with pytest.raises(LookupError, match="'network_song'"):
        supplied("network_song")
