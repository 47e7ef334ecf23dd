"""Batches of texts of similar length, which keeps padding small."""

import numpy as np

from cutaway.data.prefetch import checked_weights
from cutaway.errors import DataError, expect_range

MULTIPLE = 8


def bucket_lengths(lengths, count: int = 4, *, multiple: int = MULTIPLE) -> list:
    """The padded lengths, at most `count`, that minimize the padding of these texts.

    Each length compiles its own program, so there are few. Exact, by dynamic programming over the
    distinct lengths.

    Args:
        lengths: (rows,) tokens of each text.
        count: maximum number of padded lengths.
        multiple: all of them are multiples of this, except the last.

    Returns:
        ascending; the last is the length of the longest text.

    Example:
        >>> from cutaway.data import bucket_lengths
        >>> bucket_lengths([3, 4, 5, 6, 40], count=2, multiple=8)
        [8, 40]
    """
    expect_range(count, what="number of buckets", least=1)
    expect_range(multiple, what="multiple", least=1)
    lengths = np.asarray(lengths, np.int64)
    if not len(lengths):
        raise DataError("no texts to put into buckets", expected="at least one")
    rounded = np.minimum(-(-lengths // multiple) * multiple, lengths.max())
    sizes, counts = np.unique(rounded, return_counts=True)
    rows = np.concatenate([[0], np.cumsum(counts)])
    # cost[j]: fewest tokens for the j shortest sizes with k buckets; the last bucket is sizes[i:j]
    costs = [np.full(len(sizes) + 1, np.inf)]
    costs[0][0] = 0
    starts = []
    for _ in range(min(count, len(sizes))):
        cost, start = np.full(len(sizes) + 1, np.inf), np.zeros(len(sizes) + 1, int)
        for j in range(1, len(sizes) + 1):
            tokens = costs[-1][:j] + sizes[j - 1] * (rows[j] - rows[:j])
            start[j] = int(np.argmin(tokens))
            cost[j] = tokens[start[j]]
        costs.append(cost)
        starts.append(start)
    found, j = [], len(sizes)
    for start in reversed(starts):
        found.append(int(sizes[j - 1]))
        j = start[j]
        if j == 0:
            break
    return found[::-1]


def bucketed_order(lengths, limits, batch_size: int, rng) -> list:
    """Batches of row indices, each from one bucket, in random order.

    Args:
        lengths: (rows,) tokens of each text.
        limits: padded lengths, ascending, from bucket_lengths.
        batch_size: rows per batch; the last of each bucket may have fewer.
        rng: numpy Generator.

    Returns:
        list of (rows of the batch, padded length).
    """
    expect_range(batch_size, what="batch_size", least=1)
    bucket = buckets_of(lengths, limits)
    batches = []
    for number, limit in enumerate(limits):
        rows = rng.permutation(np.flatnonzero(bucket == number))
        batches += [(rows[k : k + batch_size], limit) for k in range(0, len(rows), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def buckets_of(lengths, limits) -> np.ndarray:
    """The index of the shortest bucket that fits each text.

    Raises:
        DataError: a text that is longer than the last bucket.
    """
    lengths = np.asarray(lengths)
    bucket = np.searchsorted(limits, lengths)
    if len(lengths) and bucket.max() == len(limits):
        raise DataError(
            f"a text has {lengths.max()} tokens",
            expected=f"at most {limits[-1]}, the longest bucket",
            fix="encode with most_tokens, or compute the buckets from these texts",
        )
    return bucket


class TokenStream:
    """A stream of token rows in buckets of similar length, for Trainer.fit.

    A block holds rows of one bucket, padded to its length. In every epoch the blocks come in a new
    random order, and the rows of a bucket are distributed over its blocks anew.

    Args:
        tokens: Tokens, from Tokenizer.encode.
        y: (rows, ...) targets.
        buckets: maximum number of padded lengths.
        block_rows: maximum rows per block; a multiple of the batch size avoids partial batches.
        weights: (rows,) weights of the rows, >= 0; see Trainer.fit. None: all count equally.

    Attributes:
        limits: the padded lengths.
        padding_fraction: fraction of the tokens that are padding.
    """

    def __init__(self, tokens, y, *, buckets: int = 4, block_rows: int = 512, weights=None):
        expect_range(block_rows, what="block_rows", least=1)
        self.tokens = tokens
        self.y = np.asarray(y)
        self.rows = len(self.y)
        if len(tokens.ids) != self.rows:
            raise DataError(
                f"{len(tokens.ids)} texts and {self.rows} targets",
                expected="one target per text",
            )
        self.weights = None if weights is None else checked_weights(weights, self.rows)
        self.limits = bucket_lengths(tokens.lengths, buckets)
        self._bucket = buckets_of(tokens.lengths, self.limits)
        self.block_rows = min(block_rows, self.rows)
        padded = np.asarray(self.limits)[self._bucket].sum()
        self.padding_fraction = float(1 - tokens.lengths.sum() / padded)

    def blocks(self, seed: int):
        """Yield (x (n, length) int32, y (n,)), n <= block_rows, in an order of that seed.

        With weights of the rows: (x, y, weights (n,)).
        """
        rng = np.random.default_rng(seed)
        for rows, limit in bucketed_order(self.tokens.lengths, self.limits, self.block_rows, rng):
            x, y = self.tokens.ids[rows, :limit], self.y[rows]
            yield (x, y) if self.weights is None else (x, y, self.weights[rows])
