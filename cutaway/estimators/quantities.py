"""What the estimators of numbers share, whatever their rows are."""

import numpy as np
from sklearn.base import RegressorMixin

from cutaway.estimators.base import EncodedTarget, NetworkEstimator
from cutaway.estimators.inputs import weighted_scale


class NumberEstimator(RegressorMixin, NetworkEstimator):
    """Base class: the target standardized for the network, and back."""

    def fit(self, X, y, sample_weight=None):
        """Train on rows and their values.

        Args:
            X: the rows, as the class says.
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
