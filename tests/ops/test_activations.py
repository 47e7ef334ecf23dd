"""Activations against PyTorch: values and derivatives, also where numbers are extreme."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cutaway import ops
from cutaway.engine import Tensor

Z = np.array([-1e4, -30, -5, -1, -0.5, -1e-3, 0, 1e-3, 0.5, 1, 5, 6, 30, 1e4], np.float32)

PAIRS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "silu": F.silu,
    "mish": F.mish,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "softmax": lambda z: torch.softmax(z, -1),
    "log_softmax": lambda z: torch.log_softmax(z, -1),
}


def value_and_derivative(f, z):
    x = Tensor(z, requires_grad=True)
    out = f(x)
    out.backward(np.ones(out.shape, np.float32) * 0.7)
    return out.numpy(), np.asarray(x.grad)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("z", [Z, np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)])
def test_activations_equal_pytorch(name, z):
    theirs = torch.tensor(z, requires_grad=True)
    expected = PAIRS[name](theirs)
    expected.backward(torch.full_like(expected, 0.7))
    value, derivative = value_and_derivative(getattr(ops, name), z)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(derivative, theirs.grad.numpy(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", [*PAIRS, "threshold", "linear"])
def test_activations_are_finite_far_from_zero(name):
    value, derivative = value_and_derivative(getattr(ops, name), Z)
    assert np.isfinite(value).all() and np.isfinite(derivative).all()


def test_parametric_relu_equals_pytorch():
    z = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    slope = np.array([0.1, 0.25, 0.5], np.float32)
    ours, weight = Tensor(z, requires_grad=True), Tensor(slope, requires_grad=True)
    ops.parametric_relu(ours, weight).sum().backward()
    theirs = torch.tensor(z, requires_grad=True)
    their_weight = torch.tensor(slope, requires_grad=True)
    F.prelu(theirs, their_weight).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-6)
    np.testing.assert_allclose(weight.grad, their_weight.grad, rtol=1e-5)


def test_leaky_relu_of_minus_three_is_minus_0_03():
    value, derivative = value_and_derivative(ops.leaky_relu, np.array([-3.0], np.float32))
    assert value[0] == pytest.approx(-0.03) and derivative[0] / 0.7 == pytest.approx(0.01)


def test_the_threshold_is_a_step_without_slope():
    value, derivative = value_and_derivative(ops.threshold, np.array([-1.0, 0.0, 2.0], np.float32))
    assert value.tolist() == [0, 1, 1] and derivative.tolist() == [0, 0, 0]


def test_the_derivative_of_the_sigmoid_is_at_most_a_quarter():
    # so a weight of 500 behind it makes a link of 0.25 · 500 = 125, through which gradients explode
    _, derivative = value_and_derivative(ops.sigmoid, np.linspace(-8, 8, 161, dtype=np.float32))
    slope = derivative / 0.7
    assert slope.max() == pytest.approx(0.25, rel=1e-6) and (slope > 0).all()
    w = Tensor([[500.0]])
    z = Tensor([[0.0]], requires_grad=True)
    (ops.sigmoid(z) @ w).sum().backward()
    assert z.grad[0, 0] == 125.0


def test_softmax_rows_add_up_to_one():
    rows = ops.softmax(Tensor(np.stack([Z, Z[::-1]])), axis=-1).numpy()
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
