"""What all estimators share: from rows to a trained network, and from it to outputs.

What differs between kinds of data is behind the hooks that NetworkEstimator names; a new kind is
one file.
"""

import dataclasses
import math
import numbers
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from cutaway.engine import float64, no_grad
from cutaway.errors import expect_integer, expect_range
from cutaway.estimators.rows import WeightedRows
from cutaway.explain import Explanation, explain
from cutaway.metrics import METRICS
from cutaway.nn import Module, snapshot
from cutaway.nn.random import seeded
from cutaway.runs.base_rate import start_at_base_rate
from cutaway.runs.networks import build_network, loss_of
from cutaway.runs.options import TrainingOptions
from cutaway.supplied import supplied
from cutaway.train import EarlyStopping, History, Trainer

BLOCK_ROWS = 1024  # rows that are predicted at once ...
BLOCK_NUMBERS = 2**20  # ... and the most numbers of these


@dataclasses.dataclass(frozen=True)
class EncodedTarget:
    """What a network predicts.

    Attributes:
        task: "binary", "multiclass" or "regression".
        classes: the labels, or None.
        class_counts: weights of the training rows of each class; (): they were not counted.
    """

    task: str
    classes: list | None
    class_counts: Any = ()

    @property
    def outputs(self) -> int:
        """Number of outputs of the network."""
        return len(self.classes or ()) if self.task == "multiclass" else 1


class NetworkEstimator(BaseEstimator):
    """Base class of all estimators.

    One subclass knows the kind of the data: it has `__init__` and the hooks `_read`, `_fit_inputs`,
    `_encoded`, `_options` and `_spec_of`, and where they differ `_combined`, `_fit_arguments`,
    `_one_row` and `_names`. Another one knows the target: `fit`, `predict` and `_fit_target`,
    `_encoded_target`, `_known_target` and `_class_names`; see ClassEstimator and NumberEstimator.
    """

    task = "regression"  # or "classification"
    metric = "r2"  # of the validation scores
    x_dtype: ClassVar[Any] = np.float32  # of encoded rows; None: as they are

    optimizer: str
    lr: float | None
    schedule: str
    weight_decay: float
    dropout: float
    batch_size: int | None
    max_iter: int | None
    validation_fraction: float
    n_iter_no_change: int | None
    random_state: Any
    warm_start: bool
    verbose: bool

    # what a subclass says of its data

    def _read(self, X, y, *, reset: bool):
        """(rows that numpy or polars indexes, y (rows,)): what `fit` was given, checked.

        Args:
            reset: whether these rows begin a training; otherwise they are like those that did.
        """
        raise NotImplementedError

    def _combined(self, rows: WeightedRows) -> WeightedRows:
        """The rows of a fit, as they are trained on."""
        return rows

    def _fit_inputs(self, rows: WeightedRows, training, options) -> None:
        """Find how rows become inputs of the network, from the training rows alone."""

    def _encode(self, x) -> np.ndarray:
        """Rows of `_read` as inputs of the network."""
        raise NotImplementedError

    def _encoded(self, X) -> np.ndarray:
        """Rows to predict as inputs of the network, checked."""
        raise NotImplementedError

    def _options(self, seed: int, rows: int) -> TrainingOptions:
        """The parameters as the options of `cutaway train`."""
        raise NotImplementedError

    def _spec_of(self, options, target: EncodedTarget) -> dict:
        """The spec of the network, for `build_network`."""
        raise NotImplementedError

    def _fit_arguments(self, x, y, weights, options) -> tuple[tuple, dict]:
        """Arguments of Trainer.fit for encoded rows: arrays, or a stream of them."""
        return (x, y), {"weights": weights}

    def _one_row(self, row) -> Any:
        """What `_encoded` takes, of a row to be explained."""
        return [row]

    def _names(self, x) -> list[str] | None:
        """Names of the inputs of one encoded row."""
        return None

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
        rows = self._combined(rows)
        stratify = self.task == "classification"
        training, validation = rows.split(self.validation_fraction, seed=seed, stratify=stratify)
        if not (self.warm_start and hasattr(self, "network_")):
            self._begin(rows, target, training, seed)
        options = self._options(seed, len(training))
        self._expect_same_network(options, target)
        trainer = self._trainer_for(options, len(training))
        x, weights = _typed(self._encode(rows.x), self.x_dtype), rows.weights
        y = self._encoded_target(rows.y)
        sets = [(x[k], y[k], weights[k]) for k in (training, validation)]
        monitor = options.MONITOR
        stopping = EarlyStopping(
            self.n_iter_no_change, monitor=monitor, higher_is_better=monitor != "val_loss"
        )
        self._fit_data = (sets, options)
        given, named = self._fit_arguments(*sets[0], options)
        self.history_ = trainer.fit(
            *given,
            **named,
            epochs=options.count_epochs(len(training)),
            batch_size=options.batch(len(training)),
            validation=sets[1] if len(validation) else None,
            callbacks=[stopping] if len(validation) else [],
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
        y, weights = rows.y[training], rows.weights[training]
        options = self._options(seed, len(training))
        self._fit_target(y, weights)
        self._fit_inputs(rows, training, options)
        if rated and target.classes is not None:
            mass = np.bincount(y, weights, minlength=len(target.classes))
            target = dataclasses.replace(target, class_counts=mass)
        self._rated = target
        self._spec = self._spec_of(options, target)
        self.network_ = self._new_network(seed)

    def _new_network(self, seed: int) -> Module:
        """The network before its training, at the base rate of its classes if they were counted."""
        with seeded(seed):
            net = build_network(self._spec)
        if len(self._rated.class_counts):
            start_at_base_rate(net, self._spec, self._rated)
        return net

    def _expect_same_network(self, options, target: EncodedTarget):
        if self._spec_of(options, target) != self._spec:
            raise ValueError(
                "warm_start: the network that was trained before has other layers than the "
                "parameters ask for now; set warm_start=False to begin anew"
            )

    def _common_options(self, seed: int, rows: int) -> dict:
        """The options that all kinds of data have."""
        return {
            "dropout": self.dropout,
            "optimizer": self.optimizer,
            "lr": self.lr,
            "schedule": self.schedule,
            "weight_decay": self.weight_decay,
            "batch_size": None if self.batch_size is None else min(self.batch_size, rows),
            "epochs": self.max_iter,
            "validation": self.validation_fraction,
            "patience": self.n_iter_no_change,
            "seed": seed,
        }

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

    def _trainer_for(self, options: TrainingOptions, rows: int, net=None) -> Trainer:
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
        x = _typed(self._encode(rows.x), self.x_dtype)
        given, named = self._fit_arguments(x, self._encoded_target(rows.y), rows.weights, options)
        self.history_ = self._incremental.fit(
            *given,
            **named,
            more=1,
            batch_size=options.batch(len(rows)),
            seed=options.seed,
            progress=bool(self.verbose),
        )
        self.n_iter_ += 1
        self.loss_curve_ = [*self.loss_curve_, self.history_["loss"][-1]]

    # what it is given

    def _checked(self, X, y, sample_weight, *, reset: bool) -> WeightedRows:
        """The rows of a fit, checked."""
        rows, y = self._read(X, y, reset=reset)
        weights = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        return WeightedRows(rows, np.asarray(y), weights).of_weight()

    def _checked_target(self, X, y) -> np.ndarray:
        """y (rows,), for rows that scikit-learn does not check together with it."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target "
                "y is None."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)
        return y

    # what it tells

    def _outputs(self, X) -> np.ndarray:
        """What the network returns for rows, (rows, outputs) float64.

        In float64 a prediction does not depend on the rows that are predicted beside it.
        """
        check_is_fitted(self)
        x = self._encoded(X)
        parts, most = [], _most_rows(math.prod(x.shape[1:]))
        dtype = x.dtype if self.x_dtype == np.int32 else np.float64  # tokens, or numbers
        with no_grad(), float64(), snapshot(self.network_, dtype=jnp.float64):
            for start in range(0, len(x), most):
                block = x[start : start + most]
                rows = min(most, _power_of_two(len(block)))  # few programs
                padded = np.zeros((rows, *x.shape[1:]), dtype)
                padded[: len(block)] = block
                parts.append(self.network_(padded).numpy()[: len(block)])
        return np.concatenate(parts)

    def explain(self, row, y=None) -> Explanation:
        """What the network makes of one row, as arithmetic: see `cutaway.explain`.

        Args:
            row: of a table a dict, a pandas Series, a frame of one row, or an array (features,);
                otherwise a text or a picture.
            y: its true label or value, for the loss and its gradients.
        """
        check_is_fitted(self)
        x = _typed(self._encoded(self._one_row(row)), self.x_dtype)
        target = None if y is None else self._encoded_target(self._known_target([y]))
        loss = None if y is None else loss_of(self._spec)
        return explain(self.network_, x, target, loss=loss, names=self._names(x), symbol="z")

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


def _typed(x: np.ndarray, dtype) -> np.ndarray:
    return x if dtype is None else x.astype(dtype, copy=False)


def _power_of_two(rows: int) -> int:
    return 1 << max(3, (rows - 1).bit_length())


def _most_rows(numbers: int) -> int:
    """Rows of so many numbers that are predicted at once: a power of two."""
    fit = max(1, BLOCK_NUMBERS // max(1, numbers))
    return min(BLOCK_ROWS, 1 << (fit.bit_length() - 1))
