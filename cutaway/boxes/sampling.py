"""Choosing priors to learn from, by rank: so many of them, with static shapes."""

import jax
import jax.numpy as jnp


def ranks(values, chosen) -> jax.Array:
    """Place of each element among the chosen ones in rising order along the last axis, from 0.

    Equal values keep their order. Those not chosen come behind all chosen ones.
    """
    order = jnp.argsort(jnp.where(chosen, values, jnp.inf), axis=-1, stable=True)
    return jnp.argsort(order, axis=-1, stable=True)


def sample_balanced(positive, negative, numbers, *, count: int, fraction: float):
    """Positives up to a fraction of `count`, the rest of it negatives.

    Args:
        positive, negative: (..., priors) bool, what may be chosen.
        numbers: (..., priors); those with the smallest ones are chosen: random numbers for a random
            sample, arange for the first.
        count: how many are chosen, if there are enough negatives.
        fraction: largest fraction of positives.

    Returns:
        (positives, negatives): (..., priors) bool, those chosen.

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import sample_balanced
        >>> positive = jnp.array([True, False, True, False, False])
        >>> first = sample_balanced(positive, ~positive, jnp.arange(5), count=3, fraction=0.5)
        >>> [chosen.tolist() for chosen in first]
        [[True, False, False, False, False], [False, True, False, True, False]]
    """
    most = int(count * fraction)
    first = positive & (ranks(numbers, positive) < most)
    rest = count - jnp.sum(first, axis=-1, keepdims=True)
    return first, negative & (ranks(numbers, negative) < rest)


def indices_of(chosen, count: int) -> tuple[jax.Array, jax.Array]:
    """(indices of the first `count` chosen elements, which of them are there).

    Shapes:
        chosen: (..., n) bool
        out: (..., count) int32 and bool; where fewer are chosen, indices of others and False
    """
    order = jnp.argsort(~chosen, axis=-1, stable=True)[..., :count]
    short = max(0, count - chosen.shape[-1])
    order = jnp.pad(order, [(0, 0)] * (order.ndim - 1) + [(0, short)])
    there = jnp.arange(count) < jnp.sum(chosen, axis=-1, keepdims=True)
    return order.astype(jnp.int32), there


def hard_negatives(losses, positive, *, ratio: float = 3.0, least: int = 0, allowed=None):
    """Per picture the negatives with the largest losses: `ratio` for each positive.

    Args:
        losses: (..., priors) loss of each prior if it is background.
        positive: (..., priors) bool.
        least: how many are chosen where there are fewer positives; 0 as in the paper, with which a
            picture without objects teaches nothing.
        allowed: (..., priors) bool; by default all that are not positive.

    Returns:
        (..., priors) bool

    References:
        Liu et al. 2016, "SSD", arXiv:1512.02325, section 2.2.
    """
    allowed = ~positive if allowed is None else allowed & ~positive
    wanted = jnp.maximum(ratio * jnp.sum(positive, axis=-1, keepdims=True), least)
    return allowed & (ranks(-losses, allowed) < wanted)
