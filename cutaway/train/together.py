"""One fit on several devices, of one process or several: what they share, and what they decide.

Messages between processes are part of the compiled steps, so all must run the same programs in the
same order. What depends on time or on a key press, such as how many steps make a chunk and whether
to stop, is therefore agreed on.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import jax
import numpy as np

from cutaway.nn.trees import leaves, map_leaves
from cutaway.runtime import distributed, sharding
from cutaway.train.blocks import ArrayRows, StreamRows
from cutaway.train.own_rows import PartRows
from cutaway.train.program import Program

HASHED_BYTES = 2**26  # of each array that are compared between processes


@contextlib.contextmanager
def sharing_fit(program: Program) -> Iterator[None]:
    """Context of a fit: its compiled steps run on all devices at once.

    All processes begin with the values that process 0 has, and keep those that they end with.
    """
    if sharding.device_count() == 1:
        yield
        return
    distributed.wait_for_living()
    try:
        with distributed.explaining_loss():
            spread(program, distributed.of_first)
            with distributed.sharing():
                yield
                _bring_back(program, are_all_here=True)
    finally:
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # of a process that is lost
            _bring_back(program, are_all_here=False)


def _bring_back(program: Program, *, are_all_here: bool) -> None:
    """The values of all devices as those of each process.

    Args:
        are_all_here: whether all processes call this, and parts that lie in several can be joined.
    """
    for variable in program.variables().values():
        if distributed.process_count() == 1 and any(sharding.parts_of(variable.shape)):
            variable.data = sharding.by_rule(variable.data)  # best weights came back whole
        elif are_all_here or not sharding.is_apart(variable.data):
            variable.data = distributed.local(variable.data)


def spread(program: Program, make: Callable | None = None) -> None:
    """Values of one process as those of all, each array given out over the devices by the rule.

    Args:
        make: function of an array on the host, for the values that all have.
    """
    for variable in program.variables().values():
        if make is None or distributed.process_count() == 1:
            variable.data = sharding.by_rule(variable.data)
        else:
            variable.data = sharding.by_rule(make(sharding.whole(variable.data)))


def spread_rows(rows: ArrayRows | StreamRows | None) -> None:
    """The rows of one process as those of all.

    Raises:
        RunError: the processes have different ones.
    """
    if rows is None or not distributed.is_sharing():
        return
    if isinstance(rows, StreamRows):
        return  # block by block, see StreamRows.epoch
    if isinstance(rows, PartRows):
        rows.share()
        return
    if distributed.process_count() > 1:
        distributed.expect_same(_digest(rows), "rows")
    rows.x, rows.y = map_leaves(distributed.replicated, (rows.x, rows.y))


def _digest(rows: ArrayRows) -> bytes:
    digest = hashlib.sha256(np.ascontiguousarray(rows.indices).tobytes())
    for leaf in [*leaves(rows.x), *leaves(rows.y)]:
        values = np.asarray(distributed.local(leaf))
        digest.update(f"{values.shape} {values.dtype}".encode())
        digest.update(values.tobytes()[:HASHED_BYTES])
    return digest.digest()
