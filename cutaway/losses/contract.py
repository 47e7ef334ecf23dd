"""What losses share: the inputs they expect, pairing of shapes, and reduction to a scalar."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway.engine import as_array
from cutaway.errors import OptionError, ShapeError, expect_choice, expect_range

# what papers call the options of losses
OPTION_LETTERS = {"delta": "δ", "beta": "β", "gamma": "γ", "alpha": "α"}


@dataclasses.dataclass(frozen=True)
class Expects:
    """The inputs that a loss expects.

    Attributes:
        output: of the network: "probability", "logit" (unbounded, before sigmoid or softmax),
            "score" (unbounded, its sign is the class), or "any".
        target: "binary" (0 or 1, or a probability), "labels" (integers from 0), "one_hot" (a
            distribution over the classes), "sign" (-1 or 1, or 0 or 1), or "real".
        partner: name of the loss for the other kind of output, if there is one.
        alias: short name on the command line, if it has one.
    """

    output: str
    target: str
    partner: str | None = None
    alias: str | None = None


def expecting(output: str, target: str, partner: str | None = None, *, alias: str | None = None):
    """Decorator: record on a loss which inputs it expects. See Expects."""

    def note(loss):
        loss.expects = Expects(output, target, partner, alias)
        return loss

    return note


def expects(loss) -> Expects | None:
    """The inputs a loss expects, also through functools.partial; None for a user-defined function.

    Example:
        >>> import functools
        >>> from cutaway.losses import expects, huber
        >>> expects(functools.partial(huber, delta=2.0)).target
        'real'
    """
    while isinstance(loss, functools.partial):
        loss = loss.func
    return getattr(loss, "expects", None)


def as_floating(x):
    """The array x; integers and booleans become floats, floats keep their type."""
    x = as_array(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


def paired(name: str, prediction, target):
    """(prediction, target) as floats of one type and shape.

    (n,) and (n, 1) match: the target takes the prediction's shape. Nothing is broadcast.
    """
    prediction, target = as_floating(prediction), as_array(target)
    a, b = prediction.shape, target.shape
    if a != b and a != (*b, 1) and b != (*a, 1):
        raise ShapeError(
            f"{name}: predictions have shape {a}, targets {b}",
            expected="equal shapes, up to a last axis of size 1",
            fix="give the last layer of the network as many outputs as a target has values",
        )
    return prediction, target.reshape(a).astype(prediction.dtype)


def row_scale(values, reduction: str, rows=None, counts=None):
    """The weight of each element in the result: ∂result/∂element.

    mean: 1/n, or w / Σ w with weights; sum and none: 1, or w. Arguments as for `reduced`.
    """
    expect_choice(reduction, ("mean", "sum", "none"), what="reduction")
    if rows is None and counts is None:
        each = 1 / max(1, values.size) if reduction == "mean" else 1
        return jnp.full(values.shape, each, values.dtype)
    rows = _over_elements(rows, values)
    if reduction != "mean":
        return rows
    total = jnp.sum(rows if counts is None else rows * counts)
    return rows / jnp.where(total == 0, 1, total)


def reduced(values, reduction: str, rows=None, counts=None):
    """The elements of a loss reduced to a scalar, or unchanged for "none".

    Args:
        values: the elements, already multiplied by their class weights.
        rows: weights of the rows, which multiply the elements, or None.
        counts: class weight of each element in the Σ w of "mean", or None.
    """
    if reduction == "mean" and rows is None and counts is None:
        return jnp.mean(values)
    scaled = values * row_scale(values, reduction, rows, counts)
    return scaled if reduction == "none" else jnp.sum(scaled)


def _over_elements(rows, values):
    """Weights (rows,), or of more leading axes, broadcast to the shape of values."""
    if rows is None:
        return jnp.ones_like(values)
    rows = as_array(rows)
    if rows.ndim == 0 or rows.shape != values.shape[: rows.ndim]:
        raise ShapeError(
            f"row_weights has shape {rows.shape}",
            expected=f"one weight per row, shape {values.shape[:1]}"
            + (f", or per element, shape {values.shape}" if values.ndim > 1 else ""),
            fix="pass one weight per row; 0 excludes a row",
        )
    rows = rows.reshape(*rows.shape, *(1,) * (values.ndim - rows.ndim))
    return jnp.broadcast_to(rows, values.shape).astype(values.dtype)


def expect_class_weights(name: str, class_weights, num_classes: int):
    """Raise unless class_weights is None or (num_classes,) nonnegative numbers."""
    if class_weights is None:
        return
    weights = as_array(class_weights)
    if weights.shape != (num_classes,):
        raise ShapeError(
            f"{name}: class_weights has shape {weights.shape}",
            expected=f"one weight per class, shape ({num_classes},)",
            fix="pass the weights in the order of the class indices, from 0",
        )
    if not isinstance(weights, Tracer):
        bad = np.flatnonzero(~(np.asarray(weights, np.float64) >= 0))
        if len(bad):
            raise OptionError(
                f"{name}: the weight of class {bad[0]} is {float(weights[bad[0]]):g}",
                expected="weights >= 0",
                fix="use 0 to exclude a class",
            )


def expect_smoothing(label_smoothing):
    """Raise OptionError unless label_smoothing is in [0, 1]."""
    expect_range(label_smoothing, what="label_smoothing", least=0, most=1)
