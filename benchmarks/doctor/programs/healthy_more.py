"""Healthy programs of every family and task, without a particular temptation."""

import cutaway as ct
from cutaway.nn import init

from ..case import healthy, plan
from ..nets import conv, curve, dense, language, recurrent, residual


@healthy(("iris", "wine"), (16, 24))
def small_table(data, width):
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=60)


@healthy(("titanic", "pima"), (8, 8))
def noisy_table(data, width):
    """People, of whom a table says only so much."""
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@healthy(("wine_quality", "diabetes"), (8, 8))
def noisy_regression(data, width):
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=30)


@healthy(("waves", "friedman"), (32, 48))
def regression_with_tanh(data, width):
    net = dense(data, width, width, activation=ct.Tanh)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=60)


@healthy(("friedman", "waves"), (32, 48))
def regression_of_absolute_errors(data, width):
    net = dense(data, width, width)
    loss = ct.losses.mean_absolute_error
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 5e-3), epochs=50)


@healthy(("digits_labels", "mnist_labels"), (32, 48))
def several_labels(data, width):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@healthy(("images_digits", "images_mnist"), (8, 8))
def pictures(data, width):
    net = conv(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=12)


@healthy(("images_mnist", "images_digits"), (8, 8))
def pictures_with_batch_norm(data, width):
    net = conv(data, width, norm=True)
    return plan(data, net, optimizer=ct.Momentum(net, 0.03), epochs=10)


@healthy(("gunpoint", "italy_power"), (16, 20))
def curves(data, width):
    net = curve(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=50)


@healthy(("airline", "sunspots"), (16, 20))
def forecast(data, width):
    net = recurrent(data, width, ct.GRU)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=40, batch_size=16)


@healthy(("drift_longer", "drift"), (16, 20))
def series_rnn(data, width):
    net = recurrent(data, width, ct.RNN)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20)


@healthy(("names", "shakespeare"), (32, 40))
def language_gru(data, width):
    net = language(data, width, ct.GRU)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=12)


@healthy(("clusters", "digits"), (32, 48))
def momentum_mlp(data, width):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Momentum(net, 0.02), epochs=40)


@healthy(("digits", "mnist"), (32, 48))
def residuals_with_norms(data, width):
    net = residual(data, width, last=init.he_normal, norm=True)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=20)


@healthy(("moons", "rings"), (24, 32))
def sigmoid_hidden(data, width):
    """One hidden layer of sigmoids is no deep network."""
    net = dense(data, width, activation=ct.Sigmoid)
    return plan(data, net, optimizer=ct.Adam(net, 3e-2), epochs=60)


@healthy(("wine", "digits"), (24, 32))
def adagrad_that_suits(data, width):
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adagrad(net, 0.1), epochs=40)


@healthy(("blobs", "clusters"), (24, 32))
def weight_decay_that_suits(data, width):
    net = dense(data, width, width)
    optimizer = ct.AdamW(net, 5e-3, weight_decay=0.01)
    return plan(data, net, optimizer=optimizer, epochs=30)
