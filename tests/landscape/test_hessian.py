"""Curvature: eigenvalues of the Hessian against numpy.linalg.eigh of jax.hessian, and by hand."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.landscape import SURFACES, curvature, curvature_of
from cutaway.landscape.hessian import curvature_at, hessians_of
from cutaway.landscape.lanczos import tridiagonalize
from cutaway.landscape.objective import network_objective
from cutaway.losses import mean_squared_error, sparse_categorical_cross_entropy_with_logits
from cutaway.nn import named_variables

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def mlp():
    return ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 2))


def test_the_eigenvalues_of_an_mlp_are_those_of_jaxs_hessian_of_the_same_formula():
    net = mlp()
    found = curvature(net, X, Y, loss=mean_squared_error)
    with jax.enable_x64(True):
        flat = np.concatenate([p.numpy().astype(np.float64).ravel() for p in net.parameters()])

        def loss(w):
            w1, b1, w2, b2 = jnp.split(w, [12, 16, 24])
            hidden = jnp.tanh(X @ w1.reshape(3, 4) + b1)
            return jnp.mean((hidden @ w2.reshape(4, 2) + b2 - Y) ** 2)

        expected = np.linalg.eigvalsh(jax.hessian(loss)(jnp.asarray(flat)))
        gradient = np.linalg.norm(jax.grad(loss)(jnp.asarray(flat)))
    assert found.complete and found.parameters == 26
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-9, atol=1e-12)
    assert found.largest == pytest.approx(expected[-1], rel=1e-10)
    assert found.smallest == pytest.approx(expected[0], rel=1e-10)
    assert found.gradient_norm == pytest.approx(gradient, rel=1e-10)
    assert found.verdict == "slope"


NETS = {
    "convolution": (
        lambda: ct.Sequential(
            ct.Conv2d(1, 3, 3), ct.GroupNorm(1, 3), ct.MaxPool(2), ct.Flatten(), ct.Linear(12, 2)
        ),
        (5, 6, 6, 1),
    ),
    "lstm": (
        lambda: ct.Sequential(ct.LSTM(2, 3), ct.LastStep(), ct.Linear(3, 2)),
        (4, 5, 2),
    ),
    "transformer": (
        lambda: ct.Sequential(
            ct.TransformerEncoderLayer(4, 2, 4, dropout=0.0), ct.Flatten(), ct.Linear(16, 2)
        ),
        (3, 4, 4),
    ),
    "batch norm": (
        lambda: ct.Sequential(ct.Linear(3, 4), ct.BatchNorm(4), ct.SiLU(), ct.Linear(4, 2)),
        (6, 3),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_products_with_the_hessian_are_right_for_every_family_of_layers(name):
    make, shape = NETS[name]
    net, x = make(), RNG.normal(size=shape)
    y = RNG.integers(0, 2, shape[0])
    loss = sparse_categorical_cross_entropy_with_logits
    found = curvature(net, x, y, loss=loss)
    objective, start = network_objective(net, x, y, loss, where="test")
    sizes = np.cumsum([a.size for a in start.values()])[:-1]
    with jax.enable_x64(True):

        def value(w):
            parts = zip(jnp.split(w, sizes), start.values(), strict=True)
            return objective.pure_value(
                [part.reshape(a.shape) for part, a in parts], objective.data
            )

        flat = jnp.concatenate([a.ravel() for a in start.values()])
        expected = np.linalg.eigvalsh(jax.jit(jax.hessian(value))(flat))
    scale = np.abs(expected).max()
    assert found.largest == pytest.approx(expected[-1], abs=1e-8 * scale)
    assert found.smallest == pytest.approx(expected[0], abs=1e-8 * scale)


BY_HAND = [
    ("bowl", (0, 0), (1, 2), "minimum"),
    ("ravine", (0, 0), (0.04, 2), "minimum"),
    ("saddle", (0, 0), (-1, 1), "saddle"),
    ("saddle", (0, -1), (1, 2), "minimum"),
    ("rosenbrock", (1, 1), (501 - math.sqrt(301**2 + 400**2), 501 + math.sqrt(301**2 + 400**2)),
     "minimum"),
    ("rastrigin", (0, 0), (2 + 40 * math.pi**2, 2 + 40 * math.pi**2), "minimum"),
    ("himmelblau", (3, 2), (54 - math.sqrt(20**2 + 20**2), 54 + math.sqrt(20**2 + 20**2)),
     "minimum"),
    ("plateau", (0, 0), (1, 1), "minimum"),
    ("ravine", (5, 0.04), (0.04, 2), "slope"),
    ("plateau", (-4.5, 3), None, "plateau"),
]  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND, ids=lambda case: f"{case[0]} {case[1]}")
def test_textbook_surfaces_have_the_curvature_computed_by_hand(case):
    name, point, expected, verdict = case
    found = SURFACES[name].curvature(point)
    assert found.verdict == verdict, found.reason
    if expected is not None:
        np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-9)
        assert found.largest_bound < 1e-9 * expected[1]


VERDICTS = [
    (lambda w: (w * w * np.array([1.0, 3.0])).sum(), "minimum"),
    (lambda w: (w * w * np.array([-1.0, 3.0])).sum(), "saddle"),
    (lambda w: (w * w * np.array([-1.0, -3.0])).sum(), "maximum"),
    (lambda w: (w * w * np.array([0.0, 3.0])).sum(), "not decided"),  # a valley
    (lambda w: (w * w * np.array([0.0, -3.0])).sum(), "not decided"),  # a ridge
    (lambda w: (w**4).sum(), "not decided"),  # a minimum of higher order
    (lambda w: w.sum() + 1, "slope"),
    (lambda w: (0 * w).sum() + 1, "plateau"),
    (lambda w: 1 - (-0.5 * ((w - 5) ** 2).sum()).exp(), "plateau"),
]


@pytest.mark.parametrize("k", range(len(VERDICTS)))
def test_the_verdict_at_the_origin(k):
    f, verdict = VERDICTS[k]
    found = curvature_of(f, np.zeros(2))
    assert found.verdict == verdict, found.reason
    assert max(map(len, str(found).splitlines())) <= 80
    json.dumps(found.to_dict())


def test_no_stationary_point_is_made_up_where_only_the_quadratic_model_has_one():
    # beside the valley of Rosenbrock's function a short Newton step promises one; there is none
    found = SURFACES["rosenbrock"].curvature((0.68, 0.53), near=0.04)
    assert found.verdict == "slope" and found.distance is None
    # a real one is found from some way off
    there = SURFACES["saddle"].curvature((0.05, 0.1), near=0.2)
    assert there.verdict == "saddle" and there.distance == pytest.approx(math.hypot(0.05, 0.1))
    assert SURFACES["saddle"].curvature((0.05, 0.1), near=0.1).verdict == "slope"


def test_a_linear_network_of_two_layers_has_a_saddle_at_0_and_a_valley_below():
    net = ct.Sequential(ct.Linear(1, 1, bias=False), ct.Linear(1, 1, bias=False))
    x = np.array([[1.0], [2.0]])
    for p in net.parameters():
        p.data = p.data * 0
    at_0 = curvature(net, x, 3 * x, loss=mean_squared_error)
    # L = 2.5 (w v - 3)², so ∂²L/∂w∂v = -15 at 0
    assert at_0.verdict == "saddle"
    np.testing.assert_allclose([at_0.smallest, at_0.largest], [-15, 15], rtol=1e-12)
    # descent from beside the saddle ends in w v = 3: one way is level, which nobody can decide
    for p in net.parameters():
        p.data = p.data + 0.1
    optimizer = ct.SGD(net, lr=0.02)
    for _ in range(200):
        mean_squared_error(net(x), 3 * x).backward()
        optimizer.step()
    below = curvature(net, x, 3 * x, loss=mean_squared_error)
    assert below.verdict == "not decided" and "valley" in below.reason
    assert below.largest == pytest.approx(5 * (3 + 3), rel=1e-5)
    assert abs(below.smallest) < 1e-5


def product_with(matrix):
    return lambda v: (matrix @ v).astype(v.dtype)


@pytest.mark.parametrize("steps", [40, 64, 300])
def test_lanczos_finds_both_ends_within_the_bound_it_states(steps):
    rng = np.random.default_rng(1)
    values = np.r_[-3.0, rng.normal(size=298), 40.0]
    turn, _ = np.linalg.qr(rng.normal(size=(300, 300)))
    matrix = turn * values @ turn.T
    found = tridiagonalize(product_with(matrix), rng.normal(size=300), steps)
    ritz, vectors = found.eigen()
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(len(ritz)), atol=1e-12)
    expected = np.sort(values)
    for k in (0, -1):
        bound = found.off_diagonal[-1] * abs(vectors[-1, k]) + found.noise
        assert np.abs(expected - ritz[k]).min() <= bound + 1e-12
    assert expected[0] - 1e-12 <= ritz[0] and ritz[-1] <= expected[-1] + 1e-12
    if steps == 300:
        np.testing.assert_allclose(ritz, expected, atol=1e-11)


def test_lanczos_goes_on_past_an_invariant_space_and_finds_repeated_values():
    values = np.repeat([2.0, -1.0, 0.0], 4)
    start = np.zeros(12)
    start[0] = 1.0
    found = tridiagonalize(lambda v: values * v, start, 12)
    np.testing.assert_allclose(found.eigen()[0], np.sort(values), atol=1e-12)
    nothing = tridiagonalize(lambda v: 0 * v, start, 12)
    np.testing.assert_array_equal(nothing.eigen()[0], np.zeros(12))


def test_large_networks_are_judged_from_few_products_with_honest_bounds():
    net = ct.Sequential(ct.Linear(3, 60), ct.Tanh(), ct.Linear(60, 2))
    few = curvature(net, X, Y, loss=mean_squared_error, steps=30)
    full = curvature(net, X, Y, loss=mean_squared_error, steps=362)
    assert full.complete and not few.complete and full.parameters == 362
    assert few.largest == pytest.approx(full.largest, abs=few.largest_bound + 1e-12)
    assert full.smallest - 1e-12 <= few.smallest <= full.smallest + few.smallest_bound + 1e-12
    assert "30 products" in str(few)


def test_the_eigenvectors_have_the_curvature_that_is_stated():
    net = mlp()
    found = curvature(net, X, Y, loss=mean_squared_error)
    objective, start = network_objective(net, X, Y, mean_squared_error, where="test")
    arrays = list(start.values())
    for value, direction in zip((found.largest, found.smallest), found.directions, strict=True):
        h = 1e-4
        ends = []
        for step in (-h, 0, h):
            moved = zip(arrays, direction.values(), strict=True)
            ends.append(float(objective.value([np.asarray(a) + step * d for a, d in moved])))
        assert (ends[0] - 2 * ends[1] + ends[2]) / h**2 == pytest.approx(value, rel=1e-3, abs=1e-5)


def test_hessians_of_many_points_at_once():
    points = RNG.normal(size=(7, 2))
    found = hessians_of(SURFACES["rosenbrock"], points)
    x, y = points.T
    expected = [[2 - 400 * y + 1200 * x**2, -400 * x], [-400 * x, 200 + 0 * x]]
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 0), rtol=1e-12)


def test_float32_sees_the_same_with_wider_bounds():
    net = mlp()
    wide = curvature(net, X, Y, loss=mean_squared_error)
    narrow = curvature(net, X, Y, loss=mean_squared_error, float64=False)
    assert narrow.largest == pytest.approx(wide.largest, rel=1e-5)
    assert narrow.smallest_bound > wide.smallest_bound
    assert narrow.directions[0]["0.weight"].dtype == np.float32


def test_frozen_parameters_do_not_count():
    net = mlp()
    net[0].freeze()
    found = curvature(net, X, Y, loss=mean_squared_error)
    assert found.parameters == 10 and list(found.directions[0]) == ["2.weight", "2.bias"]


def untouched(net, call):
    """The network has the same mode, arrays and gradients after the call."""
    modes = [m.training for m in net.modules().values()]
    before = [(v.data, v.grad) for v in named_variables(net).values()]
    call()
    assert [m.training for m in net.modules().values()] == modes
    for (data, grad), v in zip(before, named_variables(net).values(), strict=True):
        assert v.data is data and v.grad is grad


def stateful():
    net = ct.Sequential(ct.Linear(3, 4), ct.BatchNorm(4), ct.Dropout(0.5), ct.Linear(4, 2))
    mean_squared_error(net(X), Y).backward()
    net[1].eval()  # modes may differ
    return net


def test_the_network_is_left_as_it_was():
    untouched(net := stateful(), lambda: curvature(net, X, Y, loss=mean_squared_error))


def test_the_network_is_left_as_it_was_after_an_error():
    net = stateful()

    def wrong():
        with pytest.raises(ShapeError, match="in_features"):
            curvature(net, X[:, :2], Y, loss=mean_squared_error)

    untouched(net, wrong)


def test_training_noise_and_batch_statistics_have_no_effect():
    net = stateful()
    first = curvature(net, X, Y, loss=mean_squared_error)
    second = curvature(net.eval(), X, Y, loss=mean_squared_error)
    np.testing.assert_array_equal(first.eigenvalues, second.eigenvalues)


def test_a_point_without_a_verdict_is_an_error_that_says_why():
    net = mlp()
    with pytest.raises(OptionError, match="a Compiled was given as the network"):
        curvature(ct.jit(lambda x: net(x), net), X, Y, loss=mean_squared_error)
    with pytest.raises(ShapeError, match="x has 12 rows, y 11"):
        curvature(net, X, Y[:11], loss=mean_squared_error)
    with pytest.raises(GradientError, match="one number"):
        curvature(net, X, Y, loss=lambda p, t: (p - t) ** 2)
    with pytest.raises(GradientError, match="not computed from anything"):
        curvature(net, X, Y, loss=lambda p, t: (t * t).mean())
    with pytest.raises(OptionError, match="near"):
        curvature(net, X, Y, loss=mean_squared_error, near=0.0)
    net[0].weight.data = net[0].weight.data * np.nan
    with pytest.raises(GradientError, match="the loss here is nan"):
        curvature(net, X, Y, loss=mean_squared_error)
    with pytest.raises(OptionError, match="no parameters that are trained"):
        curvature(mlp().freeze(), X, Y, loss=mean_squared_error)
    with pytest.raises(GradientError, match="second derivative"):
        curvature_of(lambda w: (w**2).sum() ** 1.5, np.zeros(2))


def test_the_plot_shows_all_eigenvalues_and_a_legend():
    found = curvature(mlp(), X, Y, loss=mean_squared_error)
    axes = found.plot()
    assert sum(len(line.get_xdata()) for line in axes.lines[:2]) == 26
    assert {t.get_text() for t in axes.get_legend().get_texts()} == {
        "curves up",
        "curves down or not at all",
    }
    assert "slope" in axes.get_title() and "\\lambda" in found.latex()


def test_an_objective_can_be_judged_at_another_point():
    net = mlp()
    objective, start = network_objective(net, X, Y, mean_squared_error, where="test")
    here = curvature_at(objective, start)
    assert here.largest == curvature(net, X, Y, loss=mean_squared_error).largest


class Apart(ct.Module):
    """A layer for each part of the inputs: the same function as one layer for all of them."""

    def __init__(self, whole):
        self.a, self.b = ct.Linear(1, 2), ct.Linear(2, 2, bias=False)
        self.a.weight.data, self.b.weight.data = whole.weight.data[:1], whole.weight.data[1:]
        self.a.bias.data = whole.bias.data

    def forward(self, a, b):
        return self.a(a) + self.b(b)


def test_several_inputs_have_the_curvature_of_one_that_joins_them():
    whole = ct.Linear(3, 2)
    one = curvature(whole, X, Y, loss=mean_squared_error)
    several = curvature(Apart(whole), (X[:, :1], X[:, 1:]), Y, loss=mean_squared_error)
    np.testing.assert_allclose(several.eigenvalues, one.eigenvalues, rtol=1e-8)
    with pytest.raises(ShapeError, match=r"x has \d+ or \d+ rows, y 12"):
        curvature(Apart(whole), (X[:, :1], X[:3, 1:]), Y, loss=mean_squared_error)


@pytest.mark.parametrize("n", [2, 5])
def test_a_basis_goes_on_from_an_eigenvector_that_its_own_seed_drew(n):
    start = np.random.default_rng(0).standard_normal(n)
    found = tridiagonalize(lambda v: 3 * v, start, n, seed=0)
    np.testing.assert_allclose(found.eigen()[0], 3, rtol=1e-12)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(n), atol=1e-12)
