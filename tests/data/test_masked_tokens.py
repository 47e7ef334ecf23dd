"""Masked tokens, by the paper's fractions."""

import numpy as np
import pytest

from cutaway.data import mask_tokens
from cutaway.errors import DataError, OptionError


def test_fractions_are_those_of_the_paper_and_special_tokens_are_left_alone():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1000, (200, 200)).astype(np.int32)
    x, y = mask_tokens(ids, rng, mask=4, tokens=1000, special=(1, 2, 3))
    chosen = y >= 0
    assert chosen.mean() == pytest.approx(0.15, abs=0.005)
    assert not np.isin(ids[chosen], range(5)).any()
    np.testing.assert_array_equal(y[chosen], ids[chosen])
    np.testing.assert_array_equal(x[~chosen], ids[~chosen])
    hidden = x[chosen] == 4
    same = x[chosen] == ids[chosen]
    assert hidden.mean() == pytest.approx(0.8, abs=0.02)
    assert same.mean() == pytest.approx(0.1, abs=0.02)
    put = x[chosen][~hidden & ~same]
    assert put.min() > 4 and len(np.unique(put)) > 300


def test_wrong_fractions_are_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="fraction of masked tokens is 0"):
        mask_tokens(np.ones((1, 4)), rng, mask=4, tokens=9, fraction=0)
    with pytest.raises(DataError, match="all 3 tokens are special"):
        mask_tokens(np.ones((1, 4)), rng, mask=2, tokens=3, special=(1,))
