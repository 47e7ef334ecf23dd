"""Weights of rows: targets that carry them, and the mean of a loss by them."""

import functools
import inspect
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.train.given import as_tree


class WeightedTargets(NamedTuple):
    """Targets with a weight for each row; a tree, like targets.

    Attributes:
        targets: a tree of arrays (rows, ...).
        weights: (rows,); of members that train together also (rows, members).
    """

    targets: Any
    weights: Any


def plain_targets(y) -> Any:
    """The targets without their weights."""
    return y.targets if isinstance(y, WeightedTargets) else y


def weights_of(y) -> Any:
    """The weights of the rows; None for targets without any."""
    return y.weights if isinstance(y, WeightedTargets) else None


def with_weights(y, weights, rows: int, members: int = 0) -> WeightedTargets:
    """The targets with these weights, on the device.

    Args:
        members: number of networks that train together, each of which may have its own weights;
            0: there is one.

    Raises:
        OptionError: not one finite weight >= 0 per row, or none above 0.
    """
    weights = checked_weights(weights, rows, members)
    for own in weights.T.reshape(-1, rows):
        expect_some_weight(own)
    return WeightedTargets(y, jax.device_put(weights))


def checked_weights(weights, rows: int, members: int = 0) -> np.ndarray:
    """The weights as (rows,) float32, or (rows, members).

    Raises:
        OptionError: not one finite weight >= 0 per row.
    """
    weights = np.asarray(as_tree(weights, "weights"), np.float32)
    if weights.shape == (rows, 1) and members != 1:  # a column of a frame
        weights = weights[:, 0]
    fits = weights.shape in ((rows,), (rows, members))
    if not fits or not (np.isfinite(weights) & (weights >= 0)).all():
        own = f" or, each of the {members} members its own, (rows, members)" if members else ""
        raise OptionError(
            f"weights of shape {weights.shape}"
            + (f", from {weights.min():g} to {weights.max():g}" if weights.size else ""),
            expected=f"one finite weight >= 0 for each of the {rows} rows",
            fix=f"pass weights of shape (rows,){own}; 0 excludes a row",
        )
    return weights


def expect_some_weight(weights: np.ndarray) -> None:
    """Raise OptionError if all weights are 0."""
    if not weights.any():
        raise OptionError(
            "all weights are 0", expected="a row that counts", fix="give rows a weight above 0"
        )


def without_equal_weights(y) -> Any:
    """The targets without weights that are all equal: they weight nothing.

    So the mean has the same bits as without weights.
    """
    if not isinstance(y, WeightedTargets):
        return y
    weights = np.asarray(y.weights)
    return y.targets if weights.ndim == 1 and (weights == weights[0]).all() else y


def given_weights(weights, sample_weight) -> Any:
    """The weights of the rows by either of their two names.

    Raises:
        OptionError: both were given.
    """
    if weights is not None and sample_weight is not None:
        raise OptionError(
            "both weights and sample_weight were given, which are the same",
            expected="one of them",
            fix="leave one out",
        )
    return sample_weight if weights is None else weights


def loss_of_rows(loss, prediction, y) -> Any:
    """What a loss returns for these targets; its mean by the weights of the rows, if y has any."""
    if isinstance(y, WeightedTargets):
        return weighted_loss(loss, prediction, y)
    return loss(prediction, y)


def weighted_loss(loss, prediction, y: WeightedTargets) -> Tensor:
    """Σ_i w_i L_i / Σ_i w_i over the rows of a batch, L_i the mean loss of row i; 0 if all w are 0.

    Raises:
        OptionError: the loss cannot be had for each row.
    """
    weights = y.weights.data
    counts = weights.sum() > 0
    some = Tensor(jnp.where(counts, weights, 1))
    return _mean(loss, prediction, y.targets, some) * Tensor(counts.astype(weights.dtype))


def _mean(loss, prediction, y, weights: Tensor) -> Tensor:
    expect_weightable_loss(loss)
    if "row_weights" in _options(loss):
        return loss(prediction, y, row_weights=weights)
    each = loss(prediction, y, reduction="none")
    while each.ndim > 1:
        each = each.mean(axis=-1)
    return (each * weights).sum() / weights.sum()


def _options(loss):
    """The arguments of a loss, also of a functools.partial of one."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    return inspect.signature(loss).parameters


def expect_weightable_loss(loss) -> None:
    """Raise OptionError unless the mean of a loss can be weighted by rows."""
    if not {"row_weights", "reduction"} & set(_options(loss)):
        plain = loss.func if isinstance(loss, functools.partial) else loss
        raise OptionError(
            f"the loss {getattr(plain, '__name__', plain)!r} has neither of the options "
            "row_weights and reduction",
            expected='for weights, a loss with row_weights, or reduction="none" for each row',
            fix="take one of cutaway.losses, or weight the rows in the loss itself",
        )
