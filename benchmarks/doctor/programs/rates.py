"""Faults in how a training steps: rates, optimizers, how long, and where it gets stuck."""

import numpy as np

import cutaway as ct
from cutaway.nn import init
from cutaway.optim import StepDecay

from ..case import fault, plan
from ..nets import (
    conv,
    curve,
    dense,
    language,
    recurrent,
    redrawn,
    residual,
    set_values,
    transformer,
)

# the learning rate


@fault("learning_rate_too_high", ("digits", "mnist"), (24, 32))
def high_sgd(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.1 if well else 5.0), epochs=20)


@fault("learning_rate_too_high", ("images_digits", "images_mnist"), (6, 8))
def high_adam_pictures(data, width, well):
    net = conv(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3 if well else 0.3), epochs=8)


@fault("learning_rate_too_high", ("drift", "drift_longer"), (12, 16))
def high_adam_series(data, width, well):
    net = recurrent(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3 if well else 1.0), epochs=15)


@fault("learning_rate_too_high", ("friedman", "waves"), (24, 32))
def high_momentum_regression(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Momentum(net, 5e-3 if well else 0.4), epochs=30)


@fault("learning_rate_too_high", ("names", "shakespeare"), (16, 24))
def high_adam_language(data, width, well):
    net = transformer(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3 if well else 0.3), epochs=6)


@fault("learning_rate_too_low", ("digits", "mnist"), (24, 32))
def low_sgd(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.1 if well else 1e-4), epochs=20)


@fault("learning_rate_too_low", ("waves", "friedman"), (24, 32))
def low_adam_regression(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3 if well else 2e-6), epochs=40)


@fault("learning_rate_too_low", ("names", "shakespeare"), (24, 32))
def low_adam_language(data, width, well):
    net = language(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2 if well else 1e-5), epochs=8)


@fault("learning_rate_too_low", ("gunpoint", "italy_power"), (12, 16))
def low_momentum_curves(data, width, well):
    net = curve(data, width)
    return plan(data, net, optimizer=ct.Momentum(net, 0.05 if well else 1e-6), epochs=60)


@fault("learning_rate_too_low", ("digits_again", "mnist_again"), (48, 48))
def low_adam_autoencoder(data, width, well):
    net = dense(data, width, 12, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3 if well else 3e-6), epochs=25)


@fault("oscillation", ("friedman", "airline_rows"), (0, 0), also=("learning_rate_too_high",))
def bouncing_line(data, width, well):
    """Gradient descent on a line, at a rate just below 2 / λ of the steepest direction."""
    net = dense(data)
    steepest = 2 * np.linalg.eigvalsh(data.x.T @ data.x / len(data.x))[-1]
    lr = (0.8 if well else 1.999) / max(steepest, 2.0)
    set_values(net.parameters()[0], init.normal(net.parameters()[0].shape, 3.0))
    return plan(data, net, optimizer=ct.SGD(net, lr), epochs=60, batch_size=len(data.x))


@fault("oscillation", ("wine_quality", "diabetes"), (0, 0), also=("optimizer_mismatch",))
def swinging_line(data, width, well):
    """A momentum that hardly forgets: the weights swing about the minimum."""
    net = dense(data)
    set_values(net.parameters()[0], init.normal(net.parameters()[0].shape, 2.0))
    optimizer = ct.Momentum(net, 0.05, beta=0.8 if well else 0.999)
    return plan(data, net, optimizer=optimizer, epochs=80, batch_size=len(data.x))


@fault("oscillation", ("waves", "product"), (24, 32), also=("learning_rate_too_high",))
def bouncing_regression(data, width, well):
    net = dense(data, width, width, activation=ct.Tanh)
    optimizer = ct.Momentum(net, 0.05 if well else 0.15, beta=0.9 if well else 0.995)
    return plan(data, net, optimizer=optimizer, epochs=150, batch_size=len(data.x))


# where it gets stuck


@fault("plateau", ("breast_cancer", "pima"), (16, 24), also=("saturated_units",))
def flat_sigmoid_error(data, width, well):
    """The output starts far out on the flat part of the sigmoid, and squares do not feel it."""
    net = dense(data, width, output=ct.Sigmoid)
    if not well:
        set_values(net.parameters()[-1], -9.0)
    optimizer = ct.SGD(net, 0.3)
    loss = ct.losses.mean_squared_error
    return plan(data, net, loss=loss, optimizer=optimizer, epochs=30)


@fault("plateau", ("mnist", "digits"), (24, 32))
def rate_gone_early(data, width, well):
    """A schedule that takes the rate away while there is much to learn."""
    net = dense(data, width, width)
    schedule = StepDecay(2000 if well else 12, 0.1)
    return plan(data, net, optimizer=ct.SGD(net, 0.05, schedule=schedule), epochs=20)


@fault("saddle_point", ("digits_again", "mnist_again"), (12, 16))
def deep_line(data, width, well):
    """A linear autoencoder of three layers that starts at the saddle at 0."""
    net = dense(data, width, width, activation=None)
    if not well:
        redrawn(net, lambda shape: init.normal(shape, 1e-3))
    optimizer = ct.SGD(net, 0.3)
    x = data.x - data.x.mean(axis=0)
    xv = data.xv - data.x.mean(axis=0)
    data = data.changed(x=x, y=x, xv=xv, yv=xv)
    return plan(data, net, optimizer=optimizer, epochs=40)


@fault("saddle_point", ("product", "digits"), (16, 24))
def small_tanh(data, width, well):
    """Weights near 0, where first derivatives cancel and only the second ones do not."""
    net = dense(data, width, width, width, activation=ct.Tanh)
    if not well:
        redrawn(net, lambda shape: init.normal(shape, 1e-3))
    rate = 0.02 if data.task == "regression" else 0.03
    return plan(data, net, optimizer=ct.Momentum(net, rate), epochs=40)


class Wave(ct.Module):
    """y = a sin(w x + b) + c of the first column: one frequency to find."""

    def __init__(self, w):
        self.w = ct.Parameter(np.float32([w]))
        self.a, self.b, self.c = (ct.Parameter(np.float32([v])) for v in (1.0, 0.0, 0.0))

    def forward(self, x):
        return self.a * ct.ops.sin(self.w * x[:, :1] + self.b) + self.c


class Bells(ct.Module):
    """y = Σ_k a_k exp(-(x - m_k)²/2) + c of the first column: bells that see only what is near."""

    def __init__(self, centers):
        self.m = ct.Parameter(np.float32(centers))
        self.a = ct.Parameter(np.ones((len(centers), 1), np.float32) * 0.5)
        self.c = ct.Parameter(np.zeros(1, np.float32))

    def forward(self, x):
        away = x[:, :1] - self.m
        return ct.ops.exp(-0.5 * away * away) @ self.a + self.c


@fault("local_minimum", ("one_wave", "one_faster_wave"), (0, 0), repairable=False)
def wrong_frequency(data, width, well):
    frequency = 4.4 if well else 1.0
    net = Wave(frequency)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=50)


@fault("local_minimum", ("two_bells", "three_bells"), (0, 0), repairable=False)
def bells_on_one_side(data, width, well):
    net = Bells([-4.0, 4.0, 0.5] if well else [4.0, 4.5, 5.0])
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=50)


# optimizers


@fault("adaptive_rate_decay", ("digits", "mnist"), (24, 32))
def adagrad_after_a_shock(data, width, well):
    """A large first loss fills Adagrad's sum, and the rate never comes back."""
    net = dense(data, width, width)
    last = [m for m in net.modules().values() if isinstance(m, ct.Linear)][-1]
    set_values(last.weight, 25 * last.weight.numpy())
    optimizer = ct.RMSprop(net, 3e-3) if well else ct.Adagrad(net, 3e-3)
    return plan(data, net, optimizer=optimizer, epochs=30)


@fault("adaptive_rate_decay", ("waves", "friedman"), (24, 32))
def adagrad_long(data, width, well):
    net = dense(data, width, width, activation=ct.Tanh)
    optimizer = ct.RMSprop(net, 2e-3) if well else ct.Adagrad(net, 2e-3)
    return plan(data, net, optimizer=optimizer, epochs=80)


@fault("adaptive_rate_decay", ("names", "shakespeare"), (24, 32))
def adagrad_language(data, width, well):
    net = language(data, width, ct.GRU)
    optimizer = ct.RMSprop(net, 5e-3) if well else ct.Adagrad(net, 5e-3)
    return plan(data, net, optimizer=optimizer, epochs=10)


@fault("optimizer_mismatch", ("names", "shakespeare"), (24, 32))
def sgd_transformer(data, width, well):
    net = transformer(data, width)
    optimizer = ct.Adam(net, 3e-3) if well else ct.SGD(net, 3e-3)
    return plan(data, net, optimizer=optimizer, epochs=8)


@fault("optimizer_mismatch", ("digits", "mnist"), (24, 32))
def adam_with_large_eps(data, width, well):
    """ε above every √v: Adam is then slow gradient descent."""
    net = dense(data, width, width)
    optimizer = ct.Adam(net, 1e-3, eps=1e-8 if well else 1.0)
    return plan(data, net, optimizer=optimizer, epochs=15)


@fault("optimizer_mismatch", ("uneven", "uneven_more"), (24, 32), also=("unscaled_inputs",))
def sgd_on_uneven_columns(data, width, well):
    """Columns that are rarely other than 0 get hardly any gradient."""
    net = dense(data, width)
    optimizer = ct.Adam(net, 1e-2) if well else ct.SGD(net, 1e-2)
    return plan(data, net, optimizer=optimizer, epochs=20)


# how long


@fault("too_few_epochs", ("digits", "mnist"), (24, 32))
def stopped_early(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.03), epochs=40 if well else 2)


@fault("too_few_epochs", ("waves", "friedman"), (24, 32))
def stopped_early_regression(data, width, well):
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=60 if well else 2)


@fault("too_few_epochs", ("names", "shakespeare"), (24, 32))
def stopped_early_language(data, width, well):
    net = language(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=12 if well else 1)


@fault("too_few_epochs", ("images_digits", "images_mnist"), (6, 8))
def stopped_early_pictures(data, width, well):
    net = conv(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=15 if well else 1)


@fault("too_few_epochs", ("digits", "mnist"), (24, 32))
def stopped_early_residual(data, width, well):
    net = residual(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-3), epochs=25 if well else 1)
