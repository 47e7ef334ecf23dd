"""The way of the units of a layer through the layers after it."""

import numpy as np

from cutaway.errors import OptionError, expect_choice
from cutaway.nn.containers import Sequential
from cutaway.nn.module import Module
from cutaway.nn.units import UnitAxis, Units


class UnitRoute:
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
