"""Metrics: measures of how good predictions are.

A metric is a function (prediction, target, weights=None) -> number; classification metrics receive
probabilities. It has `task`, "classification" or "regression", and `higher_is_better`.
"""

from collections.abc import Callable

from cutaway.leaves import objects_of
from cutaway.metrics.classification import (
    accuracy,
    balanced_accuracy,
    f1,
    log_loss,
    precision,
    recall,
    roc_auc,
)
from cutaway.metrics.regression import mean_absolute_error, r2, root_mean_squared_error
from cutaway.metrics.report import (
    classification_report,
    classification_scores,
    confusion_matrix,
    regression_scores,
    residual_summary,
)

__all__ = [
    "METRICS",
    "accuracy",
    "balanced_accuracy",
    "classification_report",
    "classification_scores",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mean_absolute_error",
    "precision",
    "r2",
    "recall",
    "regression_scores",
    "residual_summary",
    "roc_auc",
    "root_mean_squared_error",
]

# by the names that the command line and config files use: every metric of this folder
METRICS: dict[str, Callable] = {
    found.__name__: found for found in objects_of(__name__, __path__, lambda f: hasattr(f, "task"))
}
globals().update(METRICS)
