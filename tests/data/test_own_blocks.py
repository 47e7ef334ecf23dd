"""Processes that share the reading of a stream have its blocks, together."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cutaway.data import ArrayStream, ExampleStream, ParquetBatches, SkippedFiles
from cutaway.data.example_stream import WeightedExampleStream
from cutaway.errors import DataError
from cutaway.nn.trees import leaves
from cutaway.runtime.parts import form_of, no_rows_of, places_of
from cutaway.train.shared_blocks import has_own_blocks


def array_stream(folder):
    x = np.random.default_rng(0).normal(size=(150, 2))
    noise = {"transform": lambda x, rng: x + rng.normal(size=x.shape)}
    return ArrayStream(x, np.arange(150), weights=np.arange(150), block_rows=70, **noise)


def example_stream(folder):
    return ExampleStream(50, lambda row, rng: ({"a": np.full(2, rng.normal())}, np.int32(row)))


def weighted_stream(folder):
    def example(row, rng):
        y = np.full((2, 2, 1), row)
        return np.full((2, 2, 3), rng.normal()), (y, y / 2)

    return WeightedExampleStream(50, example, block_rows=40)


def table(folder):
    path = folder / "table.parquet"
    pl.DataFrame({"a": np.arange(89.0), "y": np.arange(89)}).write_parquet(path)
    return ParquetBatches(path, target="y", block_rows=44)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
@pytest.mark.parametrize("make", [array_stream, example_stream, weighted_stream, table])
def test_the_shares_of_all_processes_are_the_blocks_of_one(make, processes, tmp_path):
    stream = make(tmp_path)
    assert has_own_blocks(stream)
    length = stream.own_block_rows(processes)
    shares = [stream.own_blocks(7, process, processes) for process in range(processes)]
    whole = list(stream.blocks(7))
    for block, found in zip(whole, zip(*shares, strict=True), strict=True):
        places = places_of([counts for _, counts in found], length)
        empty = no_rows_of(form_of(block))
        blocks = [empty if own is None else own for own, _ in found]
        for k, leaf in enumerate(leaves(block)):
            parts = [leaves(own)[k] for own in blocks]
            assert max(map(len, parts)) <= length
            padding = [np.zeros((length - len(p), *p.shape[1:]), p.dtype) for p in parts]
            filled = [part for pair in zip(parts, padding, strict=True) for part in pair]
            np.testing.assert_array_equal(np.concatenate(filled)[places], leaf)


def test_chunks_are_shared_out_in_turn_over_an_epoch():
    stream = ArrayStream(np.zeros((32 * 6, 1)), np.zeros(32 * 6), block_rows=32 * 3)
    rows = [sum(counts.sum() for _, counts in stream.own_blocks(0, k, 2)) for k in range(2)]
    assert rows == [96, 96]


def test_a_class_that_overrides_blocks_alone_has_no_own_blocks():
    class Doubled(ArrayStream):
        def blocks(self, seed):
            for x, y in super().blocks(seed):
                yield 2 * x, y

    assert not has_own_blocks(Doubled(np.zeros((4, 1)), np.zeros(4)))


def test_files_that_others_skip_count_for_the_limit():
    skipped = SkippedFiles(1)
    skipped.add({Path("a.png"): "a.png is no image"})
    skipped.expect_within("images", 8)
    skipped.add({Path("a.png"): "a.png is no image"})
    skipped.expect_within("images", 8)
    skipped.add({Path("b.png"): "b.png is no image"})
    with pytest.raises(DataError, match="2 of 8 images cannot be read"):
        skipped.expect_within("images", 8)
