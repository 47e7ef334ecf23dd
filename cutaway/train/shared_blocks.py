"""The blocks of a stream in a training of several processes.

Of a source with `own_blocks`, each process reads its share of every block, and the shares make one
block in parts. Any other source is read in whole by every process.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cutaway.engine import as_array
from cutaway.errors import DataError
from cutaway.nn.trees import count_rows, leaves, map_leaves
from cutaway.runtime import distributed, parts
from cutaway.train.row_weights import WeightedTargets

HASHED_BYTES = 2**20  # of each array of a block that are compared between processes


def has_own_blocks(source) -> bool:
    """Whether processes can share the reading of a stream: its `own_blocks` are its `blocks`."""
    for kind in type(source).__mro__:  # a class that overrides `blocks` alone has other ones
        if "own_blocks" in vars(kind):
            return True
        if "blocks" in vars(kind):
            return False
    return False


def this_process() -> tuple[int, int]:
    """(which process this is, of how many)."""
    return distributed.process_index(), distributed.process_count()


def weighted(block) -> tuple:
    """(x, y) of a block, y with the weights of its rows if it has any."""
    x, y, *weights = block
    return x, WeightedTargets(y, *weights) if weights else y


def blocks_of_all(source, seed: int) -> Iterator[tuple]:
    """Yield (x, y, places) of each block: arrays of all processes, and where each row stands.

    Raises:
        DataError: no rows. RunError: the processes have different blocks.
    """
    if has_own_blocks(source):
        yield from _in_parts(source, seed)
        return
    for block in source.blocks(seed):
        digest = hashlib.sha256()
        for leaf in leaves(block):
            digest.update(f"{leaf.shape} {leaf.dtype}".encode())
            digest.update(np.asarray(leaf)[: _hashed_rows(leaf)].tobytes())
        distributed.expect_same(digest.digest(), "rows in a block")
        filled = map_leaves(lambda leaf: as_array(parts.padded(leaf, source.block_rows)), block)
        x, y = weighted(map_leaves(distributed.replicated, filled))
        yield x, y, np.arange(count_rows(block), dtype=np.int32)


def _hashed_rows(leaf) -> int:
    return max(1, HASHED_BYTES // max(1, leaf[:1].nbytes))


def _in_parts(source, seed: int) -> Iterator[tuple]:
    processes = distributed.process_count()
    length, rows = parts.part_length(source.own_block_rows(processes)), 0
    reader = _OwnReader(source, seed)
    with contextlib.closing(reader.blocks):
        while any(found := distributed.gathered(reader.read)):
            reader.join([part["state"] for part in found])
            counts = np.array([part["counts"] for part in found])
            if not counts.any():
                continue
            rows += counts.sum()
            form = parts.expect_one_form([part["form"] for part in found], "a block")
            block = parts.no_rows_of(form) if reader.block is None else reader.block
            x, y = weighted(map_leaves(lambda leaf: parts.in_parts(leaf, length), block))
            yield x, y, parts.places_of(counts, length)
    if not rows:
        raise DataError(f"none of the {source.rows} rows could be read")


class _OwnReader:
    """Reads this process's share of the blocks of a source, and says what it has read.

    Attributes:
        blocks: generator of (block, counts).
        block: the share that was read last; None: no rows.
    """

    def __init__(self, source, seed: int):
        self.source = source
        self.blocks = source.own_blocks(seed, *this_process())
        self.block: Any = None
        self._said: dict = {}

    def read(self) -> dict | None:
        """The next share, in words for the others; None: there are no more blocks."""
        found = next(self.blocks, None)
        if found is None:
            return None
        self.block, counts = found
        form = None if self.block is None else parts.form_of(self.block)
        state = self._state()
        news = {} if state == self._said else state
        return {"counts": counts.tolist(), "form": form, "state": news}

    def join(self, states: list[dict]) -> None:
        """Take in what all processes have said of their state."""
        for state in filter(None, states):
            self.source.join_state(state)
        self._said = self._state()

    def _state(self) -> dict:
        return self.source.state() if hasattr(self.source, "join_state") else {}
