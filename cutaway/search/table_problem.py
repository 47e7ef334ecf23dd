"""A table with a column to predict, and repeated splits of its rows."""

import dataclasses
import functools
import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from cutaway.data import stratified_split
from cutaway.data.target import Target
from cutaway.errors import DataError, did_you_mean, expect_range

if TYPE_CHECKING:
    import polars as pl

FIRST_SEED = 1000  # of the splits, apart from the seeds of models


@dataclasses.dataclass(frozen=True)
class RowSplit:
    """Rows to train on and rows to score on.

    Attributes:
        number: of the split, from 0; also the random seed of the models.
        training, test: sorted row indices.
    """

    number: int
    training: np.ndarray
    test: np.ndarray


@dataclasses.dataclass(frozen=True)
class TableProblem:
    """A table with a column to predict. Made by `of`.

    Attributes:
        name: of the data set.
        frame: polars frame; every row has a target.
        target: the column to predict.
        task: "binary", "multiclass" or "regression".
        classes: the sorted values of the target; None for regression.
        ignore: columns that no model gets.
        kinds: {column: kind}, for columns that are detected wrongly.
    """

    name: str
    frame: "pl.DataFrame"
    target: str
    task: str
    classes: list | None
    ignore: tuple[str, ...] = ()
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, name, frame, target: str, *, task=None, ignore=(), kinds=None) -> "TableProblem":
        """The problem of a polars frame; rows without a target are left out.

        Raises:
            DataError, OptionError: no such column, or no target that fits the task.
        """
        if target not in frame.columns:
            raise DataError(
                f"{name}: the table has no column {target!r}",
                expected="the column to predict",
                fix=did_you_mean(target, frame.columns),
            )
        fitted = Target.fit(frame[target], task)
        known = frame.filter(frame[target].is_not_null())
        return cls(
            name, known, target, fitted.task, fitted.classes, tuple(ignore), dict(kinds or {})
        )

    @functools.cached_property
    def truth(self) -> np.ndarray:
        """Class numbers (rows,), or values in the target's unit (rows,)."""
        fitted = Target.fit(self.frame[self.target], self.task)
        encoded = np.asarray(fitted.encode(self.frame[self.target]))
        if self.task != "regression":
            return encoded.astype(np.int64)
        return np.asarray(encoded, np.float64) * fitted.scale + fitted.mean

    @property
    def is_regression(self) -> bool:
        return self.task == "regression"

    @functools.cached_property
    def checksum(self) -> str:
        """Of the table and of what is asked of it."""
        content = io.BytesIO()
        self.frame.write_ipc(content, compression="uncompressed")
        asked = (self.target, self.task, sorted(self.ignore), sorted(self.kinds.items()))
        return hashlib.sha256(content.getvalue() + repr(asked).encode()).hexdigest()

    def splits(self, count: int, *, test: float = 0.2, seed: int = FIRST_SEED) -> list[RowSplit]:
        """Random splits, drawn anew each time; of classes with the same fraction of each.

        Args:
            count: of splits.
            test: fraction of the rows to score on.
            seed: of the first split; the others follow.

        Raises:
            DataError, OptionError: too few rows, or a fraction outside (0, 1).
        """
        expect_range(count, what="splits", least=1)
        found = []
        for number in range(count):
            training, rows = stratified_split(
                self.truth, test, seed=seed + number, stratify=not self.is_regression
            )
            found.append(RowSplit(number, training, rows))
        return found
