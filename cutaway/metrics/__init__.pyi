# Written by scripts/write_stubs.py: do not edit.
from collections.abc import Callable

from cutaway.metrics.calibration import EnsembleTemperature as EnsembleTemperature
from cutaway.metrics.calibration import calibrated_error_range as calibrated_error_range
from cutaway.metrics.calibration import expected_calibration_error as expected_calibration_error
from cutaway.metrics.calibration import fit_temperature as fit_temperature
from cutaway.metrics.classification import accuracy as accuracy
from cutaway.metrics.classification import balanced_accuracy as balanced_accuracy
from cutaway.metrics.classification import f1 as f1
from cutaway.metrics.classification import log_loss as log_loss
from cutaway.metrics.classification import precision as precision
from cutaway.metrics.classification import recall as recall
from cutaway.metrics.classification import roc_auc as roc_auc
from cutaway.metrics.detection import DetectionScores as DetectionScores
from cutaway.metrics.mask_scores import MaskScores as MaskScores
from cutaway.metrics.mask_scores import mean_dice as mean_dice
from cutaway.metrics.mask_scores import mean_iou as mean_iou
from cutaway.metrics.mask_scores import pixel_accuracy as pixel_accuracy
from cutaway.metrics.pictures import DiagonalFrechet as DiagonalFrechet
from cutaway.metrics.pictures import PictureScores as PictureScores
from cutaway.metrics.pictures import structural_similarity as structural_similarity
from cutaway.metrics.regions import adapted_rand_error as adapted_rand_error
from cutaway.metrics.regions import connected_regions as connected_regions
from cutaway.metrics.regions import variation_of_information as variation_of_information
from cutaway.metrics.regression import mean_absolute_error as mean_absolute_error
from cutaway.metrics.regression import r2 as r2
from cutaway.metrics.regression import root_mean_squared_error as root_mean_squared_error
from cutaway.metrics.report import classification_report as classification_report
from cutaway.metrics.report import classification_scores as classification_scores
from cutaway.metrics.report import confusion_matrix as confusion_matrix
from cutaway.metrics.report import regression_scores as regression_scores
from cutaway.metrics.report import residual_summary as residual_summary

METRICS: dict[str, Callable]

__all__ = [
    "DetectionScores",
    "DiagonalFrechet",
    "EnsembleTemperature",
    "METRICS",
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
