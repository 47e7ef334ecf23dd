"""Metrics for numbers, equal to scikit-learn's. `weights` (rows,), 0 for rows that do not count.

`prediction` is (rows,) or (rows, outputs), `target` equal up to a last axis of size 1. For several
outputs a metric is the mean of its values for each output. Without any row that counts it is NaN.
"""

import jax.numpy as jnp

from cutaway.metrics.contract import metric, misfit, row_weights, wide


def _errors(prediction, target, weights):
    """(residual ŷ - y, target, share of each row), each (rows, outputs); shares add up to 1."""
    prediction, target = wide(prediction), wide(target)
    a, b = prediction.shape, target.shape
    if not a or (a != b and a != (*b, 1) and b != (*a, 1)):
        raise misfit(prediction, target, "equal shapes (rows, ...), up to a last axis of size 1")
    outputs = prediction.size // max(1, a[0])
    target = target.reshape(a[0], outputs)
    w = row_weights(weights, a[0])[:, None]
    return prediction.reshape(a[0], outputs) - target, target, w / jnp.sum(w)


@metric("regression", higher_is_better=False)
def mean_absolute_error(prediction, target, weights=None):
    """Mean of |ŷ - y|, in the target's units.

    Example:
        >>> from cutaway.metrics import mean_absolute_error
        >>> float(mean_absolute_error([1.0, 2.0], [1.0, 4.0]))
        1.0
    """
    residual, _, share = _errors(prediction, target, weights)
    return jnp.mean(jnp.sum(share * jnp.abs(residual), axis=0))


@metric("regression", higher_is_better=False)
def root_mean_squared_error(prediction, target, weights=None):
    """√ of the mean of (ŷ - y)², in the target's units.

    Example:
        >>> from cutaway.metrics import root_mean_squared_error
        >>> float(root_mean_squared_error([3.0, 4.0, 1.0, 2.0], [3.0, 4.0, 1.0, 4.0]))
        1.0
    """
    residual, _, share = _errors(prediction, target, weights)
    return jnp.mean(jnp.sqrt(jnp.sum(share * residual**2, axis=0)))


@metric("regression", higher_is_better=True)
def r2(prediction, target, weights=None):
    """1 - Σ (ŷ - y)² / Σ (y - mean)²: 1 is perfect, 0 is as good as always saying the mean.

    Where the target never varies: 1 if the prediction never errs, otherwise 0.

    Example:
        >>> from cutaway.metrics import r2
        >>> float(r2([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]))
        0.0
    """
    residual, target, share = _errors(prediction, target, weights)
    mean = jnp.sum(share * target, axis=0)
    spread = jnp.sum(share * (target - mean) ** 2, axis=0)
    errors = jnp.sum(share * residual**2, axis=0)
    varied = 1 - errors / jnp.where(spread > 0, spread, 1)
    constant = jnp.where(errors > 0, 0, 1 + errors)  # NaN stays NaN
    return jnp.mean(jnp.where(spread > 0, varied, constant))
