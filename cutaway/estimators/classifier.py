"""Classifier: a multilayer perceptron on arrays and frames, by scikit-learn's conventions."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from cutaway.estimators.base import EncodedTarget, TableEstimator
from cutaway.estimators.rows import WeightedRows


class Classifier(ClassifierMixin, TableEstimator):
    """A network that predicts classes, as a scikit-learn estimator.

    The columns of an array are standardized. A pandas or polars frame goes through the
    preprocessing of `cutaway train` on a table, and may have texts, categories, dates and missing
    values. With the same random seed the network is the one that `cutaway.train_table` trains.

    Args:
        hidden_layer_sizes: units of each hidden layer, or one integer.
        activation: name of the activation after each.
        dropout: fraction of hidden units dropped in training.
        optimizer: name of the optimizer.
        lr: learning rate; None: the usual one of the optimizer.
        schedule: "cosine" (down to 0 over all epochs) or "constant".
        weight_decay: λ of AdamW.
        batch_size: rows per step; None: by the number of rows.
        max_iter: number of epochs; None: by the number of rows.
        validation_fraction: fraction of the rows that decide which epoch's weights are kept; 0:
            all rows train, and the last weights are kept. 32 rows or fewer all train.
        n_iter_no_change: epochs without a better validation loss after which training stops; None:
            all epochs are run.
        class_weight: {label: weight}, "balanced" so that all classes weigh the same, or None.
        random_state: random seed of weights, split and order of the rows.
        warm_start: whether another `fit` goes on from the weights and the encoding of the last one.
        verbose: whether to show progress.

    Attributes:
        classes_: the sorted labels.
        n_features_in_, feature_names_in_: of the rows; the names only of frames.
        network_: the trained Module.
        history_: the History of the last training; n_iter_ its epochs, loss_curve_ its losses.
        validation_scores_: validation accuracy of each epoch; None if no rows validated.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> y = np.where(x[:, 0] > x[:, 1], "left", "right")
        >>> model = ct.Classifier(max_iter=20, random_state=0).fit(x, y)
        >>> model.predict([[2.0, -2.0], [-2.0, 2.0]]).tolist()
        ['left', 'right']
        >>> model.explain([2.0, -2.0], "left").gradient("0.weight", (0, 0)).count > 0
        True
    """

    task = "classification"
    metric = "accuracy"

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
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_iter=max_iter,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X, y, sample_weight=None):
        """Train on rows and their labels.

        Args:
            X: array (rows, features), or a pandas or polars frame.
            y: (rows,) labels.
            sample_weight: (rows,) weights in the loss; rows of weight 0 are left out.
        """
        goes_on = self.warm_start and hasattr(self, "network_")
        rows = self._checked(X, y, sample_weight, reset=not goes_on)
        check_classification_targets(rows.y)
        labels, codes = np.unique(rows.y, return_inverse=True)
        if len(labels) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of two classes or more, and y holds 1 class: "
                f"{labels.tolist()[0]!r}"
            )
        if goes_on and not np.array_equal(labels, self.classes_):
            raise ValueError(
                f"warm_start: y has the classes {labels.tolist()}, and the network was trained for "
                f"{self.classes_.tolist()}"
            )
        self.classes_ = labels
        weights = rows.weights * self._weights_of_classes(codes, rows.weights)[codes]
        self._train(WeightedRows(rows.x, codes, weights), self._target())
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on these rows, from what earlier calls have learned.

        The first call fits the encoding of the columns; give it rows that are like all others. The
        learning rate is constant, and no rows validate.

        Args:
            X, y, sample_weight: see `fit`.
            classes: all labels that will occur; needed in the first call.
        """
        begins = not hasattr(self, "network_")
        if begins and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs the counts of all rows: give partial_fit a dict'
            )
        rows = self._checked(X, y, sample_weight, reset=begins)
        check_classification_targets(rows.y)
        labels = self.classes_ if classes is None else np.unique(classes)
        if not begins and not np.array_equal(labels, self.classes_):
            raise ValueError(
                f"classes={labels.tolist()}, and the first call said {self.classes_.tolist()}"
            )
        self.classes_ = labels
        codes = self._known_target(rows.y)
        weights = rows.weights * self._weights_of_classes(codes, rows.weights)[codes]
        self._train_further(WeightedRows(rows.x, codes, weights), self._target())
        return self

    def predict(self, X) -> np.ndarray:
        """(rows,) the most probable label of each row."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X) -> np.ndarray:
        """(rows, classes) float64 probabilities; the columns are those of classes_."""
        z = self._outputs(X)
        if z.shape[1] > 1:
            return softmax(z, axis=1)
        return np.concatenate([expit(-z), expit(z)], axis=1)

    def predict_log_proba(self, X) -> np.ndarray:
        """(rows, classes) logarithms of the probabilities."""
        return np.log(self.predict_proba(X))

    def _target(self) -> EncodedTarget:
        labels = self.classes_.tolist()
        return EncodedTarget("binary" if len(labels) == 2 else "multiclass", labels)

    def _class_names(self):
        return [str(label) for label in self.classes_]

    def _weights_of_classes(self, codes, weights) -> np.ndarray:
        """(classes,) what class_weight says; balanced by the rows as sample_weight counts them."""
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        if self.class_weight == "balanced":
            mass = np.bincount(codes, weights, minlength=len(self.classes_))
            return mass.sum() / (len(mass) * mass)
        return compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[codes]
        )

    def _encoded_target(self, y):
        return y.astype(np.int32)

    def _known_target(self, y):
        y = np.asarray(y)
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[codes] != y
        if unknown.any():
            raise ValueError(
                f"y holds {y[unknown].tolist()[0]!r}, which is none of the classes "
                f"{self.classes_.tolist()}"
            )
        return codes
