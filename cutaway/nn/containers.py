"""Sequential: a chain of modules."""

from typing import Any, overload

from cutaway.errors import OptionError, ShapeError, expect_one_tensor
from cutaway.nn.layers import Linear
from cutaway.nn.module import Module

ONE_TENSOR = {  # kinds of layers that take one Tensor, never what a recurrent layer returns
    "dense",
    "convolution",
    "recurrent",
    "normalization",
    "activation",
    "dropout",
}


class Sequential(Module):
    """y = f_n(... f_1(f_0(x))).

    The modules are attributes named "0", "1", ..., so paths are "0.weight" and the like.

    Args:
        layers: modules in order.

    Raises:
        ShapeError: the in_features of a Linear differ from the out_features of the one before it.

    Example:
        >>> from cutaway.nn import Linear, Sequential, Sigmoid
        >>> net = Sequential(Linear(4, 3), Sigmoid(), Linear(3, 1))
        >>> list(net.state_dict())
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Module):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise OptionError(
                    f"Sequential: layer {i} is a {type(layer).__name__}",
                    expected="a Module, for example Linear(4, 3) or ReLU()",
                    fix="write ReLU() with parentheses; wrap a function in a Module of your own",
                )
            setattr(self, str(i), layer)
        self._expect_matching_sizes()

    def forward(self, *inputs):
        layers = self.layers()
        if not layers:
            return inputs[0]
        out = layers[0](*inputs)
        for layer in layers[1:]:
            if isinstance(out, tuple) and layer.layer_kind in ONE_TENSOR:
                expect_one_tensor(out, where=layer.label())
            out = layer(out)
        return out

    def become_identity(self):
        for layer in self.layers():
            layer.become_identity()

    def become_zero(self):
        layers = self.layers()
        zero = next((i for i, layer in reversed(list(enumerate(layers))) if layer.parameters()), -1)
        for layer in layers[max(zero, 0) :]:
            layer.become_zero()

    def insert(self, index: int, *layers: Module) -> None:
        """Insert layers before the one of this index; the names of later ones change.

        Raises:
            ShapeError: the sizes of Linear layers do not match then; nothing is changed.
        """
        before = self.layers()
        self._rename([*before[:index], *layers, *before[index:]])
        try:
            self._expect_matching_sizes()
        except ShapeError:
            self._rename(before)
            raise

    def _rename(self, layers):
        for name in [name for name in self.__dict__ if name.isdigit()]:
            delattr(self, name)
        for i, layer in enumerate(layers):
            setattr(self, str(i), layer)

    def layers(self) -> list:
        """The modules in order."""
        return [value for name, value in self.__dict__.items() if name.isdigit()]

    def __len__(self):
        return len(self.layers())

    def __iter__(self):
        return iter(self.layers())

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(*self.layers()[index])
        return self.layers()[index]

    def _expect_matching_sizes(self):
        size, source = None, None
        for name, layer in enumerate(self.layers()):
            if isinstance(layer, Linear):
                if size not in (None, layer.weight.shape[0]):
                    raise ShapeError(
                        f"Sequential: layer {name}, {layer!r}, expects {layer.weight.shape[0]} "
                        f"inputs, but layer {source} has {size} outputs",
                        expected=f"layer {name} with in_features={size}",
                        fix=f"write Linear({size}, {layer.weight.shape[1]}) for layer {name}",
                    )
                size, source = layer.weight.shape[1], name
            elif not type(layer).keeps_features:
                size = None  # the size of its output is not known here
