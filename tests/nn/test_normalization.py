"""Normalization layers equal PyTorch's: outputs, every gradient, running statistics."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, ShapeError
from tests.shapes import few

# the last axis is features here, axis 1 in PyTorch
CHANNELS_LAST = {
    "BatchNorm1d": (lambda: ct.BatchNorm(4), lambda: torch.nn.BatchNorm1d(4)),
    "BatchNorm2d": (
        lambda: ct.BatchNorm(4, momentum=0.3, eps=1e-3),
        lambda: torch.nn.BatchNorm2d(4, momentum=0.3, eps=1e-3),
    ),
    "GroupNorm": (lambda: ct.GroupNorm(2, 4), lambda: torch.nn.GroupNorm(2, 4)),
    "InstanceNorm": (
        lambda: ct.InstanceNorm(4, affine=True),
        lambda: torch.nn.InstanceNorm2d(4, affine=True),
    ),
    "InstanceNorm without affine": (
        lambda: ct.InstanceNorm(4),
        lambda: torch.nn.InstanceNorm2d(4),
    ),
    "LocalResponseNorm": (
        lambda: ct.LocalResponseNorm(3, alpha=0.2, beta=0.6, k=2.0),
        lambda: torch.nn.LocalResponseNorm(3, alpha=0.2, beta=0.6, k=2.0),
    ),
    "LocalResponseNorm of even size": (
        lambda: ct.LocalResponseNorm(2, alpha=0.2),
        lambda: torch.nn.LocalResponseNorm(2, alpha=0.2),
    ),
}
LAST = {
    "LayerNorm": (lambda: ct.LayerNorm(4), lambda: torch.nn.LayerNorm(4)),
    "LayerNorm without bias": (
        lambda: ct.LayerNorm(4, bias=False),
        lambda: torch.nn.LayerNorm(4, bias=False),
    ),
    "LayerNorm without affine": (
        lambda: ct.LayerNorm(4, affine=False, eps=1e-3),
        lambda: torch.nn.LayerNorm(4, elementwise_affine=False, eps=1e-3),
    ),
    "RMSNorm": (lambda: ct.RMSNorm(4), lambda: torch.nn.RMSNorm(4, eps=1e-6)),
}
PRECISIONS = {"float32": 1e-5, "float64": 1e-10}


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def close(ours, theirs, rtol):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    scale = max(1.0, np.abs(theirs).max())
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=rtol, atol=rtol * scale)


def same_weights(ours, theirs, dtype):
    """Random γ and β in both."""
    rng = np.random.default_rng(5)
    ours.astype(dtype)
    theirs.to(getattr(torch, dtype))
    for name, parameter in ours.named_parameters().items():
        value = rng.uniform(0.5, 2, parameter.shape).astype(dtype)
        parameter.data = jnp.asarray(value)
        getattr(theirs, name).data = torch.tensor(value)


def expect_equal(ours, theirs, x, rtol, *, is_channels_last, compiled=False):
    def step(x):
        leaf = Tensor(x.data, requires_grad=True)
        out = ours(leaf)
        (out * out * out + out).sum().backward()
        return out, leaf.grad

    step = ct.jit(step, ours) if compiled else step
    out, grad = step(Tensor(x))
    b = torch.tensor(channels_first(x) if is_channels_last else x, requires_grad=True)
    expected = theirs(b)
    (expected**3 + expected).sum().backward()

    def turned(t):
        return np.moveaxis(t.detach().numpy(), 1, -1) if is_channels_last else t

    close(out.numpy(), turned(expected), rtol)
    close(np.asarray(grad.data if isinstance(grad, Tensor) else grad), turned(b.grad), rtol)
    for name, parameter in ours.named_parameters().items():
        close(parameter.grad, getattr(theirs, name).grad, rtol)
        parameter.grad = getattr(theirs, name).grad = None


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", [*CHANNELS_LAST, *LAST])
@few(3)
@given(sizes=st.sampled_from([(2, 3), (5, 2), (1, 4)]), seed=st.integers(0, 2))
def test_layers_equal_pytorch_forward_and_every_gradient(name, dtype, sizes, seed):
    make_ours, make_theirs = (CHANNELS_LAST | LAST)[name]
    batch, height = sizes
    shape = (batch, height, 4) if name in LAST or name.endswith("1d") else (batch, height, 3, 4)
    x = (np.random.default_rng(seed).normal(size=shape) * 2 + 1).astype(dtype)
    with float64():
        ours, theirs = make_ours(), make_theirs()
        same_weights(ours, theirs, dtype)
        last = name in CHANNELS_LAST
        expect_equal(ours, theirs, x, PRECISIONS[dtype], is_channels_last=last)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 5, 4)])
def test_batch_norm_equals_pytorch_over_steps_and_in_evaluation(shape, compiled):
    ours = ct.BatchNorm(4, momentum=0.2)
    theirs = {2: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[len(shape)](4, momentum=0.2)
    same_weights(ours, theirs, "float32")
    rng = np.random.default_rng(1)
    for training in (True, True, True, False):
        ours.train(training)
        theirs.train(training)
        x = (rng.normal(size=shape) * 3 + 2).astype(np.float32)
        expect_equal(ours, theirs, x, 1e-5, is_channels_last=True, compiled=compiled)
        close(ours.running_mean.data, theirs.running_mean, 1e-6)
        close(ours.running_var.data, theirs.running_var, 1e-6)
    assert list(ours.state_dict()) == ["weight", "bias", "running_mean", "running_var"]


def test_scanned_steps_move_the_running_statistics_as_steps_do():
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32) + 1
    one, other = ct.BatchNorm(2), ct.BatchNorm(2)
    for batch in x:
        one(batch)
    ct.jit(lambda batch: other(batch), other).scan(x)
    np.testing.assert_allclose(one.running_mean.data, other.running_mean.data, rtol=1e-6)
    np.testing.assert_allclose(one.running_var.data, other.running_var.data, rtol=1e-6)


def test_in_evaluation_a_row_does_not_depend_on_the_others():
    net = ct.Sequential(ct.Linear(3, 4), ct.BatchNorm(4))
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    net(x)
    net.eval()
    before = net.state_dict()
    np.testing.assert_allclose(net(x).numpy()[2:3], net(x[2:3]).numpy(), rtol=1e-5, atol=1e-6)
    for path, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_one_group_is_layer_norm_and_single_channels_are_instance_norm():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    one = ct.GroupNorm(1, 4)(x).numpy()
    flat = ct.LayerNorm(60)(x.reshape(2, 60)).numpy().reshape(x.shape)
    np.testing.assert_allclose(one, flat, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        ct.GroupNorm(4, 4)(x).numpy(), ct.InstanceNorm(4)(x).numpy(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: ct.BatchNorm(3)(np.ones((1, 3))), ShapeError, "has 1 values per channel"),
        (lambda: ct.BatchNorm(3)(np.ones((0, 3))), ShapeError, "has 0 values per channel"),
        (lambda: ct.BatchNorm(3)(np.ones(3)), ShapeError, "at least 2 axes"),
        (lambda: ct.BatchNorm(3)(np.ones((2, 4))), ShapeError, r"channels=3"),
        (lambda: ct.InstanceNorm(3)(np.ones((2, 3))), ShapeError, "at least 3 axes"),
        (lambda: ct.InstanceNorm(3)(np.ones((2, 1, 3))), ShapeError, "one value per channel"),
        (lambda: ct.GroupNorm(3, 8), OptionError, "choose num_groups from 1, 2, 4, 8"),
        (lambda: ct.GroupNorm(0, 8), OptionError, "num_groups is 0"),
        (lambda: ct.LayerNorm(3)(np.ones((2, 4))), ShapeError, "features=3"),
        (lambda: ct.LayerNorm(0), OptionError, "features is 0"),
        (lambda: ct.RMSNorm(3, eps=-1.0), OptionError, "eps is -1.0"),
        (lambda: ct.BatchNorm(3, momentum=2.0), OptionError, "momentum is 2.0"),
        (lambda: ct.LocalResponseNorm(0), OptionError, "size is 0"),
    ],
)
def test_wrong_shapes_and_options_are_named(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()


def test_batch_norm_of_one_row_is_an_error_as_in_pytorch_and_changes_nothing():
    with pytest.raises(ValueError, match="more than 1 value"):
        torch.nn.BatchNorm1d(3)(torch.ones(1, 3))
    layer = ct.BatchNorm(3)
    with pytest.raises(ShapeError, match=r"drop the last incomplete one, or call \.eval"):
        layer(np.ones((1, 3), np.float32))
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.eval()(np.ones((1, 3), np.float32)).shape == (1, 3)


def test_an_empty_batch_passes_layers_that_do_not_mix_rows():
    for layer in (ct.LayerNorm(4), ct.RMSNorm(4), ct.GroupNorm(2, 4), ct.LocalResponseNorm(3)):
        assert layer(np.ones((0, 3, 4), np.float32)).shape == (0, 3, 4)
