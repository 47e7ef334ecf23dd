"""Activations as layers: one for each activation function of `ops`, made of what that declares.

The functions, their derivatives and their traits are in ops/activations.py. A layer's name is its
function's title there, its arguments are the function's options. PReLU alone is written out: its
slope is learned.
"""

import inspect

from cutaway import ops
from cutaway.engine import Operation
from cutaway.errors import expect_integer
from cutaway.nn.init import constant
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter


class ActivationLayer(Module):
    """Base of the activations: a function, with the options that the layer was made with."""

    layer_kind = "activation"

    keeps_features = True
    activation_function: Operation
    __signature__: inspect.Signature  # of the layer, made of the function's

    def __init__(self, *values, **options):
        given = self.__signature__.bind(*values, **options)
        given.apply_defaults()
        self.__dict__.update(given.arguments)

    def forward(self, z):
        function = self.activation_function
        return function(z, **{name: getattr(self, name) for name in function.option_names})

    def describe(self):
        options = self.__signature__.parameters.values()
        changed = [p.name for p in options if getattr(self, p.name) != p.default]
        return ", ".join(f"{name}={getattr(self, name)}" for name in changed)


class PReLU(Module):
    """z for z > 0, otherwise slope · z with a learned slope.

    Args:
        features: size of the last axis for a slope per feature; 1 for one slope.

    Parameters:
        slope: (features,), 0.25.
    """

    layer_kind = "activation"

    keeps_features = True
    activation_function = ops.parametric_relu

    def __init__(self, features: int = 1):
        expect_integer(features, what="PReLU: features", least=1)
        self.slope = Parameter(constant((features,), 0.25))

    def forward(self, z):
        return ops.parametric_relu(z, self.slope)


def _layer_of(title: str, function) -> type:
    """The class of an activation without parameters of its own."""
    parameters = inspect.signature(function.forward).parameters.values()
    options = [
        p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in parameters if p.kind is p.KEYWORD_ONLY
    ]
    members = {
        "__doc__": function.__doc__,
        "__module__": __name__,
        "__signature__": inspect.Signature(options),
        "activation_function": function,
    }
    return type(title, (ActivationLayer,), members)


LAYERS: dict[str, type[Module]] = {"PReLU": PReLU}  # by title
for _title, _function in ops.ACTIVATION_FUNCTIONS.items():
    if _title not in LAYERS:
        LAYERS[_title] = globals()[_title] = _layer_of(_title, _function)

# by the names that the command line and config files use: those of the functions
ACTIVATIONS: dict[str, type[Module]] = {
    function.name: layer
    for layer in LAYERS.values()
    if (function := layer.activation_function) is not None
}
ACTIVATIONS |= {"prelu": ACTIVATIONS.pop("parametric_relu"), "swish": ACTIVATIONS["silu"]}
Swish = ACTIVATIONS["silu"]

__all__ = ["ACTIVATIONS", "ActivationLayer", "Swish", *LAYERS]
