"""Masked words: what BERT is trained to fill in."""

import numpy as np

from cutaway.errors import DataError, expect_range

NO_TARGET = -1


def mask_tokens(ids, rng, *, mask: int, tokens: int, special=(), share: float = 0.15):
    """(x, y): rows with some tokens hidden, and what stood there.

    Of the tokens that are chosen, 80% become `mask`, 10% any token, 10% stay as they are, so that
    a network cannot rely on the others being right.

    Args:
        ids: (rows, tokens), whole numbers; 0 is padding and is never chosen.
        rng: numpy Generator.
        mask: number of the token that hides.
        tokens: how many there are.
        special: numbers that are never chosen and never put in, such as [CLS].
        share: of the tokens that are chosen, each by itself.

    Returns:
        x like ids; y like ids, -1 where nothing was chosen.

    References:
        Devlin et al. 2019, "BERT", arXiv:1810.04805, sec. 3.1.
    """
    expect_range(share, what="share of masked tokens", above=0, most=1)
    ids = np.asarray(ids)
    free = np.setdiff1d(np.arange(tokens), [0, mask, *special])
    if not len(free):
        raise DataError(
            f"{tokens} tokens, all of them special", expected="at least one that is a word"
        )
    chosen = (rng.random(ids.shape) < share) & np.isin(ids, free)
    how = rng.random(ids.shape)
    x = np.where(chosen & (how < 0.8), mask, ids)
    x = np.where(chosen & (how >= 0.9), rng.choice(free, ids.shape), x)
    return x.astype(np.int32), np.where(chosen, ids, NO_TARGET).astype(np.int32)
