"""Streams of blocks of rows, prepared in background threads a few blocks ahead."""

import collections
import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from cutaway.errors import DataError, expect_range

T = TypeVar("T")
R = TypeVar("R")
CHUNK_ROWS = 32  # rows per task: enough to vectorize, few enough to distribute over threads
BLOCK_BYTES = 64 * 2**20


class BlockStream:
    """A stream of rows that threads read and transform block by block, for Trainer.fit.

    Inputs and targets are arrays, or trees of arrays: tuples, lists and dicts.

    Every epoch goes through all rows in a new order. A block is prepared in chunks, each with its
    own random numbers, so a seed gives the same blocks with any number of threads. A subclass
    implements `read`, or `make` if the targets are made with the inputs.

    Args:
        y: (rows, ...) targets, a tree.
        row_shape: shape of one row of x; of a tree (n,), the number of values in all arrays.
        weights: (rows,) weights of the rows, >= 0; see Trainer.fit. None: all count equally.
        block_rows: rows per block; by default as many as fit in 64 MB of float32.
        transform: function (x, rng) -> x of the tree x, applied to each chunk.
        pair_transform: function (x, y, rng) -> (x, y) of both trees, applied before it.
        threads: number of threads; by default one per core.
        ahead: number of blocks to prepare in advance.

    Attributes:
        rows: number of rows.
        waited_seconds: total time that the reader of the blocks waited for them.
        busy_seconds: total time that the threads spent on preparing them.
        made_rows: number of rows prepared.
    """

    def __init__(
        self,
        y,
        row_shape,
        *,
        weights=None,
        block_rows=None,
        transform=None,
        pair_transform=None,
        threads=None,
        ahead=2,
    ):
        self.y = _arrays(y)
        self.rows = _count_rows("y", self.y)
        if self.rows == 0:
            raise DataError("a stream of no rows", expected="at least one row")
        self.weights = None if weights is None else checked_weights(weights, self.rows)
        if block_rows is None:
            block_rows = max(1, BLOCK_BYTES // (4 * int(np.prod(row_shape))))
            whole = next((n for n in (128, 32, 8) if block_rows > n), 1)
            block_rows -= block_rows % whole  # whole batches
        expect_range(block_rows, what="block_rows", least=1)
        expect_range(ahead, what="ahead", least=1)
        self.row_shape = tuple(row_shape)
        self.block_rows = min(block_rows, self.rows)
        self.transform = transform
        self.pair_transform = pair_transform
        self.threads = available_cores() if threads is None else threads
        expect_range(self.threads, what="threads", least=1)
        self.ahead = ahead
        self.waited_seconds = 0.0
        self.busy_seconds = 0.0
        self.made_rows = 0
        self._lock = threading.Lock()

    def read(self, rows):
        """(kept, x): the rows that could be read, and their x (kept, *row_shape)."""
        raise NotImplementedError

    def make(self, rows, rng):
        """(kept, x, y) of these rows: what is read, and y as it was given."""
        kept, x = self.read(rows)
        return kept, x, _rows_of(self.y, kept)

    @property
    def notes(self) -> list[str]:
        """What there is to say about the rows after a training, in sentences."""
        return []

    def state(self) -> dict:
        """JSON values that a resumed training needs, besides the seed, to give the same rows."""
        return {}

    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""

    @property
    def rows_per_second(self) -> float:
        """Throughput of the threads when they never wait; NaN before the first block."""
        if self.busy_seconds == 0:
            return float("nan")
        return self.made_rows / self.busy_seconds * self.threads

    def blocks(self, seed: int):
        """Yield (x, y) blocks of at most block_rows rows, in the order given by the seed.

        With weights, (x, y, weights).
        """
        given = 0
        with contextlib.closing(self._prepared(seed, 0, 1)) as prepared:
            for block, counts in prepared:
                if counts.any():
                    given += counts.sum()
                    yield self.as_given(block)
        if not given:
            raise DataError(f"none of the {self.rows} rows could be read")

    def own_blocks(self, seed: int, process: int, processes: int):
        """Yield (block, counts): what one of several processes prepares of each block.

        A block consists of chunks, which the processes take in turn. With their rows in the order
        of the chunks, the blocks are those of `blocks`.

        Args:
            seed: of the order, the same in all processes.
            process, processes: which one, and of how many.

        Yields:
            block: as `blocks` yields it, of this process's rows; None if there are none.
            counts: (chunks,) number of rows of each chunk; 0 of those of other processes.
        """
        with contextlib.closing(self._prepared(seed, process, processes)) as prepared:
            for block, counts in prepared:
                yield (self.as_given(block) if counts.any() else None), counts

    def own_block_rows(self, processes: int) -> int:
        """The most rows of a block that one of so many processes prepares."""
        chunks = math.ceil(self.block_rows / CHUNK_ROWS)
        return min(math.ceil(chunks / processes) * CHUNK_ROWS, self.block_rows)

    def as_given(self, block: tuple) -> tuple:
        """(x, y) or (x, y, weights) of a prepared block, as `blocks` yields it."""
        return block

    def join_state(self, state: dict) -> None:
        """Take in what another process of the training says in its `state`."""

    def _prepared(self, seed: int, process: int, processes: int):
        """Yield (block, counts) as `own_blocks`, the blocks as they were prepared."""
        seeds = np.random.SeedSequence(seed)
        order = np.random.default_rng(seeds).permutation(self.rows)
        waiting = collections.deque(
            order[start : start + self.block_rows] for start in range(0, self.rows, self.block_rows)
        )
        stopped = threading.Event()
        pending = collections.deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="cutaway-data")
        turn = process  # the first chunk of the next block that this process takes
        try:
            while waiting or pending:
                while waiting and len(pending) <= self.ahead:
                    rows = waiting.popleft()
                    own = np.arange(math.ceil(len(rows) / CHUNK_ROWS)) % processes == turn
                    turn = (turn - len(own)) % processes
                    pending.append(self._submit(pool, rows, own, seeds, stopped))
                start = time.perf_counter()
                block, counts = pending.popleft().result()
                self.waited_seconds += time.perf_counter() - start
                yield block, counts
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, pool, rows, own, seeds, stopped):
        """The future of a block. Its chunks are queued before it, so it cannot deadlock.

        Args:
            own: (chunks,) which of its chunks are prepared.
        """
        chunks = [rows[k : k + CHUNK_ROWS] for k in range(0, len(rows), CHUNK_ROWS)]
        chunk_seeds = seeds.spawn(len(chunks))
        parts = {
            k: pool.submit(self._chunk, chunks[k], chunk_seeds[k], stopped)
            for k in np.flatnonzero(own)
        }
        return pool.submit(_joined, parts, len(chunks))

    def _chunk(self, rows, seed, stopped):
        if stopped.is_set():
            raise CancelledError
        start = time.perf_counter()
        rng = np.random.default_rng(seed)
        kept, x, y = self.make(rows, rng)
        if self.pair_transform is not None and len(kept):
            x, y = self.pair_transform(x, y, rng)
        if self.transform is not None and len(kept):
            x = self.transform(x, rng)
        with self._lock:
            self.busy_seconds += time.perf_counter() - start
            self.made_rows += len(kept)
        weights = () if self.weights is None else (self.weights[kept],)
        return (x, y, *weights), len(kept)


class ArrayStream(BlockStream):
    """A stream of the rows of arrays in memory, transformed anew in every epoch.

    Args:
        x: (rows, ...) array, or a tree of arrays.
        y: (rows, ...) targets, or a tree of them.
        weights, transform, pair_transform, block_rows, threads, ahead: see BlockStream.

    Raises:
        DataError: arrays with different numbers of rows, or weights that are none.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import ArrayStream
        >>> table, tokens = np.ones((6, 2), np.float32), np.zeros((6, 9), np.int32)
        >>> stream = ArrayStream({"table": table, "tokens": tokens}, np.arange(6), block_rows=4)
        >>> [(x["table"].shape, len(y)) for x, y in stream.blocks(0)]
        [((4, 2), 4), ((2, 2), 2)]
    """

    def __init__(self, x, y, **options):
        x, y = _arrays(x), _arrays(y)
        inputs, targets = _count_rows("x", x), _count_rows("y", y)
        if inputs != targets:
            raise DataError(
                f"{inputs} inputs and {targets} targets", expected="one target per input"
            )
        shapes = [leaf.shape[1:] for leaf in _leaves(x)]
        values = (sum(math.prod(shape) for shape in shapes),)
        super().__init__(y, shapes[0] if len(shapes) == 1 else values, **options)
        self.x = x

    def read(self, rows):
        return rows, _rows_of(self.x, rows)


class ExampleStream(BlockStream):
    """A stream of examples that are made one by one: read from files, cropped, augmented.

    Args:
        rows: number of examples in an epoch; more than there are files draws them several times.
        example: function (row, rng) -> (x, y), trees of arrays without an axis of rows, of the
            same shapes for every row. It is called in several threads.
        weights, block_rows, transform, pair_transform, threads, ahead: see BlockStream.

    Raises:
        DataError: from `blocks`: what `example` raises; examples of different shapes.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import ExampleStream
        >>> def crop(row, rng):
        ...     return np.full((2, 2, 1), row), np.int32(rng.integers(9))
        >>> [(x.shape, y.shape) for x, y in ExampleStream(5, crop, block_rows=3).blocks(0)]
        [((3, 2, 2, 1), (3,)), ((2, 2, 2, 1), (2,))]
    """

    def __init__(self, rows: int, example, **options):
        expect_range(rows, what="rows", least=1)
        first = _leaves(example(0, np.random.default_rng(0))[0])
        shape = first[0].shape if len(first) == 1 else (sum(leaf.size for leaf in first),)
        super().__init__(np.arange(rows), shape, **options)
        self.example = example

    def make(self, rows, rng):
        made = [
            self.example(int(row), part)
            for row, part in zip(rows, rng.spawn(len(rows)), strict=True)
        ]
        shapes = {tuple(np.shape(leaf) for leaf in _leaves(example)) for example in made}
        if len(shapes) > 1:
            raise DataError(
                f"examples of different shapes: {' and '.join(map(str, sorted(shapes)[:2]))}",
                expected="the same shapes for every row",
                fix="crop, pad or resize them to one size",
            )
        return rows, *_map_leaves(lambda *leaves: np.stack(leaves), *made)


def _joined(parts: dict, chunks: int) -> tuple:
    """(the block of the chunks that have rows or None, (chunks,) number of rows of each)."""
    counts, full = np.zeros(chunks, np.int32), []
    for k, part in parts.items():
        block, counts[k] = part.result()
        full += [block] if counts[k] else []
    if not full:
        return None, counts
    return _map_leaves(lambda *leaves: np.concatenate(leaves), *full), counts


def _arrays(data):
    """The tree with arrays as leaves: a list of numbers is one, a list of arrays a tree."""

    def is_leaf(part):
        return isinstance(part, list) and not any(isinstance(p, np.ndarray) for p in part)

    def as_array(leaf):
        return leaf if hasattr(leaf, "shape") else np.asarray(leaf)

    return _map_leaves(as_array, data, is_leaf=is_leaf)


def _rows_of(data, rows):
    return _map_leaves(lambda leaf: leaf[rows], data)


def _map_leaves(function, *data, is_leaf=None):
    from jax import tree  # here: `cutaway.data` is imported where nothing is computed

    return tree.map(function, *data, is_leaf=is_leaf)


def _leaves(data) -> list:
    from jax import tree

    return tree.leaves(data)


def _count_rows(name: str, data) -> int:
    """The number of rows of all arrays.

    Raises:
        DataError: no arrays, or arrays with different numbers of rows.
    """
    counts = [len(leaf) if leaf.ndim else 0 for leaf in _leaves(data)]
    if len(set(counts)) != 1:
        raise DataError(
            f"the arrays of {name} have {', '.join(map(str, counts)) or 'no'} rows",
            expected="arrays with the same rows",
            fix="drop the rows without a match",
        )
    return counts[0]


def checked_weights(weights, rows: int) -> np.ndarray:
    """(rows,) float32 weights of the rows of a stream; DataError if they are none."""
    weights = np.asarray(weights, np.float32)
    if weights.shape != (rows,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise DataError(
            f"weights of shape {weights.shape} for {rows} rows",
            expected="one finite weight >= 0 for each row",
            fix="pass weights of shape (rows,); 0 excludes a row",
        )
    return weights


def available_cores() -> int:
    """Number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def in_threads(
    function: Callable[[T], R], items: Iterable[T], threads: int | None = None
) -> list[R]:
    """[function(item) of each item], in threads; after an error none of the others is begun.

    Args:
        threads: by default one per core.
    """
    pool = ThreadPoolExecutor(threads or available_cores(), thread_name_prefix="cutaway-data")
    try:
        return [*pool.map(function, items)]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
