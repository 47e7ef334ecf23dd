"""Streams of augmented examples from folders: kept in memory if they fit, otherwise read anew."""

import dataclasses
from typing import Any, Protocol

import numpy as np

from cutaway.data.images import MEMORY_BYTES
from cutaway.data.mosaic import Mosaic
from cutaway.data.prefetch import ExampleStream, in_threads
from cutaway.data.random_geometry import ExampleAugmentation
from cutaway.errors import expect_integer


class WeightedExampleStream(ExampleStream):
    """An ExampleStream whose targets are pairs (y, weights): its blocks are (x, y, weights).

    A weight for each position of y, with a last axis of size 1 as pictures have; the loss gets
    them as `row_weights`.
    """

    def as_given(self, block):
        x, (y, weights) = block
        return x, y, weights[..., 0]


class ExampleFolder(Protocol):
    """What MaskFolder, VolumeFolder and PairFolder have in common."""

    def __len__(self) -> int: ...

    def example(self, row: int) -> tuple[Any, Any]:
        """(x, y) of a row."""
        ...

    def bytes_of_arrays(self) -> int:
        """Memory that all examples take."""
        ...


def stream_examples(
    folder: ExampleFolder,
    augmentation: ExampleAugmentation,
    *,
    repeats: int = 1,
    prepare=None,
    weigh=None,
    mosaic: Mosaic | None = None,
    memory_bytes: int = MEMORY_BYTES,
    kept_bytes: int | None = None,
    **options,
) -> ExampleStream:
    """A stream of augmented examples of a folder, for Trainer.fit.

    The files are read once if they fit in memory, otherwise in every epoch; the examples are the
    same.

    Args:
        folder: MaskFolder, VolumeFolder or PairFolder.
        augmentation: its RandomGeometry gives all examples one size.
        repeats: how many examples of each file an epoch has: crops of a large picture, for example.
        prepare: function (x, y) -> (x, y) applied to what was read, such as a normalization.
        weigh: function y -> weights in the loss of each position, such as border_weights; they are
            moved and cropped with y. None: all positions count equally.
        mosaic: makes an example of four, before the augmentation; None: of one.
        memory_bytes: limit for the examples in memory.
        kept_bytes: memory that all examples take after `prepare`; None: as much as the folder says.
        options: weights, block_rows, threads, ahead: see BlockStream.

    Raises:
        DataError: a file that cannot be read; examples of different shapes.
    """
    expect_integer(repeats, what="stream_examples: repeats", least=1)
    count = len(folder)
    if weigh is not None:
        roles = augmentation.y_roles, "picture"  # weights are moved linearly
        augmentation = dataclasses.replace(augmentation, y_roles=roles)

    def read(row):
        x, y = folder.example(row)
        x, y = (x, y) if prepare is None else prepare(x, y)
        return (x, y) if weigh is None else (x, (y, np.asarray(weigh(y), np.float32)[..., None]))

    whole = folder.bytes_of_arrays() if kept_bytes is None else kept_bytes
    needed = whole * (1 if weigh is None else 1 + np.dtype(np.float32).itemsize)
    kept = in_threads(read, range(count)) if needed <= memory_bytes else None

    def example_of(row):
        return read(row) if kept is None else kept[row]

    def example(row, rng):
        if mosaic is None:
            x, y = example_of(row % count)
        else:
            rows = mosaic.rows(row % count, count, rng)
            x, y = mosaic.combine([example_of(one) for one in rows], rng)
        return augmentation.example(x, y, rng)

    kind = ExampleStream if weigh is None else WeightedExampleStream
    return kind(count * repeats, example, **options)
