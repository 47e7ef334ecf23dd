"""What metrics share: their task, and the shapes they accept."""

import jax.numpy as jnp

from cutaway.engine import as_array
from cutaway.errors import ShapeError


def metric(task: str, *, higher_is_better: bool):
    """Decorator: record a metric's task ("classification", "regression") and its direction."""

    def note(function):
        function.task = task
        function.higher_is_better = higher_is_better
        return function

    return note


def wide(x):
    """x as float32 or wider: sums over many rows in bfloat16 would stagnate."""
    x = as_array(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def row_weights(weights, rows: int):
    """Weights (rows,), all 1 for None."""
    if weights is None:
        return jnp.ones(rows)
    weights = as_array(weights)
    if weights.shape not in ((rows,), (rows, 1)):
        raise ShapeError(
            f"the weights of a metric have shape {weights.shape}",
            expected=f"one weight per row, shape {(rows,)}",
            fix="use 1 for a row that counts and 0 to exclude one",
        )
    return wide(weights).reshape(rows)


def misfit(prediction, target, expected: str) -> ShapeError:
    """The error for incompatible predictions and targets."""
    return ShapeError(
        f"a metric got predictions of shape {prediction.shape} and targets of shape {target.shape}",
        expected=expected,
        fix="pass predictions and targets of the same rows; nothing is broadcast",
    )


def ratio(a, b):
    """a / b, and 0 where b is 0 (scikit-learn's zero_division=0)."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)
