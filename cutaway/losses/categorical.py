"""Losses for multiclass classification with one-hot or soft targets: cross-entropy, divergence."""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor, as_array
from cutaway.engine.operation import operation
from cutaway.errors import ShapeError
from cutaway.losses.contract import (
    as_floating,
    expect_class_weights,
    expect_smoothing,
    expecting,
    reduced,
    row_scale,
)

SMALLEST = 1e-30  # probabilities are clipped here: float32 represents it, and ln of it is -69


def _distributions(name, prediction, target):
    """(prediction, target) as floats of one type and equal shapes (..., classes)."""
    prediction, target = as_floating(prediction), as_array(target)
    if prediction.ndim < 1 or target.shape != prediction.shape:
        raise ShapeError(
            f"{name}: predictions have shape {prediction.shape}, targets {target.shape}",
            expected="equal shapes: one-hot rows, or one distribution per row",
            fix="for integer labels use the sparse loss",
        )
    return prediction, target.astype(prediction.dtype)


def _weighted(name, y, class_weights, label_smoothing=0.0):
    """(w y, Σ w y of each row): weighted targets, and the weight of each row; or (y, None).

    The weight of a row is that of its target before smoothing, as for integer labels.
    """
    expect_class_weights(name, class_weights, y.shape[-1])
    expect_smoothing(label_smoothing)
    smooth = y
    if label_smoothing:
        smooth = (1 - label_smoothing) * y + label_smoothing / y.shape[-1]
    if class_weights is None:
        return smooth, None
    weights = as_array(class_weights).astype(y.dtype)
    return weights * smooth, jnp.sum(weights * y, axis=-1)


@operation(name="categorical_cross_entropy_with_logits", saves=True)
def _from_logits(z, target, *, reduction, class_weights, rows, label_smoothing):
    name = "categorical_cross_entropy_with_logits"
    z, y = _distributions(name, z, target)
    y, counts = _weighted(name, y, class_weights, label_smoothing)
    log_p = jax.nn.log_softmax(z, axis=-1)
    values = -jnp.sum(jnp.where(y == 0, 0, y * log_p), axis=-1)
    return reduced(values, reduction, rows, counts), (log_p, y, counts)


@_from_logits.backward
def _from_logits_backward(grad, out, saved, z, target, *, reduction, class_weights, rows, **_):
    log_p, y, counts = saved
    scale = row_scale(log_p[..., 0], reduction, rows, counts)
    # ∂/∂z_j -Σ y_i ln p_i = p_j Σ y_i - y_j; class weights are in y
    slope = jnp.exp(log_p) * jnp.sum(y, axis=-1, keepdims=True) - y
    return (grad * scale)[..., None] * slope, None


_from_logits.formula("-sum(y * ln(q))", slope="q_i - y_i")


@operation(name="categorical_cross_entropy", saves=True)
def _from_probabilities(p, target, *, reduction, class_weights, rows):
    name = "categorical_cross_entropy"
    p, y = _distributions(name, p, target)
    y, counts = _weighted(name, y, class_weights)
    values = -jnp.sum(y * jnp.log(jnp.maximum(p, SMALLEST)), axis=-1)
    return reduced(values, reduction, rows, counts), (p, y, counts)


@_from_probabilities.backward
def _from_probabilities_backward(grad, out, saved, _, target, *, reduction, class_weights, rows):
    p, y, counts = saved
    scale = row_scale(p[..., 0], reduction, rows, counts)
    # ∂(-Σ y_i ln p_i)/∂p_j = -y_j / p_j
    return (grad * scale)[..., None] * (-y / jnp.maximum(p, SMALLEST)), None


_from_probabilities.formula("-sum(y * ln(p))", slope="-y_i / p_i")


@operation(name="kl_divergence")
def _divergence(p, target, *, reduction, rows):
    p, y = _distributions("kl_divergence", p, target)
    log_ratio = jnp.log(jnp.maximum(y, SMALLEST)) - jnp.log(jnp.maximum(p, SMALLEST))
    values = jnp.sum(jnp.where(y > 0, y * log_ratio, 0), axis=-1)
    return reduced(values, reduction, rows)


@_divergence.backward
def _divergence_backward(grad, out, p, target, *, reduction, rows):
    p, y = _distributions("kl_divergence", p, target)
    scale = row_scale(p[..., 0], reduction, rows)
    # the entropy of y does not depend on p: the same as for cross-entropy
    return (grad * scale)[..., None] * (-y / jnp.maximum(p, SMALLEST)), None


@expecting("probability", "one_hot", "categorical_cross_entropy_with_logits")
def categorical_cross_entropy(
    prediction, target, *, reduction: str = "mean", class_weights=None, row_weights=None
) -> Tensor:
    """-Σ_i y_i ln p_i of probabilities p, for one-hot rows or distributions y; ∂L/∂p_i = -y_i/p_i.

    Args:
        prediction: probabilities, clipped below at 1e-30.
        target: one-hot rows, or distributions over the classes; no gradient flows to it.
        reduction: "mean" over the rows, "sum", or "none".
        class_weights: (classes,): -Σ_i w_i y_i ln p_i, and mean is Σ w l / Σ w with w = Σ_i w_i y_i
            of each row, as for the sparse loss. (PyTorch's mean is over n for such targets; its
            sum and none equal ours.)
        row_weights: (rows,), or the shape of the leading axes: weight of each row, 0 for padding.
            mean is then Σ w l / Σ w.

    Shapes:
        prediction and target: (..., classes)

    Raises:
        ShapeError: incompatible shapes; nothing is broadcast.
        OptionError: an unknown reduction, a negative weight.

    Example:
        >>> from cutaway.losses import categorical_cross_entropy
        >>> round(categorical_cross_entropy([[0.25, 0.75]], [[1, 0]]).item(), 4)  # ln 4
        1.3863
    """
    return _from_probabilities(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("logit", "one_hot", "categorical_cross_entropy")
def categorical_cross_entropy_with_logits(
    prediction,
    target,
    *,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Categorical cross-entropy of p = softmax(z), from the logits z. ∂L/∂z = p Σ y - y.

    Args, Shapes, Raises: see categorical_cross_entropy; predictions are logits, unbounded.
        label_smoothing: ε in [0, 1]: the target becomes (1 - ε) y + ε / classes, which keeps the
            logits bounded. Szegedy et al. 2016, arXiv:1512.00567, section 7.

    Example:
        >>> from cutaway.losses import categorical_cross_entropy_with_logits
        >>> categorical_cross_entropy_with_logits([[1e4, -1e4]], [[0, 1]]).item()
        20000.0
    """
    return _from_logits(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        label_smoothing=label_smoothing,
    )


@expecting("probability", "one_hot", alias="kl")
def kl_divergence(prediction, target, *, reduction: str = "mean", row_weights=None) -> Tensor:
    """Σ_i y_i ln(y_i / p_i): how far the distribution p is from y; 0 if they are equal.

    Both are probabilities, not log-probabilities. PyTorch: F.kl_div(log(p), y, "batchmean").

    Args, Shapes, Raises: see categorical_cross_entropy; targets are distributions.

    References:
        Kullback & Leibler 1951, "On information and sufficiency", Ann. Math. Statist. 22(1).

    Example:
        >>> from cutaway.losses import kl_divergence
        >>> round(kl_divergence([[0.5, 0.5]], [[1.0, 0.0]]).item(), 4)  # ln 2
        0.6931
    """
    return _divergence(prediction, target, reduction=reduction, rows=row_weights)
