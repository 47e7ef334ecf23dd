"""Parquet files that are larger than memory, read block by block."""

import contextlib
import math
from pathlib import Path

import numpy as np

from cutaway.data.float32 import expect_float32
from cutaway.data.parquet import expect_parquet, scannable
from cutaway.errors import DataError, did_you_mean, expect_range
from cutaway.files.content import naming
from cutaway.files.panics import silent_panics


class ParquetBatches:
    """A stream of the numeric columns of a Parquet file in blocks of rows, for Trainer.fit.

    Blocks are read in a new order in every epoch, and the Trainer shuffles the rows within each.
    Only a few blocks are in memory at a time.

    Args:
        path: the file.
        target: the column to predict.
        features: the feature columns; by default all others.
        block_rows: rows per block.

    Attributes:
        rows: number of rows.
        features: names of the feature columns.

    Raises:
        DataError: no such file or column, a column that is not numeric, no rows.
    """

    def __init__(self, path, *, target: str, features=None, block_rows: int = 65_536):
        import polars as pl

        expect_range(block_rows, what="block_rows", least=1)
        self.path = Path(path)
        expect_parquet(self.path, is_whole=False)
        with self._scan() as scan:
            schema = scan.collect_schema()
            self.rows = scan.select(pl.len()).collect().item()
        names = list(schema)
        self.features = [n for n in names if n != target] if features is None else list(features)
        for name in [target, *self.features]:
            if name not in schema:
                raise DataError(
                    f"{self.path} has no column {name!r}",
                    expected="a column of the file",
                    fix=did_you_mean(name, names),
                )
            if not (schema[name].is_numeric() or schema[name] == pl.Boolean):
                raise DataError(
                    f"column {name!r} holds {schema[name]}",
                    expected="numbers",
                    fix="list the numeric columns in features, or encode this one first",
                )
        if self.rows == 0:
            raise DataError(f"{self.path} has no rows", expected="at least one row")
        self.target = target
        self.target_is_integer = schema[target].is_integer() or schema[target] == pl.Boolean
        self.block_rows = min(block_rows, self.rows)

    def blocks(self, seed: int):
        """Yield (x float32 (n, features), y (n,)) in an order of that seed, n <= block_rows."""
        starts = np.arange(0, self.rows, self.block_rows)
        for start in np.random.default_rng(seed).permutation(starts):
            yield self.block(int(start))

    def own_blocks(self, seed: int, process: int, processes: int):
        """Yield (block, counts): what one of several processes reads of each block.

        With the rows of the processes one after the other, the blocks are those of `blocks`.

        Yields:
            block: (x, y) of this process's rows.
            counts: (processes,) their number, at its place; 0 elsewhere.
        """
        starts = np.arange(0, self.rows, self.block_rows)
        for start in np.random.default_rng(seed).permutation(starts):
            rows = min(self.block_rows, self.rows - start)
            first, last = (rows * k // processes for k in (process, process + 1))
            counts = np.zeros(processes, np.int32)
            counts[process] = last - first
            yield self.block(int(start + first), int(last - first)), counts

    def own_block_rows(self, processes: int) -> int:
        """The most rows of a block that one of so many processes reads."""
        return math.ceil(self.block_rows / processes)

    def block(self, start: int, rows: int | None = None):
        """(x, y) of the rows from `start` on, of a block by default."""
        with self._scan() as scan:
            chosen = scan.select([*self.features, self.target])
            frame = chosen.slice(start, self.block_rows if rows is None else rows).collect()
        x = np.empty((len(frame), len(self.features)), np.float32)
        for k, name in enumerate(self.features):
            x[:, k] = self._numbers(frame[name], start)
        dtype = np.int32 if self.target_is_integer else np.float32
        return x, self._numbers(frame[self.target], start).astype(dtype)

    @contextlib.contextmanager
    def _scan(self):
        import polars as pl

        named = naming(self.path, "a Parquet file", fix="write or copy it again")
        with named, silent_panics(), scannable(self.path) as source:
            yield pl.scan_parquet(source, low_memory=True, glob=False, hive_partitioning=False)

    def _numbers(self, series, start):
        import polars as pl

        values = series.cast(pl.Float64).to_numpy() if series.null_count() else series.to_numpy()
        if values.dtype.kind == "f":
            bad = int((~np.isfinite(values)).sum())
            if bad:
                raise DataError(
                    f"column {series.name!r} of {self.path} holds {bad} missing or infinite "
                    f"values in the rows from {start}",
                    expected="numbers in every row",
                    fix="impute or drop these rows before writing the file",
                )
            expect_float32(values, f"column {series.name!r} of {self.path}")
        return values
