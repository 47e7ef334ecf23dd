"""Initialization on data: weights and biases of Linear layers, by the rows that they will see."""

import functools

import numpy as np

from cutaway.engine import no_grad
from cutaway.errors import DataError, OptionError
from cutaway.nn.layers import Linear
from cutaway.nn.modes import in_mode, replacing
from cutaway.nn.module import Module
from cutaway.nn.random import generator
from cutaway.nn.units import assign_arrays
from cutaway.runtime import cache_programs_by_default

CORNERS = 5  # rows whose pre-activations a bias is mixed from: "he+5"


def initialize_on(net: Module, x, *, biases: bool = True, zero_last: bool = False) -> None:
    """Draw the Linear layers of a network so that each unit's pre-activation fits these rows.

    The network runs once on x, in evaluation mode, and each Linear is initialized as the signal
    arrives: weights w from N(0, 1), divided by the standard deviation over the rows of the
    pre-activations O w that they give, so that all have spread 1; and biases
    b = -Σ_k a_k (O w)_{i_k} of five rows i_k drawn for each unit, with weights a ≥ 0 that add up
    to 1, uniform among all such ones [1]. A unit's kink, where z = 0, then lies among the data.
    Other layers, embeddings among them, keep their weights; so does a Linear that x does not reach.

    A unit that receives the same from all rows has no spread; its weights have 1/√fan_in.

    Args:
        net: the network; its Linear layers may stand inside modules of any kind.
        x: rows of inputs, as in a call of net: an array, or a tuple or dict of arrays; a few
            hundred to a few thousand training rows, because all pass at once.
        biases: whether biases are drawn; else they are 0.
        zero_last: whether the Linear that runs last begins with weights and biases of 0.

    Raises:
        OptionError: no Linear runs on x.
        DataError: a pre-activation that is not finite.

    References:
        [1] Steinwart 2019, "A sober look at neural network initializations", arXiv:1903.11482;
        Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491, sec. 3.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.seed(0)
        >>> x = np.random.default_rng(0).normal(50, 10, (300, 4))
        >>> net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> ct.nn.initialize_on(net, x)
        >>> float((x @ net[0].weight.numpy()).std(axis=0).round(3).max())
        1.0
    """
    cache_programs_by_default()  # every operation is a small program
    fitted: dict[int, Linear] = {}  # in the order of their latest calls
    layers = [m for m in net.modules().values() if isinstance(m, Linear)]

    def fitting(layer, inputs):
        if id(layer) not in fitted:
            _fit_to(layer, inputs, biases)
        fitted.pop(id(layer), None)
        fitted[id(layer)] = layer
        return layer.forward(inputs)

    with (
        no_grad(),
        in_mode(net, training=False),
        replacing({layer: functools.partial(fitting, layer) for layer in layers}),
    ):
        if isinstance(x, dict):
            net(**x)
        else:
            net(*(x if isinstance(x, tuple) else (x,)))
    if not fitted:
        raise OptionError(
            f"initialize_on: no Linear runs in {type(net).__name__} on these rows",
            expected="a network with Linear layers that x passes through",
            fix="initialize other layers by the initializers that they take",
        )
    if zero_last:
        [*fitted.values()][-1].become_zero()


def _fit_to(layer: Linear, x, biases: bool) -> None:
    """Draw the weight and bias of a layer by its inputs x, whose leading axes are all rows."""
    rows = np.asarray(x.numpy(), np.float64).reshape(-1, x.shape[-1])
    fan_in, units = layer.weight.shape
    weight = generator().standard_normal((fan_in, units))
    z = rows @ weight
    if not np.isfinite(z).all():
        raise DataError(
            f"initialize_on: {layer.label()} receives values that are not finite",
            expected="finite numbers in x and behind every layer",
            fix="fill in missing values, and scale the columns of x",
        )
    spread = z.std(axis=0)
    # what rounding leaves of equal rows is no spread
    flat = spread <= 1e-6 * np.abs(z).max(axis=0, initial=0)
    factor = np.where(flat, fan_in**-0.5, 1 / np.where(flat, 1, spread))
    bias = _mixed(z * factor) if biases else np.zeros(units)
    assign_arrays(layer, weight=weight * factor, bias=bias)


def _mixed(z) -> np.ndarray:
    """(units,): minus a random convex combination, for each unit of its own, of five rows of z."""
    rows, units = z.shape
    chosen = generator().integers(0, rows, (CORNERS, units))
    shares = generator().standard_exponential((CORNERS, units))
    shares /= shares.sum(axis=0)  # exponential numbers over their sum are uniform on the simplex
    return -(shares * np.take_along_axis(z, chosen, axis=0)).sum(axis=0)
