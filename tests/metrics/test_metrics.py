"""Metrics against scikit-learn, on drawn data with ties, absent classes and weights."""

import jax
import numpy as np
import pytest
from sklearn import metrics as sk

from cutaway import metrics

SEEDS = range(6)


def drawn(seed, classes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), 30).round(1)  # rounded: ties
    p[:, 0] += 0.03  # one decision for each row
    return p, rng.integers(0, classes, 30), rng.integers(0, 3, 30).astype(float)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_metrics_equal_scikit_learn(seed, weighted):
    p2, y, w = drawn(seed, 2)
    p = p2[:, 1]
    weights = w if weighted else None
    guess = (p >= 0.5).astype(int)
    common = {"sample_weight": weights}
    expected = {
        "accuracy": sk.accuracy_score(y, guess, **common),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess, **common),
        "precision": sk.precision_score(y, guess, zero_division=0, **common),
        "recall": sk.recall_score(y, guess, zero_division=0, **common),
        "f1": sk.f1_score(y, guess, zero_division=0, **common),
        "roc_auc": sk.roc_auc_score(y, p, **common),
        "log_loss": sk.log_loss(y, np.clip(p, 1e-7, 1 - 1e-7), **common),
    }
    for name, value in expected.items():
        for prediction in (p, p[:, None]):
            ours = metrics.METRICS[name](prediction, y, weights)
            np.testing.assert_allclose(float(ours), value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_of_several_classes_equal_scikit_learn(seed):
    p, y, w = drawn(seed, 4)
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)  # ties stay ties in both
    guess = p.argmax(axis=1)
    macro = {"average": "macro", "zero_division": 0, "sample_weight": w}
    expected = {
        "accuracy": sk.accuracy_score(y, guess, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess, sample_weight=w),
        "precision": sk.precision_score(y, guess, **macro),
        "recall": sk.recall_score(y, guess, **macro),
        "f1": sk.f1_score(y, guess, **macro),
    }
    for name, value in expected.items():
        ours = metrics.METRICS[name](p, y, w)
        np.testing.assert_allclose(float(ours), value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        float(metrics.roc_auc(p, y)),
        np.mean([sk.roc_auc_score(y == k, p[:, k]) for k in range(4)]),
        rtol=1e-5,
    )
    clipped = np.maximum(p, 1e-7)
    np.testing.assert_allclose(
        float(metrics.log_loss(p, y)), -np.log(clipped[np.arange(30), y]).mean(), rtol=1e-5
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_numbers_equal_scikit_learn(seed, weighted):
    rng = np.random.default_rng(seed)
    p, y, w = rng.normal(size=30), rng.normal(size=30), rng.integers(0, 3, 30).astype(float)
    weights = w if weighted else None
    common = {"sample_weight": weights}
    expected = {
        "mean_absolute_error": sk.mean_absolute_error(y, p, **common),
        "root_mean_squared_error": sk.root_mean_squared_error(y, p, **common),
        "r2": sk.r2_score(y, p, **common),
    }
    for name, value in expected.items():
        ours = metrics.METRICS[name](p[:, None], y, weights)
        np.testing.assert_allclose(float(ours), value, rtol=1e-4, err_msg=name)


def test_a_class_that_never_occurs_is_left_out_of_means_as_in_scikit_learn():
    p = np.eye(4)[[0, 1, 1, 0, 2]]
    y = np.array([0, 1, 0, 0, 1])
    macro = {"average": "macro", "zero_division": 0}
    guess = p.argmax(axis=1)
    assert float(metrics.f1(p, y)) == pytest.approx(sk.f1_score(y, guess, **macro))
    assert float(metrics.precision(p, y)) == pytest.approx(sk.precision_score(y, guess, **macro))


def test_one_class_alone_has_no_roc():
    assert np.isnan(float(metrics.roc_auc(np.array([0.2, 0.8]), np.array([1, 1]))))
    scores = metrics.classification_scores([1, 1], np.array([[0.8, 0.2], [0.2, 0.8]]))
    assert scores["roc_auc"] is None and scores["accuracy"] == 0.5


def test_one_hot_targets_count_as_their_class():
    p, y, _ = drawn(0, 3)
    for name in ("accuracy", "f1", "roc_auc", "log_loss"):
        metric = metrics.METRICS[name]
        assert float(metric(p, np.eye(3)[y])) == pytest.approx(float(metric(p, y)))


@pytest.mark.parametrize("name", metrics.METRICS)
def test_metrics_can_be_compiled(name):
    p, y, w = drawn(1, 2)
    metric = metrics.METRICS[name]
    compiled = jax.jit(metric)(p[:, 1], y, w)
    np.testing.assert_allclose(float(compiled), float(metric(p[:, 1], y, w)), rtol=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_final_scores_equal_scikit_learn(seed, classes):
    p, y, _ = drawn(seed, classes)
    p = p / p.sum(axis=1, keepdims=True)
    guess = p.argmax(axis=1)
    average = {"average": "binary" if classes == 2 else "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess),
        "precision": sk.precision_score(y, guess, **average),
        "recall": sk.recall_score(y, guess, **average),
        "f1": sk.f1_score(y, guess, **average),
        "roc_auc": sk.roc_auc_score(y, p[:, 1])
        if classes == 2
        else sk.roc_auc_score(y, p, multi_class="ovr"),
    }
    ours = metrics.classification_scores(y, p)
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value), name
    np.testing.assert_array_equal(
        metrics.confusion_matrix(y, guess, classes),
        sk.confusion_matrix(y, guess, labels=range(classes)),
    )


def test_final_scores_of_numbers_equal_scikit_learn():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=40), rng.normal(size=40)
    ours = metrics.regression_scores(y, p)
    assert ours["mean_absolute_error"] == pytest.approx(sk.mean_absolute_error(y, p))
    assert ours["root_mean_squared_error"] == pytest.approx(sk.root_mean_squared_error(y, p))
    assert ours["r2"] == pytest.approx(sk.r2_score(y, p))
    assert metrics.regression_scores([1, 1], [0, 2])["r2"] is None
