"""Scores of predictions for a table, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from cutaway.search.paired import resampled_interval
from cutaway.search.table_scores import calibrated_range, calibration_error, row_losses, scores_of

RNG = np.random.default_rng(0)


def drawn(rows, classes, *, sharpness=1.0):
    """(probabilities, class numbers drawn from them)."""
    logits = 1.5 * RNG.normal(size=(rows, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([RNG.choice(classes, p=row) for row in p])
    p = p**sharpness
    return p / p.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_scikit_learns(classes):
    p, truth = drawn(300, classes)
    found = scores_of("multiclass", truth, p)
    several = {"multi_class": "ovr"} if classes > 2 else {}
    area = metrics.roc_auc_score(truth, p if classes > 2 else p[:, 1], **several)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, p), rel=1e-5)
    assert found["auc"] == pytest.approx(area, rel=1e-5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, p.argmax(axis=1)))
    assert row_losses("multiclass", truth, p).mean() == pytest.approx(metrics.log_loss(truth, p))


def test_scores_of_values_are_scikit_learns():
    truth, found = RNG.normal(size=(2, 50))
    scores = scores_of("regression", truth, found)
    assert scores["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, found))
    assert scores["mae"] == pytest.approx(metrics.mean_absolute_error(truth, found))
    assert np.sqrt(row_losses("regression", truth, found).mean()) == pytest.approx(scores["rmse"])


def test_the_calibration_error_is_the_weighted_gap_of_each_bin():
    # confidences 0.62 and 0.64 share a bin, of which one is right; 0.9 is right: by hand
    p = np.array([[0.62, 0.38], [0.64, 0.36], [0.1, 0.9]])
    assert calibration_error(p, [0, 1, 1]) == pytest.approx((abs(1 - 1.26) + 0.1) / 3)


def test_a_calibrated_predictor_is_in_its_range_and_one_that_is_too_sure_is_not():
    inside = 0
    for _ in range(20):
        p, truth = drawn(200, 3)
        low, high = calibrated_range(p, draws=300)
        inside += low <= calibration_error(p, truth) <= high
    assert inside >= 16  # 19 are expected
    p, truth = drawn(2000, 3, sharpness=2.0)
    assert calibration_error(p, truth) > calibrated_range(p, draws=300)[1]


def test_a_class_without_a_test_row_leaves_the_auc_undefined():
    p, _ = drawn(20, 3)
    assert scores_of("multiclass", RNG.integers(0, 2, 20), p)["auc"] is None


def test_the_interval_over_splits_is_the_corrected_one_of_nadeau_and_bengio():
    # differences 1, 2, 3: s² = 1, so 4.3027 sqrt(1/3 + 1/4), t of two degrees of freedom
    mean, half = resampled_interval([1, 2, 3], test_over_training=0.25)
    assert (mean, half) == (pytest.approx(2), pytest.approx(4.30265 * np.sqrt(7 / 12), rel=1e-5))
