"""Every line of arithmetic that a story prints, calculated again from its text."""

import functools
import itertools
import math
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.engine import Operation
from cutaway.explain.arithmetic import Arithmetic
from cutaway.ops import activations as functions
from tests.explain.recompute import as_python, check, could_be

ACTIVATIONS = [ct.Sigmoid, ct.Tanh, ct.ReLU, ct.LeakyReLU, ct.ELU, ct.Softplus, ct.GELU, ct.SiLU]
HEADS = [  # the layer at the end, the target, the loss
    (None, "real", losses.mean_squared_error),
    (None, "real", losses.mean_absolute_error),
    (None, "real", functools.partial(losses.huber, delta=0.7)),
    (None, "real", losses.smooth_l1),
    (ct.Sigmoid, "binary", losses.binary_cross_entropy),
    (None, "binary", losses.binary_cross_entropy_with_logits),
    (None, "sign", losses.squared_hinge),
    (ct.Softmax, "one_hot", losses.categorical_cross_entropy),
    (None, "one_hot", losses.categorical_cross_entropy_with_logits),
    (ct.Softmax, "label", losses.sparse_categorical_cross_entropy),
    (None, "label", losses.sparse_categorical_cross_entropy_with_logits),
]


def drawn(seed):
    """(network, x, y, loss) of a random small network."""
    rng = np.random.default_rng(seed)
    ct.seed(seed)
    head, kind, loss = HEADS[seed % len(HEADS)]
    outputs = 3 if kind in ("one_hot", "label") else 1
    sizes = [int(n) for n in rng.integers(1, 4, size=rng.integers(2, 4))] + [outputs]
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [ct.Linear(a, b), ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]()]
    layers[-1:] = [] if head is None else [head()]
    net = ct.Sequential(*layers)
    for p in net.parameters():
        p.data = rng.normal(size=p.shape).astype(np.float32)
    rows = int(rng.integers(1, 4))
    x = rng.normal(size=(rows, sizes[0])).round(2)
    y = {
        "real": rng.normal(size=(rows, outputs)).round(1),
        "binary": rng.integers(0, 2, size=(rows, 1)).astype(float),
        "sign": rng.choice([-1.0, 1.0], size=(rows, 1)),
        "one_hot": np.eye(3)[rng.integers(0, 3, size=rows)],
        "label": rng.integers(0, 3, size=rows),
    }[kind]
    return net, x, y, loss


@pytest.mark.parametrize("seed", range(22))
def test_each_equation_of_forward_loss_layer_and_gradient_holds_to_its_digits(seed):
    net, x, y, loss = drawn(seed)
    why = ct.explain(net, x, y, loss=loss)
    assert check(str(why.losses())) > 0
    row = (0,) if len(x) > 1 else ()
    for path, layer in net.modules().items():
        if path:
            check(str(why.forward(path, (*row, 0))))
        if isinstance(layer, ct.Linear):
            check(str(why.layer(path)))
    for path, p in net.named_parameters().items():
        index = tuple(int(n) - 1 for n in p.shape)
        story = why.gradient(path, index, top=200)
        check_gradient(story)
        total = sum(q.product for q in story.paths) + story.remainder
        size = max([abs(q.product) for q in story.paths] + [1e-12])
        engine = why.trace.engine_gradients[path][index]
        assert abs(total - engine) <= 1e-9 * size
        if story.count <= 200:
            assert len(story.paths) == story.count  # those through a slope of 0, too
            assert abs(sum(q.product for q in story.paths) - engine) <= 1e-9 * size


def check_gradient(story):
    """The factors' own arithmetic, and each path's product."""
    text = str(story)
    products = re.findall(r"^path \d+ +(\S+)", text, re.MULTILINE)
    for path, shown in zip(story.paths, products, strict=True):
        low, high = could_be(" * ".join(f"({f.value!r})" for f in path.factors))
        assert low - 1e-5 * abs(low) <= float(shown) <= high + 1e-5 * abs(high)
    lines = text.split("factor by factor:\n")[1].split("\n")
    for f, line in zip(story.paths[0].factors, lines, strict=False):
        assert f.text in line
        if f.arithmetic and not line.endswith("…"):
            written = as_python(f.arithmetic)
            assert written is not None
            low, high = could_be(written)
            assert f"{f.value:.4g}" in line.split()
            assert low - 1e-3 * abs(low) <= f.value <= high + 1e-3 * abs(high)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        (functions.sigmoid, {"z": -0.168}),
        (functions.tanh, {"z": 0.5}),
        (functions.leaky_relu, {"z": -2.0, "slope": 0.01}),
        (functions.elu, {"z": -1.0, "alpha": 1.3}),
        (functions.selu, {"z": -0.5}),
        (functions.gelu, {"z": 0.7}),
        (functions.hard_swish, {"z": 1.2}),
        (functions.hard_sigmoid, {"z": 1.2}),
        (functions.relu6, {"z": 7.0}),
        (functions.silu, {"z": -0.4}),
        (functions.softplus, {"z": -0.4}),
    ],
)
def test_a_declared_formula_is_the_function_and_its_slope_the_rule(expression, values):
    options = {name: value for name, value in values.items() if name != "z"}
    z = ct.Tensor(np.float64(values["z"]), requires_grad=True)
    out = expression(z, **options)
    assert Arithmetic(expression.value_formula, values).value == pytest.approx(out.item(), rel=1e-6)
    if expression.slope_formula is not None:
        out.backward()
        slope = Arithmetic(expression.slope_formula, {**values, "out": out.item()}).value
        assert z.grad is not None and slope == pytest.approx(float(z.grad), rel=1e-5)


def test_every_activation_function_has_a_formula_or_is_known_to_have_none():
    without = {
        name
        for name, op in vars(functions).items()
        if isinstance(op, Operation) and op.traits.activation and op.value_formula is None
    }
    # the identity needs none; this GELU is an approximation of five terms
    assert without == {"linear", "gelu_tanh"}


def linear(weight, bias=0.0):
    net = ct.Sequential(ct.Linear(1, 1))
    net[0].weight.data = np.array([[weight]], np.float32)
    net[0].bias.data = np.array([bias], np.float32)
    return net


def loss_text(net, x, y, loss):
    return str(ct.explain(net, x, y, loss=loss).losses())


def test_the_textbooks_losses_are_written_out():
    one = linear(1.0)
    text = loss_text(one, [24.0], [21.0], losses.mean_squared_error)
    assert "L = (ŷ - y)² = (24 - 21)² = 9" in text
    assert "∂L/∂ŷ = 2 (ŷ - y) = 2 · (24 - 21) = 6" in text
    assert "|24 - 21| = 3" in loss_text(one, [24.0], [21.0], losses.mean_absolute_error)
    text = loss_text(one, [21.5], [21.0], losses.huber)
    assert "0.5 · (21.5 - 21)² = 0.125, because |21.5 - 21| <= 1" in text
    huber = functools.partial(losses.huber, delta=2.0)
    assert "2 · (|24 - 21| - 1) = 4, because |24 - 21| > 2" in loss_text(one, [24.0], [21.0], huber)
    half = loss_text(one, [24.0], [21.0], lambda p, y: 0.5 * ((p - y) ** 2).mean())
    assert "L = 0.5 (ŷ - y)² = 0.5 · (24 - 21)² = 4.5" in half


def test_the_cross_entropies_show_their_logarithm():
    class Given(ct.Module):
        """Probabilities as they are."""

        def __init__(self):
            self.scale = ct.Parameter(np.float32(1))

        def forward(self, x):
            return x * self.scale

    text = loss_text(Given(), [[0.2, 0.1, 0.7]], [[0, 0, 1]], losses.categorical_cross_entropy)
    assert "-(0 · ln 0.2 + 0 · ln 0.1 + 1 · ln 0.7) = 0.3567" in text
    text = loss_text(Given(), [[0.2, 0.1, 0.7]], [2], losses.sparse_categorical_cross_entropy)
    assert "-ln 0.7 = 0.3567" in text
    text = loss_text(Given(), [[0.954]], [[1.0]], losses.binary_cross_entropy)
    assert "L = -ln ŷ = -ln 0.954 = 0.04709" in text
    text = loss_text(Given(), [[0.954]], [[0.0]], losses.binary_cross_entropy)
    assert "-ln (1 - 0.954) = -ln 0.046 = 3.079" in text


def test_the_losses_of_margins_say_by_the_target_which_branch_holds():
    text = loss_text(linear(1.0), [0.25], [-1.0], losses.hinge)
    assert "L = max(0, 1 + z) = max(0, 1 + 0.25) = 1.25, because y = -1" in text
    text = loss_text(linear(1.0), [0.25], [1.0], losses.squared_hinge)
    assert "L = max(0, 1 - z)² = max(0, 1 - 0.25)² = 0.5625, because y = 1" in text


def test_numbers_have_the_digits_that_their_result_needs():
    # with four digits the reader would get -ln(1 - 0.5041) = 0.7014, which is not the loss
    found = Arithmetic("-ln(1 - q)", {"q": 0.504077}).calculable()
    assert found.steps() == ["-ln (1 - 0.50408)", "-ln 0.49592"]
    for digits in ("0.50408", "0.49592"):
        value = 1 - float(digits) if digits == "0.50408" else float(digits)
        assert f"{-math.log(value):.4g}" == f"{-math.log(1 - 0.504077):.4g}" == "0.7013"


def test_several_rows_have_a_loss_each_and_the_cost_is_their_mean():
    # the textbook's BMI table: errors of 1, 2.5 and 0.5
    x, y = [[22.0], [24.5], [20.5]], [[21.0], [22.0], [20.0]]
    text = loss_text(linear(1.0), x, y, losses.mean_squared_error)
    assert "loss of ŷ[row 2] = (24.5 - 22)² = 6.25" in text
    assert "L = (1 + 6.25 + 0.25) / 3 = 2.5, the mean" in text
    assert "The loss is of one row; the cost is the mean of the losses of all rows." in " ".join(
        text.split()
    )
    text = loss_text(linear(1.0), x[:1], y[:1], losses.mean_squared_error)
    assert "cost" not in text


def test_a_loss_with_weights_is_not_written_out_by_a_formula_that_it_is_not():
    weighted = functools.partial(losses.binary_cross_entropy, class_weights=(1.0, 3.0))
    net = ct.Sequential(*linear(1.0), ct.Sigmoid())
    story = ct.explain(net, [[0.4], [1.0]], [[1.0], [0.0]], loss=weighted).losses()
    assert "ln" not in str(story).split("\n", 1)[1] and "the weighted mean of 2" in str(story)


def test_softmax_shows_its_exponentials_and_their_sum():
    net = ct.Sequential(ct.Softmax())
    text = str(ct.explain(net, [[1.0, 2.0, 3.0]]).forward("0", 2))
    assert "e^3 / (e^1 + e^2 + e^3)" in text
    assert "20.09 / (2.718 + 7.389 + 20.09) = 20.09 / 30.19 = 0.665241" in text.replace(
        "\n" + " " * 4, " "
    ).replace("  ", " ")
