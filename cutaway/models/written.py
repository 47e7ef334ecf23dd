"""A network with the weights of a textbook: sizes, activations and weights as they are printed."""

import itertools
from typing import Any

import numpy as np

from cutaway.errors import OptionError, ShapeError, counted, did_you_mean, expect_type
from cutaway.nn import Linear, Module, Sequential, Sigmoid
from cutaway.nn.activations import ACTIVATIONS, LAYERS
from cutaway.weights.by_hand import WrittenLayer, read_written_layers

__all__ = ["network"]


def network(sizes=None, weights=None, activations: Any = Sigmoid) -> Sequential:
    """Dense layers with weights that you give: z_j = Σ_i w_ij O_i + b_j, O_j = act(z_j).

    Args:
        sizes: (inputs, hidden, ..., outputs); None: those of the weights.
        weights: a file, CSV or YAML (its form: cutaway.weights.by_hand), or for each layer its
            matrix (inputs, neurons), or (matrix, biases). Biases that are not given are 0. None:
            drawn, Glorot uniform.
        activations: class of the activation after every layer, or one for each layer; None for
            none. A file's own come first.

    Returns:
        Sequential of Linear and activation layers; the first Linear is net[0].

    Raises:
        ShapeError: weights that do not fit the sizes.
        OptionError: neither sizes nor weights, or an activation that is none.
        DataError: a file that cannot be read as weights.

    Example:
        >>> import cutaway as ct
        >>> net = ct.network((2, 2, 1), [[[0.1, 0.2], [0.3, 0.4]], [[5], [-5]]])
        >>> print(net[2].weight.numpy().tolist())
        [[5.0], [-5.0]]
    """
    written = _written(weights)
    if sizes is None and not written:
        raise OptionError(
            "network: neither sizes nor weights",
            expected="sizes like (4, 3, 2, 1), or weights",
        )
    sizes = _sizes_of(written) if sizes is None else _expect_sizes(sizes)
    if written and len(written) != len(sizes) - 1:
        raise ShapeError(
            f"network: weights of {counted(len(written), 'layer')} for sizes {sizes}",
            expected=counted(len(sizes) - 1, "layer"),
            fix="in a CSV an empty line separates two layers",
        )
    layers: list[Module] = []
    chosen = _activations(activations, len(sizes) - 1)
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layer, act = Linear(n_in, n_out), chosen[k]
        if written:
            _set(layer, written[k])
            act = act if written[k].activation is None else _named(written[k])
        layers.append(layer)
        if act is not None:
            layers.append(act())
    return Sequential(*layers)


def _written(weights) -> list[WrittenLayer]:
    if weights is None:
        return []
    if isinstance(weights, str) or hasattr(weights, "__fspath__"):
        return read_written_layers(weights)
    expect_type(weights, (list, tuple), what="network: weights",
                expected="a file, or a list with the weights of each layer")  # fmt: skip
    return [_given(entry, k) for k, entry in enumerate(weights, 1)]


def _given(entry, number: int) -> WrittenLayer:
    place = f"weights of layer {number}"
    matrix, bias = _array(entry), None
    if matrix is None and isinstance(entry, list | tuple) and len(entry) == 2:
        matrix, bias = map(_array, entry)
    if matrix is None or matrix.ndim != 2 or (bias is not None and bias.ndim != 1):
        raise ShapeError(
            f"network: {place}: {'no array' if matrix is None else f'shape {matrix.shape}'}",
            expected="a matrix of shape (inputs, neurons), or (matrix, biases)",
        )
    return WrittenLayer(matrix, bias, place=place)


def _array(value) -> np.ndarray | None:
    """The value as an array of numbers, or None if it is none."""
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        return None


def _sizes_of(written) -> tuple[int, ...]:
    sizes = [written[0].weight.shape[0]]
    for layer in written:
        if layer.weight.shape[0] != sizes[-1]:
            raise ShapeError(
                f"{layer.place}: {counted(layer.weight.shape[0], 'row')} of weights after a layer "
                f"of {counted(sizes[-1], 'neuron')}",
                expected="a row for each neuron of the layer before",
            )
        sizes.append(layer.weight.shape[1])
    return tuple(sizes)


def _expect_sizes(sizes) -> tuple[int, ...]:
    sizes = tuple(sizes)
    if len(sizes) < 2 or any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise OptionError(
            f"network: sizes are {sizes}",
            expected="at least two integers >= 1: inputs, hidden layers, outputs",
            fix="for example (4, 3, 2, 1)",
        )
    return sizes


def _set(layer: Linear, written: WrittenLayer) -> None:
    n_in, n_out = layer.weight.shape
    shape = written.weight.shape
    if shape != (n_in, n_out):
        turned = shape == (n_out, n_in)
        raise ShapeError(
            f"{written.place}: weights of shape {shape}",
            expected=f"({n_in}, {n_out}): a row for each of {counted(n_in, 'input')}, a column for "
            f"each of {counted(n_out, 'neuron')}",
            fix="it is transposed: w_ij in row i and column j leads from input i to neuron j"
            if turned
            else None,
        )
    bias = np.zeros(n_out) if written.bias is None else written.bias
    if bias.shape != (n_out,):
        raise ShapeError(
            f"{written.place}: {counted(bias.size, 'bias value')}",
            expected=f"one for each of {counted(n_out, 'neuron')}",
        )
    state = {"weight": written.weight.astype(np.float32), "bias": bias.astype(np.float32)}
    layer.load_state_dict(state)


def _activations(given, count: int) -> list:
    every = list(given) if isinstance(given, list | tuple) else [given] * count
    if len(every) != count:
        raise OptionError(
            f"network: {counted(len(every), 'activation')}",
            expected=f"one class for all layers, or {count}: one for each",
        )
    for one in every:
        if one is not None and not (isinstance(one, type) and issubclass(one, Module)):
            name = next((n for n, c in LAYERS.items() if c is ACTIVATIONS.get(str(one))), None)
            raise OptionError(
                f"network: the activation {one!r}",
                expected="the class of an activation layer, or None",
                fix=None if name is None else f"activations=ct.{name}",
            )
    return every


def _named(written: WrittenLayer):
    name = str(written.activation).lower().replace("-", "_").replace(" ", "_")
    if name in ("none", "linear", "identity"):
        return None
    if name not in ACTIVATIONS:
        raise OptionError(
            f"{written.place}: the activation {written.activation!r}",
            expected="an activation of Cutaway, or none",
            fix=did_you_mean(name, ACTIVATIONS),
        )
    return ACTIVATIONS[name]
