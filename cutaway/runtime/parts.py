"""Arrays of which each process holds a part of the rows.

The parts are filled up with zeros to one length, so that they make one array whose rows are divided
among the processes: row i of process p stands at p * length + i. A compiled step that takes rows of
it gathers them within each process, where they are, and adds the results: no process gets more than
the rows of its batch.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from cutaway.errors import ShapeError
from cutaway.runtime import distributed, sharding


def part_length(rows: int) -> int:
    """Length of a part with room for so many rows: its process divides it among its devices."""
    devices = max(1, sharding.mesh().shape[sharding.ROWS] // distributed.process_count())
    return -(-rows // devices) * devices


def places_of(counts: Any, length: int) -> np.ndarray:
    """(rows,) int32: where each row of a set stands in an array of `in_parts`.

    Args:
        counts: (processes, chunks) how many rows of each chunk of the set a process has; the chunks
            are in the order of the set, and those of a process in its part too.
        length: of a part.

    Example:
        >>> from cutaway.runtime.parts import places_of
        >>> places_of([[2, 0, 1], [0, 2, 0]], length=4).tolist()  # 3 rows of process 0, 2 of 1
        [0, 1, 4, 5, 2]
    """
    counts = np.asarray(counts)
    processes, chunks = counts.shape
    owners = np.repeat(np.tile(np.arange(processes), chunks), counts.T.ravel())
    places = np.zeros(len(owners), np.int32)
    for process in range(processes):
        own = np.flatnonzero(owners == process)
        places[own] = process * length + np.arange(len(own))
    return places


def in_parts(array: Any, length: int) -> jax.Array:
    """(processes * length, ...) array, of which each process holds its own part.

    Args:
        array: (rows, ...) of this process, at most `length` rows.
        length: from `part_length`, the same in all processes.
    """
    values = np.asarray(array)
    values = values.astype(jax.dtypes.canonicalize_dtype(values.dtype), copy=False)
    values = padded(values, length)
    shape = (distributed.process_count() * length, *values.shape[1:])
    return jax.make_array_from_process_local_data(distributed.rows_sharding(), values, shape)


def padded(array, rows: int) -> np.ndarray:
    """The array with zeros after its rows, up to so many."""
    if len(array) == rows:
        return array
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), array.dtype)])


def taken(array: Any, rows: np.ndarray) -> Any:
    """These rows of an array, which all processes then have; also outside a compiled step."""
    if not distributed.is_sharing():
        return array[rows]
    return jax.jit(lambda a, r: distributed.everywhere(a[r]))(array, rows)


def own_of_parts(array: jax.Array, rows: int) -> np.ndarray:
    """The first so many rows of this process's part of an array of `in_parts`."""
    starts = {shard.index[0].start or 0: shard.data for shard in array.addressable_shards}
    return np.concatenate([np.asarray(starts[start]) for start in sorted(starts)])[:rows]


def of_all(array: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The rows of all processes, one after the other: of what all must know, such as labels.

    Args:
        array: (rows, ...) of this process.
        counts: rows of each process.
    """
    parts = distributed.stacked(padded(array, max(counts)))
    return np.concatenate([part[:count] for part, count in zip(parts, counts, strict=True)])


def form_of(tree: Any) -> Any:
    """Structure, dtypes and shapes of rows of a tree of arrays, as values that JSON has."""
    if isinstance(tree, dict):
        return {"dict": [[key, form_of(part)] for key, part in tree.items()]}
    if isinstance(tree, tuple | list):
        kind = "tuple" if isinstance(tree, tuple) else "list"
        return {kind: [form_of(part) for part in tree]}
    return [str(tree.dtype), list(tree.shape[1:])]


def no_rows_of(form: Any) -> Any:
    """The tree of that form, with arrays of no rows."""
    if isinstance(form, list):
        dtype, shape = form
        return np.zeros((0, *shape), dtype)
    ((kind, parts),) = form.items()
    if kind == "dict":
        return {key: no_rows_of(part) for key, part in parts}
    found = map(no_rows_of, parts)
    return tuple(found) if kind == "tuple" else list(found)


def form_in_words(form: Any, name: str) -> dict[str, str]:
    """{name of an array, such as x["image"]: its dtype and shape, in words}."""
    if isinstance(form, list):
        dtype, shape = form
        return {name: f"{dtype} of shape ({', '.join(['rows', *map(str, shape)])})"}
    ((kind, parts),) = form.items()
    pairs = parts if kind == "dict" else enumerate(parts)
    words: dict[str, str] = {}
    for key, part in pairs:
        words |= form_in_words(part, f"{name}[{key!r}]")
    return words


def expect_one_form(forms: Sequence[Any], name: str) -> Any:
    """The form that the rows of all processes have.

    Args:
        forms: of each process; None: it has no rows.
        name: of the trees.

    Raises:
        ShapeError: they differ.
    """
    known = [(process, form) for process, form in enumerate(forms) if form is not None]
    first, form = known[0]
    before = form_in_words(form, name)
    for process, other in known[1:]:
        now = form_in_words(other, name)
        for array in {**before, **now}:
            if before.get(array) != now.get(array):
                raise ShapeError(
                    f"process {process}: {array} is {now.get(array, 'missing')}",
                    expected=f"{before.get(array, 'no such array')}, as in process {first}",
                    fix="read the same columns, with the same types, in all processes",
                )
    return form
