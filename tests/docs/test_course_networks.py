"""Claims of a textbook on sequences, convolutions and named networks, each shown with its number.

The number in front of a test's docstring is that of the claim.
"""

import itertools
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from tests.docs.course import flat, sigma

# sequences and convolutions

WEIGHT, BACK, SEQUENCE = 1.0, 0.5, [1.0, 2.0, -1.0, 0.5]


@pytest.fixture(scope="module")
def recurrent():
    """(explanation, states by hand) of an RNN of one sigmoid, h_t = σ(w x_t + u h_{t-1})."""
    layer = ct.RNN(1, 1, activation=ct.ops.sigmoid)
    for parameter, value in zip(layer.parameters(), ([[WEIGHT]], [[BACK]], [0]), strict=True):
        parameter.data = np.array(value, np.float32)
    states = [0.0]
    for x in SEQUENCE:
        states.append(float(sigma(WEIGHT * x + BACK * states[-1])))
    net = ct.Sequential(layer, ct.nn.LastStep())
    x = [[x] for x in SEQUENCE]
    return ct.explain(net, x, [1.0], loss=losses.mean_squared_error), states


def test_every_time_step_of_an_rnn_is_written_out(recurrent):
    """69: O_1 ... O_4 = f(x_t w + O_{t-1} u)."""
    why, states = recurrent
    for t in range(4):
        story = why.forward("0", (t, 0))
        assert story.value == pytest.approx(states[t + 1], rel=1e-6)
        assert f"h_1^(1)[t={t + 1}] = {states[t + 1]:.6g}" in flat(story)
    assert f"u_11^(1) · h_1^(1)[t=3] = 0.5 · {states[3]:.4g}" in flat(story)


def backward(states):
    """{t: ∂L/∂z at step t} by hand."""
    found, slope = {}, 2 * (states[-1] - 1)
    for t in range(4, 0, -1):
        found[t] = slope * states[t] * (1 - states[t])
        slope = found[t] * BACK
    return found


def test_an_rnn_is_drawn_unrolled(recurrent):
    """70: a column for each step, with one weight u between them."""
    why, _ = recurrent
    labels = re.findall(
        r">([^<>\n]+)<", why.through_time("0.layers.0.hidden_weight", (0, 0)).html()
    )
    assert "the recurrent layer, unrolled over time" in labels
    assert {"h_1", "h_2", "h_3", "h_4", "x_1", "x_2", "x_3", "x_4", "L"} <= set(labels)
    assert labels.count("u") == labels.count("w") == 4


def test_the_gradient_of_a_sigmoid_rnn_vanishes_over_time(recurrent):
    """48: the paths of w by hand; each step back multiplies by at most 0.25 u = 0.125."""
    why, states = recurrent
    story, slopes = why.through_time("0.layers.0.weight", (0, 0)), backward(states)
    for step in story.steps:
        t = step.time + 1
        assert step.contribution == pytest.approx(slopes[t] * SEQUENCE[t - 1], rel=1e-5)
    text, total = flat(story), sum(slopes[t] * x for t, x in enumerate(SEQUENCE, 1))
    assert "one weight, shared by all steps" in text and f"= {total:.6g}" in text
    sizes = [story.states[t] for t in range(4)]
    assert all(a < 0.125 * b for a, b in itertools.pairwise(sizes))
    assert f"it is multiplied by {sizes[0] / sizes[-1]:.3g}" in text
    assert flat(why.gradient("0.layers.0.weight", (0, 0))).endswith("x_41")
    flow = why.flow()
    assert flow.over_time == ["0"] and flat(flow).startswith("Recurrent: 0.")


def test_a_window_its_kernel_and_their_product_stand_side_by_side():
    """72: 4 + 8 = 12 of a diagonal window and the kernel 0 ... 8."""
    net = ct.Sequential(ct.Conv2d(1, 1, 3))
    net[0].weight.data = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
    window = ct.explain(net, np.eye(4)[..., None]).window("0", (1, 1, 0))
    text = flat(window)
    assert "1 0 0 0 1 2 0 0 0 0 1 0 · 3 4 5 = 0 4 0 0 0 1 6 7 8 0 0 8" in text
    assert "sum of all products 12" in text and "<table" in window.html()


def test_the_gates_of_an_lstm_are_shown_step_by_step():
    """73: i, f, o = σ(x W + h U + b), c = f c + i tanh(...), h = o tanh(c)."""
    net = ct.Sequential(ct.LSTM(1, 1), ct.nn.LastStep())
    w, u, b = (p.numpy().astype(np.float64) for p in net[0].parameters())
    why, h, c = ct.explain(net, [[1.0], [2.0]]), np.zeros(1), np.zeros(1)
    text = flat(why.gates())
    for t, x in enumerate([1.0, 2.0], 1):
        z = np.array([x]) @ w + h @ u + b
        (i, f, o), g = sigma(z[[0, 1, 3]]), np.tanh(z[2])
        c = f * c + i * g
        h = o * np.tanh(c)
        forget = "-" if t == 1 else f"{f:.3g}"
        assert f"{t} {i:.3g} {forget} {o:.3g} {g:.3g} {c[0]:.3g} {h[0]:.3g} " in text
    assert "1 unit over 2 steps" in text


# named networks, neurons with a rule


def convolutions(*sizes):
    """Parameters of convolutions (in, out, kernel) with biases."""
    return sum(i * o * k * k + o for i, o, k in sizes)


def test_the_named_networks_are_there():
    """74: with the parameters of their papers or of a count by hand."""
    found = {one.name: one.parameters for one in ct.models.catalog()}
    widths = (1, 64, 128, 256, 512, 1024)
    down = [(i, o, 3) for i, o in itertools.pairwise(widths)]
    down += [(o, o, 3) for o in widths[1:]]
    up = [pair for o in widths[1:-1] for pair in ((2 * o, o, 2), (2 * o, o, 3), (o, o, 3))]
    assert found["valid_unet"] == convolutions(*down, *up, (64, 2, 1))
    # the discriminator of 70 x 70 windows; three of its layers have batch norm instead of biases
    patch = convolutions((6, 64, 4), (512, 1, 4))
    patch += sum(i * o * 16 + 2 * o for i, o in ((64, 128), (128, 256), (256, 512)))
    assert found["patch_discriminator"] == patch
    for name in (
        "yolo3", "ssd300_vgg16", "fast_rcnn_vgg16", "faster_rcnn_vgg16", "mask_rcnn_resnet50",
        "normalized_vnet", "pix2pix_generator", "resnet50", "googlenet", "bert_base",
    ):  # fmt: skip
        assert found[name] > 6e6, name


def test_the_rules_of_perceptron_and_hebb_are_written_out():
    """76: w ← w + η (y - ŷ) x and w ← w + η x y, by hand."""
    neuron = ct.Perceptron(2, lr=0.5)
    neuron.weight.data = np.array([[0.2], [0.5]], np.float32)
    neuron.bias.data = np.array([0.1], np.float32)
    text = flat(ct.explain(neuron, [1.0, 2.0], 0).rule())
    assert "0.2 · 1 + 0.5 · 2 + 0.1 = 1.3" in text and "e = y - ŷ = 0 - 1 = -1" in text
    assert "w_1: 0.2 → -0.3" in text and "w_2: 0.5 → -0.5" in text and "b: 0.1 → -0.4" in text
    x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)
    hebb = flat(ct.explain(ct.nn.HebbianNeuron(2), x, [-1, -1, -1, 1]).rule())
    # Σ x y over the rows of AND
    assert "After 4 rows: w_1 = 2, w_2 = 2, b = -2" in hebb
