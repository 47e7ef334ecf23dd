"""Loaders, such as PyTorch's DataLoader: iterables of batches, for fit, evaluate and predict."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from cutaway.errors import DataError, OptionError
from cutaway.nn.trees import count_rows, leaves, map_leaves
from cutaway.train.blocks import expect_examples, is_stream
from cutaway.train.given import ARRAYS, as_tree, is_frame

BLOCK_BYTES = 2**26  # of rows that are on the device at a time


def is_loader(x) -> bool:
    """Whether x is an iterable of batches: no array, list, frame, tensor or stream."""
    kinds = ARRAYS | Sequence | Mapping | Set
    if isinstance(x, kinds) or is_stream(x) or is_frame(x):
        return False
    if hasattr(x, "__array__") or hasattr(x, "shape"):  # a sparse matrix has no __array__
        return False
    return hasattr(x, "__iter__")


class LoaderStream:
    """The batches of a loader as a stream for Trainer.fit.

    Its batches are joined to blocks, of which the Trainer makes batches of its own size; it also
    shuffles the rows within each block.

    Args:
        loader: an iterable of (x, y) or (x, y, weights), which begins anew with each epoch.
        batch_size: of the training: blocks have a multiple of it.

    Attributes:
        rows, block_rows: as Trainer.fit takes a stream.

    Raises:
        OptionError: it can be run through only once. DataError: no batches, or other ones.
    """

    def __init__(self, loader, batch_size: int):
        if iter(loader) is loader:
            raise OptionError(
                f"x is a {type(loader).__name__}, which can be run through only once",
                expected="data that each epoch can run through again",
                fix="pass arrays, a list of batches joined to arrays, a DataLoader, or an object "
                "whose __iter__ begins anew",
            )
        self.loader = loader
        self.rows, first = _rows_of(loader)
        row_bytes = sum(np.asarray(leaf[:1]).nbytes for leaf in leaves(first))
        fitting = max(batch_size, count_rows(first), BLOCK_BYTES // max(1, row_bytes))
        batches = math.ceil(min(fitting, self.rows) / batch_size)
        self.block_rows = batches * batch_size

    def blocks(self, seed: int) -> Iterator[tuple]:
        """Yield (x, y) or (x, y, weights) of up to `block_rows` rows, in the loader's order.

        Args:
            seed: not used: the loader shuffles by its own.
        """
        waiting: list = []
        count = 0
        for batch in _batches(self.loader):
            waiting.append(batch)
            count += count_rows(batch)
            while count >= self.block_rows:
                block = _joined(waiting)
                yield map_leaves(lambda leaf: leaf[: self.block_rows], block)
                count -= self.block_rows
                rest = map_leaves(lambda leaf: leaf[self.block_rows :], block)
                waiting = [rest] if count else []
        if count:
            yield _joined(waiting)


def joined_batches(loader) -> tuple:
    """(x, y) or (x, y, weights) of all batches, in their order.

    Raises:
        DataError: no batches, or other ones.
    """
    found = list(_batches(loader))
    if not found:
        raise _empty(loader)
    return _joined(found)


def joined_inputs(loader) -> Any:
    """The inputs of all batches, in their order: batches of inputs, or (x, y), (x, y, weights).

    Raises:
        OptionError: the loader shuffles its rows.
        DataError: no batches.
    """
    torch = sys.modules.get("torch.utils.data")
    if torch is not None and isinstance(getattr(loader, "sampler", None), torch.RandomSampler):
        raise OptionError(
            "predict got a DataLoader that shuffles: whose predictions they are would be unknown",
            expected="rows in their order",
            fix="make it with shuffle=False",
        )
    found = []
    for batch in loader:
        is_pair = isinstance(batch, tuple | list) and len(batch) in (2, 3)
        found.append(as_tree(batch[0] if is_pair else batch, "x"))
    if not found:
        raise _empty(loader)
    return _joined(found)


def _batches(loader) -> Iterator[tuple]:
    """(x, y) or (x, y, weights) of each batch, NumPy arrays."""
    for batch in loader:
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            size = f" of {len(batch)}" if isinstance(batch, tuple | list | dict) else ""
            raise DataError(
                f"a batch of the {type(loader).__name__} is a {type(batch).__name__}{size}",
                expected="(x, y) or (x, y, weights)",
                fix="let it yield pairs of inputs and targets; several inputs: ((a, b), y)",
            )
        x, y, *weights = batch
        x, y = as_tree(x, "x"), as_tree(y, "y")
        expect_examples(x, y, what="a batch")
        yield map_leaves(np.asarray, (x, y, *(as_tree(w, "weights") for w in weights)))


def _rows_of(loader) -> tuple[int, Any]:
    """(number of rows of an epoch, the first batch): as the loader says, otherwise counted."""
    batches = _batches(loader)
    first = next(batches, None)
    if first is None:
        raise _empty(loader)
    for of in ("sampler", "dataset"):
        try:
            return len(getattr(loader, of)), first
        except (AttributeError, TypeError, NotImplementedError):
            continue
    return count_rows(first) + sum(map(count_rows, batches)), first


def _joined(parts) -> Any:
    return map_leaves(lambda *leaves: np.concatenate(leaves), *parts)


def _empty(loader) -> DataError:
    return DataError(
        f"the {type(loader).__name__} yields no batches",
        expected="at least one batch",
        fix="check its data, and drop_last if it has fewer rows than a batch",
    )
