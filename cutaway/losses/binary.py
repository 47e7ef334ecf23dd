"""Losses for binary classification: cross-entropy from probabilities and from logits."""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor, as_array
from cutaway.engine.operation import operation
from cutaway.losses.contract import (
    expect_class_weights,
    expect_smoothing,
    expecting,
    paired,
    reduced,
    row_scale,
)

LOG_FLOOR = -100.0  # ln p is clipped here, as in PyTorch: a certain mistake costs 100, not ∞


def weighted_classes(y, class_weights):
    """(a, b, a + b) with a = w1 y and b = w0 (1 - y): the weights of class 1 and class 0."""
    if class_weights is None:
        return y, 1 - y, 1
    w0, w1 = as_array(class_weights).astype(y.dtype)
    a, b = w1 * y, w0 * (1 - y)
    return a, b, a + b


def smoothed(y, label_smoothing):
    """(1 - ε) y + ε/2: the two classes' targets drawn towards each other."""
    return (1 - label_smoothing) * y + label_smoothing / 2 if label_smoothing else y


@operation(name="binary_cross_entropy")
def _from_probabilities(p, target, *, reduction, class_weights, rows):
    p, y = paired("binary_cross_entropy", p, target)
    a, b, both = weighted_classes(y, class_weights)
    log_p = jnp.maximum(jnp.log(p), LOG_FLOOR)
    log_q = jnp.maximum(jnp.log1p(-p), LOG_FLOOR)
    values = -(a * log_p + b * log_q)
    return reduced(values, reduction, rows, None if class_weights is None else both)


@_from_probabilities.backward
def _from_probabilities_backward(grad, out, p, target, *, reduction, class_weights, rows):
    p, y = paired("binary_cross_entropy", p, target)
    a, _, both = weighted_classes(y, class_weights)
    scale = row_scale(p, reduction, rows, None if class_weights is None else both)
    # ∂/∂p -(a ln p + b ln(1-p)) = ((a + b) p - a) / (p (1-p)), kept finite at p = 0 and 1;
    # without class weights (p - y) / (p (1-p))
    return grad * scale * (both * p - a) / jnp.maximum(p * (1 - p), 1e-12), None


_from_probabilities.formula(
    "-ln(p) if y == 1 else -ln(1 - p) if y == 0 else -(y * ln(p) + (1 - y) * ln(1 - p))",
    slope="-1 / p if y == 1 else 1 / (1 - p) if y == 0 else (p - y) / (p * (1 - p))",
)


@operation(name="binary_cross_entropy_with_logits")
def _from_logits(z, target, *, reduction, class_weights, rows, label_smoothing):
    z, y = paired("binary_cross_entropy_with_logits", z, target)
    a, b, both = weighted_classes(smoothed(y, label_smoothing), class_weights)
    # -ln σ(z) = max(-z, 0) + ln(1 + e^{-|z|}) and -ln(1 - σ(z)) = max(z, 0) + ln(1 + e^{-|z|}):
    # nothing overflows, nothing cancels
    tail = jnp.log1p(jnp.exp(-jnp.abs(z)))
    values = a * jnp.maximum(-z, 0) + b * jnp.maximum(z, 0) + both * tail
    return reduced(values, reduction, rows, _counts(y, class_weights))


@_from_logits.backward
def _from_logits_backward(grad, out, z, target, *, reduction, class_weights, rows, label_smoothing):
    z, y = paired("binary_cross_entropy_with_logits", z, target)
    a, _, both = weighted_classes(smoothed(y, label_smoothing), class_weights)
    scale = row_scale(z, reduction, rows, _counts(y, class_weights))
    # ∂/∂z = (a + b) σ(z) - a, without class weights σ(z) - y: the σ' of the sigmoid and the
    # 1/(p (1-p)) of the loss cancel
    return grad * scale * (both * jax.nn.sigmoid(z) - a), None


def _counts(y, class_weights):
    """What each row counts for in a mean: the weight of its own class, before smoothing."""
    return None if class_weights is None else weighted_classes(y, class_weights)[2]


_from_logits.formula(
    "-ln(q) if y == 1 else -ln(1 - q) if y == 0 else -(y * ln(q) + (1 - y) * ln(1 - q))",
    slope="q - y",
)


@expecting("probability", "binary", "binary_cross_entropy_with_logits", alias="bce")
def binary_cross_entropy(
    prediction, target, *, reduction: str = "mean", class_weights=None, row_weights=None
) -> Tensor:
    """Cross-entropy -(y ln p + (1 - y) ln(1 - p)) of probabilities p; ∂L/∂p = (p - y)/(p (1 - p)).

    Logarithms are clipped at -100. Gradients vanish by rounding after a saturated sigmoid;
    binary_cross_entropy_with_logits combines the two and keeps them.

    Args:
        prediction: probabilities of class 1, in [0, 1].
        target: 0 or 1 (or probabilities in between); no gradient flows to it.
        reduction: "mean", "sum" or "none".
        class_weights: (w0, w1): -(w1 y ln p + w0 (1 - y) ln(1 - p)), and mean is Σ w l / Σ w with
            w = w1 y + w0 (1 - y). PyTorch's pos_weight is w1 with w0 = 1, but its mean is over n.
        row_weights: (rows,), or the shape of the leading axes: weight of each row, 0 for padding.
            mean is then Σ w l / Σ w.

    Shapes:
        prediction and target: equal, up to a last axis of size 1

    Raises:
        ShapeError: incompatible shapes; nothing is broadcast.
        OptionError: an unknown reduction, a negative weight.

    Example:
        >>> from cutaway.losses import binary_cross_entropy
        >>> round(binary_cross_entropy([0.5], [1]).item(), 4)
        0.6931
    """
    expect_class_weights("binary_cross_entropy", class_weights, 2)
    return _from_probabilities(
        prediction, target, reduction=reduction, class_weights=class_weights, rows=row_weights
    )


@expecting("logit", "binary", "binary_cross_entropy")
def binary_cross_entropy_with_logits(
    prediction,
    target,
    *,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Binary cross-entropy of p = σ(z), from the logits z: max(z, 0) - z y + ln(1 + e^{-|z|}).

    ∂L/∂z = σ(z) - y. Exact for any finite z.

    Args:
        prediction: logits z, unbounded.
        label_smoothing: ε in [0, 1]: the target becomes (1 - ε) y + ε/2, which keeps the logits
            finite: what categorical_cross_entropy_with_logits does, for two classes. Szegedy et
            al. 2016, arXiv:1512.00567, section 7.

    Other Args, Shapes, Raises: see binary_cross_entropy.

    Example:
        >>> from cutaway.losses import binary_cross_entropy_with_logits
        >>> binary_cross_entropy_with_logits([1e4, -1e4], [1, 1]).item()
        5000.0
    """
    expect_class_weights("binary_cross_entropy_with_logits", class_weights, 2)
    expect_smoothing(label_smoothing)
    return _from_logits(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        label_smoothing=label_smoothing,
    )
