"""Does the loss fit the network's outputs and the targets? Looked at before the first step."""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.losses import expects
from cutaway.nn import LogSoftmax, Sigmoid, Softmax, watch
from cutaway.nn.layers import Linear
from cutaway.train.evaluation import evaluation_mode


def check_fit(net, loss, x, y) -> None:
    """Check a network, a loss and the targets against each other, without computing anything.

    Args:
        x: inputs (rows, ...), of which only the shape is used.
        y: all targets (rows, ...).

    Raises:
        ShapeError: layers that do not fit the inputs or each other (names the layer), outputs
            that do not fit the targets.
        OptionError: a loss on probabilities behind a layer that gives none, or the reverse.
        DataError: targets outside what the loss takes.
    """
    shape, last = output_of(net, x)
    wants = expects(loss)
    if wants is None:
        return
    _expect_output_layer(loss, wants, last, shape)
    name = _name(loss)
    y = np.asarray(y)
    if wants.target == "labels":
        _expect_labels(name, y, shape)
    elif _flat(y.shape[1:]) != _flat(shape[1:]):
        hint = " (one-hot rows)" if wants.target == "one_hot" else ""
        raise ShapeError(
            f"{name}: the network gives {_each(shape[1:])}, the targets have {_each(y.shape[1:])}",
            expected=f"as many outputs as targets have numbers{hint}",
            fix="change the size of the last layer"
            + (", or take the sparse loss for class numbers" if hint else ""),
        )
    if wants.target == "binary" and not ((y >= 0) & (y <= 1)).all():
        raise DataError(
            f"{name}: the targets go from {y.min():g} to {y.max():g}",
            expected="0 and 1",
            fix="number the two classes 0 and 1; for more classes take a categorical loss",
        )
    if wants.target == "sign" and not np.isin(y, (-1, 0, 1)).all():
        raise DataError(
            f"{name}: the targets hold {np.unique(y)[:5].tolist()}",
            expected="-1 and 1, or 0 and 1",
        )


def output_of(net, x):
    """(shape of the output of two rows, the layer that gives it), by tracing shapes alone."""
    last = []

    def note(module, inputs, out):
        if len(module.modules()) == 1:
            last[:] = [module]

    @no_grad()
    def forward(x):
        with watch(net, note):
            return net(Tensor(x)).data

    like = jax.ShapeDtypeStruct((2, *x.shape[1:]), jnp.asarray(x[:1]).dtype)
    with evaluation_mode(net):
        out = jax.eval_shape(forward, like)
    return out.shape, last[0] if last else net


def _expect_output_layer(loss, wants, last, shape):
    name, layer = _name(loss), type(last).__name__
    squashes = isinstance(last, Sigmoid | Softmax | LogSoftmax)
    if wants.output == "probability" and (isinstance(last, Linear | LogSoftmax)):
        remedy = "Softmax()" if wants.target in ("labels", "one_hot") else "Sigmoid()"
        raise OptionError(
            f"{name} takes probabilities, but the network ends in {layer}, whose outputs can be "
            "any numbers",
            expected="outputs in [0, 1]",
            fix=f"take {wants.partner}, or end the network with {remedy}"
            if wants.partner
            else f"end the network with {remedy}",
        )
    if wants.output in ("logit", "score") and squashes:
        raise OptionError(
            f"{name} takes outputs before the last activation, but the network ends in {layer}",
            expected="any numbers: a network that ends in Linear",
            fix=f"leave out the {layer}" + (f", or take {wants.partner}" if wants.partner else ""),
        )
    if isinstance(last, Softmax) and shape[-1] == 1:
        raise OptionError(
            "the network ends in a Softmax over one output, which is always 1",
            expected="as many outputs as classes, or Sigmoid for one output",
            fix="end the network with Sigmoid() and take binary_cross_entropy",
        )


def _expect_labels(name, y, shape):
    if _flat(y.shape[1:]) != _flat(shape[1:-1]):
        raise ShapeError(
            f"{name}: the targets have shape {y.shape}",
            expected="one class number for each row, shape (rows,)",
            fix="for one-hot targets take the categorical loss",
        )
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        raise DataError(
            f"{name}: the targets hold {y[y != np.round(y)].ravel()[0]:g}",
            expected="whole numbers, one class number for each row",
            fix="for a quantity take mean_squared_error",
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
    return f"{' x '.join(map(str, shape))} numbers a row" if _flat(shape) else "one number a row"


def _name(loss) -> str:
    return getattr(loss, "__name__", None) or _name(loss.func)
