"""Each process with rows of its own: parts of one set."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.errors import DataError, RunError, expect_integer
from cutaway.runtime.distributed.agreement import gathered
from cutaway.runtime.distributed.joining import process_count, process_index

MOMENT_ROWS = 4096  # of which moments are computed at a time


@dataclasses.dataclass(frozen=True)
class OwnRows:
    """Rows that this process has of a set: the set are those of all, in the order of processes.

    `Trainer.fit` and `Trainer.evaluate` take it in place of x and y, and `fit` as validation. In
    one process they are all rows.

    Args:
        x: (rows, ...) inputs, as for Trainer.fit; no rows, if others have some.
        y: (rows, ...) targets.
        weights: (rows,) weights of the rows; None: all count equally.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> part = ct.distributed.own_part(64)  # in a training: which rows of a file to read
        >>> net = ct.Linear(3, 1)
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> rows = ct.distributed.OwnRows(x[part], x[part, :1])
        >>> len(trainer.fit(rows, epochs=2, batch_size=16))
        2
    """

    x: Any
    y: Any
    weights: Any = None


def own_part(rows: int) -> slice:
    """Which of a number of rows this process should read: parts of equal size, but for one row.

    Args:
        rows: of the whole set.

    Example:
        >>> import cutaway as ct
        >>> ct.distributed.own_part(10)  # in one process; the second of three has slice(3, 6)
        slice(0, 10, None)
    """
    expect_integer(rows, what="own_part: rows", least=0)
    process, processes = process_index(), process_count()
    return slice(rows * process // processes, rows * (process + 1) // processes)


def mean_and_std(x) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over the rows of all processes.

    Args:
        x: (rows, ..., features) of this process, or (rows,) of one feature.

    Raises:
        DataError: no process has rows. RunError: different numbers of features.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> mean, std = ct.distributed.mean_and_std(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> mean.tolist(), std.tolist()
        ([2.0, 5.0], [1.0, 0.0])
    """

    def own() -> list:
        rows = np.asarray(x)
        rows = rows[:, None] if rows.ndim == 1 else rows
        moments = []
        for start in range(0, len(rows), MOMENT_ROWS):  # in parts: float64 takes more memory
            values = np.asarray(rows[start : start + MOMENT_ROWS], np.float64)
            values = values.reshape(-1, values.shape[-1])
            moments.append((len(values), values.mean(axis=0), values.var(axis=0)))
        if not moments:
            return []
        count, mean, variance = _joined_moments(moments)
        return [count, mean.tolist(), variance.tolist()]

    found = [part for part in gathered(own) if part]
    if not found:
        raise DataError("mean_and_std: no rows", expected="rows in at least one process")
    features = [len(mean) for _, mean, _ in found]
    if len(set(features)) > 1:
        raise RunError(
            f"mean_and_std: the processes have {' and '.join(map(str, features))} features",
            expected="the same features in all",
        )
    _, mean, variance = _joined_moments(found)
    return mean, np.sqrt(variance)


def _joined_moments(moments: list) -> tuple[int, np.ndarray, np.ndarray]:
    """(count, mean, variance) of the rows of several parts, of which each is given."""
    counts = np.array([count for count, _, _ in moments], np.float64)[:, None]
    means, variances = (np.array([part[k] for part in moments]) for k in (1, 2))
    mean = (counts * means).sum(axis=0) / counts.sum()
    # the variance within the parts and that between them
    variance = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / counts.sum()
    return int(counts.sum()), mean, variance
