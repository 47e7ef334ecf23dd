"""Changes of a network's layers in the studio: what fits of weights and slots is kept."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.errors import OptionError, did_you_mean
from cutaway.nn import Linear, Sequential, deepen, init, narrow, widen
from cutaway.nn.activations import ActivationLayer
from cutaway.nn.module import Module
from cutaway.nn.random import seeded
from cutaway.optim import OPTIMIZERS, Optimizer
from cutaway.studio.description import dense_layers
from cutaway.train import Program
from cutaway.train.frozen_weights import FrozenWeights

MOST_UNITS = 256
ACTIVATIONS = {
    layer.activation_function.name: layer
    for layer in ActivationLayer.__subclasses__()
    if layer.activation_function.traits.edges == "elementwise"
}
INITIALIZERS: dict[str, Callable] = {
    name: getattr(init, name)
    for name in (
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "orthogonal",
        "normal",
        "uniform",
        "zeros",
    )
}

Edit = Callable[[Program], Program]  # of a copy, which it may change in place


def units_edit(path: str, count: int) -> Edit:
    """A layer of so many units, with the same outputs if they are more than before."""
    if not 1 <= count <= MOST_UNITS:
        raise OptionError(f"{count} units", expected=f"1 to {MOST_UNITS} units")

    def edit(program: Program) -> Program:
        now = _linear(program.net, path).weight.shape[1]
        if count != now:
            resize = widen if count > now else narrow
            with seeded(count):
                program.change(lambda net: resize(net, path, count))
        return program

    return edit


def activation_edit(path: str | None, name: str) -> Edit:
    """Another activation function; all weights are kept.

    Args:
        path: of the activation; None: those of all hidden layers.
    """
    layer = _known(name, ACTIVATIONS, "activation")

    def edit(program: Program) -> Program:
        paths = _hidden_activations(program.net) if path is None else [path]
        for one in paths:
            inside, place = _place(program.net, one)
            setattr(inside, place, layer())
        return program

    return edit


def added_edit(after: str, units: int, activation: str) -> Edit:
    """One more hidden layer after the activation at path `after`.

    If the activation leaves what comes out of the one before it as it is, the layer begins as the
    identity, and no output changes; otherwise its weights are drawn. Another number of units than
    those before it makes the next layer's weights drawn too.
    """
    layer = _known(activation, ACTIVATIONS, "activation")

    def edit(program: Program) -> Program:
        net = program.net
        before = _units_before(net, after)
        with seeded(units):
            new = [Linear(before, before), layer()]
            try:
                program.change(lambda net: deepen(net, after, *new))
            except OptionError:
                _insert(program, after, [Linear(before, before), layer()])
            path = str(int(after) + 1)
            return units_edit(path, units)(program)

    return edit


def removed_edit(path: str) -> Edit:
    """Without a hidden layer and its activation.

    The next layer gets the units before it as inputs: of its weights those stay for which there
    still is an input, the others are drawn.
    """

    def edit(program: Program) -> Program:
        net: Any = program.net
        chain = dense_layers(net) or []
        linear = [p for p, module in chain if isinstance(module, Linear)]
        if path not in linear[:-1]:
            raise OptionError(
                f"there is no hidden layer {path!r} to remove",
                expected="one of " + ", ".join(linear[:-1]) if linear[1:] else "a hidden layer",
            )
        following = linear[linear.index(path) + 1]
        old, inputs = net[int(following)], net[int(path)].weight.shape[0]
        with seeded(inputs):
            new = Linear(inputs, old.weight.shape[1], bias=old.bias is not None)
        kept = min(inputs, old.weight.shape[0])
        weight = new.weight.numpy().copy()
        weight[:kept] = old.weight.numpy()[:kept]
        new.weight.data = weight
        if new.bias is not None:
            new.bias.data = old.bias.data
        layers = net.layers()
        layers[int(following)] = new
        kept_layers = layers[: int(path)] + layers[int(following) :]
        return _with_net(program, Sequential(*kept_layers))

    return edit


def optimizer_edit(name: str, numbers: dict[str, float | list[float]]) -> Edit:
    """Another optimizer, with slots that begin at zero."""
    kind = _known(name, _optimizers(), "optimizer")

    def edit(program: Program) -> Program:
        given = {key: _number(value) for key, value in numbers.items()}
        given.setdefault("lr", float(program.optimizer.base_lr.data))
        try:
            program.optimizer = kind(program.net, **given)
        except TypeError as error:
            raise OptionError(f"{name}: {error}", expected="its own numbers") from error
        return program

    return edit


def weights_edit(initializer: str | None, seed: int) -> Edit:
    """New weights: drawn by each layer's own initializer, or by the one that is named."""
    drawn_by = None if initializer is None else _known(initializer, INITIALIZERS, "initializer")

    def edit(program: Program) -> Program:
        with seeded(seed):
            for path, parameter in program.net.named_parameters().items():
                if path.rpartition(".")[2] == "bias" or parameter.ndim < 2:
                    parameter.data = np.zeros(parameter.shape, np.float32)
                else:
                    draw = drawn_by or init.glorot_uniform
                    parameter.data = np.asarray(draw(parameter.shape), np.float32)
        program.optimizer = program.optimizer.over(program.net)
        return program

    return edit


def freeze_edit(path: str, index: tuple[int, ...] | None, frozen: bool) -> Edit:
    """A parameter, or one weight of it, that keeps its values, or is trained again."""

    def edit(program: Program) -> Program:
        parameter = program.net.named_parameters()[path]
        if index is None:
            parameter.requires_grad = not frozen
            return program
        if program.frozen is None:
            program.frozen = FrozenWeights()
        program.frozen.set(parameter, index, frozen)
        return program

    return edit


def _optimizers() -> dict[str, type[Optimizer]]:
    return {kind.__name__: kind for kind in OPTIMIZERS.values()}


def _with_net(program: Program, net: Module) -> Program:
    return program.copied(net=net, optimizer=program.optimizer.over)


def _insert(program: Program, after: str, layers) -> None:
    """Insert layers with weights that are drawn."""
    net: Any = program.net
    net.insert(int(after) + 1, *layers)
    program.optimizer = program.optimizer.over(net)


def _units_before(net, after: str) -> int:
    """Number of units that come out of a layer of a chain."""
    linear = [
        module
        for path, module in (dense_layers(net) or [])
        if isinstance(module, Linear) and int(path) <= int(after)
    ]
    if not linear:
        raise OptionError(f"there is no layer before {after!r}", expected="a layer of the network")
    return linear[-1].weight.shape[1]


def _linear(net, path: str) -> Linear:
    module = net.modules().get(path)
    if not isinstance(module, Linear):
        raise OptionError(
            f"there is no Linear {path!r}",
            expected="a layer of neurons",
            fix=did_you_mean(path, list(net.modules())),
        )
    return module


def _hidden_activations(net) -> list[str]:
    """Paths of the activations before the last Linear."""
    chain = dense_layers(net) or []
    linear = [k for k, (_, module) in enumerate(chain) if isinstance(module, Linear)]
    return [path for path, module in chain[: linear[-1]] if module.activation_function is not None]


def _place(net, path: str) -> tuple[Module, str]:
    parent, _, name = path.rpartition(".")
    inside = net.modules().get(parent)
    if inside is None or not hasattr(inside, name):
        raise OptionError(
            f"there is no layer {path!r}",
            expected="a layer of the network",
            fix=did_you_mean(path, list(net.modules())),
        )
    return inside, name


def _known(name: str, known: dict, what: str):
    if name not in known:
        raise OptionError(
            f"there is no {what} {name!r}",
            expected="one of " + ", ".join(known),
            fix=did_you_mean(name, list(known)),
        )
    return known[name]


def _number(value):
    return tuple(value) if isinstance(value, list) else value
