"""Streams of augmented examples from folders: kept in memory if they fit, otherwise read anew."""

from typing import Any, Protocol

from cutaway.data.images import MEMORY_BYTES
from cutaway.data.prefetch import ExampleStream, in_threads
from cutaway.data.random_geometry import ExampleAugmentation
from cutaway.errors import expect_integer


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
    memory_bytes: int = MEMORY_BYTES,
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
        memory_bytes: limit for the examples in memory.
        options: weights, block_rows, threads, ahead: see BlockStream.

    Raises:
        DataError: a file that cannot be read; examples of different shapes.
    """
    expect_integer(repeats, what="stream_examples: repeats", least=1)
    count = len(folder)

    def read(row):
        x, y = folder.example(row)
        return (x, y) if prepare is None else prepare(x, y)

    kept = in_threads(read, range(count)) if folder.bytes_of_arrays() <= memory_bytes else None

    def example(row, rng):
        x, y = read(row % count) if kept is None else kept[row % count]
        return augmentation.example(x, y, rng)

    return ExampleStream(count * repeats, example, **options)
