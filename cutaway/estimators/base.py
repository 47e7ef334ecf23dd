"""What classifier and regressor share: from rows to a trained network, and from it to outputs."""

import dataclasses
import numbers
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from cutaway.data.cells import read_cells
from cutaway.engine import float64, no_grad
from cutaway.errors import expect_integer, expect_range
from cutaway.estimators.inputs import ArrayInputs, FrameInputs, is_frame, one_row
from cutaway.estimators.rows import WeightedRows
from cutaway.explain import Explanation, explain
from cutaway.metrics import METRICS
from cutaway.nn import Module
from cutaway.nn.random import seeded
from cutaway.runs import TableOptions
from cutaway.runs.base_rate import start_at_base_rate
from cutaway.runs.networks import build_network, loss_of
from cutaway.runs.table import table_spec
from cutaway.supplied import supplied
from cutaway.train import EarlyStopping, History, Trainer

BLOCK_ROWS = 1024  # rows that are predicted at once


@dataclasses.dataclass(frozen=True)
class EncodedTarget:
    """The task of a network, "binary", "multiclass" or "regression", and the labels or None."""

    task: str
    classes: list | None


@dataclasses.dataclass(frozen=True)
class EncodedTable:
    """What `table_spec` and `start_at_base_rate` ask of a preprocessing.

    Attributes:
        task, classes: see EncodedTarget.
        features, embeddings, texts: see TablePreprocessing.
        class_counts: weights of the training rows of each class.
    """

    task: str
    classes: list | None
    features: list
    embeddings: Any
    texts: Any
    class_counts: Any = ()


class TableEstimator(BaseEstimator):
    """Base class: a subclass has `fit`, `predict` and what it knows of its target."""

    task = "regression"  # or "classification"
    metric = "r2"  # of the validation scores

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

    # what a subclass says of its target

    def _fit_target(self, y: np.ndarray, weights: np.ndarray) -> None:
        """Find the scale of the values of the training rows."""

    def _encoded_target(self, y: np.ndarray) -> np.ndarray:
        """What the loss expects, of class numbers or values."""
        raise NotImplementedError

    def _known_target(self, y) -> np.ndarray:
        """Class numbers or values, of labels or values."""
        raise NotImplementedError

    def _class_names(self) -> list[str] | None:
        """The labels as texts; None: there are no classes."""
        return None

    # what a fit does

    def _train(self, rows: WeightedRows, target: EncodedTarget):
        """Train on rows with class numbers or values, from new weights or the present ones."""
        self._expect_parameters()
        seed = self._seed()
        rows = rows.summed()
        stratify = self.task == "classification"
        training, validation = rows.split(self.validation_fraction, seed=seed, stratify=stratify)
        if not (self.warm_start and hasattr(self, "network_")):
            self._begin(rows, target, training, seed)
        options = self._options(seed, len(training))
        self._expect_same_network(options, target)
        trainer = self._trainer_for(options, len(training))
        x, weights = self._inputs.encode(rows.x).astype(np.float32), rows.weights
        y = self._encoded_target(rows.y)
        sets = [(x[k], y[k], weights[k]) for k in (training, validation)]
        stopping = [EarlyStopping(self.n_iter_no_change)] if len(validation) else []
        self._fit_data = (sets, options)
        self.history_ = trainer.fit(
            *sets[0][:2],
            weights=sets[0][2],
            epochs=options.count_epochs(len(training)),
            batch_size=options.batch(len(training)),
            validation=sets[1] if len(validation) else None,
            callbacks=stopping,
            seed=seed,
            progress=bool(self.verbose),
        )
        self.n_iter_ = len(self.history_)
        self.loss_curve_ = self.history_["loss"]
        name = f"val_{self.metric}"
        self.validation_scores_ = self.history_[name] if len(validation) else None
        self._incremental = None

    def _begin(self, rows: WeightedRows, target: EncodedTarget, training, seed: int, *, rated=True):
        """Fit the encoding to the training rows, and build a network for it."""
        x, y, weights = rows.x, rows.y, rows.weights
        if isinstance(x, np.ndarray):
            names = getattr(self, "feature_names_in_", None)
            names = None if names is None else names.tolist()
            self._inputs = ArrayInputs.fit(x[training], weights[training], names)
        else:
            task = "multiclass" if self.task == "classification" else self.task
            self._inputs = FrameInputs.fit(x, y, task, training)
        self._fit_target(y[training], weights[training])
        self._table = self._table_of(target)
        if rated and self.task == "classification":
            mass = np.bincount(y[training], weights[training], minlength=len(target.classes or ()))
            self._table = dataclasses.replace(self._table, class_counts=mass)
        self._spec = table_spec(self._options(seed, len(training)), self._table)
        self.network_ = self._new_network(seed)

    def _new_network(self, seed: int) -> Module:
        """The network before its training, at the base rate of its classes if they were counted."""
        with seeded(seed):
            net = build_network(self._spec)
        if len(self._table.class_counts):
            start_at_base_rate(net, self._spec, self._table)
        return net

    def _table_of(self, target: EncodedTarget) -> EncodedTable:
        found = self._inputs
        return EncodedTable(
            target.task, target.classes, found.features, found.embeddings, found.texts
        )

    def _expect_same_network(self, options: TableOptions, target: EncodedTarget):
        if table_spec(options, self._table_of(target)) != self._spec:
            raise ValueError(
                "warm_start: the network that was trained before has other layers than the "
                "parameters ask for now; set warm_start=False to begin anew"
            )

    def _options(self, seed: int, rows: int) -> TableOptions:
        """The parameters as the options of `cutaway train`."""
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, numbers.Integral) else tuple(sizes)
        return TableOptions(
            layers=tuple(int(size) for size in sizes),
            activation=self.activation,
            dropout=self.dropout,
            optimizer=self.optimizer,
            lr=self.lr,
            schedule=self.schedule,
            weight_decay=self.weight_decay,
            batch_size=None if self.batch_size is None else min(self.batch_size, rows),
            epochs=self.max_iter,
            validation=self.validation_fraction,
            patience=self.n_iter_no_change,
            seed=seed,
        )

    def _expect_parameters(self):
        """Raise OptionError for parameters that the options would call by another name."""
        for name in ("max_iter", "n_iter_no_change"):
            if getattr(self, name) is not None:
                expect_integer(getattr(self, name), what=name, least=1)
        expect_range(self.validation_fraction, what="validation_fraction", least=0, below=1)

    def _seed(self) -> int:
        """The seed of a fit: random_state itself if it is an integer, otherwise drawn from it."""
        if isinstance(self.random_state, numbers.Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _trainer_for(self, options: TableOptions, rows: int, net=None) -> Trainer:
        net = self.network_ if net is None else net
        return Trainer(
            net,
            loss=loss_of(self._spec),
            optimizer=options.make_optimizer(net, rows),
            metrics=[METRICS[self.metric]],
        )

    def _train_further(self, rows: WeightedRows, target: EncodedTarget):
        """One epoch on these rows, from the weights and the optimizer's state that are there."""
        begins = not hasattr(self, "network_")
        everything = np.arange(len(rows))
        if begins:
            self._begin(rows, target, everything, self._seed(), rated=False)
            self.n_iter_, self.loss_curve_, self.validation_scores_ = 0, [], None
            self.history_, self._incremental = History(), None
        seed = None if self._incremental is None else self._incremental.seed
        options = self._options(self._seed() if seed is None else seed, len(rows))
        if self._incremental is None:
            constant = dataclasses.replace(options, schedule="constant")
            self._incremental = self._trainer_for(constant, len(rows))
        x = self._inputs.encode(rows.x).astype(np.float32)
        self.history_ = self._incremental.fit(
            x,
            self._encoded_target(rows.y),
            weights=rows.weights,
            more=1,
            batch_size=options.batch(len(rows)),
            seed=options.seed,
            progress=bool(self.verbose),
        )
        self.n_iter_ += 1
        self.loss_curve_ = [*self.loss_curve_, self.history_["loss"][-1]]

    # what it is given

    def _checked(self, X, y, sample_weight, *, reset: bool) -> WeightedRows:
        """The rows of a fit, as arrays of finite numbers or a polars frame."""
        if is_frame(X):
            if y is None:
                raise ValueError(
                    f"This {type(self).__name__} estimator requires y to be passed, but the target "
                    "y is None."
                )
            validate_data(self, X, reset=reset, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            assert_all_finite(y, input_name="y")
            check_consistent_length(X, y)
            X = read_cells(X).frame
        else:
            X, y = validate_data(
                self, X, y, reset=reset, dtype=np.float64, y_numeric=self.task == "regression"
            )
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return WeightedRows(X, np.asarray(y), weights).of_weight()

    def _encoded(self, X) -> np.ndarray:
        """Rows to predict as inputs of the network."""
        if isinstance(self._inputs, FrameInputs):
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._inputs.encode(X)
        rows: Any = validate_data(self, X, reset=False, dtype=np.float64)
        return self._inputs.encode(rows)

    # what it tells

    def _outputs(self, X) -> np.ndarray:
        """What the network returns for rows, (rows, outputs) float64.

        In float64 a prediction does not depend on the rows that are predicted beside it.
        """
        check_is_fitted(self)
        x = self._encoded(X)
        parts = []
        with no_grad(), float64():
            for start in range(0, len(x), BLOCK_ROWS):
                block = x[start : start + BLOCK_ROWS].astype(np.float64)
                padded = np.zeros((_power_of_two(len(block)), x.shape[1]))  # few programs
                padded[: len(block)] = block
                parts.append(self.network_(padded).numpy()[: len(block)])
        return np.concatenate(parts)

    def explain(self, row, y=None) -> Explanation:
        """What the network makes of one row, as arithmetic: see `cutaway.explain`.

        Args:
            row: a dict, a pandas Series, a frame of one row, or an array (features,).
            y: its true label or value, for the loss and its gradients.
        """
        check_is_fitted(self)
        columns = getattr(self._inputs, "columns", None)
        x = self._encoded(one_row(row, columns)).astype(np.float32)
        target = None if y is None else self._encoded_target(self._known_target([y]))
        loss = None if y is None else loss_of(self._spec)
        return explain(self.network_, x, target, loss=loss, names=self._inputs.features, symbol="z")

    def diagnose(self):
        """What is wrong with the training of the last `fit`, and what to change.

        The training runs again under probes, see `cutaway.diagnose`; weights of rows and classes
        are left out. An estimator that was read from a pickle has no rows any more.

        Raises:
            ValueError: no `fit` in this process.
        """
        check_is_fitted(self)
        if getattr(self, "_fit_data", None) is None:
            raise ValueError(
                "diagnose trains again on the rows of the last fit, which a pickle and partial_fit "
                "do not keep: call fit first"
            )
        (training, validation), options = self._fit_data
        net = self._new_network(options.seed)
        trainer = self._trainer_for(options, len(training[0]), net)
        trainer.classes = self._class_names()
        return supplied("diagnose")(
            trainer,
            *training[:2],
            validation=validation[:2] if len(validation[0]) else None,
            epochs=options.count_epochs(len(training[0])),
            batch_size=options.batch(len(training[0])),
            seed=options.seed,
        )

    def __getstate__(self):
        given: Any = super().__getstate__()
        state = {name: value for name, value in given.items() if name != "_fit_data"}
        trained = state.get("_incremental")
        if trained is not None:  # without the rows that it keeps
            plain = Trainer(trained.program)
            plain.seed, plain.epoch, plain.history = trained.seed, trained.epoch, trained.history
            state["_incremental"] = plain
        return state

    def _repr_html_inner(self):
        return super()._repr_html_inner() + self._network_html()

    def _repr_mimebundle_(self, **options):
        found = super()._repr_mimebundle_(**options)
        if "text/html" in found:
            found["text/html"] += self._network_html()
        return found

    def _network_html(self) -> str:
        """The trained network and its history below scikit-learn's diagram."""
        if not hasattr(self, "network_"):
            return ""
        return self.network_._repr_html_() + self.history_._repr_html_()


def _power_of_two(rows: int) -> int:
    return min(BLOCK_ROWS, 1 << max(3, (rows - 1).bit_length()))
