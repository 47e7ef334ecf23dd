"""Faults in the data, in how much is learned from them, and in how they reach the network."""

import numpy as np

import cutaway as ct

from ..case import fault, plan
from ..nets import conv, dense, recurrent

# columns and targets as they come


@fault("unscaled_inputs", ("wine", "breast_cancer"), (16, 24))
def columns_as_they_come(data, width, well):
    if not well:
        data = _in_units(data)
    net = dense(data, width, activation=ct.Tanh)
    return plan(data, net, optimizer=ct.SGD(net, 0.05), epochs=40)


@fault("unscaled_inputs", ("images_digits", "images_mnist"), (6, 8))
def bytes_of_pictures(data, width, well):
    """Pictures from 0 to 255."""
    if not well:
        data = data.changed(x=255 * data.x, xv=255 * data.xv)
    net = conv(data, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.05), epochs=8)


@fault("unscaled_inputs", ("friedman", "waves"), (24, 32))
def one_column_in_thousands(data, width, well):
    if not well:
        factors = np.ones(data.inputs, np.float32)
        factors[0] = 3000
        data = data.changed(x=data.x * factors, xv=data.xv * factors)
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=30)


@fault("unscaled_inputs", ("airline", "sunspots"), (12, 16))
def series_as_it_comes(data, width, well):
    if not well:
        data = data.changed(x=150 * data.x + 400, xv=150 * data.xv + 400)
    net = recurrent(data, width, ct.LSTM)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=30, batch_size=16)


@fault("unscaled_targets", ("diabetes", "friedman"), (16, 24))
def targets_in_thousands(data, width, well):
    if not well:
        data = data.changed(y=8000 * data.y + 60000, yv=8000 * data.yv + 60000)
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 5e-3), epochs=30)


@fault("unscaled_targets", ("sunspots", "airline"), (12, 16))
def forecast_in_hundreds(data, width, well):
    if not well:
        data = data.changed(y=120 * data.y + 300, yv=120 * data.yv + 300)
    net = recurrent(data, width, ct.GRU)
    return plan(data, net, optimizer=ct.Adam(net, 1e-2), epochs=15, batch_size=16)


@fault("unscaled_targets", ("waves", "wine_quality"), (24, 32), also=("learning_rate_too_high",))
def targets_in_hundreds(data, width, well):
    """Large enough that a common rate throws the weights far off."""
    if not well:
        data = data.changed(y=300 * data.y + 900, yv=300 * data.yv + 900)
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.SGD(net, 0.02), epochs=30)


# labels that have nothing to do with their rows


@fault("shuffled_labels", ("digits", "mnist"), (24, 32), repairable=False, clean=True)
def labels_out_of_order(data, width, well):
    net = dense(data, width, width)
    return plan(_mixed_up(data, well), net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@fault("shuffled_labels", ("friedman", "waves"), (24, 32), repairable=False, clean=True)
def targets_out_of_order(data, width, well):
    net = dense(data, width, width)
    return plan(_mixed_up(data, well), net, optimizer=ct.Adam(net, 3e-3), epochs=40)


@fault("shuffled_labels", ("breast_cancer", "wine"), (16, 24), repairable=False, clean=True)
def few_labels_out_of_order(data, width, well):
    net = dense(data, width)
    return plan(_mixed_up(data, well), net, optimizer=ct.Adam(net, 3e-3), epochs=40)


# the target among the inputs


@fault("data_leak", ("digits", "mnist"), (24, 32), repairable=False, clean=True)
def class_as_a_column(data, width, well):
    """One more input, which is the class; where the network is used it is not known."""
    data = _with_column(data, well)
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20)


@fault("data_leak", ("friedman", "waves"), (24, 32), repairable=False, clean=True)
def target_as_a_column(data, width, well):
    """One more input, which is the target in other units."""
    data = _with_column(data, well)
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20)


# too much and too little


@fault("overfitting", ("friedman", "digits"), (96, 128), repairable=False)
def forty_rows(data, width, well):
    """Far more weights than rows, learned by heart; what would help are more rows."""
    data = data if well else data.first(40)
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20 if well else 200)


@fault("overfitting", ("diabetes", "wine_quality"), (96, 128))
def long_on_a_table(data, width, well):
    net = dense(data, 8) if well else dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=15 if well else 150)


@fault("over_regularized", ("digits", "mnist"), (24, 32))
def heavy_decay(data, width, well):
    net = dense(data, width, width)
    optimizer = ct.SGD(net, 0.05, weight_decay=1e-4 if well else 0.3)
    return plan(data, net, optimizer=optimizer, epochs=20)


@fault("over_regularized", ("clusters", "digits_labels"), (24, 32))
def heavy_dropout(data, width, well):
    net = dense(data, width, width, dropout=0.05 if well else 0.95)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=25)


@fault("over_regularized", ("waves", "friedman"), (24, 32))
def heavy_penalty(data, width, well):
    net = dense(data, width, width)
    strength = 1e-5 if well else 0.15

    def penalty(net):
        return ct.losses.l1_penalty(net.parameters(), strength)

    return plan(data, net, penalty=penalty, optimizer=ct.Adam(net, 3e-3), epochs=40)


# training is one thing, evaluation another


class PlainDropout(ct.Module):
    """Drops units in training and forgets to make up for it afterwards."""

    def __init__(self, p: float):
        self.dropout = ct.Dropout(p)

    def forward(self, x):
        y = self.dropout(x)
        return y * (1 - self.dropout.p) if self.training else y


@fault("train_eval_mismatch", ("digits", "clusters"), (32, 48))
def stale_statistics(data, width, well):
    """Batch norm whose running statistics hardly move from where they start."""
    x, xv = 5 * data.x + 8, 5 * data.xv + 8
    net = ct.Sequential(
        ct.BatchNorm(data.inputs, momentum=0.1 if well else 1e-5),
        *dense(data, width).layers(),
    )
    return plan(data.changed(x=x, xv=xv), net, optimizer=ct.Adam(net, 3e-3), epochs=15)


@fault("train_eval_mismatch", ("friedman", "waves"), (48, 64))
def dropout_not_made_up_for(data, width, well):
    drop = ct.Dropout if well else PlainDropout
    layers = dense(data, width, width).layers()
    net = ct.Sequential(*layers[:2], drop(0.6), *layers[2:4], drop(0.6), *layers[4:])
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=40)


@fault("train_eval_mismatch", ("images_digits", "images_mnist"), (6, 8))
def stale_statistics_pictures(data, width, well):
    data = data.changed(x=10 * data.x + 20, xv=10 * data.xv + 20)
    net = conv(data, width, norm=True)
    for module in net.modules().values():
        if isinstance(module, ct.BatchNorm) and not well:
            module.momentum = 1e-5
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=8)


# validation rows of another kind


@fault("data_shift", ("wine", "breast_cancer"), (16, 24), repairable=False)
def validation_not_scaled(data, width, well):
    if not well:
        data = data.changed(xv=_in_units(data).xv)
    net = dense(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=30)


@fault("data_shift", ("friedman", "waves"), (24, 32), repairable=False)
def validation_from_elsewhere(data, width, well):
    if not well:
        data = data.changed(xv=0.6 * data.xv + 2.5)
    net = dense(data, width, width)
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=40)


@fault("data_shift", ("images_digits", "images_mnist"), (6, 8), repairable=False)
def negatives_of_pictures(data, width, well):
    if not well:
        data = data.changed(xv=1 - data.xv)
    net = conv(data, width)
    return plan(data, net, optimizer=ct.Adam(net, 2e-3), epochs=8)


# rows that see each other


class MixedUp(ct.Module):
    """Meant to reorder the features; turns the batch, so that rows get each other's numbers."""

    def forward(self, x):
        rows, features = x.shape
        return ct.ops.transpose(x.reshape(features, rows))


class OverRows(ct.Module):
    """Softmax over the rows of a batch instead of over the features."""

    def __init__(self, axis: int):
        self.axis = axis

    def forward(self, x):
        return ct.ops.softmax(x, axis=self.axis)


@fault("batch_leak", ("digits", "clusters"), (24, 32))
def turned_batch(data, width, well):
    layers = dense(data, width, width).layers()
    net = ct.Sequential(*layers[:2], *([] if well else [MixedUp()]), *layers[2:])
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=20)


@fault("batch_leak", ("friedman", "waves"), (24, 32))
def softmax_over_rows(data, width, well):
    """Gates that the rows of a batch share out among them."""
    layers = dense(data, width, width).layers()
    net = ct.Sequential(*layers[:2], *([] if well else [OverRows(0)]), *layers[2:])
    return plan(data, net, optimizer=ct.Adam(net, 3e-3), epochs=40)


def _with_column(data, well):
    """One more column: noise, or the target, standardized."""
    y, yv = (np.asarray(v, np.float32).reshape(len(v)) for v in (data.y, data.yv))
    rng = np.random.default_rng(0)
    mean, std = y.mean(), y.std()
    column, of_validation = (rng.normal(size=len(v)) if well else (v - mean) / std for v in (y, yv))
    return data.changed(
        x=np.column_stack([data.x, column]).astype(np.float32),
        xv=np.column_stack([data.xv, of_validation]).astype(np.float32),
    )


def _mixed_up(data, well):
    if well:
        return data
    rng = np.random.default_rng(11)
    return data.changed(y=rng.permutation(data.y), yv=rng.permutation(data.yv))


def _in_units(data):
    """Columns of very different sizes, as measurements come."""
    scale = np.geomspace(0.1, 800, data.inputs).astype(np.float32)
    return data.changed(x=(data.x + 3) * scale, xv=(data.xv + 3) * scale)
