"""Training data as blocks of rows on the device.

Arrays that fit in memory form a single block that stays there. A stream yields one block at a
time, each padded to the same size, so all blocks share one compiled program.
"""

import math

import jax
import numpy as np

from cutaway.engine import as_array
from cutaway.errors import DataError, OptionError, ShapeError, expect_range
from cutaway.nn.trees import count_rows, map_leaves
from cutaway.runtime import distributed
from cutaway.runtime.exhaustion import explaining_placing
from cutaway.runtime.parts import padded
from cutaway.train.given import as_tree
from cutaway.train.shared_blocks import (
    blocks_of_all,
    has_own_blocks,
    this_process,
    weighted,
)

AS_STREAM = (
    "pass a stream, which keeps one block at a time on the device: "
    "fit(cutaway.data.ArrayStream(x, y))"
)


class ArrayRows:
    """Rows of arrays that stay on the device.

    Args:
        x: (rows, ...) inputs, a tree.
        y: (rows, ...) targets, a tree.
        indices: of the rows that belong to this set; all by default.
    """

    def __init__(self, x, y, indices=None):
        self.x = x
        self.y = y
        rows = np.arange(count_rows(x), dtype=np.int32)
        self.indices = rows if indices is None else indices
        self.rows = len(self.indices)

    def steps(self, batch_size: int) -> int:
        return math.ceil(self.rows / batch_size)

    def sample(self):
        """(x, y) for checking shapes and targets: all rows."""
        return self.x, self.y

    def row_numbers(self, places: np.ndarray) -> np.ndarray:
        """Which rows stand at these places of x, as they were passed to `fit`."""
        return places

    def epoch(self, rng, batch_size: int):
        """Yield (x, y, order, steps): order (steps, batch_size) holds indices of rows of x."""
        yield self.x, self.y, self.order(rng, batch_size), self.steps(batch_size)

    def order(self, rng, batch_size: int) -> np.ndarray:
        """(steps, batch_size) indices of rows of x, in a new random order."""
        return _shuffled_batches(self.indices, rng, batch_size)


class StreamRows:
    """Blocks from an object with `.rows`, `.block_rows` and `.blocks(seed)`.

    `blocks(seed)` yields (x, y) or (x, y, weights), arrays (of x and y also trees) of at most
    `block_rows` rows, shuffled with that seed.
    """

    def __init__(self, source):
        self.source = source
        self.rows = source.rows
        self._steps = None

    def steps(self, batch_size: int) -> int:
        return self._steps or math.ceil(self.rows / batch_size)

    def sample(self):
        """(x, y) for checking shapes and targets: the first block, or what this process reads of
        it; None if that is nothing."""
        if distributed.is_sharing() and has_own_blocks(self.source):
            block, _ = next(self.source.own_blocks(0, *this_process()))
            return None if block is None else weighted(block)
        return weighted(next(iter(self.source.blocks(0))))

    def epoch(self, rng, batch_size: int):
        capacity = self.source.block_rows
        total = 0
        for x, y, places in self._blocks(int(rng.integers(2**31)), capacity):
            order = _shuffled_batches(places, rng, batch_size)
            steps = len(order)
            total += steps
            order = padded(order, max(math.ceil(capacity / batch_size), steps))
            yield x, y, order, steps
        self._steps = total

    def _blocks(self, seed: int, capacity: int):
        """Yield (x, y, places): blocks on the device, and where in them each row stands."""
        if distributed.is_sharing():
            yield from blocks_of_all(self.source, seed)
            return
        for block in self.source.blocks(seed):
            x, y = weighted(block)
            places = np.arange(count_rows(x), dtype=np.int32)
            yield *map_leaves(lambda leaf: as_array(padded(leaf, capacity)), (x, y)), places


def _shuffled_batches(indices, rng, batch_size: int) -> np.ndarray:
    """The rows shuffled, in full batches: the last one is padded from the beginning."""
    order = indices[rng.permutation(len(indices))]
    short = -len(order) % batch_size
    while short:  # more than once only if the batch is larger than the block
        order = np.concatenate([order, order[:short]])
        short = -len(order) % batch_size
    return order.reshape(-1, batch_size)


def is_stream(x) -> bool:
    return hasattr(x, "blocks") and hasattr(x, "block_rows") and hasattr(x, "rows")


def to_device(x, y, *, what: str = "x and y", instead: str = AS_STREAM):
    """Check a pair of arrays and move it to the device.

    Args:
        what: name of the pair in errors.
        instead: advice if they do not fit in its memory.

    Raises:
        ShapeError: different numbers of rows.
        DataError: no rows; NaN or infinity.
        OutOfMemoryError: they do not fit in memory.
    """
    x, y = as_tree(x, "x"), as_tree(y, "y")
    named = expect_examples(x, y, what=what)
    for name, leaf in named.items():
        expect_finite(leaf, name)
    shapes = [f"{np.shape(leaf)}" for leaf in named.values()]
    placed = f"the data ({what} of shapes {', '.join(shapes[:-1])} and {shapes[-1]})"
    with explaining_placing(placed, instead):
        return jax.block_until_ready(map_leaves(_on_device, (x, y)))


def expect_examples(x, y, *, what: str = "x and y") -> dict:
    """{name of a leaf, like x["image"]: array} of inputs and targets with the same rows.

    Raises:
        ShapeError: an array without rows, or different numbers of rows. DataError: no rows.
    """
    named = {**leaves_by_name("x", x), **leaves_by_name("y", y)}
    expect_same_rows(named, what=what)
    if len(next(iter(named.values()))) == 0:
        raise DataError(f"{what}: no rows", expected="at least one example")
    return named


def expect_same_rows(named: dict, *, what: str) -> None:
    """Raise ShapeError unless all arrays have a first axis, of one size.

    Args:
        named: {name: array}.
        what: they are, in errors.
    """
    if not named:
        raise DataError(f"{what}: no arrays", expected="an array, or a tree of arrays")
    for name, leaf in named.items():
        if np.ndim(leaf) == 0:
            shapes = ", ".join(f"{k} of shape {np.shape(v)}" for k, v in named.items())
            raise ShapeError(
                f"{what}: {shapes}; {name} has no rows",
                expected="arrays whose first axis is the examples",
                fix="for a single example: x[None, :] and y[None]",
            )
    (_, first), *rest = named.items()
    for name, leaf in rest:
        if len(leaf) != len(first):
            pair = len(named) == 2
            raise ShapeError(
                f"{what}: {len(first)} inputs and {len(leaf)} targets"
                if pair
                else f"{what}: {next(iter(named))} has {len(first)} rows, {name} has {len(leaf)}",
                expected="one target per input" if pair else "as many rows in each array",
                fix="drop the rows without a match",
            )


def leaves_by_name(name: str, tree) -> dict:
    """{name of a leaf: array}: x['image'] or x[0] of a tree, x of a single array."""
    found = jax.tree_util.tree_flatten_with_path(as_tree(tree, name))[0]
    return {name + jax.tree_util.keystr(path): leaf for path, leaf in found}


def _on_device(array):
    if isinstance(array, np.ndarray) and array.dtype == np.float64:
        array = array.astype(np.float32)  # here, to avoid a float64 copy on the way
    if isinstance(array, np.ndarray):
        # jnp.asarray copies twice, and both copies exist for a moment
        return jax.device_put(array)
    return as_array(array)


def expect_finite(array, name: str) -> None:
    """Raise DataError that names the columns of `array` (rows, ...) with NaN or infinity."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return
    bad_rows, bad_columns = 0, set()
    for start in range(0, len(array), 65_536):  # in parts: the masks of a large array are large
        bad = ~np.isfinite(array[start : start + 65_536])
        if bad.any():
            bad = bad.reshape(len(bad), -1)
            bad_rows += int(bad.any(axis=1).sum())
            bad_columns.update(np.flatnonzero(bad.any(axis=0)).tolist())
    if bad_rows:
        columns = sorted(bad_columns)
        shown = ", ".join(map(str, columns[:8])) + (" ..." if len(columns) > 8 else "")
        where = f", in column {shown}" if array.ndim > 1 else ""
        raise DataError(
            f"{name} contains NaN or infinity in {bad_rows} of {len(array)} rows{where}",
            expected="finite numbers",
            fix="impute or drop these rows, or use cutaway.data.TablePreprocessing",
        )


def expect_batch(batch_size, rows: int, *, given: bool = True) -> None:
    """Raise OptionError unless 1 <= batch_size <= rows."""
    expect_range(batch_size, what="batch_size", least=1)
    if batch_size != int(batch_size):
        raise OptionError(f"batch_size is {batch_size}", expected="an integer")
    if batch_size > rows:
        raise OptionError(
            f"batch_size is {batch_size}, but the training set has {rows} rows",
            expected=f"a batch size of at most {rows}",
            fix=f"use batch_size={rows} for full-batch gradient descent, or a smaller one",
        )


def expect_micro_batches(accumulate, batch_size: int) -> None:
    """Raise OptionError unless batch_size divides into `accumulate` equal micro-batches."""
    expect_range(accumulate, what="accumulate", least=1)
    if accumulate != int(accumulate) or batch_size % accumulate:
        raise OptionError(
            f"accumulate is {accumulate}, which does not divide batch_size {batch_size}",
            expected="a number of equal micro-batches",
            fix="choose a batch_size that is a multiple of accumulate",
        )
