"""Metrics against scikit-learn, on drawn data with ties, absent classes and weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

from cutaway import metrics
from cutaway.errors import ShapeError

SEEDS = range(4)


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
    guess = (p > 0.5).astype(int)
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


@pytest.mark.parametrize("seed", range(4))
def test_batches_of_one_class_and_rows_that_do_not_count_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    p, w = rng.uniform(size=12), np.r_[np.ones(8), np.zeros(4)]
    p[:2] = 0.9
    for y in (np.zeros(12, int), np.ones(12, int)):
        y[8:] = rng.integers(0, 2, 4)  # padding: whatever stands there
        guess = (p[:8] > 0.5).astype(int)
        kept = {"zero_division": 0}
        expected = {
            "accuracy": sk.accuracy_score(y[:8], guess),
            "balanced_accuracy": sk.recall_score(y[:8], guess, pos_label=int(y[0])),
            "precision": sk.precision_score(y[:8], guess, **kept),
            "recall": sk.recall_score(y[:8], guess, **kept),
            "f1": sk.f1_score(y[:8], guess, **kept),
            "log_loss": sk.log_loss(y[:8], p[:8], labels=[0, 1]),
        }
        for name, value in expected.items():
            ours = float(metrics.METRICS[name](p, y, w))
            assert ours == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_several_outputs_are_means_over_the_outputs(weighted):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(30, 3)) * [1, 10, 0.1] + [0, 50, 3]
    p = y + rng.normal(size=(30, 3))
    w = rng.integers(0, 3, 30).astype(float) if weighted else None
    for name, theirs in (
        ("mean_absolute_error", sk.mean_absolute_error),
        ("root_mean_squared_error", sk.root_mean_squared_error),
        ("r2", sk.r2_score),
    ):
        ours = float(metrics.METRICS[name](p, y, w))
        assert ours == pytest.approx(theirs(y, p, sample_weight=w), rel=1e-4), name


def test_r2_of_a_constant_target_is_as_in_scikit_learn():
    y = np.full(4, 2.0)
    for p in (y, y + 1):
        assert float(metrics.r2(p, y)) == sk.r2_score(y, p)


def test_a_half_is_decided_like_a_tie_of_two_classes():
    # as in final reports, which take the first of the largest
    for p in (np.array([0.5]), np.array([[0.5]]), np.array([[0.5, 0.5]])):
        assert float(metrics.accuracy(p, np.array([0]))) == 1


def test_scores_that_are_not_numbers_are_not_praised():
    assert np.isnan(float(metrics.roc_auc(np.array([0.1, np.nan, 0.3]), np.array([0, 1, 1]))))
    for name in ("mean_absolute_error", "root_mean_squared_error", "r2"):
        metric = metrics.METRICS[name]
        assert np.isnan(float(metric(np.array([np.nan, 1.0]), np.array([1.0, 1.0])))), name
        assert np.isnan(float(metric(np.ones(2), np.ones(2), np.zeros(2)))), name


def test_sums_over_many_rows_are_not_made_in_bfloat16():
    p = jnp.concatenate([jnp.ones(3000), jnp.zeros(1000)]).astype(jnp.bfloat16)
    assert float(metrics.accuracy(p, np.ones(4000, int))) == 0.75
    assert float(metrics.mean_absolute_error(p, np.ones(4000))) == pytest.approx(0.25)


def test_every_metric_says_its_task_and_which_end_is_good():
    truth = {
        "regression": np.array([1.0, 3.0, -2.0, 5.0]),
        "classification": np.array([0, 1, 1, 0]),
    }
    for name, metric in metrics.METRICS.items():
        y = truth[metric.task]
        perfect = y.astype(float) if metric.task == "regression" else np.where(y, 0.99, 0.01)
        wrong = -perfect if metric.task == "regression" else 1 - perfect
        good, bad = float(metric(perfect, y)), float(metric(wrong, y))
        assert (good > bad) == metric.higher_is_better, name
    for name in ("mean_absolute_error", "root_mean_squared_error", "r2"):
        assert metrics.METRICS[name].task == "regression"


@pytest.mark.parametrize("name", metrics.METRICS)
def test_rows_that_do_not_fit_are_named_and_never_stretched(name):
    metric = metrics.METRICS[name]
    for target in (np.ones(1), np.ones(3), np.ones((4, 4))):
        with pytest.raises(ShapeError, match=r"predictions of shape \(4,\) and targets of"):
            metric(np.full(4, 0.5), target)
    with pytest.raises(ShapeError, match=r"weights of a metric have shape \(3,\)"):
        metric(np.full(4, 0.5), np.ones(4), np.ones(3))
