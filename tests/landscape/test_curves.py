"""Curves of activations, losses and weights: against NumPy, PyTorch's formulas and by hand."""

import json
import math
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.landscape import activation_curve, curve_points, loss_curve, weight_curve
from cutaway.landscape.activation_slopes import activation_named, activation_names
from cutaway.landscape.loss_slopes import curve_losses
from cutaway.story import write_page

E = math.e
SIGMOID_2 = 1 / (1 + math.exp(-2))

# (name, options, z, value, slope), by hand
ACTIVATIONS = [
    ("sigmoid", {}, 0, 0.5, 0.25),
    ("sigmoid", {}, 2, SIGMOID_2, SIGMOID_2 * (1 - SIGMOID_2)),
    ("tanh", {}, 1, math.tanh(1), 1 - math.tanh(1) ** 2),
    ("relu", {}, -2, 0, 0),
    ("relu", {}, 3, 3, 1),
    ("leaky_relu", {}, -2, -0.02, 0.01),  # the slope is 0.01, not 0.01 · z
    ("leaky_relu", {"slope": 0.2}, -2, -0.4, 0.2),
    ("prelu", {}, -2, -0.5, 0.25),
    ("threshold", {}, -1, 0, 0),
    ("threshold", {}, 1, 1, 0),
    ("elu", {}, -1, 1 / E - 1, 1 / E),
    ("softplus", {}, 0, math.log(2), 0.5),
    ("softmax", {}, 2, SIGMOID_2, SIGMOID_2 * (1 - SIGMOID_2)),  # of (z, 0) it is σ(z)
    ("hard_sigmoid", {}, 1, 4 / 6, 1 / 6),
    ("linear", {}, -3, -3, 1),
]


@pytest.mark.parametrize("case", ACTIVATIONS, ids=lambda c: f"{c[0]} {c[2]}")
def test_an_activation_and_its_slope_are_right_by_hand(case):
    name, options, z, value, slope = case
    assert activation_curve(name, **options).at(z) == pytest.approx((value, slope), rel=1e-12)


@pytest.mark.parametrize("name", activation_names())
def test_slopes_are_central_differences_and_within_what_is_declared(name):
    curve = activation_curve(name)
    z, h = curve.z, curve.z[1] - curve.z[0]
    central = (curve.values[2:] - curve.values[:-2]) / (2 * h)
    # not at a kink, nor at the step of the threshold
    smooth = (np.abs(np.diff(curve.slopes, 2)) < 1e-3) & (np.abs(np.diff(central, append=0)) < 1)
    smooth &= np.abs(central) < 10
    np.testing.assert_allclose(curve.slopes[1:-1][smooth], central[smooth], atol=2e-4)
    assert np.abs(curve.slopes).max() <= curve.activation.largest_slope + 1e-4
    low, high = curve.activation.range
    assert low - 1e-5 <= curve.values.min() and curve.values.max() <= high + 1e-5
    assert len(z) == len(curve.values) == len(curve.slopes)
    assert max(map(len, str(curve).splitlines())) <= 80
    json.dumps(curve.to_dict())


def test_remarks_follow_from_the_slopes():
    def remarks(name):
        return " ".join(activation_curve(name).sentences())

    # 0.05 of 1/4: σ (1 - σ) = 0.0125 at z = ln(σ / (1 - σ)) = ±4.357
    assert "z ≤ -4.36 and z ≥ 4.36" in remarks("sigmoid")
    assert f"0.25^10 = {0.25**10:.4g}: it vanishes" in remarks("sigmoid")
    assert "exactly 0 for z ≤ 0" in remarks("relu")
    assert "exactly 0 for z ≤ 0 and z ≥ 6" in remarks("relu6")
    assert "For large z its slope is 1" not in remarks("relu6")
    assert "its value is -0.02 and its slope 0.01, not 0" in remarks("leaky_relu")
    assert "0 wherever it exists" in remarks("threshold")
    for name in ("leaky_relu", "prelu", "elu"):
        assert "saturates" not in remarks(name) and "exactly 0" not in remarks(name)


# (losses, y, options, ŷ, L, slope), by hand
LOSSES = [
    ("mse", 21, {}, 24, 9, 6),  # (21 - 24)², 2 (24 - 21)
    ("mae", 0, {}, -2, 2, -1),
    ("huber", 0, {"delta": 1.0}, 0.5, 0.125, 0.5),
    ("huber", 0, {"delta": 1.0}, 3, 2.5, 1),
    ("huber", 0, {"delta": 2.0}, 3, 2 * (3 - 1), 2),
    ("smooth_l1", 0, {"beta": 2.0}, 1, 0.25, 0.5),
    ("bce", 1, {}, 0.1, -math.log(0.1), -10),
    ("bce", 0, {}, 0.1, -math.log(0.9), 1 / 0.9),
    ("binary_cross_entropy_with_logits", 1, {}, 2, -math.log(SIGMOID_2), SIGMOID_2 - 1),
    ("categorical_cross_entropy", None, {}, 0.7, -math.log(0.7), -1 / 0.7),
    ("cross_entropy", None, {}, 2, math.log(E**2 + 2) - 2, E**2 / (E**2 + 2) - 1),
    ("hinge", 1, {}, -2, 3, -1),
    ("squared_hinge", 1, {}, 0, 1, -2),
]


@pytest.mark.parametrize("case", LOSSES, ids=lambda c: f"{c[0]} {c[3]}")
def test_a_loss_and_its_slope_are_right_by_hand(case):
    name, y, options, prediction, loss, slope = case
    curve = loss_curve(name, y=y, **options)
    k = int(np.abs(curve.predictions - prediction).argmin())
    assert curve.predictions[k] == pytest.approx(prediction, abs=1e-9)
    (line,) = curve.lines
    assert (line.values[k], line.slopes[k]) == pytest.approx((loss, slope), rel=1e-9)


def test_the_mean_absolute_error_is_convex_and_has_a_kink():
    (line,) = loss_curve("mae").lines
    assert line.is_convex and line.kink == (-1, 0, 1)
    text = str(loss_curve("mae"))
    assert "It is convex" in text and "jumps from -1 to 1" in " ".join(text.split())
    assert loss_curve("mse").lines[0].kink == pytest.approx((-2e-6, 0, 2e-6), abs=1e-12)


def test_outliers_are_punished_by_squares_alone():
    text = " ".join(str(loss_curve(["mse", "mae", "huber"])).split())
    assert "An error of 3 costs 9 times as much as one of 1; its slope is 3 times" in text
    assert "costs 3 times as much as one of 1; its slope is the same" in text
    assert "costs 5 times as much" in text  # 2.5 / 0.5


@pytest.mark.parametrize("name", curve_losses())
def test_every_loss_has_a_curve_of_80_columns_with_the_engines_slope(name):
    curve = loss_curve(name)
    assert max(map(len, str(curve).splitlines())) <= 80
    x = curve.predictions
    for line in curve.lines:
        central = (line.values[2:] - line.values[:-2]) / (x[2:] - x[:-2])
        smooth = np.abs(np.diff(line.slopes, 2)) < 1e-2 * max(1, np.abs(line.slopes[1:-1]).min())
        scale = max(1.0, np.abs(central[smooth]).max())
        if curve.output != "probability" or curve.target not in ("labels", "one_hot"):
            np.testing.assert_allclose(line.slopes[1:-1][smooth], central[smooth],
                                       atol=2e-2 * scale)  # fmt: skip


def test_losses_of_different_kinds_and_unknown_options_are_errors():
    with pytest.raises(OptionError, match="different outputs or targets"):
        loss_curve(["mse", "bce"])
    with pytest.raises(OptionError, match="no option 'delte'"):
        loss_curve("huber", delte=2.0)
    with pytest.raises(OptionError, match="unknown loss"):
        loss_curve("hubr")
    with pytest.raises(OptionError, match="no option 'slope'"):
        activation_curve("sigmoid", slope=1.0)
    with pytest.raises(OptionError, match='did you mean "sigmoid"'):
        activation_named("sigmod")


def network():
    net = ct.Sequential(ct.Linear(2, 2), ct.Sigmoid(), ct.Linear(2, 1))
    net[0].weight.data = net[0].weight.data * 0 + np.array([[0.1, -0.4], [0.5, 0.3]], np.float32)
    net[2].weight.data = net[2].weight.data * 0 + np.array([[0.7], [-0.2]], np.float32)
    return net


X, Y = np.array([[0.6, 0.8]]), np.array([[2.0]])


def by_hand(w11):
    w1 = np.array([[w11, -0.4], [0.5, 0.3]]).astype(np.float32).astype(float)
    w1[0, 0] = w11
    w2 = np.array([[0.7], [-0.2]], np.float32).astype(float)
    hidden = 1 / (1 + np.exp(-(X @ w1)))
    y_hat = (hidden @ w2).item()
    slope = 2 * (y_hat - 2) * w2[0, 0] * hidden[0, 0] * (1 - hidden[0, 0]) * 0.6
    return (y_hat - 2) ** 2, slope


def test_the_curve_of_a_weight_its_tangent_and_the_step_are_those_of_numpy():
    net = network()
    curve = weight_curve(net, X, Y, loss=ct.losses.mean_squared_error, path="0.weight",
                         index=(0, 0), lr=0.5)  # fmt: skip
    w = float(np.float32(0.1))
    loss, slope = by_hand(w)
    assert (curve.weight, curve.loss, curve.slope) == pytest.approx((w, loss, slope), rel=1e-12)
    assert curve.new == pytest.approx(w - 0.5 * slope) and curve.name == "w_11^(1)"
    assert curve.new_loss == pytest.approx(by_hand(curve.new)[0], rel=1e-12)
    for k in (0, 40, 120):
        assert curve.losses[k] == pytest.approx(by_hand(curve.weights[k])[0], rel=1e-12)
    # ŷ < y and w_11^(2) > 0: L falls as the weight grows
    assert slope < 0 and curve.new > curve.weight and curve.new_loss < curve.loss
    text = " ".join(str(curve).split())
    assert "is negative: L falls as the weight grows, so the step makes it larger" in text
    tangent = curve.charts()[0].lines[1]
    rise = (tangent.y[1] - tangent.y[0]) / (tangent.x[1] - tangent.x[0])
    assert rise == pytest.approx(slope)
    low, high = curve.charts()[0].y_range
    assert np.sum((tangent.y >= low) & (tangent.y <= high)) > 20  # also if its ends are outside
    np.testing.assert_array_equal(net[0].weight.numpy()[0, 0], np.float32(0.1))


def test_the_slope_of_a_positive_kind_makes_the_weight_smaller_and_zero_leaves_it():
    down = weight_curve(network(), X, -Y, loss=ct.losses.mean_squared_error, path="2.bias",
                        index=(0,))  # fmt: skip
    assert down.slope > 0 and down.new < down.weight and down.name == "b_1^(2)"
    assert "is positive" in str(down)
    net = ct.Sequential(ct.Linear(1, 1, bias=False), ct.ReLU())
    net[0].weight.data = net[0].weight.data * 0 - 1
    still = weight_curve(net, [[1.0]], [[2.0]], loss=ct.losses.mean_squared_error,
                         path="0.weight", index=(0, 0))  # fmt: skip
    assert still.slope == 0 and still.new == still.weight
    assert "is 0: gradient descent does not move this weight" in str(still)


def test_a_step_that_goes_too_far_is_told():
    net = ct.Linear(1, 1, bias=False)
    net.weight.data = net.weight.data * 0 + 1
    loss = ct.losses.mean_squared_error
    # L = (w - 3)², slope -4: with η = 2 to w = 9, L = 36
    curve = weight_curve(net, [[1.0]], [[3.0]], loss=loss, path="weight", index=(0, 0), lr=2.0)
    assert (curve.slope, curve.new, curve.new_loss) == (-4, 9, 36)
    assert "rises: the step goes too far" in str(curve)
    with pytest.raises(OptionError, match="no trained parameter"):
        weight_curve(net, [[1.0]], [[3.0]], loss=loss, path="0.weight", index=(0, 0))
    with pytest.raises(ShapeError, match="no element"):
        weight_curve(net, [[1.0]], [[3.0]], loss=loss, path="weight", index=(1, 0))


def test_the_textbook_curve_has_all_four_kinds_of_points_where_they_were_put():
    # L' = (x + 2) (x + 1) (x - 1)² (x - 2); L'' by the product rule
    found = curve_points()
    rows = [(p.kind, p.x, p.value, p.bend) for p in found.points]
    expected = [
        ("local minimum", -2, -4 / 15, 36),
        ("maximum", -1, 3.45, -12),
        ("saddle point", 1, -97 / 60, 0),
        ("global minimum", 2, -2.4, 12),
    ]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[0] == wanted[0] and row[1:] == pytest.approx(wanted[1:], abs=1e-6)
    assert not found.is_convex and found.plateaus == ()
    assert max(map(len, str(found).splitlines())) <= 80
    assert found.minimum_of(-1.5).x == pytest.approx(-2)
    assert found.minimum_of(0.5).kind == "saddle point"


KINDS = [
    ("x**2", None, ["global minimum"], True),
    ("-x**2", None, ["maximum"], False),
    ("x**3", None, ["saddle point"], False),
    ("x**4", None, ["global minimum"], True),
    ("x", None, [], True),
    ("abs(x - 0.1)", None, ["global minimum"], True),
    ("cos(x)", (-1, 7), ["maximum", "global minimum", "maximum"], False),
    ("x**4 - 2*x**2 + 0.3*x", None, ["global minimum", "maximum", "local minimum"], False),
]


@pytest.mark.parametrize("case", KINDS, ids=lambda c: c[0])
def test_kinds_of_points_of_known_curves(case):
    text, x_range, kinds, convex = case
    found = curve_points(text, x_range)
    assert [p.kind for p in found.points] == kinds and found.is_convex == convex


def test_plateaus_are_stretches_without_a_point():
    found = curve_points("1 - exp(-x**2/2)", (-6, 6))
    (left, right) = found.plateaus
    assert [p.kind for p in found.points] == ["global minimum"]
    # |x| exp(-x²/2) is 0.001 of its largest value exp(-1/2) at x = 4.207
    assert left == pytest.approx((-6, -4.207), abs=0.01) and right[0] == -left[1]
    with pytest.raises(OptionError, match="not finite at x = -3"):
        curve_points("log(x)")
    with pytest.raises(OptionError, match="the range 3 to 1"):
        curve_points("x", (3, 1))


@pytest.mark.parametrize(
    "story",
    [
        lambda: activation_curve("sigmoid"),
        lambda: loss_curve(["mse", "huber"]),
        lambda: curve_points(),
    ],
)
def test_pictures_follow_the_theme_and_load_nothing(story, tmp_path):
    found = story()
    write_page(tmp_path / "x.html", "x", [found])
    page = (tmp_path / "x.html").read_text()
    assert page.count('<svg class="cutaway-curve"') == len(found.charts()) == 2
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert not re.search(r'fill="#(fff|000)|https?://', svg) and "currentColor" in svg
    assert len(found.figure().axes) == 2
    found.figure().canvas.draw()
