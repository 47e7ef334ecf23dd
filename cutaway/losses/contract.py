"""What losses have in common: what they expect, how shapes meet, how rows become one number."""

import dataclasses
import functools

import jax.numpy as jnp

from cutaway.errors import ShapeError, expect_choice


@dataclasses.dataclass(frozen=True)
class Expects:
    """What a loss wants to be given.

    Attributes:
        output: of the network: "probability", "logit" (any number, before sigmoid or softmax),
            "score" (any number, its sign is the class), or "any".
        target: "binary" (0 or 1, or a share), "labels" (whole numbers from 0), "one_hot" (a
            distribution over the classes), "sign" (-1 or 1, or 0 or 1), or "real".
        partner: name of the loss for the other kind of output, if there is one.
    """

    output: str
    target: str
    partner: str | None = None


def expecting(output: str, target: str, partner: str | None = None):
    """Decorator: note on a loss what it expects."""

    def note(loss):
        loss.expects = Expects(output, target, partner)
        return loss

    return note


def expects(loss) -> Expects | None:
    """What a loss expects, also through functools.partial; None for a user's own function."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    return getattr(loss, "expects", None)


def same_shape(name: str, prediction, target):
    """The target in the prediction's shape: (n,) fits (n, 1); nothing is stretched silently."""
    target = jnp.asarray(target)
    if target.shape == prediction.shape:
        return target
    if _without_last_one(target.shape) == _without_last_one(prediction.shape):
        return target.reshape(prediction.shape)
    raise ShapeError(
        f"{name}: predictions have shape {prediction.shape}, targets {target.shape}",
        expected="equal shapes, up to a last axis of size 1",
        mend="give the network's last layer as many outputs as a target has numbers",
    )


def _without_last_one(shape):
    return shape[:-1] if shape and shape[-1] == 1 else shape


def row_scale(values, reduction: str, weights=None):
    """By how much each element counts in the result: ∂result/∂element.

    mean: 1/n, or w / Σ w with weights; sum and none: 1, or w.
    """
    expect_choice(reduction, ("mean", "sum", "none"), what="reduction")
    if weights is not None:
        weights = jnp.broadcast_to(weights, values.shape).astype(values.dtype)
        total = jnp.sum(weights)
        if reduction == "mean":
            return weights / jnp.where(total == 0, 1, total)
        return weights
    if reduction == "mean":
        return jnp.full(values.shape, 1 / max(1, values.size), values.dtype)
    return jnp.ones(values.shape, values.dtype)


def reduced(values, reduction: str, weights=None):
    """Elements of a loss as one number, or as they are for "none"."""
    if reduction == "mean" and weights is None:
        return jnp.mean(values)
    scaled = values * row_scale(values, reduction, weights)
    return scaled if reduction == "none" else jnp.sum(scaled)


def row_weights(weights, values):
    """Weights (rows,) for values (rows, ...), or None."""
    if weights is None:
        return None
    weights = jnp.asarray(weights)
    if weights.shape != values.shape[:1]:
        raise ShapeError(
            f"row_weights has shape {weights.shape}",
            expected=f"one weight for each row, shape {values.shape[:1]}",
        )
    return weights.reshape(-1, *(1,) * (values.ndim - 1))
