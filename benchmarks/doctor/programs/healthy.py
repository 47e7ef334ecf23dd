"""Healthy programs that tempt a doctor: what looks like a symptom and is right as it is."""

import numpy as np

import cutaway as ct
from cutaway.optim import ClipNorm, Cosine, OneCycle, Schedule, Warmup

from ..case import healthy, plan
from ..nets import dense, hidden, language, recurrent, residual, set_values, transformer


@healthy(("wine", "breast_cancer"), (32, 48))
def learned_to_the_end(data, width):
    """Trained to 99.9%: small gradients are then right."""
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=60)


@healthy(("digits", "mnist"), (128, 160))
def mostly_off(data, width):
    """Four fifths of the ReLU's outputs are 0, and each unit answers to some rows."""
    net = dense(data, width)
    set_values(hidden(net)[0].bias, -0.9 if data.inputs < 100 else -1.2)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@healthy(("digits", "mnist"), (32, 48))
def large_rate_with_batch_norm(data, width):
    net = ct.Sequential(
        ct.Linear(data.inputs, width, bias=False), ct.BatchNorm(width), ct.ReLU(),
        ct.Linear(width, width, bias=False), ct.BatchNorm(width), ct.ReLU(),
        ct.Linear(width, data.outputs),
    )  # fmt: skip
    return plan(data, net, optimizer=ct.SGD(net, 0.5), epochs=25)


@healthy(("digits", "mnist"), (32, 48))
def one_cycle(data, width):
    net = dense(data, width, width)
    steps = 20 * -(-len(data.x) // 32)
    optimizer = ct.Momentum(net, 0.1, schedule=OneCycle(steps))
    return plan(data, net, optimizer=optimizer, epochs=20)


class Restarts(Schedule):
    """Cosines one after the other, each of `steps` steps."""

    def __init__(self, steps: int):
        self.steps = steps
        self.cosine = Cosine(steps)

    def __call__(self, t):
        return self.cosine((t - 1) % self.steps + 1)


@healthy(("friedman", "waves"), (32, 48))
def cosine_restarts(data, width):
    net = dense(data, width, width)
    optimizer = ct.Adam(net, 5e-3, schedule=Restarts(10 * -(-len(data.x) // 32)))
    return plan(data, net, optimizer=optimizer, epochs=50)


@healthy(("breast_cancer", "blobs"), (16, 24))
def batches_of_four(data, width):
    net = dense(data, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.02), epochs=20, batch_size=4)


@healthy(("digits", "mnist"), (192, 256))
def heavy_dropout_on_many_units(data, width):
    net = dense(data, width, dropout=0.5)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@healthy(("breast_cancer", "moons"), (24, 32))
def sure_sigmoid(data, width):
    """Outputs at 0 and 1, and they are right."""
    net = dense(data, width, width, output=ct.Sigmoid)
    loss = ct.losses.binary_cross_entropy
    return plan(data, net, loss=loss, optimizer=ct.Adam(net, 5e-3), epochs=40)


@healthy(("digits", "clusters"), (24, 32))
def logits_as_the_loss_wants(data, width):
    net = dense(data, width, width, activation=ct.Tanh)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@healthy(("wide_columns", "wider_columns"), (24, 32))
def far_out_but_standardized(data, width):
    """Standardized columns with tails to ±6."""
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


def _weighted(prediction, target):
    loss = ct.losses.binary_cross_entropy_with_logits
    return loss(prediction, target, class_weights=(1.0, 20.0))


_weighted.expects = ct.losses.binary_cross_entropy_with_logits.expects


@healthy(("rare_moons", "rare_rings"), (16, 24))
def rare_class_with_weights(data, width):
    net = dense(data, width, width)
    return plan(data, net, loss=_weighted, optimizer=ct.Adam(net, 3e-3), epochs=20)


@healthy(("digits", "mnist"), (24, 32), clean=True)
def noisy_labels_stopped_in_time(data, width):
    """Of the labels, 30% are wrong; training ends before they are learned by heart."""
    rng = np.random.default_rng(2)
    y, yv = (_noisy(v, data.outputs, rng) for v in (data.y, data.yv))
    net = dense(data, width)
    data = data.changed(y=y, yv=yv)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=8)


@healthy(("blobs", "breast_cancer"), (0, 0))
def logistic_from_zero(data, width):
    """Logistic regression may start at 0: its loss is convex."""
    net = dense(data)
    set_values(net.parameters()[0], 0.0)
    return plan(data, net, optimizer=ct.SGD(net, 0.1), epochs=40)


@healthy(("digits", "mnist"), (24, 32))
def residuals_from_zero(data, width):
    """The last layer of each branch starts at 0, so that each block begins as the identity."""
    net = residual(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20)


@healthy(("digits", "mnist"), (256, 320))
def frozen_features(data, width):
    """A backbone that is frozen on purpose: wide random features, and a head that learns."""
    net = dense(data, width)
    hidden(net)[0].freeze()
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@healthy(("drift", "drift_longer"), (16, 20))
def clipped_lstm(data, width):
    """The clipping acts in most steps, as it is meant to."""
    net = recurrent(data, width, ct.LSTM)
    optimizer = ct.Adam(net, 1e-2, clip=ClipNorm(0.3))
    return plan(data, net, optimizer=optimizer, epochs=20)


@healthy(("names", "shakespeare"), (24, 32))
def transformer_with_warmup(data, width):
    net = transformer(data, width)
    steps = 12 * -(-len(data.x) // 32)
    optimizer = ct.Adam(net, 6e-3, schedule=Warmup(steps // 6, Cosine(steps - steps // 6)))
    return plan(data, net, optimizer=optimizer, epochs=12)


@healthy(("digits_again", "mnist_again"), (48, 64))
def autoencoder_with_a_floor(data, width):
    """Sixteen numbers cannot hold a picture: the loss stays above 0."""
    net = dense(data, width, 16, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=40)


@healthy(("same_sign", "same_sign_of_fewer"), (64, 64))
def generalizes_late(data, width):
    """Training rows are learned long before validation rows are."""
    net = dense(data, width)
    optimizer = ct.AdamW(net, 3e-3, weight_decay=0.3)
    return plan(data, net, optimizer=optimizer, epochs=300)


@healthy(("names", "shakespeare"), (32, 40))
def language_near_its_entropy(data, width):
    """The loss ends far above 0: letters cannot be foretold better."""
    net = language(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=12)


def _noisy(y, classes, rng):
    wrong = rng.random(len(y)) < 0.3
    return np.where(wrong, rng.integers(0, classes, len(y)), y).astype(np.int32)
