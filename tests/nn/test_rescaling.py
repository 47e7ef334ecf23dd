"""Smooth clip, learned scale, blend: by hand, and the numbers of pytabkit."""

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import nn, ops
from cutaway.engine import float64
from cutaway.errors import OptionError, ShapeError

Z = np.float32([[-2.0, -0.5, 0.3, 1.5]])
SHARE = np.float32([1.0, 0.5, -0.2, 1.3])
# pytabkit 1.8.0: ParametricActivationLayer(f, SHARE).forward_cont(Z) for torch.selu and its mish
PEERS = {
    "SELU": [[-1.5201665, -0.5958791, 0.2969579, 1.5988669]],
    "Mish": [[-0.2525015, -0.3603719, 0.3183997, 1.3743918]],
}


def test_smooth_clip_by_hand_its_slope_and_its_limits():
    x = ct.Tensor(np.float32([0.0, 4.0, -4.0, 1e-3, 1e30, -1e30]), requires_grad=True)
    y = ops.smooth_clip(x)
    np.testing.assert_allclose(y.numpy(), [0, 2.4, -2.4, 1e-3, 3, -3], rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [1, 0.6**3, 0.6**3, 1, 0, 0], rtol=1e-5)
    assert nn.SmoothClip(5.0)(np.float32([12.0])).item() == pytest.approx(60 / 13)
    assert repr(nn.SmoothClip(5.0)) == "SmoothClip(limit=5)"
    with pytest.raises(OptionError, match="limit is 0"):
        nn.SmoothClip(0)


def test_cosine_and_sine_of_turns_are_those_of_radians_to_float32():
    turns = np.linspace(-3, 3, 4801).astype(np.float32)
    for name, expected in (("cos_turns", np.cos), ("sin_turns", np.sin)):
        found = getattr(ops, name)(turns).numpy()
        np.testing.assert_allclose(found, expected(2 * np.pi * np.float64(turns)), atol=2e-7)
    small = np.float32([1e-6, -1e-9, 2.5e-20])  # a sine keeps its relative precision at 0
    np.testing.assert_allclose(ops.sin_turns(small).numpy(), 2 * np.pi * small, rtol=1e-6)
    assert ops.cos_turns(np.float32([0, 0.25, 0.5, 1e6, 2**24])).tolist() == [1, 0, -1, 1, 1]


@pytest.mark.parametrize("name", PEERS)
def test_a_blend_equals_pytabkit_s_parametric_activation(name):
    layer = nn.Blend(getattr(nn, name)(), 4)
    np.testing.assert_array_equal(layer.share.numpy(), np.ones(4))
    np.testing.assert_allclose(layer(Z).numpy(), layer.activation(Z).numpy(), rtol=1e-6)
    layer.share.data = jnp.asarray(SHARE)
    np.testing.assert_allclose(layer(Z).numpy(), PEERS[name], rtol=1e-5)


def test_a_scale_begins_as_the_identity_and_learns_each_factor():
    layer = nn.LearnedScale(4)
    np.testing.assert_array_equal(layer(Z).numpy(), Z)
    layer(Z).sum().backward()
    np.testing.assert_array_equal(layer.factor.grad, Z[0])
    with pytest.raises(ShapeError, match="LearnedScale"):
        layer(Z[:, :3])
    with pytest.raises(ShapeError, match="Blend"):
        nn.Blend(nn.ReLU(), 3)(Z)
    with pytest.raises(OptionError, match=r"nn\.SELU\(\)"):
        nn.Blend(nn.SELU, 4)


def test_paths_through_clip_scale_and_blend_add_up_to_the_gradient():
    ct.seed(0)
    net = ct.Sequential(
        nn.SmoothClip(),
        nn.LearnedScale(4),
        ct.Linear(4, 3),
        nn.Blend(nn.Mish(), 3),
        ct.Linear(3, 1),
    )
    net[3].share.data = jnp.asarray([0.5, 1.0, 1.5], jnp.float32)
    why = ct.explain(net, Z[0], np.float32([1.0]), loss=ct.losses.mean_squared_error)
    for path, index in (("1.factor", (3,)), ("2.weight", (0, 1)), ("3.share", (2,))):
        found = why.gradient(path, index)
        total = sum(p.product for p in found.paths) + found.remainder
        np.testing.assert_allclose(total, found.value, rtol=1e-9)
        assert found.value != 0


def test_widening_through_scale_and_blend_keeps_the_outputs():
    net = ct.Sequential(
        ct.Linear(4, 3),
        nn.SmoothClip(),
        nn.LearnedScale(3),
        nn.Blend(nn.PReLU(3), 3),
        ct.Linear(3, 1),
    )
    before = net(Z).numpy()
    nn.widen(net, "0", 5)
    np.testing.assert_allclose(net(Z).numpy(), before, rtol=1e-5)
    assert net[3].activation.slope.shape == net[2].factor.shape == (5,)
    assert net[3].share.numpy().tolist() == [1] * 5


def test_mish_in_float64_is_exact_on_both_sides():
    with float64():
        z = np.array([-40.0, -1.1924, 25.0])
        found = ops.mish(ct.Tensor(jnp.asarray(z))).numpy()
        np.testing.assert_allclose(found, z * np.tanh(np.logaddexp(0, z)), rtol=1e-13)
