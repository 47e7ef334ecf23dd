"""Losses for multiclass classification with integer labels: sparse cross-entropies."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway.engine import Tensor, as_array
from cutaway.engine.operation import operation
from cutaway.errors import DataError, ShapeError, expect_integer
from cutaway.losses.categorical import SMALLEST
from cutaway.losses.contract import (
    as_floating,
    expect_class_weights,
    expect_smoothing,
    expecting,
    reduced,
    row_scale,
)


def labeled(name, prediction, target, ignore_index=None):
    """(prediction (..., classes), labels (...) int32, which are ignored), checked where known.

    Ignored labels are read as class 0; None if there is no ignore_index.
    """
    prediction, target = as_floating(prediction), as_array(target)
    if target.shape == (*prediction.shape[:-1], 1):
        target = target[..., 0]
    if prediction.ndim < 1 or target.shape != prediction.shape[:-1]:
        raise ShapeError(
            f"{name}: predictions have shape {prediction.shape}, targets {target.shape}",
            expected=f"integer labels of shape {prediction.shape[:-1]}, one class per row",
            fix="pass integer labels; for one-hot targets use the categorical loss",
        )
    classes = prediction.shape[-1]
    ignored = None
    if ignore_index is not None:
        expect_integer(ignore_index, what=f"{name}: ignore_index")
        ignored = target == ignore_index
        target = jnp.where(ignored, jnp.zeros((), target.dtype), target)
    if not isinstance(target, Tracer):
        _expect_labels(name, np.asarray(target, np.float64), classes)
    labels = target.astype(jnp.int32)
    # in compiled code values are unknown: a label out of range makes the loss NaN
    return prediction, jnp.where(labels < 0, classes, labels), ignored


def kept(values, rows, ignored):
    """The weights `rows` with 0 where a label is ignored; `rows` themselves if none is."""
    if ignored is None:
        return rows
    weights = jnp.ones_like(values) if rows is None else row_scale(values, "sum", rows)
    return jnp.where(ignored, 0, weights)


def _expect_labels(name, values, classes):
    wrong = ~((values >= 0) & (values < classes))
    broken = values != np.round(values)
    if not (wrong | broken).any():
        return
    at = tuple(int(k) for k in np.argwhere(wrong | broken)[0])
    row = f"row {at[0]}" if len(at) == 1 else f"position {at}"
    expected = f"labels from 0 to {classes - 1}, for {classes} outputs"
    if broken[at]:
        raise DataError(
            f"{name}: the label {values[at]:g} in {row} is not an integer",
            expected=expected,
            fix="for regression use mean_squared_error",
        )
    raise DataError(
        f"{name}: the label {values[at]:g} in {row} is out of range",
        expected=expected,
        fix="number the classes from 0, or give the last layer more outputs",
    )


def class_weight(name, labels, class_weights, classes, dtype):
    """Weight of each label's class, or None."""
    expect_class_weights(name, class_weights, classes)
    return None if class_weights is None else as_array(class_weights).astype(dtype)[labels]


def picked(values, labels):
    return jnp.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


@operation(name="sparse_categorical_cross_entropy_with_logits", saves=True)
def _from_logits(z, target, *, reduction, class_weights, rows, label_smoothing, ignore_index):
    name = "sparse_categorical_cross_entropy_with_logits"
    z, labels, ignored = labeled(name, z, target, ignore_index)
    expect_smoothing(label_smoothing)
    shifted = z - jnp.max(z, axis=-1, keepdims=True)
    exps = jnp.exp(shifted)
    total = jnp.sum(exps, axis=-1, keepdims=True)
    values = jnp.log(total[..., 0]) - picked(shifted, labels)
    weights = class_weight(name, labels, class_weights, z.shape[-1], z.dtype)
    if weights is not None:
        values = weights * values
    if label_smoothing:
        # (1 - ε) of the label's own -ln p, and ε of the mean of all classes'
        of_all = _each_class(class_weights, z) * (jnp.log(total) - shifted)
        values = (1 - label_smoothing) * values + label_smoothing * jnp.mean(of_all, axis=-1)
    rows = kept(values, rows, ignored)
    return reduced(values, reduction, rows, weights), (exps / total, labels, weights, rows)


@_from_logits.backward
def _from_logits_backward(
    grad, out, saved, z, target, *, reduction, class_weights, rows, label_smoothing, ignore_index
):
    p, labels, weights, rows = saved
    scale = grad * row_scale(p[..., 0], reduction, rows, weights)
    # ∂L/∂z = softmax(z) - y, with y the one-hot row of the label
    hot = jax.nn.one_hot(labels, p.shape[-1], dtype=p.dtype)
    slope = p - hot
    if weights is not None:
        slope = weights[..., None] * slope
    if label_smoothing:
        each = _each_class(class_weights, p)
        of_all = p * jnp.mean(each) - each / each.size
        slope = (1 - label_smoothing) * slope + label_smoothing * of_all
    return scale[..., None] * slope, None


def _each_class(class_weights, z):
    """(classes,) weights of all classes, 1 by default."""
    if class_weights is None:
        return jnp.ones(z.shape[-1], z.dtype)
    return as_array(class_weights).astype(z.dtype)


_from_logits.formula("-ln(q_y)", slope="q_i - 1 if i == y else q_i")


@operation(name="sparse_categorical_cross_entropy", saves=True)
def _from_probabilities(p, target, *, reduction, class_weights, rows, ignore_index):
    name = "sparse_categorical_cross_entropy"
    p, labels, ignored = labeled(name, p, target, ignore_index)
    clipped = jnp.maximum(picked(p, labels), SMALLEST)
    values = -jnp.log(clipped)
    weights = class_weight(name, labels, class_weights, p.shape[-1], p.dtype)
    if weights is not None:
        values = weights * values
    rows = kept(values, rows, ignored)
    return reduced(values, reduction, rows, weights), (clipped, labels, weights, rows)


@_from_probabilities.backward
def _from_probabilities_backward(
    grad, out, saved, p, target, *, reduction, class_weights, rows, ignore_index
):
    clipped, labels, weights, rows = saved
    scale = grad * row_scale(clipped, reduction, rows, weights)
    if weights is not None:
        scale = scale * weights
    # ∂(-ln p_y)/∂p_y = -1/p_y, 0 for the other classes
    hot = jax.nn.one_hot(labels, p.shape[-1], dtype=p.dtype)
    return (-scale / clipped)[..., None] * hot, None


_from_probabilities.formula("-ln(p_y)", slope="-1 / p_i if i == y else 0")


@expecting("probability", "labels", "sparse_categorical_cross_entropy_with_logits")
def sparse_categorical_cross_entropy(
    prediction,
    target,
    *,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    ignore_index: int | None = None,
) -> Tensor:
    """-ln p_y of probabilities p, for integer labels y; ∂L/∂p_y = -1/p_y.

    Args:
        prediction: probabilities, clipped below at 1e-30.
        target: integer labels from 0 to classes - 1, of any dtype.
        reduction: "mean" over the rows, "sum", or "none".
        class_weights: (classes,) weight of each class; mean is then Σ w l / Σ w with w the
            weight of each row's class, as in PyTorch.
        row_weights: (rows,), or the shape of the leading axes: weight of each row, 0 for padding.
            mean is then Σ w l / Σ w. For masks, (rows, height, width) weights of the pixels.
        ignore_index: label that counts for nothing, such as 255 in the masks of Pascal VOC.

    Shapes:
        prediction: (..., classes)
        target: (...), or (..., 1)

    Raises:
        ShapeError: incompatible shapes; nothing is broadcast.
        DataError: a label that is out of range or not an integer (names it and its row). In
            compiled code labels are unknown; there, one out of range makes the loss NaN.
        OptionError: an unknown reduction, a negative weight.

    Example:
        >>> from cutaway.losses import sparse_categorical_cross_entropy
        >>> round(sparse_categorical_cross_entropy([[0.25, 0.75]], [0]).item(), 4)  # ln 4
        1.3863
    """
    return _from_probabilities(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        ignore_index=ignore_index,
    )


@expecting("logit", "labels", "sparse_categorical_cross_entropy", alias="cross_entropy")
def sparse_categorical_cross_entropy_with_logits(
    prediction,
    target,
    *,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Tensor:
    """ln Σ_i e^{z_i} - z_y of logits z, for integer labels y. ∂L/∂z = softmax(z) - one-hot(y).

    Args, Shapes, Raises: see sparse_categorical_cross_entropy; predictions are logits.
        label_smoothing: see categorical_cross_entropy_with_logits.

    Example:
        >>> from cutaway.losses import sparse_categorical_cross_entropy_with_logits
        >>> loss = sparse_categorical_cross_entropy_with_logits([[0.0, 0.0, 0.0, 0.0]], [2])
        >>> round(loss.item(), 4)  # ln 4: chance among four
        1.3863
    """
    return _from_logits(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
    )
