"""Rows of which each process has a part: one set, in the order of the processes."""

from typing import Any

import jax
import numpy as np

from cutaway.errors import DataError, OptionError
from cutaway.nn.trees import is_array, leaves, map_leaves
from cutaway.runtime import distributed, parts
from cutaway.runtime.distributed import OwnRows
from cutaway.train.blocks import ArrayRows, expect_finite, expect_same_rows, leaves_by_name
from cutaway.train.given import as_tree
from cutaway.train.labels import encoded, texts_of
from cutaway.train.row_weights import (
    WeightedTargets,
    checked_weights,
    expect_some_weight,
    plain_targets,
)


class PartArrays:
    """Inputs and targets, of which each process holds its own rows.

    Args:
        x, y: (rows, ...) of this process, NumPy arrays in trees.
        counts: rows of each process.

    Attributes:
        rows: of all processes.
        places: (rows,) where each row stands in the arrays of all, see cutaway.runtime.parts.
    """

    def __init__(self, x, y, counts: list[int]):
        self.x, self.y = x, y
        self.rows = sum(counts)
        self.counts = counts
        self.length = parts.part_length(max(counts))
        self.places = parts.places_of(np.diag(counts), self.length)
        self.own_count = counts[distributed.process_index()]
        self._is_shared = False

    def share(self) -> None:
        """Make them arrays of all processes."""
        if not self._is_shared:
            self.x = map_leaves(self._in_parts, self.x)
            self.y = map_leaves(self._in_parts, self.y)
            self._is_shared = True

    def _in_parts(self, leaf):
        return parts.in_parts(leaf, self.length)

    def own(self, tree) -> Any:
        """The rows of this process, of x or y."""
        if not self._is_shared:
            return tree
        return map_leaves(lambda leaf: parts.own_of_parts(leaf, self.own_count), tree)

    def labels(self) -> tuple[np.ndarray, bool]:
        """((rows,) the labels of all processes, whether they are labels of classes)."""
        targets = plain_targets(self.y)
        first = np.asarray(leaves(targets)[0])
        if not is_array(targets) or first.dtype.kind not in "iub":
            return np.zeros(self.rows, np.int32), False
        if first.ndim > 1:  # they cannot be stratified; to be refused by their shape
            return np.broadcast_to(np.int32(0), (self.rows, *first.shape[1:])), True
        own = first.astype(np.int32) if first.dtype.kind == "b" else first
        return parts.of_all(own, self.counts), True


class PartRows(ArrayRows):
    """Rows of arrays that the processes hold in parts.

    Args:
        arrays: PartArrays.
        chosen: which of all rows belong to this set; None: all.
        is_plain: whether the weights of the rows are left out.
    """

    def __init__(self, arrays: PartArrays, chosen=None, *, is_plain: bool = False):
        places = arrays.places if chosen is None else arrays.places[chosen]
        super().__init__(arrays.x, self._targets(arrays, is_plain), places)
        self._arrays, self._is_plain = arrays, is_plain

    @staticmethod
    def _targets(arrays, is_plain: bool):
        return plain_targets(arrays.y) if is_plain else arrays.y

    def share(self) -> None:
        """Make the arrays those of all processes."""
        self._arrays.share()
        self.x, self.y = self._arrays.x, self._targets(self._arrays, self._is_plain)

    def row_numbers(self, places):
        return np.searchsorted(self._arrays.places, places)  # they ascend

    def sample(self):
        """(x, y), the targets of this process; None without rows."""
        if not self._arrays.own_count:
            return None
        return self.x, self._arrays.own(self.y)


def given_by(rows: OwnRows, y=None, weights=None) -> tuple:
    """(x, y, weights) of OwnRows; in several processes (the OwnRows, None, None).

    Raises:
        OptionError: targets or weights stand beside them.
    """
    if y is not None or weights is not None:
        raise OptionError(
            f"OwnRows and {'targets' if weights is None else 'weights'} beside them were given",
            expected="OwnRows(x, y) or OwnRows(x, y, weights)",
            fix="pass them to OwnRows",
        )
    if distributed.process_count() > 1:
        return rows, None, None
    return rows.x, rows.y, rows.weights


def known_classes(given: OwnRows, classes: list[str] | None) -> list[str] | None:
    """The classes if labels are texts: those of all processes, sorted.

    Args:
        given: rows of this process.
        classes: names that the training has; None: the texts are the names.

    Raises:
        DataError: labels that are texts in some processes only, or that cannot be read.
    """

    def own():
        texts = texts_of(given.y)
        if texts is None:
            return [None, len(leaves(as_tree(given.y, "y"))[0])]
        return [[str(name) for name in np.unique(texts)], len(texts)]

    found = [
        (process, names) for process, (names, rows) in enumerate(distributed.gathered(own)) if rows
    ]
    of_numbers = [process for process, names in found if names is None]
    if len(of_numbers) == len(found):
        return classes
    if of_numbers:
        raise DataError(
            f"process {of_numbers[0]} has numbers as labels, others have texts",
            expected="labels of one kind",
            fix="read the same column in all processes",
        )
    return sorted(set().union(*(names for _, names in found))) if classes is None else classes


def arrays_of_all(
    given: OwnRows, loss, classes: list[str] | None, what: str = "x and y"
) -> PartArrays:
    """The rows that all processes have, as PartArrays with the weights of the rows if any count.

    Args:
        given: rows of this process.
        loss: of the training; None with an objective.
        classes: names of the classes, if labels are texts.
        what: the arrays are, in errors.

    Raises:
        OptionError, ShapeError, DataError: what cannot be used, in all processes.
    """
    prepared: dict[str, Any] = {}

    def own() -> dict:
        x, y, weights = prepared["rows"] = _checked(given, loss, classes, what)
        rows = len(leaves(x)[0])
        limits = None
        if weights is not None:
            limits = [float(weights.min()), float(weights.max())] if rows else []
        forms = [parts.form_of(x), parts.form_of(y)] if rows else [None, None]
        return {"rows": rows, "forms": forms, "weights": limits}

    found = distributed.gathered(own)
    counts = [part["rows"] for part in found]
    if not any(counts):
        raise DataError(f"{what}: no process has rows", expected="at least one example")
    x_form, y_form = (
        parts.expect_one_form([part["forms"][k] for part in found], name)
        for k, name in enumerate(("x", "y"))
    )
    x, y, weights = prepared["rows"]
    if not counts[distributed.process_index()]:
        x, y = parts.no_rows_of(x_form), parts.no_rows_of(y_form)
    if _count_weights([part["weights"] for part in found if part["rows"]], what):
        y = WeightedTargets(y, np.zeros(0, np.float32) if weights is None else weights)
    return PartArrays(x, y, counts)


def _count_weights(limits: list, what: str) -> bool:
    """Whether the weights of the rows weight anything.

    Args:
        limits: (least, most) of the weights in each process with rows; None: it has none.
        what: the rows are, in errors.
    """
    if all(pair is None for pair in limits):
        return False
    if any(pair is None for pair in limits):
        raise OptionError(
            f"{what}: some processes have weights of their rows, others have none",
            expected="weights in all of them, or in none",
            fix="pass OwnRows(x, y, weights) in all; 1 is the weight of a row that counts once",
        )
    least, most = min(low for low, _ in limits), max(high for _, high in limits)
    expect_some_weight(np.array([most]))
    return least != most  # otherwise all count equally


def _checked(given: OwnRows, loss, classes, what: str) -> tuple:
    """(x, y, weights) of this process as NumPy arrays in trees."""
    y, _ = encoded(given.y, loss, classes)
    x, y = as_tree(given.x, "x"), as_tree(y, "y")
    named = {**leaves_by_name("x", x), **leaves_by_name("y", y)}
    expect_same_rows(named, what=what)
    for name, leaf in named.items():
        expect_finite(leaf, name)
    x, y = map_leaves(_as_on_device, (x, y))
    weights = given.weights
    return x, y, None if weights is None else checked_weights(weights, len(leaves(x)[0]))


def _as_on_device(leaf) -> np.ndarray:
    """The array with the dtype that it will have on the device."""
    leaf = np.asarray(leaf)
    return leaf.astype(jax.dtypes.canonicalize_dtype(leaf.dtype), copy=False)
