"""Faults in what a training starts from: initial weights, what is trained, how large it is."""

import cutaway as ct
from cutaway.nn import init

from ..case import fault, plan
from ..nets import (
    conv,
    dense,
    hidden,
    language,
    recurrent,
    redrawn,
    residual,
    set_values,
    transformer,
)

# all units the same


@fault("symmetric_weights", ("digits", "mnist"), (24, 32))
def constant_weights(data, width, well):
    net = dense(data, width, width, activation=ct.Tanh)
    if not well:
        redrawn(net, lambda shape: init.constant(shape, 0.05))
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=20)


@fault("symmetric_weights", ("clusters", "blobs"), (16, 24))
def zero_weights(data, width, well):
    net = dense(data, width, width, activation=ct.Sigmoid)
    if not well:
        redrawn(net, init.zeros)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=30)


@fault("symmetric_weights", ("images_digits", "images_mnist"), (6, 8))
def constant_kernels(data, width, well):
    net = conv(data, width)
    if not well:
        redrawn(net, lambda shape: init.constant(shape, 0.1), (ct.Conv2d, ct.Linear))
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=8)


@fault("symmetric_weights", ("product", "waves"), (16, 24))
def constant_regression(data, width, well):
    net = dense(data, width, width, activation=ct.Tanh)
    if not well:
        redrawn(net, lambda shape: init.constant(shape, 0.3))
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=40)


# weights of the wrong size


@fault("bad_initial_scale", ("digits", "mnist"), (24, 32), also=("vanishing_gradient",))
def tiny_weights(data, width, well):
    net = dense(data, *[width] * 4)
    if not well:
        redrawn(net, lambda shape: init.normal(shape, 0.001))
    return plan(data, net, optimizer=ct.Momentum(net, 0.02), epochs=20)


@fault("bad_initial_scale", ("mnist", "digits"), (48, 64))
def unit_weights(data, width, well):
    """Every weight from N(0, 1), as randn gives them."""
    net = dense(data, width, width, width)
    if not well:
        redrawn(net, lambda shape: init.normal(shape, 1.0))
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=12)


@fault("bad_initial_scale", ("names", "shakespeare"), (16, 24))
def loud_language(data, width, well):
    """Logits of the first step far from those of chance."""
    net = transformer(data, width, layers=1)
    if not well:
        last = [m for m in net.modules().values() if isinstance(m, ct.Linear)][-1]
        set_values(last.weight, init.normal(last.weight.shape, 8.0))
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=6)


@fault("bad_initial_scale", ("friedman", "waves"), (32, 48))
def loud_regression(data, width, well):
    net = dense(data, width, width, width)
    if not well:
        redrawn(net, lambda shape: init.normal(shape, 1.5))
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=20)


# parts that are not trained


@fault("frozen_parameters", ("mnist", "digits"), (8, 6))
def frozen_trunk(data, width, well):
    """The optimizer was given the last layer only."""
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net if well else net[-1], 5e-3), epochs=25)


@fault("frozen_parameters", ("friedman", "waves"), (24, 10))
def only_biases_move(data, width, well):
    net = dense(data, width, width)
    given = net.parameters()
    if not well:
        weights = {id(layer.weight) for layer in hidden(net)}
        given = [p for p in given if id(p) not in weights]
    return plan(data, net, optimizer=ct.Adam(given, 3e-3), epochs=40)


@fault("frozen_parameters", ("drift", "drift_longer"), (6, 6))
def frozen_recurrence(data, width, well):
    net = recurrent(data, width, ct.GRU)
    return plan(data, net, optimizer=ct.Adam(net if well else net[-1], 5e-3), epochs=20)


# networks too small for the task


@fault("underfitting", ("digits", "mnist"), (32, 48))
def one_unit(data, width, well):
    net = dense(data, width if well else 1)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@fault("underfitting", ("waves", "friedman"), (24, 32))
def one_unit_regression(data, width, well):
    net = dense(data, *([width, width] if well else [1]), activation=ct.Tanh)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=60)


@fault("underfitting", ("digits_again", "mnist_again"), (64, 64))
def narrow_code(data, width, well):
    """An autoencoder with a code of one number."""
    net = dense(data, width, 16 if well else 1, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=30)


@fault("underfitting", ("names", "shakespeare"), (24, 32))
def small_language(data, width, well):
    net = language(data, width if well else 1)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=10)


@fault("bad_initial_scale", ("digits", "mnist"), (24, 32), also=("exploding_gradient",))
def loud_residuals(data, width, well):
    draw = init.zeros if well else (lambda shape: init.normal(shape, 1.5))
    net = residual(data, width, blocks=3, last=draw)
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=15)
