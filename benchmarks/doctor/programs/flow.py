"""Faults in how signals and gradients get through a network."""

import numpy as np

import cutaway as ct
from cutaway.nn import init

from ..case import fault, plan
from ..nets import conv, curve, dense, hidden, recurrent, residual, set_values

# vanishing gradients


@fault("vanishing_gradient", ("digits", "mnist"), (24, 32))
def deep_sigmoid(data, width, well):
    act = ct.ReLU if well else ct.Sigmoid
    net = dense(data, *[width] * 9, activation=act)
    return plan(data, net, optimizer=ct.Momentum(net, 0.02), epochs=25)


@fault("vanishing_gradient", ("friedman", "waves"), (24, 32))
def deep_sigmoid_regression(data, width, well):
    act = ct.ReLU if well else ct.Sigmoid
    net = dense(data, *[width] * 7, activation=act)
    return plan(data, net, optimizer=ct.Momentum(net, 0.01), epochs=40)


@fault("vanishing_gradient", ("gunpoint", "italy_power"), (8, 10))
def deep_sigmoid_curves(data, width, well):
    act = ct.ReLU if well else ct.Sigmoid
    net = curve(data, width, depth=9, activation=act, weights=init.he_normal)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@fault("vanishing_gradient", ("digits_labels", "mnist_labels"), (24, 32))
def deep_sigmoid_labels(data, width, well):
    act = ct.Tanh if well else ct.Sigmoid
    net = dense(data, *[width] * 8, activation=act)
    return plan(data, net, optimizer=ct.Momentum(net, 0.03), epochs=30)


@fault("vanishing_gradient", ("recall", "recall_longer"), (16, 20))
def forgetful_rnn(data, width, well):
    net = recurrent(data, width, ct.RNN)
    weight = _hidden_weight(net)
    set_values(weight, init.orthogonal(weight.shape, 1.0 if well else 0.1))
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=12)


# exploding gradients


@fault("exploding_gradient", ("drift", "drift_longer"), (16, 20))
def growing_rnn(data, width, well):
    net = recurrent(data, width, ct.RNN, activation=ct.ops.relu)
    weight = _hidden_weight(net)
    set_values(weight, (1.0 if well else 2.2) * np.eye(width))  # Le et al. 2015, arXiv:1504.00941
    return plan(data, net, optimizer=ct.SGD(net, 0.01), epochs=20)


@fault("exploding_gradient", ("friedman", "waves"), (16, 24), also=("bad_initial_scale",))
def unnormed_residuals(data, width, well):
    """Each block doubles the signal, so that the gradient grows with the depth."""
    net = residual(data, width, blocks=14, last=init.zeros if well else _doubled)
    return plan(data, net, optimizer=ct.SGD(net, 0.01), epochs=20)


@fault("exploding_gradient", ("digits", "mnist"), (24, 32), also=("bad_initial_scale",))
def heavy_weights(data, width, well):
    net = dense(data, *[width] * 8, activation=ct.ReLU)
    if not well:
        for layer in hidden(net):
            set_values(layer.weight, 3 * layer.weight.numpy())
    return plan(data, net, optimizer=ct.SGD(net, 0.05), epochs=20)


# units that do not answer


@fault("dead_units", ("digits", "mnist"), (24, 32))
def dead_dense(data, width, well):
    net = dense(data, width, width)
    if not well:
        set_values(hidden(net)[-1].bias, -12.0)
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=20)


@fault("dead_units", ("friedman", "waves"), (24, 32))
def dead_regression(data, width, well):
    net = dense(data, width, width)
    if not well:
        set_values(hidden(net)[0].bias, -20.0)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=40)


@fault("dead_units", ("images_digits", "images_mnist"), (6, 8))
def dead_pictures(data, width, well):
    net = conv(data, width)
    if not well:
        set_values(hidden(net)[-1].bias, -8.0)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=8)


@fault("saturated_units", ("digits", "mnist"), (24, 32), also=("bad_initial_scale",))
def saturated_tanh(data, width, well):
    net = dense(data, width, width, width, activation=ct.Tanh)
    if not well:
        for layer in hidden(net)[1:]:
            set_values(layer.weight, init.normal(layer.weight.shape, 6.0))
    return plan(data, net, optimizer=ct.Momentum(net, 0.01), epochs=15)


@fault("saturated_units", ("friedman", "waves"), (24, 32))
def saturated_sigmoid(data, width, well):
    """Biases of both hidden layers far out on the flat part."""
    net = dense(data, width, width, activation=ct.Sigmoid)
    if not well:
        signs = np.sign(np.random.default_rng(1).normal(size=width))
        for layer in hidden(net):
            set_values(layer.bias, 15 * signs)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=40)


@fault("wrong_hidden_activation", ("moons", "rings"), (16, 24))
def no_activation(data, width, well):
    net = dense(data, width, width, activation=ct.ReLU if well else ct.Identity)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=30)


@fault("wrong_hidden_activation", ("waves", "friedman"), (24, 32))
def no_activation_regression(data, width, well):
    net = dense(data, width, width, activation=ct.Tanh if well else None)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=60)


@fault("wrong_hidden_activation", ("digits", "mnist"), (24, 32))
def softmax_inside(data, width, well):
    net = dense(data, width, width, width, activation=ct.ReLU if well else ct.Softmax)
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=20)


# NaN


class LogOfInput(ct.Module):
    """ln x, -∞ where x is 0; or ln(1 + x)."""

    def __init__(self, safe: bool):
        self.safe = safe

    def forward(self, x):
        return ct.ops.log(1 + x) if self.safe else ct.ops.log(x)


class OwnSoftmax(ct.Module):
    """exp kz / Σ exp kz, which overflows for kz above 88; or with the largest z taken away."""

    def __init__(self, safe: bool):
        self.safe = safe

    def forward(self, z):
        z = SHARPNESS * z
        if self.safe:
            return ct.ops.softmax(z)
        exps = ct.ops.exp(z)
        return exps / exps.sum(axis=-1, keepdims=True)


SHARPNESS = 40.0


class LengthOfRow(ct.Module):
    """Divides a row by its length √(Σ x²): at 0 neither has a value nor a slope."""

    def __init__(self, eps: float):
        self.eps = eps

    def forward(self, x):
        return x / ct.ops.sqrt((x * x).sum(axis=-1, keepdims=True) + self.eps)


@fault("nan_source", ("digits", "mnist"), (24, 32))
def log_of_zero(data, width, well):
    net = ct.Sequential(LogOfInput(well), *dense(data, width).layers())
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=20)


@fault("nan_source", ("breast_cancer", "wine"), (16, 24), repairable=False)
def overflowing_softmax(data, width, well):
    net = ct.Sequential(
        ct.Linear(data.inputs, width), OwnSoftmax(well), ct.Linear(width, data.outputs)
    )
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=40)


@fault("nan_source", ("digits", "mnist"), (24, 32), repairable=False)
def length_of_nothing(data, width, well):
    """One row in a hundred is empty."""
    x = data.x.copy()
    x[::100] = 0
    layers = dense(data, width).layers()
    net = ct.Sequential(LengthOfRow(1e-6 if well else 0.0), *layers)
    return plan(data.changed(x=x), net, optimizer=ct.Adam(net, 3e-3), epochs=20)


def _doubled(shape):
    return init.he_normal(shape) * 1.4


def _hidden_weight(net):
    return next(p for path, p in net.named_parameters().items() if path.endswith("hidden_weight"))
