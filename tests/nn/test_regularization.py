"""Layers that drop: what is dropped, how often, and that expectations stay."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError

X = np.random.default_rng(0).normal(size=(40, 5, 6, 30)).astype(np.float32)


def test_spatial_dropout_drops_whole_channels_of_single_rows():
    layer = ct.SpatialDropout(0.3)
    y = layer(X).numpy()
    factors = y / X
    per_channel = factors[:, 0, 0, :]
    np.testing.assert_allclose(
        factors, np.broadcast_to(per_channel[:, None, None], X.shape), rtol=1e-5
    )
    values = np.unique(per_channel.round(4))
    np.testing.assert_allclose(values, [0, 1 / 0.7], rtol=1e-4)
    dropped = (per_channel == 0).mean()
    assert dropped == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 1200))
    assert 0 < (per_channel[:, 3] == 0).sum() < 40  # each row has its own


def test_spatial_dropout_of_a_table_is_dropout():
    y = ct.SpatialDropout(0.5)(np.ones((200, 50), np.float32)).numpy()
    assert set(np.unique(y)) == {0, 2} and (y == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_stochastic_depth_drops_whole_rows_and_keeps_the_expectation():
    inner = ct.Linear(3, 4)
    layer = ct.StochasticDepth(inner, 0.25)
    x = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    whole = inner(x).numpy()
    kept = layer(x).numpy()
    dropped = (kept == 0).all(axis=1)
    np.testing.assert_allclose(kept[~dropped], whole[~dropped] / 0.75, rtol=1e-6)
    assert dropped.mean() == pytest.approx(0.25, abs=0.04)
    again = layer(x).numpy()
    assert ((again == 0).all(axis=1) != dropped).any()


def test_rows_that_pass_by_give_the_branch_no_gradient():
    layer = ct.StochasticDepth(ct.Linear(8, 3, bias=False), 0.5)
    x = np.eye(8, dtype=np.float32)
    out = layer(x)
    out.sum().backward()
    dropped = (out.numpy() == 0).all(axis=1)
    assert 0 < dropped.sum() < 8
    np.testing.assert_array_equal((layer.inner.weight.grad == 0).all(axis=1), dropped)


@pytest.mark.parametrize(
    "layer", [ct.SpatialDropout(0.5), ct.StochasticDepth(ct.Sequential(ct.Identity()), 0.5)]
)
def test_evaluation_and_p_of_zero_change_nothing(layer):
    layer.eval()
    np.testing.assert_array_equal(layer(X).numpy(), X)
    layer.train()
    layer.p = 0
    np.testing.assert_array_equal(layer(X).numpy(), X)


@pytest.mark.parametrize("make", [lambda: ct.SpatialDropout(0.4),
                                  lambda: ct.StochasticDepth(ct.Linear(30, 2), 0.4)])  # fmt: skip
def test_compiled_layers_draw_what_eager_ones_draw(make):
    found = []
    for compile_it in (False, True):
        ct.seed(0)
        layer = make()
        call = ct.jit(layer, layer) if compile_it else layer
        found.append(np.concatenate([call(X).numpy(), call(X).numpy()]))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_is_named():
    with pytest.raises(OptionError, match="SpatialDropout: p is 1"):
        ct.SpatialDropout(1)
    with pytest.raises(OptionError, match=r"StochasticDepth: p is -0\.1"):
        ct.StochasticDepth(ct.Identity(), -0.1)
    with pytest.raises(ShapeError, match=r"SpatialDropout: the input has shape \(3,\)"):
        ct.SpatialDropout(0.5)(np.ones(3, np.float32))
