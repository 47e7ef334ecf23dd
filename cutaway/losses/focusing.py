"""Focal loss: cross-entropy that all but forgets what is already predicted well."""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.engine.operation import operation
from cutaway.errors import expect_range
from cutaway.losses.contract import expecting, reduced, row_scale
from cutaway.losses.sparse import class_weight, kept, labeled, picked


@operation(name="focal_with_logits", saves=True)
def _focal(z, target, *, reduction, class_weights, rows, gamma, ignore_index):
    name = "focal_with_logits"
    expect_range(gamma, what=f"{name}: gamma", least=0)
    z, labels, ignored = labeled(name, z, target, ignore_index)
    logs = jax.nn.log_softmax(z, axis=-1)
    log_p = picked(logs, labels)
    rest = 1 - jnp.exp(log_p)  # 1 - p
    weights = class_weight(name, labels, class_weights, z.shape[-1], z.dtype)
    values = -(rest**gamma) * log_p
    values = values if weights is None else weights * values
    rows = kept(values, rows, ignored)
    return reduced(values, reduction, rows, weights), (logs, log_p, labels, weights, rows)


@_focal.backward
def _focal_backward(
    grad, out, saved, z, target, *, reduction, class_weights, rows, gamma, ignore_index
):
    logs, log_p, labels, weights, rows = saved
    p = jnp.exp(log_p)
    rest = 1 - p
    # ∂/∂p -(1 - p)^γ ln p = γ (1 - p)^(γ-1) ln p - (1 - p)^γ / p, and ∂p/∂z = p (one-hot - softmax)
    power = jnp.where(rest > 0, rest, 1) ** (gamma - 1) * (rest > 0)
    factor = rest**gamma - gamma * p * power * log_p
    factor = factor if weights is None else weights * factor
    scale = grad * row_scale(log_p, reduction, rows, weights)
    slope = jnp.exp(logs) - jax.nn.one_hot(labels, z.shape[-1], dtype=logs.dtype)
    return (scale * factor)[..., None] * slope, None


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
