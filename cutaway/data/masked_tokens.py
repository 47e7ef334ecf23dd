"""Masking for BERT's masked language model."""

import numpy as np

from cutaway.errors import DataError, expect_range

NO_TARGET = -1


def mask_tokens(ids, rng, *, mask: int, tokens: int, special=(), fraction: float = 0.15):
    """(x, y): rows with some tokens masked, and the original tokens at these positions.

    Of the selected tokens, 80% are replaced by `mask`, 10% by a random token, and 10% are kept, so
    the network cannot rely on unmasked tokens being correct.

    Args:
        ids: (rows, tokens), integers; 0 is padding and is never selected.
        rng: numpy Generator.
        mask: id of the mask token.
        tokens: size of the vocabulary.
        special: ids that are never selected and never inserted, such as [CLS].
        fraction: of the tokens to select, each independently.

    Returns:
        x like ids; y like ids, -1 at positions that were not selected.

    References:
        Devlin et al. 2019, "BERT", arXiv:1810.04805, sec. 3.1.
    """
    expect_range(fraction, what="fraction of masked tokens", above=0, most=1)
    ids = np.asarray(ids)
    free = np.setdiff1d(np.arange(tokens), [0, mask, *special])
    if not len(free):
        raise DataError(f"all {tokens} tokens are special", expected="at least one ordinary token")
    chosen = (rng.random(ids.shape) < fraction) & np.isin(ids, free)
    how = rng.random(ids.shape)
    x = np.where(chosen & (how < 0.8), mask, ids)
    x = np.where(chosen & (how >= 0.9), rng.choice(free, ids.shape), x)
    return x.astype(np.int32), np.where(chosen, ids, NO_TARGET).astype(np.int32)
