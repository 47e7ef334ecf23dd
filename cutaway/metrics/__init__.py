"""Metrics: measures of how good predictions are.

A metric is a function (prediction, target, weights=None) -> number; classification metrics receive
probabilities. It has `task`, "classification" or "regression", and `higher_is_better`.

What is more than a mean over the rows is collected over a set: `DetectionScores`,
`MaskScores`, `PictureScores` and `DiagonalFrechet` have `collect` and `result`, on the host.
"""

from collections.abc import Callable

from cutaway.leaves import objects_of
from cutaway.metrics.calibration import (
    EnsembleTemperature,
    calibrated_error_range,
    expected_calibration_error,
    fit_temperature,
)
from cutaway.metrics.classification import (
    accuracy,
    balanced_accuracy,
    f1,
    log_loss,
    precision,
    recall,
    roc_auc,
)
from cutaway.metrics.detection import DetectionScores
from cutaway.metrics.mask_scores import MaskScores, mean_dice, mean_iou, pixel_accuracy
from cutaway.metrics.pictures import DiagonalFrechet, PictureScores, structural_similarity
from cutaway.metrics.regions import (
    adapted_rand_error,
    connected_regions,
    variation_of_information,
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
    "DetectionScores",
    "DiagonalFrechet",
    "EnsembleTemperature",
    "MaskScores",
    "PictureScores",
    "accuracy",
    "adapted_rand_error",
    "balanced_accuracy",
    "calibrated_error_range",
    "classification_report",
    "classification_scores",
    "confusion_matrix",
    "connected_regions",
    "expected_calibration_error",
    "f1",
    "fit_temperature",
    "log_loss",
    "mean_absolute_error",
    "mean_dice",
    "mean_iou",
    "pixel_accuracy",
    "precision",
    "r2",
    "recall",
    "regression_scores",
    "residual_summary",
    "roc_auc",
    "root_mean_squared_error",
    "structural_similarity",
    "variation_of_information",
]

# by the names that the command line and config files use: every metric of this folder
METRICS: dict[str, Callable] = {
    found.__name__: found for found in objects_of(__name__, __path__, lambda f: hasattr(f, "task"))
}
globals().update(METRICS)
