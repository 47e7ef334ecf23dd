"""What metrics have in common: what they are for, and which shapes they take."""

import jax.numpy as jnp

from cutaway.engine import as_array
from cutaway.errors import ShapeError


def metric(task: str, *, higher_is_better: bool):
    """Decorator: note on a metric its task ("classification", "regression") and its good end."""

    def note(function):
        function.task = task
        function.higher_is_better = higher_is_better
        return function

    return note


def wide(x):
    """x as floats of float32 or more: sums over many rows in bfloat16 would stand still."""
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
            expected=f"one weight for each row, shape {(rows,)}",
            fix="give 1 for a row that counts and 0 for one that shall not",
        )
    return wide(weights).reshape(rows)


def misfit(prediction, target, expected: str) -> ShapeError:
    """The error for predictions and targets that do not fit each other."""
    return ShapeError(
        f"a metric got predictions of shape {prediction.shape} and targets of shape {target.shape}",
        expected=expected,
        fix="give prediction and target the same rows; nothing is broadcast",
    )


def ratio(a, b):
    """a / b, and 0 where b is 0 (scikit-learn's zero_division=0)."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)
