"""Losses for regression. Each element has a loss; `reduction` combines them into a scalar."""

import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.engine.operation import operation
from cutaway.errors import expect_range
from cutaway.losses.contract import expecting, paired, reduced, row_scale


def _elementwise(name, value, slope, formula, slope_formula):
    """An operation on (prediction, target) from a loss of the residual and its slope."""

    def forward(prediction, target, *, reduction, rows, **options):
        prediction, target = paired(name, prediction, target)
        return reduced(value(prediction - target, **options), reduction, rows)

    def rule(grad, out, prediction, target, *, reduction, rows, **options):
        shape, dtype = jnp.shape(target), jnp.result_type(target)
        prediction, target = paired(name, prediction, target)
        residual = prediction - target
        to_prediction = grad * row_scale(residual, reduction, rows) * slope(residual, **options)
        if not jnp.issubdtype(dtype, jnp.floating):
            return to_prediction, None
        # the residual ŷ - y falls as y grows
        return to_prediction, -to_prediction.reshape(shape).astype(dtype)

    forward.__name__ = forward.__qualname__ = name
    made = operation(forward)
    made.backward(rule)
    made.formula(formula, slope=slope_formula)
    return made


# r² and its slope 2 r
_squared = _elementwise(
    "mean_squared_error", lambda r: r * r, lambda r: 2 * r, "(p - y)**2", "2 * (p - y)"
)
# |r| and its slope sign(r), 0 at r = 0
_absolute = _elementwise(
    "mean_absolute_error",
    jnp.abs,
    jnp.sign,
    "abs(p - y)",
    "1 if p > y else -1 if p < y else 0",
)
# r²/2 near 0, linear beyond delta; the slope is r, clipped to ±delta
_huber = _elementwise(
    "huber",
    lambda r, delta: jnp.where(
        jnp.abs(r) <= delta, 0.5 * r * r, delta * (jnp.abs(r) - 0.5 * delta)
    ),
    lambda r, delta: jnp.clip(r, -delta, delta),
    "0.5 * (p - y)**2 if abs(p - y) <= delta else delta * (abs(p - y) - 0.5 * delta)",
    "p - y if abs(p - y) <= delta else delta if p > y else -delta",
)
# r²/(2β) near 0, |r| - β/2 beyond; the slope is r/β, clipped to ±1
_smooth = _elementwise(
    "smooth_l1",
    lambda r, beta: jnp.where(
        jnp.abs(r) < beta, r * r * (0.5 / beta if beta else 0), jnp.abs(r) - beta / 2
    ),
    lambda r, beta: jnp.clip(r / beta, -1, 1) if beta else jnp.sign(r),
    "(p - y)**2 / (2 * beta) if abs(p - y) < beta else abs(p - y) - beta / 2",
    "(p - y) / beta if abs(p - y) < beta else 1 if p > y else -1 if p < y else 0",
)


@expecting("any", "real", alias="mse")
def mean_squared_error(prediction, target, *, reduction: str = "mean", row_weights=None) -> Tensor:
    """Squared error (ŷ - y)²; derivative 2 (ŷ - y).

    Args:
        prediction: ŷ, real numbers.
        target: y, real numbers; it gets a gradient too if it requires one.
        reduction: "mean" over all elements, "sum", or "none".
        row_weights: (rows,), or the shape of the leading axes: weight of each row, 0 for padding.
            mean is then Σ w l / Σ w.

    Shapes:
        prediction and target: equal, up to a last axis of size 1

    Raises:
        ShapeError: incompatible shapes; nothing is broadcast.
        OptionError: an unknown reduction.

    References:
        Legendre 1805; Gauss 1809.

    Example:
        >>> from cutaway.losses import mean_squared_error
        >>> mean_squared_error([1.0, 2.0], [1.0, 4.0]).item()
        2.0
    """
    return _squared(prediction, target, reduction=reduction, rows=row_weights)


@expecting("any", "real", alias="mae")
def mean_absolute_error(prediction, target, *, reduction: str = "mean", row_weights=None) -> Tensor:
    """Absolute error |ŷ - y|; derivative the sign of ŷ - y, with the subgradient 0 at 0.

    Args, Shapes, Raises: see mean_squared_error.

    Example:
        >>> from cutaway.losses import mean_absolute_error
        >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0]).item()
        1.0
    """
    return _absolute(prediction, target, reduction=reduction, rows=row_weights)


@expecting("any", "real")
def huber(
    prediction, target, *, delta: float = 1.0, reduction: str = "mean", row_weights=None
) -> Tensor:
    """(ŷ - y)²/2 where |ŷ - y| <= δ, beyond it linear, δ (|ŷ - y| - δ/2): robust to outliers.

    Args:
        delta: δ > 0. To set it in a Trainer: functools.partial(huber, delta=2.0).

    Other Args, Shapes, Raises: see mean_squared_error.

    References:
        Huber 1964, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1).

    Example:
        >>> from cutaway.losses import huber
        >>> huber([0.5, 3.0], [0.0, 0.0], reduction="none").tolist()
        [0.125, 2.5]
    """
    expect_range(delta, what="huber: delta", above=0)
    return _huber(prediction, target, reduction=reduction, rows=row_weights, delta=float(delta))


@expecting("any", "real")
def smooth_l1(
    prediction, target, *, beta: float = 1.0, reduction: str = "mean", row_weights=None
) -> Tensor:
    """(ŷ - y)²/(2β) where |ŷ - y| < β, beyond it |ŷ - y| - β/2: huber with δ = β, divided by β.

    Detectors take it for the codes of boxes, summed over the matched ones and divided by a number
    of their own: reduction="sum", row_weights=matched, and the result / max(1, count).

    Args:
        beta: β >= 0: 1 in SSD and Fast R-CNN, 1/9 for region proposals (σ = 3 of Faster R-CNN); 0
            is the absolute error.

    Other Args, Shapes, Raises: see mean_squared_error.

    References:
        Girshick 2015, "Fast R-CNN", arXiv:1504.08083, eq. 3.

    Example:
        >>> from cutaway.losses import smooth_l1
        >>> smooth_l1([0.5, 3.0], [0.0, 0.0], beta=2.0, reduction="none").tolist()
        [0.0625, 2.0]
    """
    expect_range(beta, what="smooth_l1: beta", least=0)
    return _smooth(prediction, target, reduction=reduction, rows=row_weights, beta=float(beta))
