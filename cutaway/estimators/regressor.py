"""Regressor: a multilayer perceptron on arrays and frames, by scikit-learn's conventions."""

from cutaway.estimators.quantities import NumberEstimator
from cutaway.estimators.table import TableEstimator


class Regressor(NumberEstimator, TableEstimator):
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
