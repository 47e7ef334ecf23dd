"""Regressor: a multilayer perceptron on arrays and frames, by scikit-learn's conventions."""

import numpy as np
from sklearn.base import RegressorMixin

from cutaway.estimators.base import EncodedTarget, TableEstimator
from cutaway.estimators.inputs import weighted_scale


class Regressor(RegressorMixin, TableEstimator):
    """A network that predicts a number, as a scikit-learn estimator.

    Columns of arrays and the target are standardized; frames go through the preprocessing of
    `cutaway train`, see Classifier. The loss is the mean squared error.

    Args:
        others: see Classifier, without class_weight.

    Attributes:
        validation_scores_: validation R² of each epoch; None if no rows validated.
        others: see Classifier, without classes_.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> model = ct.Regressor(random_state=0).fit(x, 100 * x[:, 0] + 7)
        >>> bool(model.score(x, 100 * x[:, 0] + 7) > 0.95)
        True
    """

    def fit(self, X, y, sample_weight=None):
        """Train on rows and their values.

        Args:
            X: array (rows, features), or a pandas or polars frame.
            y: (rows,) numbers.
            sample_weight: (rows,) weights in the loss; rows of weight 0 are left out.
        """
        goes_on = self.warm_start and hasattr(self, "network_")
        rows = self._checked(X, y, sample_weight, reset=not goes_on)
        self._train(rows, EncodedTarget("regression", None))
        return self

    def partial_fit(self, X, y, sample_weight=None):
        """Train one epoch on these rows, from what earlier calls have learned.

        The first call fits the scale of the target and the encoding of the columns; give it rows
        that are like all others. The learning rate is constant, and no rows validate.

        Args:
            X, y, sample_weight: see `fit`.
        """
        rows = self._checked(X, y, sample_weight, reset=not hasattr(self, "network_"))
        self._train_further(rows, EncodedTarget("regression", None))
        return self

    def predict(self, X) -> np.ndarray:
        """(rows,) float64 values."""
        outputs = self._outputs(X)[:, 0]
        mean, scale = self._scale
        return outputs * scale + mean

    def _fit_target(self, y, weights):
        self._scale = weighted_scale(y.astype(np.float64), weights)

    def _encoded_target(self, y):
        mean, scale = self._scale
        return ((y - mean) / scale).astype(np.float32)

    def _known_target(self, y):
        return np.asarray(y, dtype=np.float64)
