"""Semirings: three ways to add up the paths of a graph with the same forward pass.

The forward pass multiplies values by the factors of the edges along which they flow, and adds them
where edges meet: the sum over all paths of the product of their factors. Each semiring defines what
"multiply" and "add" mean:

    Sum       ordinary numbers: ∂v/∂w, the sum over all paths from w to v
    Max       |factor|, and the maximum where paths meet: the strongest path from w to v
    ThroughZeros  likewise, with paths through factors of 0
    Estimate  every factor is 1, in float64: the approximate number of paths
    Counting  every factor is 1, modulo an integer: the exact number of paths, see count_exactly
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Sum:
    """Ordinary sums of products."""

    def weight(self, factor, structure):
        return factor

    def add(self, a, b):
        return a + b

    def collect(self, values, owner, size):
        """The sum of the values of each owner, an integer below size."""
        return np.bincount(owner, weights=values, minlength=size)

    def product(self, a, b):
        """(..., n, m) times (..., m, p)."""
        return a @ b

    def weighted_product(self, a, factor, structure=None):
        """What flows through edges with these factors: (..., n, m) and (..., m, p) -> (..., n, p).

        Args:
            structure: 1 where there is an edge, 0 elsewhere; None: all edges exist.
        """
        return self.product(a, self.weight(factor, structure))


class Max(Sum):
    """The largest absolute product."""

    def weight(self, factor, structure):
        return np.abs(factor)

    def add(self, a, b):
        return np.maximum(a, b)

    def collect(self, values, owner, size):
        out = np.zeros(size)
        np.maximum.at(out, owner, values)
        return out

    def product(self, a, b):
        used = np.flatnonzero(a.any(tuple(range(a.ndim - 1))))
        if len(used) <= a.shape[-1] // 2:  # few elements were reached so far
            a, b = a[..., used], b[..., used, :]
        if a.shape[-1] == 0:
            return np.zeros((*a.shape[:-1], b.shape[-1]))
        if a.size * b.shape[-1] <= 1 << 16:
            return np.max(a[..., :, :, None] * b[..., None, :, :], axis=-2)
        return np.asarray(_largest_products(jnp.asarray(a), jnp.asarray(b)))


class ThroughZeros(Max):
    """Max, with 0 as a very small factor: finds paths whose product is 0, fewest zeros first."""

    ALMOST = 1e-40  # in the place of a factor of 0

    def weight(self, factor, structure):
        exists = 1.0 if structure is None else structure
        return np.where(factor == 0, self.ALMOST * exists, np.abs(factor))


class Estimate(Sum):
    """The number of paths as a float64: exact below 2^53, approximate above."""

    def weight(self, factor, structure):
        return structure

    def weighted_product(self, a, factor, structure=None):
        if structure is not None:
            return self.product(a, structure)
        # all edges count 1, so every column gets the same
        return np.broadcast_to(a.sum(-1, keepdims=True), (*a.shape[:-1], factor.shape[-1]))


class Counting(Estimate):
    """The number of paths modulo `modulus`, which is at most 2^31."""

    def __init__(self, modulus: int):
        self.modulus = modulus

    def add(self, a, b):
        return (a + b) % self.modulus

    def collect(self, values, owner, size):
        return super().collect(values, owner, size) % self.modulus

    def product(self, a, b):
        # below 2^53 as long as no more than 2^22 values meet, so float64 is exact
        return super().product(a, b) % self.modulus

    def weighted_product(self, a, factor, structure=None):
        return super().weighted_product(a, factor, structure) % self.modulus


@jax.jit
def _largest_products(a, b):
    """max over m of a[..., n, m] b[..., m, p], one m at a time, which fits in the cache."""

    def one(largest, column_and_row):
        column, row = column_and_row
        return jnp.maximum(largest, column[..., :, None] * row[..., None, :]), None

    shape = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    start = jnp.zeros((*shape, a.shape[-2], b.shape[-1]), a.dtype)
    return lax.scan(one, start, (jnp.moveaxis(a, -1, 0), jnp.moveaxis(b, -2, 0)))[0]


def count_exactly(count) -> int:
    """The exact number of paths, where `count(semiring)` computes it in a counting semiring.

    By the Chinese remainder theorem, remainders for coprime moduli determine a number below the
    product of the moduli. An estimate in float64 tells how many moduli are needed.
    """
    estimate = count(Estimate())
    if estimate < 2.0**52:
        return int(estimate)
    # beyond 10^308: enough moduli for any network
    needed = math.log2(estimate) + 1 if math.isfinite(estimate) else 8192
    total, modulus = 0, 1
    for m in coprime(math.ceil(needed / 30.9) + 1):
        remainder = int(count(Counting(m)))
        # the number that has the old remainders for `modulus` and the new one for m
        total += modulus * ((remainder - total) * pow(modulus, -1, m) % m)
        modulus *= m
    return total


@functools.cache
def coprime(count: int) -> tuple:
    """The largest pairwise coprime integers up to 2^31."""
    found, candidate = [], 2**31
    while len(found) < count:
        if all(math.gcd(candidate, m) == 1 for m in found):
            found.append(candidate)
        candidate -= 1
    return tuple(found)
