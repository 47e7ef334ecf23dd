"""Regression metrics, equal to scikit-learn's. `weights` (rows,): 0 excludes a row.

`prediction` is (rows,) or (rows, outputs), `target` equal up to a last axis of size 1. For several
outputs a metric is averaged over the outputs. If all weights are 0 it is NaN.
"""

import jax
import jax.numpy as jnp

from cutaway.metrics.contract import metric, misfit, row_weights, wide


def _errors(prediction, target, weights):
    """(residual ŷ - y, target, normalized weights), each (rows, outputs); weights sum to 1."""
    prediction, target = wide(prediction), wide(target)
    a, b = prediction.shape, target.shape
    if not a or (a != b and a != (*b, 1) and b != (*a, 1)):
        raise misfit(prediction, target, "equal shapes (rows, ...), up to a last axis of size 1")
    outputs = prediction.size // max(1, a[0])
    target = target.reshape(a[0], outputs)
    w = row_weights(weights, a[0])[:, None]
    return prediction.reshape(a[0], outputs) - target, target, w / jnp.sum(w)


@metric("regression", higher_is_better=False)
def mean_absolute_error(prediction, target, weights=None) -> jax.Array:
    """Mean of |ŷ - y|, in the units of the target.

    Example:
        >>> from cutaway.metrics import mean_absolute_error
        >>> float(mean_absolute_error([1.0, 2.0], [1.0, 4.0]))
        1.0
    """
    residual, _, w = _errors(prediction, target, weights)
    return jnp.mean(jnp.sum(w * jnp.abs(residual), axis=0))


@metric("regression", higher_is_better=False)
def root_mean_squared_error(prediction, target, weights=None) -> jax.Array:
    """√ of the mean of (ŷ - y)², in the units of the target.

    Example:
        >>> from cutaway.metrics import root_mean_squared_error
        >>> float(root_mean_squared_error([3.0, 4.0, 1.0, 2.0], [3.0, 4.0, 1.0, 4.0]))
        1.0
    """
    residual, _, w = _errors(prediction, target, weights)
    return jnp.mean(jnp.sqrt(jnp.sum(w * residual**2, axis=0)))


@metric("regression", higher_is_better=True)
def r2(prediction, target, weights=None) -> jax.Array:
    """1 - Σ (ŷ - y)² / Σ (y - mean)²: 1 is perfect, 0 equals always predicting the mean.

    For a constant target: 1 if all predictions are exact, otherwise 0.

    Example:
        >>> from cutaway.metrics import r2
        >>> float(r2([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]))
        0.0
    """
    residual, target, w = _errors(prediction, target, weights)
    mean = jnp.sum(w * target, axis=0)
    variance = jnp.sum(w * (target - mean) ** 2, axis=0)
    errors = jnp.sum(w * residual**2, axis=0)
    varied = 1 - errors / jnp.where(variance > 0, variance, 1)
    constant = jnp.where(errors > 0, 0, 1 + errors)  # NaN stays NaN
    return jnp.mean(jnp.where(variance > 0, varied, constant))
