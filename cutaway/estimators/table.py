"""Tables: arrays and frames, as rows of an estimator."""

import dataclasses
import numbers
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from cutaway.data.cells import read_cells
from cutaway.estimators.base import EncodedTarget, NetworkEstimator
from cutaway.estimators.inputs import ArrayInputs, FrameInputs, is_frame, one_row
from cutaway.estimators.rows import WeightedRows
from cutaway.runs import TableOptions
from cutaway.runs.table import table_spec


@dataclasses.dataclass(frozen=True)
class EncodedTable:
    """What `table_spec` asks of a preprocessing.

    Attributes:
        task, classes: see EncodedTarget.
        features, embeddings, texts: see TablePreprocessing.
    """

    task: str
    classes: list | None
    features: list
    embeddings: Any
    texts: Any


class TableEstimator(NetworkEstimator):
    """Base class of the estimators for tables."""

    def __init__(
        self,
        hidden_layer_sizes=(128, 128),
        *,
        activation="relu",
        dropout=0.2,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=1.0,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _read(self, X, y, *, reset):
        """An array of finite numbers, or a polars frame."""
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            y = self._checked_target(X, y)
            return read_cells(X).frame, y
        return validate_data(
            self, X, y, reset=reset, dtype=np.float64, y_numeric=self.task == "regression"
        )

    def _combined(self, rows):
        return rows.summed()

    def _fit_inputs(self, rows: WeightedRows, training, options):
        x, weights = rows.x, rows.weights
        if isinstance(x, np.ndarray):
            names = getattr(self, "feature_names_in_", None)
            names = None if names is None else names.tolist()
            self._inputs = ArrayInputs.fit(x[training], weights[training], names)
        else:
            task = "multiclass" if self.task == "classification" else self.task
            self._inputs = FrameInputs.fit(x, rows.y, task, training)

    def _encode(self, x):
        return self._inputs.encode(x)

    def _encoded(self, X):
        if isinstance(self._inputs, FrameInputs):
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._inputs.encode(X)
        rows: Any = validate_data(self, X, reset=False, dtype=np.float64)
        return self._inputs.encode(rows)

    def _options(self, seed, rows):
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, numbers.Integral) else tuple(sizes)
        return TableOptions(
            layers=tuple(int(size) for size in sizes),
            activation=self.activation,
            **self._common_options(seed, rows),
        )

    def _spec_of(self, options, target: EncodedTarget):
        found = self._inputs
        table = EncodedTable(
            target.task, target.classes, found.features, found.embeddings, found.texts
        )
        return table_spec(options, table)

    def _one_row(self, row):
        return one_row(row, getattr(self._inputs, "columns", None))

    def _names(self, x):
        return self._inputs.features
