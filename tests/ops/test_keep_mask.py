"""Masks of dropout: rate, independence of places and keys, the same numbers everywhere."""

import jax
import numpy as np
import pytest

from cutaway.ops.keep_mask import keep_mask

SIZE = 1 << 20


def bits(seed: int, rate: float = 0.5, size: int = SIZE) -> np.ndarray:
    return np.asarray(keep_mask(jax.random.PRNGKey(seed), rate, (size,)))


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.15, 0.5, 0.9])
def test_as_many_are_dropped_as_asked(rate):
    dropped = 1 - bits(3, rate).mean()
    assert abs(dropped - rate) <= 4 * np.sqrt(rate * (1 - rate) / SIZE)  # binomial


def _correlation(a, b) -> float:
    """In standard errors: independent bits give a normal number."""
    return abs(np.mean((a * 2.0 - 1) * (b * 2.0 - 1))) * np.sqrt(a.size)


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 8, 64, 127, 128, 256, 4096])
def test_places_are_independent(lag):
    found = bits(0)
    assert _correlation(found[lag:], found[:-lag]) < 4.5


def test_keys_are_independent():
    """Also keys whose words differ in one bit, and which are shifted against each other."""
    base = np.array([0x12345678, 0x9ABCDEF0], np.uint32)
    drawn = [np.asarray(keep_mask(base, 0.5, (SIZE,)))]
    for word in range(2):
        for change in (1, 2, 256, 1 << 31):
            key = base.copy()
            key[word] ^= np.uint32(change)
            drawn.append(np.asarray(keep_mask(key, 0.5, (SIZE,))))
    for k, a in enumerate(drawn):
        for b in drawn[:k]:
            assert _correlation(a, b) < 4.5
            assert _correlation(a[1:], b[:-1]) < 4.5


def test_runs_of_eight_are_uniform():
    """Chi-square over the 256 patterns of eight neighbors: mean 255, deviation √510."""
    patterns = np.packbits(bits(1))
    counts = np.bincount(patterns, minlength=256)
    expected = len(patterns) / 256
    chi_square = np.sum((counts - expected) ** 2 / expected)
    assert abs(chi_square - 255) < 5 * np.sqrt(510)


def test_the_first_bits_by_hand():
    """The hash in Python's integers."""

    def mixed(word):
        word = ((word ^ word >> 16) * 0x21F0AAAD) % 2**32
        word = ((word ^ word >> 15) * 0x735A2D97) % 2**32
        return word ^ word >> 15

    key = np.array([5, 7], np.uint32)
    expected = [mixed(mixed((place + 5) % 2**32) ^ 7) >= 0.3 * 2**32 for place in range(200)]
    assert np.asarray(keep_mask(key, 0.3, (200,))).tolist() == expected


def test_typed_keys_give_the_same():
    old, new = jax.random.PRNGKey(4), jax.random.key(4)
    assert np.array_equal(keep_mask(old, 0.2, (3, 50)), keep_mask(new, 0.2, (3, 50)))
