"""Margin losses on the sign of a score: it must be right by a margin of 1."""

import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.engine.operation import operation
from cutaway.losses.contract import expecting, paired, reduced, row_scale


def _signed(name, score, target):
    """(score, target as -1 or 1), in one type and shape."""
    score, y = paired(name, score, target)
    return score, jnp.where(y > 0, 1, -1).astype(score.dtype)


@operation(name="hinge")
def _hinge(score, target, *, reduction, rows):
    score, y = _signed("hinge", score, target)
    return reduced(jnp.maximum(0, 1 - y * score), reduction, rows)


@_hinge.backward
def _hinge_backward(grad, out, score, target, *, reduction, rows):
    score, y = _signed("hinge", score, target)
    # -y inside the margin, 0 beyond it and at its edge
    return grad * row_scale(score, reduction, rows) * jnp.where(y * score < 1, -y, 0), None


_hinge.formula("max(0, 1 - z) if y > 0 else max(0, 1 + z)")


@operation(name="squared_hinge")
def _squared_hinge(score, target, *, reduction, rows):
    score, y = _signed("squared_hinge", score, target)
    return reduced(jnp.maximum(0, 1 - y * score) ** 2, reduction, rows)


@_squared_hinge.backward
def _squared_hinge_backward(grad, out, score, target, *, reduction, rows):
    score, y = _signed("squared_hinge", score, target)
    # ∂/∂s max(0, 1 - y s)² = -2 y max(0, 1 - y s)
    return grad * row_scale(score, reduction, rows) * -2 * y * jnp.maximum(0, 1 - y * score), None


_squared_hinge.formula(
    "max(0, 1 - z)**2 if y > 0 else max(0, 1 + z)**2",
    slope="-2 * max(0, 1 - z) if y > 0 else 2 * max(0, 1 + z)",
)


@expecting("score", "sign")
def hinge(prediction, target, *, reduction: str = "mean", row_weights=None) -> Tensor:
    """max(0, 1 - y s) for the score s and y = ±1: 0 once the score is right by a margin of 1.

    Args:
        prediction: scores s, unbounded; the sign is the class.
        target: -1 and 1, or 0 and 1; no gradient flows to it.

    Other Args, Shapes, Raises: see binary_cross_entropy.

    References:
        Cortes & Vapnik 1995, "Support-vector networks", Machine Learning 20.

    Example:
        >>> from cutaway.losses import hinge
        >>> hinge([2.0, 0.5, -3.0], [1, 1, 0], reduction="none").tolist()
        [0.0, 0.5, 0.0]
    """
    return _hinge(prediction, target, reduction=reduction, rows=row_weights)


@expecting("score", "sign")
def squared_hinge(prediction, target, *, reduction: str = "mean", row_weights=None) -> Tensor:
    """max(0, 1 - y s)²: a hinge without the kink, with larger gradients for larger violations.

    Args, Shapes, Raises: see hinge.

    References:
        Tang 2013, "Deep learning using linear support vector machines", arXiv:1306.0239.

    Example:
        >>> from cutaway.losses import squared_hinge
        >>> squared_hinge([2.0, 0.5, 1.0], [1, 1, 0], reduction="none").tolist()
        [0.0, 0.25, 4.0]
    """
    return _squared_hinge(prediction, target, reduction=reduction, rows=row_weights)
