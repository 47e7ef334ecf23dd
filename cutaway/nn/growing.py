"""Changing the layers of a trained network: wider and deeper with the same outputs, or narrower.

Chen, Goodfellow & Shlens 2016, "Net2Net: accelerating learning via knowledge transfer",
arXiv:1511.05641. There, a new unit is a copy of an old one. Here it is drawn anew and its weights
to the next layer are 0: it says nothing yet, its first step gives it a voice, and it is no twin of
another unit that noise would have to tell apart. Only where a layer normalizes over all features
are units copied, because one more of them would change the mean of the others.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Operation
from cutaway.errors import OptionError, expect_choice
from cutaway.nn.containers import Sequential
from cutaway.nn.module import Module
from cutaway.nn.random import generator
from cutaway.nn.sharing import exclusive
from cutaway.nn.state import Parameter, Variable, note_change
from cutaway.nn.units import UnitAxis, Units


@dataclasses.dataclass(frozen=True)
class ResizedAxis:
    """How one axis of a Variable was resized.

    Attributes:
        variable, axis: which one.
        kept: (new size,), where each entry along it was before; -1 for a new one.
    """

    variable: Variable
    axis: int
    kept: np.ndarray


@dataclasses.dataclass(frozen=True)
class StructureChange:
    """What became of the Variables of a network. Optimizers and averages `follow` it.

    Attributes:
        resized: in the order in which it was done.
        added: the new Parameters, by their paths.
        renamed: {path before: path after} of Parameters.
    """

    resized: tuple[ResizedAxis, ...] = ()
    added: dict[str, Parameter] = dataclasses.field(default_factory=dict)
    renamed: dict[str, str] = dataclasses.field(default_factory=dict)

    def carried(self, variable: Variable, array, fill=0.0):
        """An array of the Variable's shape before, such as a slot of an optimizer, made to fit.

        Args:
            fill: of new entries: a number, or an array of the Variable's shape now.
        """
        steps = [step for step in self.resized if step.variable is variable]
        if not steps:
            return array
        found, is_new = np.asarray(array), np.zeros(np.shape(array), bool)
        for step in steps:
            found, is_new = (np.take(a, step.kept, step.axis) for a in (found, is_new))
            is_new[(slice(None),) * step.axis + (step.kept < 0,)] = True
        return jnp.asarray(np.where(is_new, np.asarray(fill), found), np.asarray(array).dtype)


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
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> x = np.ones((2, 4), np.float32)
        >>> before = net(x).numpy()
        >>> change = widen(net, "0", 12)
        >>> net[0], net[2], np.allclose(net(x).numpy(), before)
        (Linear(4, 12), Linear(12, 1), True)
    """
    route = _Route(net, path, through)
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
            steps.append(_Step(place, before, kept, fresh_from=before))
        for place in route.reading_axes():
            steps.append(_Step(place, before, kept, fresh_from=before, factors=parts.ravel()))
    else:
        kept = np.where(np.arange(units) < before, np.arange(units), -1)
        for place in route.own.axes:
            if init is not None and callable(place.fill):
                place = dataclasses.replace(place, fill=init)
            steps.append(_Step(place, before, kept))
        steps += [_Step(place, before, kept) for place in route.passed_axes()]
        steps += [
            _Step(dataclasses.replace(place, fill=0.0), before, kept)
            for place in route.reading_axes()
        ]
    return _applied(route, steps, units)


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
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> change = narrow(net, "0", 5)
        >>> net[0], net[2]
        (Linear(4, 5), Linear(5, 1))
    """
    route = _Route(net, path, through)
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
    return _applied(route, [_Step(place, before, kept) for place in places], len(kept))


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


class _Route:
    """The way of a layer's output: the layers that pass it on, and those that have weights for it.

    Attributes:
        own, passed, reading: Units: of the layer, and (path, Units) of those after it.
        units: of the layer.
    """

    def __init__(self, net: Module, path: str, through):
        self.net, self.path = net, path
        self.modules = net.modules()
        expect_choice(path, self.modules, what="layer")
        self.layer = self.modules[path]
        own = self.layer.output_units()
        if own is None or own.count is None:
            raise OptionError(
                f"the units of layer {path!r}, {self.layer!r}, cannot be resized",
                expected="a Linear, convolution without groups, Embedding, RNN, LSTM or GRU",
                fix="define output_units in its class, see nn.units",
            )
        self.own, self.units = own, own.count
        self.passed: list[tuple[str, Units]] = []
        self.reading: list[tuple[str, Units]] = []
        if through is None:
            for name, module in _followers(net, self.modules, path):
                if self._takes(name, module):
                    break
            else:
                raise OptionError(
                    f"layer {path!r} is the last one: its units are the outputs of the network",
                    expected="a layer with another one after it that has weights for its units",
                    fix="build a network with other outputs",
                )
        else:
            for name in through:
                expect_choice(name, self.modules, what="layer")
                self._takes(name, self.modules[name])
            if not self.reading:
                raise OptionError(
                    f"of the layers through={list(through)}, none has weights for the units of "
                    f"{path!r}",
                    expected="a Linear, convolution or recurrent layer among them",
                )
        self._expect_unshared()

    def _takes(self, name: str, module: Module) -> bool:
        """Note what the layer has for the units; whether the way ends there."""
        found = module.input_units()
        if found is not None:
            for place in found.axes:
                size = place.variable.shape[place.axis]
                if size % self.units:
                    raise OptionError(
                        f"layer {name!r}, {module!r}, has {size} inputs, no multiple of the "
                        f"{self.units} units of {self.path!r}",
                        expected="the layer that takes in its output",
                        fix="name the layers on its way: through=[...]",
                    )
            self.reading.append((name, found))
            return True
        found = module.feature_units()
        if found is None:
            raise OptionError(
                f"layer {name!r}, {module!r}, which follows {self.path!r}, cannot be resized",
                expected="layers that treat each feature by itself, up to one with weights for it",
                fix="define feature_units or input_units in its class, see nn.units",
            )
        self.passed.append((name, found))
        return False

    def _expect_unshared(self):
        variables = {id(place.variable) for place in self.axes()}
        owners: dict[int, list] = {}
        for name, module in self.modules.items():
            for value in vars(module).values():
                if id(value) in variables:
                    owners.setdefault(id(value), []).append(name)
        twice = next((names for names in owners.values() if len(names) > 1), None)
        if twice is not None:
            raise OptionError(
                f"layers {twice[0]!r} and {twice[1]!r} share a weight, so {self.path!r} cannot be "
                "resized by itself",
                expected="a layer whose weights nobody else uses",
            )

    def axes(self) -> list[UnitAxis]:
        return [*self.own.axes, *self.passed_axes(), *self.reading_axes()]

    def passed_axes(self) -> list[UnitAxis]:
        return [place for _, units in self.passed for place in units.axes]

    def reading_axes(self) -> list[UnitAxis]:
        return [place for _, units in self.reading for place in units.axes]

    def importance(self) -> np.ndarray:
        """(units,): ‖weights in‖ · ‖weights out‖ of each unit."""
        drawn = [place for place in self.own.axes if callable(place.fill)]
        into, out = (self._norms(places) for places in (drawn, self.reading_axes()))
        return into * out

    def _norms(self, places) -> np.ndarray:
        total = np.zeros(self.units)
        for place in places:
            rows = np.moveaxis(place.variable.numpy().astype(np.float64), place.axis, -1)
            total += np.square(rows.reshape(-1, self.units)).sum(axis=0)
        return np.sqrt(total)


def _followers(net, modules, path):
    """(path, module) of the layers after one, as far as they stand in a Sequential."""
    while path:
        parent, _, name = path.rpartition(".")
        inside = modules[parent]
        if not isinstance(inside, Sequential) or not name.isdigit():
            raise OptionError(
                f"what follows layer {path!r} in {type(inside).__name__} is not known",
                expected="a layer of a Sequential, with one after it that has weights for its "
                "units",
                fix="name the layers on its way, up to all that take it in: through=[...]",
            )
        prefix = f"{parent}." if parent else ""
        for i, layer in list(enumerate(inside.layers()))[int(name) + 1 :]:
            yield from _opened(f"{prefix}{i}", layer)
        path = parent


def _opened(path, module):
    if isinstance(module, Sequential):
        for i, layer in enumerate(module.layers()):
            yield from _opened(f"{path}.{i}", layer)
    else:
        yield path, module


class _Step:
    """Resizing one axis.

    Args:
        place: the axis.
        before: number of units before.
        kept: (units,), the unit before of each unit; -1: new, filled as the place says.
        fresh_from: units from this one on are copies, new to an optimizer.
        factors: of each unit, on the values along the axis.
    """

    def __init__(self, place: UnitAxis, before: int, kept, *, fresh_from=None, factors=None):
        self.place = place
        blocks = place.variable.shape[place.axis] // before
        starts = before * np.arange(blocks)[:, None]
        self.sources = np.where(kept >= 0, starts + kept, -1).ravel()
        new = np.arange(len(kept)) >= (len(kept) if fresh_from is None else fresh_from)
        self.resized = ResizedAxis(
            place.variable, place.axis, np.where(np.tile(new, blocks), -1, self.sources)
        )
        self.factors = None if factors is None else np.tile(factors, blocks)

    def values(self, array: np.ndarray) -> np.ndarray:
        axis, is_new = self.place.axis, self.sources < 0
        found = np.take(array, self.sources, axis)
        if self.factors is not None:
            shape = (len(self.factors), *(1,) * (array.ndim - axis - 1))
            found = found * self.factors.reshape(shape)
        if is_new.any():
            fill = self.place.fill
            entries = (slice(None),) * axis + (is_new,)
            found[entries] = fill(found.shape)[entries] if callable(fill) else fill
        return found


def _applied(route: _Route, steps, units: int) -> StructureChange:
    with exclusive():
        arrays = {}
        for step in steps:
            variable = step.place.variable
            array = arrays.get(id(variable), (variable, variable.numpy()))[1]
            arrays[id(variable)] = (variable, step.values(array))
        for variable, array in arrays.values():
            variable.data = jnp.asarray(array, variable.dtype)
            variable.grad = None
        for name, found in [(route.path, route.own), *route.passed, *route.reading]:
            for size in found.sizes:
                module = route.modules[name]
                setattr(module, size, getattr(module, size) // route.units * units)
        note_change()
    return StructureChange(tuple(step.resized for step in steps))
