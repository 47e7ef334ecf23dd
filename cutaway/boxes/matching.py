"""Which truth each prior is for: by thresholds, by the best prior, one to one.

A match is the number of a truth, or BACKGROUND, or IGNORED, which is neither. Truths are padded to
one number per picture; `valid` says which are there. A truth that overlaps no prior drags none with
it. Everything has static shapes.
"""

import jax
import jax.numpy as jnp
from jax import lax

BACKGROUND = -1
IGNORED = -2


def _of_valid(overlaps, valid):
    """Overlaps, those of padding less than any."""
    return jnp.where(valid[:, None], overlaps, -1.0)


def match_by_threshold(overlaps, valid, *, positive: float, negative: float | None = None):
    """Each prior is for the truth that it overlaps most, if it does enough.

    Args:
        overlaps: IoU of each truth with each prior.
        valid: which truths are there.
        positive: least IoU for which a prior is for a truth.
        negative: below it a prior is background, in between it is ignored; by default `positive`.

    Shapes:
        overlaps: (truths, priors)
        valid: (truths,)
        out: (priors,) int32

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.boxes import match_by_threshold
        >>> overlaps = jnp.array([[0.8, 0.4, 0.1]])
        >>> match_by_threshold(overlaps, jnp.array([True]), positive=0.7, negative=0.3).tolist()
        [0, -2, -1]
    """
    negative = positive if negative is None else negative
    if overlaps.shape[0] == 0:
        return jnp.full(overlaps.shape[1], BACKGROUND, jnp.int32)
    overlaps = _of_valid(overlaps, valid)
    most, best = jnp.max(overlaps, axis=0), jnp.argmax(overlaps, axis=0)
    rest = jnp.where(most < negative, BACKGROUND, IGNORED)
    return jnp.where(most >= positive, best, rest).astype(jnp.int32)


def match_with_ties(overlaps, valid, *, positive: float, negative: float):
    """As match_by_threshold; the best priors of each truth count too, whatever their IoU is.

    This is the rule of region proposals. Every prior with the largest IoU of some truth is for the
    truth that the prior itself overlaps most.

    Args, Shapes: see match_by_threshold.

    References:
        Ren et al. 2015, "Faster R-CNN", arXiv:1506.01497, section 3.1.2.
    """
    matches = match_by_threshold(overlaps, valid, positive=positive, negative=negative)
    if overlaps.shape[0] == 0:
        return matches
    overlaps = _of_valid(overlaps, valid)
    highest = jnp.max(overlaps, axis=1, keepdims=True)
    is_best = jnp.any((overlaps == highest) & (highest > 0), axis=0)
    return jnp.where(is_best, jnp.argmax(overlaps, axis=0), matches).astype(jnp.int32)


def match_with_forced(overlaps, valid, *, positive: float):
    """As match_by_threshold; then each truth gets its best prior (of two truths the later does).

    The rule of SSD as torchvision has it; the paper's is match_one_to_one.

    Args, Shapes: see match_by_threshold.
    """
    matches = match_by_threshold(overlaps, valid, positive=positive)
    truths = overlaps.shape[0]
    if truths == 0:
        return matches
    overlaps = _of_valid(overlaps, valid)
    best = jnp.where(jnp.max(overlaps, axis=1) > 0, jnp.argmax(overlaps, axis=1), len(matches))
    forced = jnp.full(len(matches), -1).at[best].max(jnp.arange(truths), mode="drop")
    return jnp.where(forced >= 0, forced, matches).astype(jnp.int32)


def match_one_to_one(overlaps, valid, *, positive: float):
    """First each truth gets one prior, the best pairs first; the others by their IoU.

    The pair with the largest IoU of all is taken and both leave, until each truth has a prior; so
    two truths with the same best prior both get one.

    Args, Shapes: see match_by_threshold.

    References:
        Liu et al. 2016, "SSD: Single Shot MultiBox Detector", arXiv:1512.02325, section 2.2.
    """
    matches = match_by_threshold(overlaps, valid, positive=positive)
    truths, priors = overlaps.shape
    if truths == 0:
        return matches

    def take_pair(_, state):
        left, taken = state
        place = jnp.argmax(left)
        truth, prior = place // priors, place % priors
        fits = left.ravel()[place] > 0
        taken = jnp.where(fits, taken.at[prior].set(truth), taken)
        return left.at[truth].set(-1).at[:, prior].set(-1), taken

    start = _of_valid(overlaps, valid), jnp.full(priors, -1)
    _, taken = lax.fori_loop(0, truths, take_pair, start)
    return jnp.where(taken >= 0, taken, matches).astype(jnp.int32)


def matched(values, matches) -> jax.Array:
    """The value of the truth that each prior is for; that of the first truth where it is for none.

    Shapes:
        values: (truths, ...)
        matches: (priors,)
        out: (priors, ...)
    """
    return values[jnp.maximum(matches, 0)]
