"""Streams of blocks of rows, prepared in background threads a few blocks ahead."""

import collections
import os
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np

from cutaway.errors import DataError, expect_range

CHUNK_ROWS = 32  # rows per task: enough to vectorize, few enough to distribute over threads
BLOCK_BYTES = 64 * 2**20


class BlockStream:
    """A stream of rows that threads read and transform block by block, for Trainer.fit.

    Every epoch goes through all rows in a new order. A block is prepared in chunks, each with its
    own random numbers, so a seed gives the same blocks with any number of threads. A subclass
    implements `read`.

    Args:
        y: (rows, ...) targets.
        row_shape: shape of one row of x.
        block_rows: rows per block; by default as many as fit in 64 MB of float32.
        transform: function (x, rng) -> x, applied to each chunk.
        threads: number of threads; by default one per core.
        ahead: number of blocks to prepare in advance.

    Attributes:
        rows: number of rows.
        waited_seconds: total time that the reader of the blocks waited for them.
        busy_seconds: total time that the threads spent on preparing them.
        made_rows: number of rows prepared.
    """

    def __init__(self, y, row_shape, *, block_rows=None, transform=None, threads=None, ahead=2):
        self.y = np.asarray(y)
        self.rows = len(self.y)
        if self.rows == 0:
            raise DataError("a stream of no rows", expected="at least one row")
        if block_rows is None:
            block_rows = max(1, BLOCK_BYTES // (4 * int(np.prod(row_shape))))
            block_rows -= block_rows % 128 if block_rows > 128 else 0  # whole batches
        expect_range(block_rows, what="block_rows", least=1)
        expect_range(ahead, what="ahead", least=1)
        self.row_shape = tuple(row_shape)
        self.block_rows = min(block_rows, self.rows)
        self.transform = transform
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

    @property
    def rows_per_second(self) -> float:
        """Throughput of the threads when they never wait; NaN before the first block."""
        if self.busy_seconds == 0:
            return float("nan")
        return self.made_rows / self.busy_seconds * self.threads

    def blocks(self, seed: int):
        """Yield (x, y) blocks of at most block_rows rows, in the order given by the seed."""
        seeds = np.random.SeedSequence(seed)
        order = np.random.default_rng(seeds).permutation(self.rows)
        waiting = collections.deque(
            order[start : start + self.block_rows] for start in range(0, self.rows, self.block_rows)
        )
        stopped = threading.Event()
        pending = collections.deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="cutaway-data")
        given = 0
        try:
            while waiting or pending:
                while waiting and len(pending) <= self.ahead:
                    pending.append(self._submit(pool, waiting.popleft(), seeds, stopped))
                start = time.perf_counter()
                x, y = pending.popleft().result()
                self.waited_seconds += time.perf_counter() - start
                if len(y):
                    given += len(y)
                    yield x, y
            if not given:
                raise DataError(f"none of the {self.rows} rows could be read")
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, pool, rows, seeds, stopped):
        """The future of a block. Its chunks are queued before it, so it cannot deadlock."""
        chunks = [rows[k : k + CHUNK_ROWS] for k in range(0, len(rows), CHUNK_ROWS)]
        chunk_seeds = seeds.spawn(len(chunks))
        parts = [
            pool.submit(self._chunk, chunk, chunk_seed, stopped)
            for chunk, chunk_seed in zip(chunks, chunk_seeds, strict=True)
        ]
        return pool.submit(_joined, parts)

    def _chunk(self, rows, seed, stopped):
        if stopped.is_set():
            raise CancelledError
        start = time.perf_counter()
        kept, x = self.read(rows)
        if self.transform is not None and len(kept):
            x = self.transform(x, np.random.default_rng(seed))
        with self._lock:
            self.busy_seconds += time.perf_counter() - start
            self.made_rows += len(kept)
        return x, self.y[kept]


class ArrayStream(BlockStream):
    """A stream of the rows of an array in memory, transformed anew in every epoch.

    Args:
        x: (rows, ...) array.
        y: (rows, ...) targets.
        transform, block_rows, threads, ahead: see BlockStream.
    """

    def __init__(self, x, y, **options):
        if len(x) != len(y):
            raise DataError(
                f"{len(x)} inputs and {len(y)} targets", expected="one target per input"
            )
        super().__init__(y, x.shape[1:], **options)
        self.x = x

    def read(self, rows):
        return rows, self.x[rows]


def _joined(parts):
    results = [part.result() for part in parts]
    ys = np.concatenate([y for _, y in results])
    xs = [x for x, y in results if len(y)]
    return (np.concatenate(xs) if xs else results[0][0]), ys


def available_cores() -> int:
    """Number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
