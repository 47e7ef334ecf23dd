"""Claims of a textbook on neurons, activations and the chain rule, each shown with its number.

The number in front of a test's docstring is that of the claim.
"""

import json
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway import landscape, losses
from tests.cli.in_process import cutaway
from tests.docs.course import LINE, flat, sigma

X = np.array([7.5, 6, 1, 5])
W = [np.array([[0.2, -0.4, 0.5], [0.3, 0.1, -0.6], [0.7, 0.2, -0.1], [0.1, 0.2, 0.3]]),
     np.array([[0.4, -0.3], [0.6, 0.8], [-0.5, 0.2]]), np.array([[0.9], [-0.7]])]  # fmt: skip


def textbook(loss=losses.mean_squared_error):
    """The network 4-3-2-1 of the notes with weights by hand, explained."""
    return ct.explain(ct.network((4, 3, 2, 1), W), X, [1.0], loss=loss)


def through(activation, x):
    """One unit of this activation at z = x, then a weight of 3: why it has its gradient."""
    net = ct.network(None, [[[1.0]], [[3.0]]], [activation, None])
    return ct.explain(net, [x], [1.0], loss=losses.mean_squared_error)


# neuron and layers


def test_the_sigmoid_of_a_neuron_is_written_out():
    """2: σ(y) = 1 / (1 + e^-y)."""
    why = ct.explain(ct.network(None, LINE), [-0.168])
    assert "σ(-0.168) = 1 / (1 + e^0.168) = 0.458099" in flat(why.forward("1", 0))
    assert sigma(-0.168) == pytest.approx(0.458099, abs=5e-7)


def test_a_layer_is_shown_as_its_transposed_matrix_times_x_plus_b():
    """3: z = Wᵀ x + b; the rows of Wᵀ are the columns of W."""
    why = textbook()
    text = flat(why.layer("0"))
    assert "z^(1) = W^(1)ᵀ x + b^(1)" in text
    for z, neuron, x in zip(X @ W[0], W[0].T, X, strict=False):
        row = " ".join(f"{w:g}" for w in neuron)
        assert re.search(rf"\[ {z:g} \] [=·]? ?\[ {row} \] [·=]? ?\[ {x:g} \]", text), text
    assert why.layer("0").values.z[0] == pytest.approx(X @ W[0], rel=1e-6)


@pytest.mark.parametrize(("layer", "shape", "size"), [("2", "3 · 2 + 2", 8), ("4", "2 · 1 + 1", 3)])
def test_the_second_and_third_weight_matrix_are_shown(layer, shape, size):
    """5: W² and W³ as matrices."""
    text = str(textbook().layer(layer))
    assert f"{shape} = {size} parameters" in text
    for i, row in enumerate(W[int(layer) // 2], 1):
        assert re.search(rf"O_{i}\^\(\d\) +" + " +".join(f"{w:g}" for w in row) + r"\n", text)


def test_a_neuron_is_activated_where_its_sigmoid_is_above_a_half():
    """6: 'activated' when σ > 0.5: z of the first layer is 4.5, -1.2, 1.55, so 2 of 3 are."""
    why = textbook()
    flow = why.flow()
    assert flow.layers[0].active == pytest.approx(np.mean(sigma(X @ W[0]) > 0.5)) == 2 / 3
    assert "67%" in str(flow)
    assert "active the neuron is activated: z > 0, which for a sigmoid is σ(z) > 0.5" in flat(flow)


def test_the_picture_has_named_weights_biases_and_activations():
    """9: w_11, b_1 and O_1 with their numbers."""
    picture = ct.draw(ct.network((4, 3, 2, 1), W), numbers=True, x=X).svg
    labels = re.findall(r">([^<>\n]+)<", picture)
    for k, weight in enumerate(W):
        for (i, j), value in np.ndenumerate(weight):
            assert f"w_{i + 1}{j + 1} = {value:g}" in labels, k
    assert "b_1 = 0" in labels and f"{sigma(4.5):.3g}" in labels and "O_1^(1)" in labels


# activations


def test_leaky_relu_has_slope_a_hundredth_and_still_learns():
    """12: the slope is 0.01, and not 0.01 · z, which is the output."""
    why = through(ct.LeakyReLU, -2.0)
    assert "leaky_relu(-2) = 0.01 · (-2) = -0.02" in flat(why.forward("1", 0))
    text = flat(why.gradient("0.weight", (0, 0)))
    # 2 (3 · -0.02 - 1) · 3 · 0.01 · x
    assert "= (-2.12) · 3 · 0.01 · (-2)" in text and "0.1272 in 1 path" in text
    assert "small, but not 0, so the weight still learns" in text and "saturated" not in text


def test_a_threshold_has_slope_0_everywhere():
    """14: 1 or 0, and no gradient, whatever its input is."""
    why = through(ct.Threshold, 2.0)
    assert "threshold(2) = 1, because 2 >= 0" in flat(why.forward("1", 0))
    text = flat(why.gradient("0.weight", (0, 0)))
    assert "= 4 · 3 · 0 · 2 = 0" in text and "ReLU" not in text
    assert "the slope of a threshold function is 0 everywhere" in text
    assert "units are off" not in flat(why.flow())


def test_softmax_is_written_out():
    """16: e^z_i / Σ e^z_j of 1, 2, 3."""
    why = ct.explain(ct.network(None, [np.eye(3)], ct.Softmax), [1.0, 2.0, 3.0])
    text, found = flat(why.layer("0")), np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    assert "2.718 / (2.718 + 7.389 + 20.09)" in flat(why.forward("", 0))
    for k, value in enumerate(found, 1):
        assert f"ŷ_{k} = softmax(z)_{k} = e^{k} / (e^1 + e^2 + e^3) = {value:.4g}" in text


@pytest.mark.parametrize(
    ("name", "z", "value", "slope"),
    [
        ("sigmoid", 0, 0.5, 0.25),
        ("tanh", 1, np.tanh(1), 1 - np.tanh(1) ** 2),
        ("relu", -1, 0, 0),
        ("leaky-relu", -2, -0.02, 0.01),
        ("prelu", -2, -0.5, 0.25),
        ("threshold", 1, 1, 0),
    ],
)
def test_an_activation_is_drawn_beside_its_slope(name, z, value, slope, tmp_path):
    """18: `cutaway plot NAME`: both curves and a table of their numbers."""
    page = tmp_path / "page.html"
    code, out, err = cutaway("plot", name, "--html", page)
    assert code == 0, err
    assert f" {z} {value:.4g} {slope:.4g} " in out and "* " in out and ". slope" in out
    assert page.read_text().count('class="cutaway-curve"') == 2


# chain rule


def linear_chain(*factors):
    """The gradient of the first of these weights, in a chain of linear units: their product."""
    *weights, x = factors
    net = ct.network(None, [[[1.0]], *([[w]] for w in reversed(weights))], None)
    why = ct.explain(net, [x], [0.0], loss=lambda p, y: (p - y).sum())
    return flat(why.gradient("0.weight", (0, 0)))


@pytest.mark.parametrize(
    ("factors", "product"),
    [
        ((0.25, 0.1, 0.05, 0.01), "1.25e-05"),  # the notes: 10⁻⁴
        ((0.2, 0.02), "0.004"),  # the notes: 0.04
    ],
)
def test_products_that_the_notes_get_wrong(factors, product):
    """43: 0.25 · 0.1 · 0.05 · 0.01 and 0.20 · 0.02."""
    text = linear_chain(*factors)
    assert f"= 1 · {' · '.join(f'{f:g}' for f in factors)} " in text
    assert f"{product} in 1 path" in text
    assert np.prod(factors) == pytest.approx(float(product))


def test_a_dead_relu_is_a_product_with_its_zero():
    """46: the path is written out with the 0 in it, not called '1 other'."""
    net = ct.network(None, [[[1.0, -1.0]], [[1.0], [1.0]]], [ct.ReLU, None])
    story = ct.explain(net, [1.0], [0.0], loss=losses.mean_squared_error).gradient(
        "0.weight", (0, 1)
    )
    text = flat(story)
    assert "= 2 · 1 · 0 · 1 = 0" in text and "other" not in text
    assert "relu' = 0 at z_2^(1) = -1: this ReLU is off" in text
    assert "<mark>0</mark>" in story.html()


# curves


def test_the_loss_over_one_weight_has_its_tangent_and_a_step():
    """31: (w - 1)² at w = 2.5 has slope 3, so w falls; at -0.5 it has -3, so w grows."""
    for weight, slope, moves in ((2.5, 3.0, "falls"), (-0.5, -3.0, "grows")):
        story = landscape.weight_curve(
            ct.network(None, [[[weight]]], None), np.array([[1.0]]), np.array([[1.0]]),
            loss=losses.mean_squared_error, path="0.weight", index=(0, 0),
        )  # fmt: skip
        assert story.slope == pytest.approx(slope)
        assert story.new == pytest.approx(weight - 0.1 * slope)
        text = flat(story)
        assert f"tangent, slope {slope:g}" in text and f"the weight {moves}" in text
        assert f"{weight:g} - 0.1 · {slope:g}" in text or f"- 0.1 · ({slope:g})" in text


def test_a_curve_that_is_not_convex_has_its_four_kinds_of_points():
    """52: minima at -2 and 2, a maximum at -1, a saddle point at 1: roots of the derivative."""
    code, out, _ = cutaway("plot", "curve", "--json")
    found = {point["kind"]: point["x"] for point in json.loads(out)["points"]}
    derivative = np.poly1d([1, -1, -5, 5, 4, -4])  # of x⁶/6 - x⁵/5 - 5x⁴/4 + 5x³/3 + 2x² - 4x
    assert code == 0 and set(np.round(np.real(derivative.roots), 6)) == {-2, -1, 1, 2}
    expected = {"local minimum": -2, "maximum": -1, "saddle point": 1, "global minimum": 2}
    assert found == pytest.approx(expected)
