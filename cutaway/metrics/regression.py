"""Metrics for numbers. `weights` (rows,), 0 for rows that shall not count."""

import jax.numpy as jnp


def _pair(prediction, target, weights):
    prediction = jnp.asarray(prediction)
    target = jnp.asarray(target).reshape(prediction.shape).astype(prediction.dtype)
    if weights is None:
        return prediction, target, jnp.ones_like(prediction)
    w = jnp.asarray(weights).reshape(-1, *(1,) * (prediction.ndim - 1))
    return prediction, target, jnp.broadcast_to(w, prediction.shape)


def mean_absolute_error(prediction, target, weights=None):
    """Mean of |ŷ - y|, in the target's units."""
    p, y, w = _pair(prediction, target, weights)
    return jnp.sum(w * jnp.abs(p - y)) / jnp.sum(w)


def root_mean_squared_error(prediction, target, weights=None):
    """√ of the mean of (ŷ - y)², in the target's units."""
    p, y, w = _pair(prediction, target, weights)
    return jnp.sqrt(jnp.sum(w * (p - y) ** 2) / jnp.sum(w))


def r2(prediction, target, weights=None):
    """1 - Σ (ŷ - y)² / Σ (y - mean)²: 1 is perfect, 0 is as good as always saying the mean.

    0 if the target never varies and the prediction errs, 1 if it does not.
    """
    p, y, w = _pair(prediction, target, weights)
    mean = jnp.sum(w * y) / jnp.sum(w)
    spread = jnp.sum(w * (y - mean) ** 2)
    errors = jnp.sum(w * (p - y) ** 2)
    return jnp.where(
        spread > 0, 1 - errors / jnp.where(spread > 0, spread, 1), (errors == 0).astype(p.dtype)
    )
