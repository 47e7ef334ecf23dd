"""Plots as SVG: what is drawn lies where the data are."""

import math
import re

import numpy as np
import pytest

from cutaway.story.plot import Plot, side_by_side
from cutaway.story.svg import text_width

RED, BLUE = "#ff0000", "#0000ff"


def lines(svg, color):
    """The points (n, 2) of each line of a color."""
    found = re.findall(rf'<polyline points="([^"]*)" fill="none" stroke="{color}"', svg)
    return [np.array([p.split(",") for p in points.split()], float) for points in found]


def labels(svg) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def places(svg, side) -> dict[float, float]:
    """{value: position} of the ticks below ("middle") or at the left ("end")."""
    which = 1 if side == "middle" else 2
    texts = re.findall(rf'<text x="([^"]*)" y="([^"]*)" text-anchor="{side}"[^>]*>([^<]*)<', svg)
    numbers = {text[2].replace("\u2212", "-"): float(text[which - 1]) for text in texts}
    return {float(k): v for k, v in numbers.items() if re.fullmatch(r"-?[\d.e+-]+", k)}


def test_points_lie_at_their_ticks():
    plot = Plot("t")
    plot.line([-2, 0, 4], [10, 30, -10], color=RED)
    svg = side_by_side([plot])
    (line,) = lines(svg, RED)
    across, up = places(svg, "middle"), places(svg, "end")
    for (x, y), (px, py) in zip([(-2, 10), (0, 30), (4, -10)], line, strict=True):
        assert px == pytest.approx(across[x], abs=0.02)
        assert py + 3.8 == pytest.approx(up[y], abs=0.02)  # the baseline of the text


def test_a_decade_is_as_high_as_the_next_on_a_logarithmic_axis():
    plot = Plot(log_y=True)
    plot.line([1, 2, 3, 4], [0.001, 0.1, 10, 0], color=RED)
    (line,) = lines(side_by_side([plot]), RED)
    assert len(line) == 3  # 0 has no logarithm
    assert np.diff(line[:, 1]) == pytest.approx(np.full(2, line[1, 1] - line[0, 1]), abs=0.02)
    assert line[0, 1] > line[1, 1]


def test_nan_leaves_a_gap():
    plot = Plot()
    plot.line([0, 1, 2, 3, 4], [1, 2, math.nan, 4, 5], color=RED)
    assert [len(line) for line in lines(side_by_side([plot]), RED)] == [2, 2]


def test_bars_stand_on_zero_and_their_areas_are_the_counts():
    counts = np.array([3, 1, 0, 4])
    plot = Plot()
    plot.bars([0, 1, 2, 3, 4], counts, color=RED)
    svg = side_by_side([plot])
    found = re.findall(rf'y="([^"]*)" width="([^"]*)" height="([^"]*)" fill="{RED}"', svg)
    y, width, height = np.array(found, float).T
    np.testing.assert_allclose(y + height, places(svg, "end")[0] - 3.8, atol=0.02)
    np.testing.assert_allclose(height * width / (height * width).sum(), counts / 8, atol=1e-3)


def test_whole_axes_have_no_fractions():
    plot = Plot(integer_x=True)
    plot.line([1, 2, 3], [0.5, 0.25, 0.125], color=RED)
    assert [*places(side_by_side([plot]), "middle")] == [1, 2, 3]


def test_a_legend_stands_above_all_that_is_drawn():
    plot = Plot("t")
    x = np.linspace(0, 1, 60)
    plot.line(x, x, color=RED, label="rising")
    plot.line(x, 1 - x, color=RED, label="a second line whose name is so long that it needs a row")
    svg = side_by_side([plot])
    rising, falling, first, second = lines(svg, RED)
    assert len(rising) == len(falling) == 60
    assert first[:, 1].max() < second[:, 1].min() < min(rising[:, 1].min(), falling[:, 1].min()) - 5


def test_panels_beside_each_other_have_their_axes_at_one_height():
    one, two = Plot("one"), Plot("two")
    for plot, label in ((one, "a"), (two, None)):
        plot.line([0, 1], [0, 1], color=RED, label=label)
    drawn = [line for line in lines(side_by_side([one, two]), RED) if len(line) == 2]
    sloped = [line for line in drawn if np.ptp(line[:, 1]) > 0]
    np.testing.assert_allclose(sloped[0][:, 1], sloped[1][:, 1])


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_panel_is_a_picture_of_its_own_so_that_they_wrap(count):
    plot = Plot("loss")
    plot.line([1, 2], [1.0, 2.0], color=RED)
    html = side_by_side([plot] * count, width=100, height=50)
    assert html.count("<svg") == count == html.count('viewBox="0 0 100 50"')
    assert "flex-wrap:wrap" in html


def test_axes_and_texts_take_the_color_of_the_page_and_nothing_hides_its_background():
    plot = Plot("t", x_label="x", y_label="y")
    plot.line([0, 1], [0, 1], color=RED, label="a")
    plot.bars([0, 1, 2], [1, 2], color=BLUE)
    svg = side_by_side([plot])
    colors = set(re.findall(r'(?:fill|stroke)="(?!none)([^"]*)"', svg))
    assert colors == {RED, BLUE, "currentColor"}
    assert svg.count("<text") == svg.count('fill="currentColor">') + svg.count(
        'fill="currentColor" transform'
    )


def test_counts_have_integer_ticks():
    plot = Plot(integer_y=True)
    plot.bars([0, 1, 2, 3], [1, 2, 1], color=RED)
    assert {*places(side_by_side([plot]), "end")} == {0, 1, 2}


def test_labels_of_ticks_end_where_the_picture_ends():
    plot = Plot(x_ticks={0: "2001-01-01", 1: "2001-01-02 00:00"})
    plot.line([0, 1], [0, 1], color=RED)
    svg = side_by_side([plot], width=200)
    (x,) = re.findall(r'<text x="([^"]*)"[^>]*>2001-01-02 00:00<', svg)
    assert float(x) + text_width("2001-01-02 00:00", 10) / 2 <= 200


@pytest.mark.parametrize("values", [[], [2.0], [math.nan], [5e8, 6e8], [1e-9, 3e-9]])
def test_ticks_are_few_and_finite_for_any_data(values):
    plot = Plot()
    plot.points(range(len(values)), values, color=RED)
    svg = side_by_side([plot])
    assert "nan" not in svg and "inf" not in svg
    assert 1 <= len(places(svg, "end")) <= 9


def test_texts_are_escaped():
    plot = Plot("<b>&", x_label="a<b")
    plot.line([0, 1], [0, 1], color=RED, label="<i>")
    assert {"&lt;b&gt;&amp;", "a&lt;b", "&lt;i&gt;"} <= set(labels(side_by_side([plot])))


def test_axes_of_proportions_go_from_0_to_1_whatever_the_data():
    plot = Plot("t", unit=True)
    plot.line([0.4, 0.5], [0.5, 0.4], color=RED)
    svg = side_by_side([plot])
    across, up = places(svg, "middle"), places(svg, "end")
    for ticks in (across, up):
        assert min(ticks) == 0 and max(ticks) == 1
    (line,) = lines(svg, RED)
    assert line[0, 0] == pytest.approx(across[0] + 0.4 * (across[1] - across[0]), abs=0.05)
    assert line[0, 1] + 3.8 == pytest.approx((up[0] + up[1]) / 2, abs=0.05)
