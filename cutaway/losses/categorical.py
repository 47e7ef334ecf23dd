"""Losses for one of several classes: cross-entropies and the Kullback-Leibler divergence."""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import operation
from cutaway.errors import DataError, ShapeError
from cutaway.losses.contract import expecting, reduced, row_scale

SMALLEST = 1e-30  # probabilities are held above this: float32 holds it, and ln of it is -69


def _row_weights(target, labels, class_weights, rows):
    """Weight of each row: of its class (for distributions, their mean), and of the row."""
    weights = None
    if class_weights is not None:
        class_weights = jnp.asarray(class_weights)
        weights = class_weights[target] if labels else target @ class_weights
    if rows is not None:
        weights = jnp.asarray(rows) * (1 if weights is None else weights)
    return weights


def _expect_labels(name, prediction, target):
    classes = prediction.shape[-1] if prediction.ndim else 0
    target = jnp.asarray(target)
    if target.shape == (*prediction.shape[:-1], 1):
        target = target[..., 0]
    if prediction.ndim < 1 or target.shape != prediction.shape[:-1]:
        raise ShapeError(
            f"{name}: predictions have shape {prediction.shape}, targets {target.shape}",
            expected=f"whole numbers of shape {prediction.shape[:-1]}, one class for each row",
            mend="give class numbers; for one-hot targets take the categorical loss",
        )
    if not isinstance(target, jax.core.Tracer) and target.size:
        values = np.asarray(target)
        bad = np.flatnonzero((values.ravel() < 0) | (values.ravel() >= classes))
        if len(bad):
            raise DataError(
                f"{name}: the label {values.ravel()[bad[0]]} in row {bad[0]} is out of range",
                expected=f"labels from 0 to {classes - 1}, for {classes} outputs",
                mend="number the classes from 0, or give the last layer more outputs",
            )
    return target.astype(jnp.int32)


def _expect_distribution(name, prediction, target):
    target = jnp.asarray(target)
    if target.shape != prediction.shape:
        raise ShapeError(
            f"{name}: predictions have shape {prediction.shape}, targets {target.shape}",
            expected="equal shapes: one-hot rows, or a distribution for each row",
            mend="for class numbers take the sparse loss",
        )
    return target.astype(prediction.dtype)


def _picked(values, labels):
    return jnp.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


@operation(saves=True)
def _sparse_logits(z, target, *, reduction, class_weights, rows):
    labels = _expect_labels("sparse_categorical_cross_entropy_with_logits", z, target)
    shifted = z - jnp.max(z, axis=-1, keepdims=True)
    exps = jnp.exp(shifted)
    total = jnp.sum(exps, axis=-1, keepdims=True)
    values = jnp.log(total[..., 0]) - _picked(shifted, labels)
    weights = _row_weights(labels, True, class_weights, rows)
    return reduced(values, reduction, weights), exps / total


@_sparse_logits.backward
def _sparse_logits_backward(grad, out, p, z, target, *, reduction, class_weights, rows):
    labels = _expect_labels("sparse_categorical_cross_entropy_with_logits", z, target)
    scale = row_scale(p[..., 0], reduction, _row_weights(labels, True, class_weights, rows))
    # ∂L/∂z = softmax(z) - y, with y the one-hot row of the label
    hot = jax.nn.one_hot(labels, z.shape[-1], dtype=z.dtype)
    return (grad * scale)[..., None] * (p - hot), None


@operation(saves=True)
def _logits(z, target, *, reduction, class_weights, rows):
    y = _expect_distribution("categorical_cross_entropy_with_logits", z, target)
    log_p = jax.nn.log_softmax(z, axis=-1)
    values = -jnp.sum(jnp.where(y == 0, 0, y * log_p), axis=-1)
    weights = _row_weights(y, False, class_weights, rows)
    return reduced(values, reduction, weights), log_p


@_logits.backward
def _logits_backward(grad, out, log_p, z, target, *, reduction, class_weights, rows):
    y = _expect_distribution("categorical_cross_entropy_with_logits", z, target)
    scale = row_scale(log_p[..., 0], reduction, _row_weights(y, False, class_weights, rows))
    # ∂/∂z_j -Σ y_i ln p_i = p_j Σ y_i - y_j
    slope = jnp.exp(log_p) * jnp.sum(y, axis=-1, keepdims=True) - y
    return (grad * scale)[..., None] * slope, None


@operation
def _sparse(p, target, *, reduction, class_weights, rows):
    labels = _expect_labels("sparse_categorical_cross_entropy", p, target)
    values = -jnp.log(jnp.maximum(_picked(p, labels), SMALLEST))
    return reduced(values, reduction, _row_weights(labels, True, class_weights, rows))


@_sparse.backward
def _sparse_backward(grad, out, p, target, *, reduction, class_weights, rows):
    labels = _expect_labels("sparse_categorical_cross_entropy", p, target)
    scale = row_scale(p[..., 0], reduction, _row_weights(labels, True, class_weights, rows))
    # ∂(-ln p_y)/∂p_y = -1/p_y, 0 for the other classes
    slope = -1 / jnp.maximum(_picked(p, labels), SMALLEST)
    hot = jax.nn.one_hot(labels, p.shape[-1], dtype=p.dtype)
    return (grad * scale * slope)[..., None] * hot, None


@operation
def _dense(p, target, *, reduction, class_weights, rows):
    y = _expect_distribution("categorical_cross_entropy", p, target)
    values = -jnp.sum(y * jnp.log(jnp.maximum(p, SMALLEST)), axis=-1)
    return reduced(values, reduction, _row_weights(y, False, class_weights, rows))


@_dense.backward
def _dense_backward(grad, out, p, target, *, reduction, class_weights, rows):
    y = _expect_distribution("categorical_cross_entropy", p, target)
    scale = row_scale(p[..., 0], reduction, _row_weights(y, False, class_weights, rows))
    # ∂(-Σ y_i ln p_i)/∂p_j = -y_j / p_j
    return (grad * scale)[..., None] * (-y / jnp.maximum(p, SMALLEST)), None


@operation
def _divergence(p, target, *, reduction, rows):
    y = _expect_distribution("kl_divergence", p, target)
    log_ratio = jnp.log(jnp.maximum(y, SMALLEST)) - jnp.log(jnp.maximum(p, SMALLEST))
    values = jnp.sum(jnp.where(y > 0, y * log_ratio, 0), axis=-1)
    return reduced(values, reduction, rows)


@_divergence.backward
def _divergence_backward(grad, out, p, target, *, reduction, rows):
    y = _expect_distribution("kl_divergence", p, target)
    scale = row_scale(p[..., 0], reduction, rows)
    # the entropy of y does not depend on p: the same as for cross-entropy
    return (grad * scale)[..., None] * (-y / jnp.maximum(p, SMALLEST)), None


@expecting("probability", "one_hot", "categorical_cross_entropy_with_logits")
def categorical_cross_entropy(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """-Σ_i y_i ln p_i of probabilities p, for one-hot rows or distributions y.

    Args:
        prediction: probabilities, held above 1e-30.
        target: one-hot rows, or distributions over the classes.
        reduction: "mean" over the rows, "sum", or "none".
        class_weights: (classes,), how much each class counts; mean is then Σ w l / Σ w.
        row_weights: (rows,), how much each row counts, likewise.

    Shapes:
        prediction and target: (..., classes)

    Raises:
        ShapeError: shapes that do not fit.
    """
    return _dense(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("logit", "one_hot", "categorical_cross_entropy")
def categorical_cross_entropy_with_logits(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """Categorical cross-entropy of p = softmax(z), from the logits z. ∂L/∂z = p Σ y - y.

    Args, Shapes, Raises: see categorical_cross_entropy; prediction holds logits.
    """
    return _logits(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("probability", "labels", "sparse_categorical_cross_entropy_with_logits")
def sparse_categorical_cross_entropy(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """-ln p_y of probabilities p, for class numbers y.

    Args:
        target: whole numbers from 0 to classes - 1.

    Shapes:
        prediction: (..., classes)
        target: (...)

    Raises:
        ShapeError: shapes that do not fit.
        DataError: a label out of range (names it; not while compiling).

    Other Args: see categorical_cross_entropy.
    """
    return _sparse(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("logit", "labels", "sparse_categorical_cross_entropy")
def sparse_categorical_cross_entropy_with_logits(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """ln Σ_i e^{z_i} - z_y of logits z, for class numbers y. ∂L/∂z = softmax(z) - one-hot(y).

    Args, Shapes, Raises: see sparse_categorical_cross_entropy; prediction holds logits.

    Example:
        >>> from cutaway.losses import sparse_categorical_cross_entropy_with_logits
        >>> loss = sparse_categorical_cross_entropy_with_logits([[0.0, 0.0, 0.0, 0.0]], [2])
        >>> round(loss.item(), 4)  # ln 4: chance among four
        1.3863
    """
    return _sparse_logits(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("probability", "one_hot")
def kl_divergence(prediction, target, *, reduction="mean", row_weights=None):
    """Σ_i y_i ln(y_i / p_i): how far the distribution p is from y; 0 if they are equal.

    Args, Shapes, Raises: see categorical_cross_entropy; the target holds distributions.

    References:
        Kullback & Leibler 1951, "On information and sufficiency", Ann. Math. Statist. 22(1).
    """
    return _divergence(prediction, target, reduction=reduction, rows=row_weights)
