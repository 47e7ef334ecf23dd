"""CurveCharts: what is drawn lies where the data are, in a terminal and on a page."""

import re

import numpy as np
import pytest

from cutaway.story.curve_axes import curve_axes
from cutaway.story.curve_chart import CurveArrow, CurveChart, CurveDot, CurveLine, round_ticks
from cutaway.story.curve_svg import curve_svg
from cutaway.story.curve_text import curve_text

X = np.linspace(-2, 2, 201)


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (-0.3, 1.1, 4, [0, 0.5, 1]),
        (0, 10, 6, [0, 2, 4, 6, 8, 10]),
        (-250, 240, 5, [-200, -100, 0, 100, 200]),
        (0.0012, 0.0031, 4, [0.0015, 0.002, 0.0025, 0.003]),
    ],
)
def test_ticks_are_round(low, high, most, ticks):
    assert round_ticks(low, high, most) == pytest.approx(ticks)


def test_the_parabola_lies_at_its_ticks_on_the_page():
    chart = CurveChart("t", "x", "y", (CurveLine(X, X**2),), (CurveDot(1.0, 1.0, "one"),))
    svg = curve_svg(chart)
    points = re.search(r'<polyline points="([^"]*)"', svg)[1].split()
    pixels = np.array([p.split(",") for p in points], float)
    ticks = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" [^>]*"(middle|end)"[^>]*>([^<]*)<', svg)
    across = {text: float(x) for x, _, side, text in ticks if side == "middle"}
    up = {text: float(y) - 4 for _, y, side, text in ticks if side == "end"}
    assert pixels[0, 0] == pytest.approx(across["\u22122"], abs=0.11)
    assert pixels[150] == pytest.approx([across["1"], up["1"]], abs=0.11)
    assert pixels[100, 1] == pytest.approx(up["0"], abs=0.11)
    circle = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    k = int(np.abs(X - 1).argmin())
    assert pixels[k] == pytest.approx([float(circle[1]), float(circle[2])], abs=0.11)
    # y grows upwards: the ends are higher than the middle, and equally high
    assert pixels[0, 1] == pixels[-1, 1] < pixels[100, 1]


def test_gaps_and_what_is_outside_are_not_drawn():
    y = np.where(np.abs(X) < 0.5, np.nan, X)
    inside = CurveChart("", "x", "", (CurveLine(X, y),))
    assert curve_svg(inside).count("<polyline") == 2
    cut = CurveChart("", "x", "", (CurveLine(X, X),), y_range=(-1, 1))
    (points,) = re.findall(r'<polyline points="([^"]*)"', curve_svg(cut))
    assert len(points.split()) == int((np.abs(X) <= 1).sum())


def test_text_has_the_curve_in_its_rows_and_columns():
    chart = CurveChart("t", "x", "", (CurveLine([0, 1], [0, 1]),), y_range=(0, 1))
    lines = curve_text(chart, 40, height=11)
    rows = [line.partition("|")[2] for line in lines if "|" in line]
    assert len(rows) == 11 and rows[0].rstrip().endswith("*") and rows[-1].startswith("*")
    firsts = [row.index("*") for row in rows]
    assert firsts == sorted(firsts, reverse=True)
    steep = CurveChart("t", "x", "", (CurveLine(X, np.tanh(50 * X)),))
    rows = [line for line in curve_text(steep, 60) if "|" in line]
    assert sum("*" in row for row in rows) >= 12  # a steep part is filled
    gap = CurveChart("t", "x", "", (CurveLine([-1, -0.01, 0, 0.01, 1], [0, 0, np.nan, 1, 1]),))
    rows = [line for line in curve_text(gap, 60) if "|" in line]
    assert sum("*" in row for row in rows) == 2  # a jump is not


def test_labels_are_escaped_and_arrows_drawn():
    chart = CurveChart("<b>", "x", "", (CurveLine(X, X),), arrows=(CurveArrow(0, 0, 1, 1),))
    svg = curve_svg(chart)
    assert "&lt;b&gt;" in svg and "<b>" not in svg and svg.count("<polygon") == 1
    axes = curve_axes(chart)
    assert axes.get_title() == "<b>" and len(axes.texts) == 1
