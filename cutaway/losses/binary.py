"""Losses for yes or no: binary cross-entropy from probabilities and from logits, and hinge."""

import jax
import jax.numpy as jnp

from cutaway.engine import operation
from cutaway.losses.contract import expecting, reduced, row_scale, row_weights, same_shape

LOG_FLOOR = -100.0  # ln p is held above this, as in PyTorch: a certain mistake costs 100, not ∞


def _weights(values, target, class_weights, rows):
    """Weight of each element: of its row, and of its class (w0 for 0, w1 for 1)."""
    weights = row_weights(rows, values)
    if class_weights is None:
        return weights
    w0, w1 = class_weights
    by_class = w0 + (w1 - w0) * target
    return by_class if weights is None else weights * by_class


@operation
def _from_probabilities(p, target, *, reduction, class_weights, rows):
    y = same_shape("binary_cross_entropy", p, target).astype(p.dtype)
    log_p = jnp.maximum(jnp.log(p), LOG_FLOOR)
    log_q = jnp.maximum(jnp.log1p(-p), LOG_FLOOR)
    values = -(y * log_p + (1 - y) * log_q)
    return reduced(values, reduction, _weights(values, y, class_weights, rows))


@_from_probabilities.backward
def _from_probabilities_backward(grad, out, p, target, *, reduction, class_weights, rows):
    y = same_shape("binary_cross_entropy", p, target).astype(p.dtype)
    scale = row_scale(p, reduction, _weights(p, y, class_weights, rows))
    # ∂/∂p -(y ln p + (1-y) ln(1-p)) = (p - y) / (p (1-p)), held finite at p = 0 and 1
    return grad * scale * (p - y) / jnp.maximum(p * (1 - p), 1e-12), None


@operation
def _from_logits(z, target, *, reduction, class_weights, rows):
    y = same_shape("binary_cross_entropy_with_logits", z, target).astype(z.dtype)
    # -(y ln σ(z) + (1-y) ln(1-σ(z))) = max(z, 0) - z y + ln(1 + e^{-|z|}): nothing overflows
    values = jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))
    return reduced(values, reduction, _weights(values, y, class_weights, rows))


@_from_logits.backward
def _from_logits_backward(grad, out, z, target, *, reduction, class_weights, rows):
    y = same_shape("binary_cross_entropy_with_logits", z, target).astype(z.dtype)
    scale = row_scale(z, reduction, _weights(z, y, class_weights, rows))
    # ∂/∂z = σ(z) - y: the σ' of the sigmoid and the 1/(p (1-p)) of the loss cancel
    return grad * scale * (jax.nn.sigmoid(z) - y), None


@operation
def _hinge(score, target, *, reduction, rows):
    values = jnp.maximum(0, 1 - _signs(score, target) * score)
    return reduced(values, reduction, row_weights(rows, values))


@_hinge.backward
def _hinge_backward(grad, out, score, target, *, reduction, rows):
    sign = _signs(score, target)
    scale = row_scale(score, reduction, row_weights(rows, score))
    # -y inside the margin, 0 beyond it
    return grad * scale * jnp.where(sign * score < 1, -sign, 0), None


def _signs(score, target):
    y = same_shape("hinge", score, target)
    return jnp.where(y > 0, 1, -1).astype(score.dtype)


@expecting("probability", "binary", "binary_cross_entropy_with_logits")
def binary_cross_entropy(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """Cross-entropy -(y ln p + (1 - y) ln(1 - p)) of probabilities p; ∂L/∂p = (p - y)/(p (1 - p)).

    Logarithms are held above -100. After a sigmoid that saturates, gradients get lost to
    rounding: binary_cross_entropy_with_logits does both in one and keeps them.

    Args:
        prediction: probabilities of class 1, in [0, 1].
        target: 0 or 1 (or shares between).
        reduction: "mean", "sum" or "none".
        class_weights: (w0, w1), how much each class counts; mean is then Σ w l / Σ w.
        row_weights: (rows,), how much each row counts, likewise.

    Shapes:
        prediction and target: equal, up to a last axis of size 1

    Raises:
        ShapeError: shapes that do not fit.

    Example:
        >>> from cutaway.losses import binary_cross_entropy
        >>> round(binary_cross_entropy([0.5], [1]).item(), 4)
        0.6931
    """
    return _from_probabilities(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("logit", "binary", "binary_cross_entropy")
def binary_cross_entropy_with_logits(
    prediction, target, *, reduction="mean", class_weights=None, row_weights=None
):
    """Binary cross-entropy of p = σ(z), from the logits z: max(z, 0) - z y + ln(1 + e^{-|z|}).

    ∂L/∂z = σ(z) - y. Exact for any finite z.

    Args:
        prediction: logits z, any numbers.

    Other Args, Shapes, Raises: see binary_cross_entropy.

    Example:
        >>> from cutaway.losses import binary_cross_entropy_with_logits
        >>> binary_cross_entropy_with_logits([1e4, -1e4], [1, 1]).item()
        5000.0
    """
    return _from_logits(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("score", "sign")
def hinge(prediction, target, *, reduction="mean", row_weights=None):
    """max(0, 1 - y s) for the score s and y = ±1: 0 once the score is right by a margin of 1.

    Args:
        prediction: scores s; the sign is the class.
        target: -1 and 1, or 0 and 1.

    Other Args, Shapes, Raises: see binary_cross_entropy.

    References:
        Cortes & Vapnik 1995, "Support-vector networks", Machine Learning 20.
    """
    return _hinge(prediction, target, reduction=reduction, rows=row_weights)
