"""Scores of predictions for a table, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from cutaway.search.paired import resampled_interval
from cutaway.search.table_scores import row_losses, scores_of

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


def test_a_class_without_a_test_row_leaves_the_auc_undefined():
    p, _ = drawn(20, 3)
    assert scores_of("multiclass", RNG.integers(0, 2, 20), p)["auc"] is None


def test_the_interval_over_splits_is_the_corrected_one_of_nadeau_and_bengio():
    # differences 1, 2, 3: s² = 1, so 4.3027 sqrt(1/3 + 1/4), t of two degrees of freedom
    mean, half = resampled_interval([1, 2, 3], test_over_training=0.25)
    assert (mean, half) == (pytest.approx(2), pytest.approx(4.30265 * np.sqrt(7 / 12), rel=1e-5))
