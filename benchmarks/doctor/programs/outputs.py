"""Faults in how the loss, the output layer and the targets fit each other."""

import functools

import numpy as np

import cutaway as ct

from ..case import fault, plan
from ..nets import conv, dense, recurrent

losses = ct.losses


class Probabilities(ct.Module):
    """Softmax or sigmoid written by hand, which the checks before training do not know."""

    def __init__(self, operation):
        self.operation = operation

    def forward(self, z):
        return self.operation(z)


def _ending(net, last):
    return ct.Sequential(*net.layers(), last)


@fault("wrong_loss", ("clusters", "digits"), (24, 32))
def squares_of_class_numbers(data, width, well):
    """Class numbers as if they were quantities."""
    if well:
        net = dense(data, width, width)
        return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)
    y, yv = (v[:, None].astype(np.float32) for v in (data.y, data.yv))
    data = data.changed(y=y, yv=yv, outputs=1)
    net = dense(data, width, width)
    loss = losses.mean_squared_error
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 5e-3), epochs=30)


@fault("wrong_loss", ("moons", "breast_cancer"), (16, 24), also=("wrong_output_activation",))
def probabilities_wanted(data, width, well):
    """A loss for probabilities on the outputs of a linear layer."""
    net = _ending(dense(data, width, width), ct.Identity())
    loss = losses.binary_cross_entropy_with_logits if well else losses.binary_cross_entropy
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 3e-3), epochs=25)


@fault("wrong_loss", ("digits", "mnist"), (24, 32), also=("wrong_output_activation",))
def probabilities_of_classes_wanted(data, width, well):
    net = _ending(dense(data, width, width), ct.Identity())
    loss = (
        losses.sparse_categorical_cross_entropy_with_logits
        if well
        else losses.sparse_categorical_cross_entropy
    )
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 2e-3), epochs=20)


@fault("wrong_loss", ("friedman", "waves"), (24, 32))
def squares_of_outliers(data, width, well):
    """One target in twenty is far off, and squares count little else."""
    rng = np.random.default_rng(5)
    y = data.y.copy()
    wild = rng.random(len(y)) < 0.05
    y[wild] += 30 * rng.standard_normal(y[wild].shape).astype(np.float32)
    net = dense(data, width)
    loss = losses.huber if well else losses.mean_squared_error
    return plan(data.changed(y=y), net, loss=loss, optimizer=ct.Adam(net, 5e-3), epochs=20)


@fault("wrong_output_activation", ("friedman", "wine_quality"), (24, 32))
def rectified_output(data, width, well):
    net = dense(data, width, width, output=None if well else ct.ReLU)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@fault("wrong_output_activation", ("waves", "diabetes"), (24, 32))
def sigmoid_for_numbers(data, width, well):
    net = dense(data, width, output=None if well else ct.Sigmoid)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@fault("wrong_output_activation", ("digits_labels", "mnist_labels"), (24, 32))
def softmax_over_labels(data, width, well):
    """Several labels may hold at once, but the outputs add up to 1."""
    net = dense(data, width, width, output=ct.Sigmoid if well else ct.Softmax)
    loss = losses.binary_cross_entropy
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 3e-3), epochs=20)


@fault("wrong_output_activation", ("breast_cancer", "moons"), (16, 24))
def softmax_of_one(data, width, well):
    """The softmax of one number is 1."""
    squash = ct.ops.sigmoid if well else ct.ops.softmax
    net = _ending(dense(data, width), Probabilities(squash))
    loss = losses.binary_cross_entropy
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 5e-3), epochs=20)


@fault("wrong_output_activation", ("images_digits", "images_mnist"), (6, 8), also=("wrong_loss",))
def softmax_twice(data, width, well):
    """Softmax in the network, and once more in the loss."""
    net = conv(data, width)
    if not well:
        net = _ending(net, Probabilities(ct.ops.softmax))
    return plan(data, net, optimizer=ct.SGD(net, 0.05), epochs=8)


@fault("wrong_output_activation", ("moons", "pima"), (16, 24), also=("wrong_loss",))
def sigmoid_twice(data, width, well):
    """Sigmoid in the network, and once more in the loss."""
    net = dense(data, width, width)
    if not well:
        net = _ending(net, Probabilities(ct.ops.sigmoid))
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@fault("wrong_output_activation", ("airline", "sunspots"), (12, 16))
def rectified_forecast(data, width, well):
    net = recurrent(data, width, ct.GRU)
    if not well:
        net = _ending(net, ct.ReLU())
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=30, batch_size=16)


# classes of which one is rare


def _balanced(prediction, target):
    return losses.binary_cross_entropy_with_logits(prediction, target, class_weights=(1.0, 20.0))


_balanced.expects = losses.binary_cross_entropy_with_logits.expects


@fault("class_imbalance", ("rare_moons", "rare_rings"), (16, 24))
def one_in_twenty(data, width, well):
    net = dense(data, width, width)
    loss = _balanced if well else losses.binary_cross_entropy_with_logits
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 3e-3), epochs=20)


@fault("class_imbalance", ("rare_rings", "rare_moons"), (8, 12))
def one_in_twenty_sigmoid(data, width, well):
    net = dense(data, width, activation=ct.Tanh, output=ct.Sigmoid)
    loss = functools.partial(
        losses.binary_cross_entropy, class_weights=(1.0, 20.0) if well else None
    )
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 1e-2), epochs=20)
