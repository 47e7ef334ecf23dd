"""Changing the layers of a trained network: wider and deeper with the same outputs, or narrower.

Chen, Goodfellow & Shlens 2016, "Net2Net: accelerating learning via knowledge transfer",
arXiv:1511.05641. There, a new unit is a copy of an old one. Here it is drawn anew and its weights
to the next layer are 0: it says nothing yet, its first step gives it a voice, and it is no twin of
another unit that noise would have to tell apart. Only where a layer normalizes over all features
are units copied, because one more of them would change the mean of the others.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from cutaway.engine import Operation
from cutaway.errors import OptionError, expect_choice
from cutaway.nn.containers import Sequential
from cutaway.nn.module import Module
from cutaway.nn.random import generator
from cutaway.nn.resizing import AxisStep, StructureChange, apply_steps
from cutaway.nn.sharing import exclusive
from cutaway.nn.unit_routes import UnitRoute


def widen(
    net: Module, path: str, units: int, *, through: Iterable[str] | None = None, init=None
) -> StructureChange:
    """Give a layer more units, with the same outputs of the network.

    New units are drawn as in a new layer, and their weights to the next layer are 0. If a LayerNorm
    or RMSNorm stands between them, all units are copied a whole number of times instead, and the
    weights to the next layer divided among the copies at random, so that they learn differently.
    The order of the old units stays; new ones stand after them.

    Args:
        net: the network, which is changed in place; its Parameters stay the same objects.
        path: of the layer: a Linear, convolution, Embedding, RNN, LSTM or GRU.
        units: number of units that it is to have.
        through: paths of the layers that its output passes, in order, up to all those that have
            weights for it; None: those that follow in its Sequential.
        init: initializer of the new weights; None: that of the layer.

    Returns:
        what an optimizer has to `follow`; Program.change does this for a training.

    Raises:
        OptionError: the layer, or one after it, cannot be resized. Nothing is changed then.

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import widen
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> x = np.ones((2, 4), np.float32)
        >>> before = net(x).numpy()
        >>> change = widen(net, "0", 12)
        >>> net[0], net[2], np.allclose(net(x).numpy(), before)
        (Linear(4, 12), Linear(12, 1), True)
    """
    route = UnitRoute(net, path, through)
    before = route.units
    if not isinstance(units, int | np.integer) or units <= before:
        raise OptionError(
            f"widen: layer {path!r} has {before} units and was to get {units!r}",
            expected=f"more than {before}",
            fix="use narrow for fewer units",
        )
    normalized = [name for name, found in route.passed if found.is_normalized]
    if normalized and units % before:
        raise OptionError(
            f"widen: layer {normalized[0]!r} normalizes over all {before} units of {path!r}, so "
            f"{units} cannot give the same outputs",
            expected=f"a multiple of {before}, with which all are copied equally often",
            fix=f"choose units={before * max(2, round(units / before))}",
        )
    steps = []
    if normalized:
        kept = np.arange(units) % before
        parts = generator().uniform(0.5, 1.5, (units // before, before))
        parts /= parts.sum(axis=0)
        for place in [*route.own.axes, *route.passed_axes()]:
            steps.append(AxisStep(place, before, kept, fresh_from=before))
        for place in route.reading_axes():
            steps.append(AxisStep(place, before, kept, fresh_from=before, factors=parts.ravel()))
    else:
        kept = np.where(np.arange(units) < before, np.arange(units), -1)
        for place in route.own.axes:
            if init is not None and callable(place.fill):
                place = dataclasses.replace(place, fill=init)
            steps.append(AxisStep(place, before, kept))
        steps += [AxisStep(place, before, kept) for place in route.passed_axes()]
        steps += [
            AxisStep(dataclasses.replace(place, fill=0.0), before, kept)
            for place in route.reading_axes()
        ]
    return apply_steps(route, steps, units)


def narrow(
    net: Module, path: str, units: int | Sequence[int], *, through: Iterable[str] | None = None
) -> StructureChange:
    """Give a layer fewer units. The outputs of the network change.

    Those with the largest ‖weights in‖ · ‖weights out‖ are kept, in their order.

    Args:
        net, path, through: see widen.
        units: number of units to keep, or their indices.

    Returns:
        what an optimizer has to `follow`; Program.change does this for a training.

    Raises:
        OptionError: the layer, or one after it, cannot be resized. Nothing is changed then.

    Example:
        >>> from cutaway.nn import narrow
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> change = narrow(net, "0", 5)
        >>> net[0], net[2]
        (Linear(4, 5), Linear(5, 1))
    """
    route = UnitRoute(net, path, through)
    before = route.units
    if isinstance(units, int | np.integer):
        if not 1 <= units < before:
            raise OptionError(
                f"narrow: layer {path!r} has {before} units and was to keep {units}",
                expected=f"1 to {before - 1}",
                fix="use widen for more units",
            )
        kept = np.sort(np.argsort(-route.importance(), kind="stable")[: int(units)])
    else:
        kept = np.asarray(units)
        distinct = sorted({int(k) for k in kept if 0 <= k < before})
        if not distinct or distinct != kept.tolist():
            raise OptionError(
                f"narrow: units of layer {path!r} to keep are {list(units)}",
                expected=f"indices from 0 to {before - 1} in ascending order, each once",
            )
    places = [*route.own.axes, *route.passed_axes(), *route.reading_axes()]
    return apply_steps(route, [AxisStep(place, before, kept) for place in places], len(kept))


def deepen(net: Module, after: str, *layers: Module) -> StructureChange:
    """Insert layers that change nothing yet, with the same outputs of the network.

    A Linear or convolution begins as the identity, a Residual by adding 0. An activation must
    leave what comes out of the one before as it is: a ReLU after a ReLU, for example.

    Args:
        net: the network, which is changed in place.
        after: path of the layer after which they are inserted, in a Sequential. The paths of
            later layers change.
        layers: in order; their weights are set.

    Returns:
        what an optimizer has to `follow`; Program.change does this for a training.

    Raises:
        OptionError, ShapeError: a layer that cannot begin as the identity there.

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import deepen
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> x = np.ones((2, 4), np.float32)
        >>> before = net(x).numpy()
        >>> change = deepen(net, "1", ct.Linear(8, 8), ct.ReLU())
        >>> len(net), np.allclose(net(x).numpy(), before)
        (5, True)
    """
    modules = net.modules()
    expect_choice(after, modules, what="layer")
    parent, _, name = after.rpartition(".")
    inside = modules.get(parent)
    if not after or not isinstance(inside, Sequential):
        raise OptionError(
            f"deepen: {after!r} is not a layer of a Sequential",
            expected="the path of a layer in a Sequential, for example '1'",
            fix="insert the layer in the class of the network",
        )
    if not layers:
        raise OptionError("deepen was given no layers", expected="deepen(net, after, Linear(8, 8))")
    _begin_as_identity(layers, modules[after])
    before = {id(p): path for path, p in net.named_parameters().items()}
    with exclusive():
        inside.insert(int(name) + 1, *layers)
    named = net.named_parameters()
    return StructureChange(
        added={path: p for path, p in named.items() if id(p) not in before},
        renamed={
            before[id(p)]: path
            for path, p in named.items()
            if before.get(id(p)) not in (None, path)
        },
    )


def _begin_as_identity(layers, previous: Module) -> None:
    least, most = -np.inf, np.inf
    if isinstance(previous.activation_function, Operation):
        activation = previous.activation_function.traits.activation
        least, most = activation.range if activation is not None else (least, most)
    for layer in [inner for outer in layers for inner in _flat(outer)]:
        if layer.activation_function is None:
            layer.become_identity()
            continue
        values = np.linspace(max(least, -40), min(most, 40), 4001, dtype=np.float32)
        wrong = values[layer(values).numpy() != values]
        if len(wrong):
            raise OptionError(
                f"{type(layer).__name__} cannot begin as the identity after "
                f"{type(previous).__name__}: it maps {wrong[0]:g} to "
                f"{layer(wrong[:1]).item():g}",
                expected="an activation that leaves its inputs there as they are, such as a ReLU "
                "after a ReLU",
                fix="insert Residual(Sequential(Linear(n, n), Tanh())), which begins by adding 0",
            )


def _flat(layer: Module):
    if isinstance(layer, Sequential):
        for inner in layer.layers():
            yield from _flat(inner)
    else:
        yield layer
