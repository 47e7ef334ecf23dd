"""Several devices and processes of one training: on one machine, or on many.

Each process runs the same script, on the same data or with rows of its own. In `Trainer.fit` they
share each batch: the devices of all processes form one mesh, and each computes its part of the rows
(see runtime.sharding). That is JAX's multi-controller runtime; what stands here is how processes
find each other, what they agree on, and how one that fails ends the others.
"""

from cutaway.runtime.distributed.agreement import (
    bytes_of_first,
    expect_same,
    gathered,
    most,
    of_first,
    stacked,
    wait_for_living,
)
from cutaway.runtime.distributed.joining import (
    fail,
    is_first,
    is_launched,
    process_count,
    process_index,
    start,
)
from cutaway.runtime.distributed.lost import explaining_loss
from cutaway.runtime.distributed.rows_of_processes import (
    OwnRows,
    mean_and_std,
    own_part,
)
from cutaway.runtime.distributed.shared_steps import (
    arrangement,
    everywhere,
    is_sharing,
    local,
    over_rows,
    replicated,
    rows_sharding,
    sharing,
)

__all__ = [
    "OwnRows",
    "arrangement",
    "bytes_of_first",
    "everywhere",
    "expect_same",
    "explaining_loss",
    "fail",
    "gathered",
    "is_first",
    "is_launched",
    "is_sharing",
    "local",
    "mean_and_std",
    "most",
    "of_first",
    "over_rows",
    "own_part",
    "process_count",
    "process_index",
    "replicated",
    "rows_sharding",
    "sharing",
    "stacked",
    "start",
    "wait_for_living",
]
