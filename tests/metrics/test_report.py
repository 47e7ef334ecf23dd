"""Final reports against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from cutaway import metrics
from cutaway.errors import DataError, ShapeError

SEEDS = range(6)


def drawn(seed, classes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), 30).round(1)  # rounded: ties
    p[:, 0] += 0.03  # one decision for each row
    return p, rng.integers(0, classes, 30)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_final_scores_equal_scikit_learn(seed, classes):
    p, y = drawn(seed, classes)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_table_of_classes_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    names = ["ash", "birch", "cedar", "doum"]
    # "doum" is never true, "cedar" never predicted
    y, guess = rng.integers(0, 3, 25), rng.choice([0, 1, 3], 25)
    expected = sk.classification_report(
        y, guess, labels=range(4), target_names=names, output_dict=True, zero_division=0
    )
    rows = metrics.classification_report(y, guess, names)
    assert [row["class"] for row in rows] == names
    for row in rows:
        theirs = expected[row["class"]]
        assert row["support"] == theirs["support"]
        for ours, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert row[ours] == pytest.approx(theirs[name])


def test_the_summary_of_residuals_equals_numpy_and_names_the_furthest_row():
    rng = np.random.default_rng(0)
    y = rng.normal(size=21)
    p = y + rng.normal(size=21)
    p[7] = y[7] - 30
    ours = metrics.residual_summary(y, p)
    assert ours["mean"] == pytest.approx(np.mean(p - y))
    assert ours["standard_deviation"] == pytest.approx(np.std(p - y))
    assert ours["upper_quartile"] == pytest.approx(np.percentile(p - y, 75))
    assert ours["minimum"] == pytest.approx(-30) and ours["furthest_row"] == 7


def test_class_numbers_that_do_not_fit_never_land_in_another_cell():
    with pytest.raises(DataError, match="the predicted class -1 in row 1"):
        metrics.confusion_matrix([1, 1], [0, -1], 3)
    with pytest.raises(DataError, match="the true class 3 in row 0"):
        metrics.confusion_matrix([3, 1], [0, 1], 3)
    with pytest.raises(ShapeError, match=r"targets of shape \(2,\) and predictions of shape"):
        metrics.confusion_matrix([0, 1], [[0.5, 0.5], [0.1, 0.9]], 2)
    with pytest.raises(ShapeError, match="there are no rows"):
        metrics.residual_summary([], [])
