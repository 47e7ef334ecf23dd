"""What the estimators of classes share, whatever their rows are."""

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from cutaway.estimators.base import EncodedTarget, NetworkEstimator
from cutaway.estimators.rows import WeightedRows


class ClassEstimator(ClassifierMixin, NetworkEstimator):
    """Base class: labels as class numbers, weights of classes, probabilities."""

    task = "classification"
    metric = "accuracy"
    has_binary = True  # whether a network for two classes has one output

    class_weight: Any

    def fit(self, X, y, sample_weight=None):
        """Train on rows and their labels.

        Args:
            X: the rows, as the class says.
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
        is_binary = self.has_binary and len(labels) == 2
        return EncodedTarget("binary" if is_binary else "multiclass", labels)

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
