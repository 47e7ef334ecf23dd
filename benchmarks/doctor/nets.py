"""Networks of the suite: small ones of every family."""

import itertools

import numpy as np

import cutaway as ct
from cutaway.nn import init


def dense(data, *widths, **options):
    """An MLP with these hidden layers; options as of models.mlp."""
    return ct.models.mlp((data.inputs, *widths, data.outputs), **options)


def conv(data, width, *, activation=ct.ReLU, weights=init.he_normal, norm=False):
    """Two convolutions for pictures, each followed by a halving, then one dense layer."""
    side = data.x.shape[1] // 2 // 2
    layers = []
    for before, after in ((data.inputs, width), (width, 2 * width)):
        layers.append(ct.Conv2d(before, after, 3, padding="same", init=weights))
        layers += [ct.BatchNorm(after)] if norm else []
        layers += [activation(), ct.MaxPool(2)]
    return ct.Sequential(*layers, ct.Flatten(), ct.Linear(2 * width * side * side, data.outputs))


def curve(data, width, *, depth=3, activation=ct.ReLU, weights=init.he_normal):
    """Convolutions over time, then the mean over time and one dense layer."""
    layers = []
    for before, after in itertools.pairwise((data.inputs, *[width] * depth)):
        layers += [ct.Conv1d(before, after, 5, padding="same", init=weights), activation()]
    return ct.Sequential(*layers, ct.GlobalAvgPool(), ct.Linear(width, data.outputs))


def recurrent(data, width, kind=ct.LSTM, **options):
    """A recurrent layer, and a dense one on its last step."""
    return ct.Sequential(
        kind(data.inputs, width, **options), ct.LastStep(), ct.Linear(width, data.outputs)
    )


def language(data, width, kind=ct.LSTM):
    """Recurrent: the logits of the next token at each place."""
    return ct.Sequential(
        ct.Embedding(data.outputs, width),
        kind(width, width),
        ct.AllSteps(),
        ct.Linear(width, data.outputs),
    )


def transformer(data, width, *, layers=2, **options):
    """Causal transformer: the logits of the next token at each place."""
    return ct.Sequential(
        ct.Embedding(data.outputs, width),
        ct.LearnedPositions(data.x.shape[1], width),
        ct.TransformerEncoder(width, 2, 2 * width, num_layers=layers, causal=True, **options),
        ct.Linear(width, data.outputs),
    )


def residual(data, width, *, blocks=4, last=init.zeros, norm=False):
    """Dense residual blocks; `last` draws the weights of the last layer of each branch."""
    branches = [
        ct.Residual(
            ct.Sequential(
                *([ct.LayerNorm(width)] if norm else []),
                ct.Linear(width, width, init=init.he_normal),
                ct.ReLU(),
                ct.Linear(width, width, init=last),
            )
        )
        for _ in range(blocks)
    ]
    return ct.Sequential(ct.Linear(data.inputs, width), *branches, ct.Linear(width, data.outputs))


def redrawn(net, draw, kinds=(ct.Linear, ct.Conv1d, ct.Conv2d)):
    """The net with the weights of its layers of these kinds drawn again."""
    for module in net.modules().values():
        if isinstance(module, kinds):
            set_values(module.weight, draw(module.weight.shape))
    return net


def set_values(parameter, values):
    """Give a parameter these values, or this value everywhere."""
    values = np.broadcast_to(np.asarray(values, np.float32), parameter.shape)
    parameter.data = ct.Parameter(values.copy()).data


def hidden(net, kinds=(ct.Linear, ct.Conv1d, ct.Conv2d)):
    """Its layers of these kinds but the last one."""
    return [m for m in net.modules().values() if isinstance(m, kinds)][:-1]
