"""Focal loss: cross-entropy that all but forgets what is already predicted well."""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.engine.operation import operation
from cutaway.errors import expect_range
from cutaway.losses.binary import weighted_classes
from cutaway.losses.contract import (
    expect_class_weights,
    expecting,
    paired,
    reduced,
    row_scale,
)
from cutaway.losses.sparse import class_weight, kept, labeled, picked


def _attenuated(log_p, gamma):
    """((1 - p)^γ, -p ∂/∂p [-(1 - p)^γ ln p]), p being that of the true class.

    ∂/∂p -(1 - p)^γ ln p = γ (1 - p)^(γ-1) ln p - (1 - p)^γ / p
    """
    p = jnp.exp(log_p)
    rest = 1 - p
    power = jnp.where(rest > 0, rest, 1) ** (gamma - 1) * (rest > 0)
    return rest**gamma, rest**gamma - gamma * p * power * log_p


@operation(name="focal_with_logits", saves=True)
def _focal(z, target, *, reduction, class_weights, rows, gamma, ignore_index):
    name = "focal_with_logits"
    expect_range(gamma, what=f"{name}: gamma", least=0)
    z, labels, ignored = labeled(name, z, target, ignore_index)
    logs = jax.nn.log_softmax(z, axis=-1)
    log_p = picked(logs, labels)
    weights = class_weight(name, labels, class_weights, z.shape[-1], z.dtype)
    values = -_attenuated(log_p, gamma)[0] * log_p
    values = values if weights is None else weights * values
    rows = kept(values, rows, ignored)
    return reduced(values, reduction, rows, weights), (logs, log_p, labels, weights, rows)


@_focal.backward
def _focal_backward(
    grad, out, saved, z, target, *, reduction, class_weights, rows, gamma, ignore_index
):
    logs, log_p, labels, weights, rows = saved
    # ∂p/∂z = p (one-hot - softmax)
    _, factor = _attenuated(log_p, gamma)
    factor = factor if weights is None else weights * factor
    scale = grad * row_scale(log_p, reduction, rows, weights)
    slope = jnp.exp(logs) - jax.nn.one_hot(labels, z.shape[-1], dtype=logs.dtype)
    return (scale * factor)[..., None] * slope, None


@operation(name="binary_focal_with_logits", saves=True)
def _binary_focal(z, target, *, reduction, class_weights, rows, gamma):
    name = "binary_focal_with_logits"
    expect_range(gamma, what=f"{name}: gamma", least=0)
    z, y = paired(name, z, target)
    a, b, both = weighted_classes(y, class_weights)
    # -y (1 - p)^γ ln p - (1 - y) p^γ ln(1 - p), p = σ(z)
    log_p, log_q = jax.nn.log_sigmoid(z), jax.nn.log_sigmoid(-z)
    values = -a * _attenuated(log_p, gamma)[0] * log_p - b * _attenuated(log_q, gamma)[0] * log_q
    counts = None if class_weights is None else both
    return reduced(values, reduction, rows, counts), (log_p, log_q, a, b, counts)


@_binary_focal.backward
def _binary_focal_backward(grad, out, saved, z, target, *, reduction, class_weights, rows, gamma):
    log_p, log_q, a, b, counts = saved
    # ∂p/∂z = p (1 - p): of the term with ln p -factor (1 - p), of the other +factor p
    _, of_one = _attenuated(log_p, gamma)
    _, of_zero = _attenuated(log_q, gamma)
    slope = b * of_zero * jnp.exp(log_p) - a * of_one * jnp.exp(log_q)
    return grad * row_scale(log_p, reduction, rows, counts) * slope, None


@expecting("logit", "labels", alias="focal")
def focal_with_logits(
    prediction,
    target,
    *,
    gamma: float = 2.0,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    ignore_index: int | None = None,
) -> Tensor:
    """-(1 - p_y)^γ ln p_y, p the softmax of the logits and y the label.

    At p_y = 0.9 and γ = 2 it is a hundredth of the cross-entropy: what is predicted well no longer
    drowns what is rare. γ = 0 is the cross-entropy.

    Args, Shapes, Raises: see sparse_categorical_cross_entropy; predictions are logits.
        gamma: γ.
        class_weights: the paper's α. Mean is then Σ w l / Σ w.

    References:
        Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002, eq. 4 and 5.

    Example:
        >>> from cutaway.losses import focal_with_logits
        >>> round(focal_with_logits([[0.0, 0.0]], [1]).item(), 4)  # ln 2 / 4
        0.1733
    """
    return _focal(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        gamma=gamma,
        ignore_index=ignore_index,
    )


@expecting("logit", "binary")
def binary_focal_with_logits(
    prediction,
    target,
    *,
    gamma: float = 2.0,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
) -> Tensor:
    """-(1 - p)^γ ln p where y is 1, -p^γ ln(1 - p) where it is 0, with p = σ(z).

    For detectors of one output per class and prior, of which nearly all are 0.

    Args:
        prediction: logits z, of any shape.
        target: 0 or 1, of the same shape.
        gamma: γ >= 0; 0 is binary_cross_entropy_with_logits.
        class_weights: (w0, w1); the paper's α is w1 = α, w0 = 1 - α.

    Other Args, Shapes, Raises: see binary_cross_entropy. The paper sums and divides by the number
    of matched priors: reduction="sum" and the result / max(1, count).

    References:
        Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002.

    Example:
        >>> from cutaway.losses import binary_focal_with_logits
        >>> round(binary_focal_with_logits([0.0], [1]).item(), 4)  # 0.5² ln 2
        0.1733
    """
    expect_class_weights("binary_focal_with_logits", class_weights, 2)
    return _binary_focal(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        gamma=float(gamma),
    )
