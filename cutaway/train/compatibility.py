"""Whether the loss matches the network's outputs and the targets, checked before the first step."""

import jax
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.losses import expects
from cutaway.nn import LogSoftmax, Sigmoid, Softmax, in_mode, watch
from cutaway.nn.layers import Linear
from cutaway.nn.trees import call, is_array, leaves, map_leaves


def check_fit(net, loss, x, y) -> None:
    """Check a network, a loss and the targets against each other, without computing anything.

    Args:
        x: inputs (rows, ...); only their shape is used.
        y: all targets (rows, ...).

    Raises:
        ShapeError: layers that do not match the inputs or each other (names the layer), or
            outputs that do not match the targets.
        OptionError: a loss on probabilities with a network that outputs logits, or the reverse.
        DataError: targets that the loss does not accept.
    """
    out, last = outputs_of(net, x)
    wants = expects(loss)
    if wants is None or not is_array(out) or not is_array(y):
        return  # what it expects is not known
    shape = out.shape
    _expect_output_layer(loss, wants, last, shape)
    name = _name(loss)
    y = np.asarray(y)
    if wants.target == "labels":
        _expect_labels(name, y, shape)
    elif _flat(y.shape[1:]) != _flat(shape[1:]):
        hint = " (one-hot rows)" if wants.target == "one_hot" else ""
        raise ShapeError(
            f"{name}: the network outputs {_each(shape[1:])}, the targets have "
            f"{_each(y.shape[1:])}",
            expected=f"outputs and targets of the same size{hint}",
            fix="change the size of the last layer"
            + (", or use the sparse loss for integer labels" if hint else ""),
        )
    if wants.target == "binary" and not ((y >= 0) & (y <= 1)).all():
        raise DataError(
            f"{name}: the targets range from {y.min():g} to {y.max():g}",
            expected="0 and 1",
            fix="encode the two classes as 0 and 1; for more classes use a categorical loss",
        )
    if wants.target == "sign" and not np.isin(y, (-1, 0, 1)).all():
        raise DataError(
            f"{name}: the targets contain {np.unique(y)[:5].tolist()}",
            expected="-1 and 1, or 0 and 1",
        )


def output_of(net, x):
    """(shape of the output for two rows, the layer that computes it), by tracing shapes only."""
    out, last = outputs_of(net, x)
    first = leaves(out)[0]
    return first.shape, last


def outputs_of(net, x):
    """(the outputs for two rows, a tree of jax.ShapeDtypeStruct; the layer that computes them)."""
    last = []

    def note(module, inputs, out):
        if len(module.modules()) == 1:
            last[:] = [module]

    @no_grad()
    def forward(x):
        with watch(net, note):
            return map_leaves(lambda t: t.data, call(net, map_leaves(Tensor, x)))

    def two_rows(leaf):
        return jax.ShapeDtypeStruct((2, *leaf.shape[1:]), jax.dtypes.canonicalize_dtype(leaf.dtype))

    with in_mode(net, False):
        out = jax.eval_shape(forward, map_leaves(two_rows, x))
    return out, last[0] if last else net


def _expect_output_layer(loss, wants, last, shape):
    name, layer = _name(loss), type(last).__name__
    squashes = isinstance(last, Sigmoid | Softmax | LogSoftmax)
    if wants.output == "probability" and (isinstance(last, Linear | LogSoftmax)):
        remedy = "Softmax()" if wants.target in ("labels", "one_hot") else "Sigmoid()"
        raise OptionError(
            f"{name} expects probabilities, but the network ends in {layer}, whose outputs are "
            "unbounded",
            expected="outputs in [0, 1]",
            fix=f"use {wants.partner}, or end the network with {remedy}"
            if wants.partner
            else f"end the network with {remedy}",
        )
    if wants.output in ("logit", "score") and squashes:
        raise OptionError(
            f"{name} expects logits, but the network ends in {layer}",
            expected="unbounded outputs: a network that ends in Linear",
            fix=f"remove the {layer}" + (f", or use {wants.partner}" if wants.partner else ""),
        )
    if isinstance(last, Softmax) and shape[-1] == 1:
        raise OptionError(
            "the network ends in a Softmax over a single output, which is always 1",
            expected="one output per class, or Sigmoid for a single output",
            fix="end the network with Sigmoid() and use binary_cross_entropy",
        )


def _expect_labels(name, y, shape):
    if _flat(y.shape[1:]) != _flat(shape[1:-1]):
        raise ShapeError(
            f"{name}: the targets have shape {y.shape}",
            expected="one integer label per row, shape (rows,)",
            fix="for one-hot targets use the categorical loss",
        )
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        raise DataError(
            f"{name}: the targets contain {y[y != np.round(y)].ravel()[0]:g}",
            expected="integer labels, one per row",
            fix="for regression use mean_squared_error",
        )
    classes = shape[-1]
    if y.min() < 0 or y.max() >= classes:
        row = int(np.argmax((y < 0) | (y >= classes)))
        raise DataError(
            f"{name}: the label {y.ravel()[row]:g} in row {row} is out of range",
            expected=f"labels from 0 to {classes - 1}, for the {classes} outputs of the network",
            fix="number the classes from 0, or give the last layer more outputs",
        )


def _flat(shape):
    return shape[:-1] if shape and shape[-1] == 1 else shape


def _each(shape) -> str:
    return f"{' x '.join(map(str, shape))} values per row" if _flat(shape) else "one value per row"


def _name(loss) -> str:
    return getattr(loss, "__name__", None) or _name(loss.func)
