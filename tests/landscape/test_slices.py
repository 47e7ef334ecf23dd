"""Slices of the loss: each value against the loss of a network that was moved there."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway.errors import OptionError, RunError, ShapeError
from cutaway.landscape import (
    curvature,
    filter_normalized,
    loss_surface,
    path_directions,
    random_directions,
)
from cutaway.losses import mean_squared_error
from cutaway.nn import named_variables

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(9, 3)), RNG.normal(size=(9, 2))


def network():
    return ct.Sequential(ct.Linear(3, 4), ct.BatchNorm(4), ct.Tanh(), ct.Linear(4, 2))


def loss_at(net, moves):
    """The loss in float64 of the network with the moves added, computed eagerly."""
    with ct.float64():
        copy = network()
        state = {k: v.astype(np.float64) for k, v in net.state_dict().items()}
        copy.astype(np.float64).load_state_dict({k: v + moves.get(k, 0) for k, v in state.items()})
        return float(mean_squared_error(copy.eval()(ct.Tensor(X)), ct.Tensor(Y)))


def test_a_slice_along_two_directions_is_the_loss_of_the_moved_network():
    net = network()
    u, v = random_directions(net, seed=4)
    found = loss_surface(net, X, Y, loss=mean_squared_error, directions=[u, v], points=5, span=0.8)
    np.testing.assert_allclose(found.steps, [-0.8, -0.4, 0, 0.4, 0.8])
    for row, b in enumerate(found.steps):
        for column, a in enumerate(found.steps):
            direct = loss_at(net, {k: a * u[k] + b * v[k] for k in u})
            assert found.values[row, column] == pytest.approx(direct, rel=1e-12)
    assert found.values[2, 2] == found.loss == pytest.approx(loss_at(net, {}), rel=1e-12)


def test_a_slice_along_one_direction_is_the_loss_of_the_moved_network():
    net = network()
    along = {"3.bias": np.array([1.0, -2.0])}
    found = loss_surface(net, X, Y, loss=mean_squared_error, directions=along, points=7)
    direct = [loss_at(net, {"3.bias": a * along["3.bias"]}) for a in found.steps]
    np.testing.assert_allclose(found.values, direct, rtol=1e-12)
    # the loss is quadratic in the last biases: ∂²L/∂b² is 2/2 for each of two outputs
    second = np.diff(found.values, 2) / (found.steps[1] - found.steps[0]) ** 2
    np.testing.assert_allclose(second, 1 + 4, rtol=1e-9)


def test_along_an_eigenvector_the_slice_bends_as_the_curvature_says():
    net = network()
    around = curvature(net, X, Y, loss=mean_squared_error)
    found = loss_surface(
        net, X, Y, loss=mean_squared_error, directions=around.directions, points=3, span=1e-3
    )
    for values, expected in (
        (found.values[1], around.largest),
        (found.values[:, 1], around.smallest),
    ):
        bend = np.diff(values, 2)[0] / 1e-6
        assert bend == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(st.integers(0, 1000), st.sampled_from([(3, 4), (2, 3, 3, 2, 4)]))
def test_every_filter_of_a_direction_is_as_long_as_the_networks(seed, shape):
    layer = ct.Linear(*shape) if len(shape) == 2 else ct.Conv2d(2, 4, 3)
    (found,) = random_directions(layer, 1, seed=seed)
    weight = layer.weight.numpy().astype(np.float64)
    for k in range(weight.shape[-1]):
        own, drawn = np.linalg.norm(weight[..., k]), np.linalg.norm(found["weight"][..., k])
        assert drawn == pytest.approx(own, rel=1e-12)
    assert not found["bias"].any()
    again = random_directions(layer, 2, seed=seed)
    np.testing.assert_array_equal(again[0]["weight"], found["weight"])
    assert np.abs(again[1]["weight"] - found["weight"]).max() > 1e-3


def test_filters_of_0_stay_and_larger_weights_get_larger_directions():
    layer = ct.Linear(3, 2)
    layer.weight.data = layer.weight.data.at[:, 0].set(0.0)
    direction = {"weight": np.ones((3, 2)), "bias": np.ones(2)}
    once = filter_normalized(direction, layer)
    assert not once["weight"][:, 0].any()
    layer.weight.data = layer.weight.data * 10
    np.testing.assert_allclose(filter_normalized(direction, layer)["weight"], 10 * once["weight"],
                               rtol=1e-6)  # fmt: skip


def moved(net, u, v, a, b, beside=None):
    state = {k: w.astype(np.float64) for k, w in net.state_dict().items()}
    for k in u:
        state[k] = state[k] + a * u[k] + b * v[k] + (0 if beside is None else beside[k])
    return state


def test_a_path_within_the_slice_is_found_exactly():
    net = network()
    u, v = random_directions(net)
    places = [(-0.9, 0.3), (-0.2, -0.4), (0.0, 0.0)]
    path = [moved(net, u, v, *place) for place in places]
    found = loss_surface(net, X, Y, loss=mean_squared_error, directions=[u, v], path=path, points=3)
    np.testing.assert_allclose(found.path, places, atol=1e-12)
    np.testing.assert_allclose(found.path_fractions[:2], 1, rtol=1e-12)
    assert np.isnan(found.path_fractions[2])
    direct = [loss_at(net, {k: a * u[k] + b * v[k] for k in u}) for a, b in places]
    np.testing.assert_allclose(found.path_losses, direct, rtol=1e-12)


def test_the_part_of_a_path_outside_the_slice_is_reported():
    net = network()
    u, v, w = random_directions(net, 3)
    paths = list(u)

    def flat(d):
        return np.concatenate([d[k].ravel() for k in paths])

    basis, _ = np.linalg.qr(np.stack([flat(u), flat(v), flat(w)], axis=1))
    length = np.linalg.norm(0.5 * flat(u))
    parts = np.split(basis[:, 2] * length, np.cumsum([u[k].size for k in paths])[:-1])
    beside = {k: part.reshape(u[k].shape) for k, part in zip(paths, parts, strict=True)}
    found = loss_surface(
        net, X, Y, loss=mean_squared_error, directions=[u, v], points=3,
        path=[moved(net, u, v, 0.5, 0.0, beside)],
    )  # fmt: skip
    np.testing.assert_allclose(found.path, [(0.5, 0.0)], atol=1e-12)
    np.testing.assert_allclose(found.path_fractions, 0.5, rtol=1e-12)
    assert "50%" in str(found)


def test_the_directions_of_a_path_are_its_principal_ones():
    net = network()
    u, v = random_directions(net)
    states = [moved(net, u, v, a, b) for a, b in ((-1.0, 0.1), (-0.6, -0.2), (-0.3, 0.1))]
    first, second = path_directions(states, net)
    found = loss_surface(
        net, X, Y, loss=mean_squared_error, directions=[first, second], path=states, points=3
    )
    np.testing.assert_allclose(found.path_fractions, 1, rtol=1e-9)
    assert np.abs(found.path[:, 0]).max() == pytest.approx(1)
    together = sum((first[k] * second[k]).sum() for k in first)
    assert together == pytest.approx(0, abs=1e-12)
    assert (found.path**2).sum(axis=0)[0] > (found.path**2).sum(axis=0)[1]
    # states on a line have one direction only
    assert len(path_directions([moved(net, u, v, 1, 0), moved(net, u, v, 0.5, 0)], net)) == 1


def test_the_network_is_left_as_it_was():
    net = network()
    mean_squared_error(net(X), Y).backward()
    net[1].eval()
    before = [(v.data, v.grad) for v in named_variables(net).values()]
    modes = [m.training for m in net.modules().values()]
    loss_surface(net, X, Y, loss=mean_squared_error, points=3)
    with pytest.raises(ShapeError, match="in_features"):
        loss_surface(net, X[:, :2], Y, loss=mean_squared_error)
    for (data, grad), v in zip(before, named_variables(net).values(), strict=True):
        assert v.data is data and v.grad is grad
    assert [m.training for m in net.modules().values()] == modes


@pytest.fixture(scope="module")
def pictured():
    ct.seed(0)
    net = network()
    u, v = random_directions(net)
    path = [moved(net, u, v, -0.9, 0.3), moved(net, u, v, -0.2, -0.4)]
    two = loss_surface(net, X, Y, loss=mean_squared_error, directions=[u, v], path=path)
    one = loss_surface(net, X, Y, loss=mean_squared_error, directions=[u], path=path)
    return one, two


def test_the_text_is_a_map_or_bars_of_at_most_80_columns(pictured):
    one, two = pictured
    for found in pictured:
        assert max(map(len, str(found).splitlines())) <= 80
        json.dumps(found.to_dict())
    lines = str(two).splitlines()
    rows = lines[lines.index("") + 1 :][:21]
    assert rows[10][30] == "o" and "x" in "".join(rows)
    assert sum("#" in line for line in str(one).splitlines()) > 5


def test_the_plots_have_a_color_bar_the_path_and_a_legend(pictured):
    one, two = pictured
    axes = two.plot()
    assert len(axes.figure.axes) == 2 and axes.figure.axes[1].get_ylabel() == "loss"
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["training states", "the parameters"]
    line = one.plot().lines[0]
    np.testing.assert_allclose(line.get_ydata(), one.values)


def test_a_surface_with_holes_is_shown_with_holes():
    layer = ct.Linear(1, 1, bias=False)
    x, y = np.ones((2, 1)), np.ones((2, 1))
    found = loss_surface(
        layer, x, y, loss=lambda p, t: p.log().mean(), directions={"weight": [[10.0]]}, points=5
    )
    assert np.isnan(found.values[0]) and np.isfinite(found.values[-1])
    assert "nan" in str(found)
    found.plot()


def test_an_impossible_surface_is_an_error_that_says_why():
    net = network()
    options = {"loss": mean_squared_error}
    with pytest.raises(OptionError, match="a function was given as the network"):
        loss_surface(lambda x: x, X, Y, **options)
    with pytest.raises(OptionError, match=r'did you mean "0\.weight"'):
        loss_surface(net, X, Y, directions={"0.wight": np.ones((3, 4))}, **options)
    with pytest.raises(ShapeError, match=r"shape \(4, 3\)"):
        loss_surface(net, X, Y, directions={"0.weight": np.ones((4, 3))}, **options)
    with pytest.raises(OptionError, match="3 directions"):
        loss_surface(net, X, Y, directions=random_directions(net, 3), **options)
    with pytest.raises(OptionError, match="a direction is 0"):
        loss_surface(net, X, Y, directions={"0.bias": np.zeros(4)}, **options)
    with pytest.raises(OptionError, match="points is 2"):
        loss_surface(net, X, Y, points=2, **options)
    with pytest.raises(RunError, match=r"state 0 of the training has no 0\.weight"):
        loss_surface(net, X, Y, path=[{}], **options)
    with pytest.raises(OptionError, match="no state differs"):
        path_directions([net.state_dict()], net)
