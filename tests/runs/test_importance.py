"""Permutation importance: values by hand and by scikit-learn, and what a section says of them."""

from typing import Any

import numpy as np
import pytest
from sklearn.inspection import permutation_importance as of_sklearn
from sklearn.linear_model import LinearRegression

from cutaway.runs.importance import importance_reasons, permutation_importance


def squared(truth):
    return lambda out: float(((out - truth) ** 2).mean())


def test_a_column_that_is_not_used_has_an_importance_of_exactly_0():
    x = np.random.default_rng(0).normal(size=(50, 2))
    found = permutation_importance(
        lambda x: x[:, 1] ** 2, squared(x[:, 1] ** 2), x, [("a", (0,)), ("b", (1,))]
    )
    assert [one.name for one in found] == ["b", "a"]
    assert (found[1].mean, found[1].std) == (0.0, 0.0) and found[0].mean > 0


def test_of_a_linear_function_it_is_twice_the_squared_weight_times_the_variance():
    # E (w x' - w x)^2 = 2 w^2 var(x), for a shuffled x'; Fisher et al. 2019
    x = np.random.default_rng(0).normal(size=(4000, 2)) * [1.0, 3.0]
    weights = np.array([2.0, -0.5])
    parts = [("a", (0,)), ("b", (1,))]
    found = permutation_importance(lambda x: x @ weights, squared(x @ weights), x, parts)
    means = {one.name: one.mean for one in found}
    assert means["a"] == pytest.approx(2 * 4 * x[:, 0].var(), rel=0.05)
    assert means["b"] == pytest.approx(2 * 0.25 * x[:, 1].var(), rel=0.05)


def test_it_is_scikit_learns():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3))
    y = x @ [3.0, 1.0, 0.0] + rng.normal(size=300)
    model = LinearRegression().fit(x, y)
    theirs: Any = of_sklearn(
        model, x, y, scoring="neg_mean_squared_error", n_repeats=200, random_state=0
    )
    parts = [(str(k), (k,)) for k in range(3)]
    found = {
        one.name: one
        for one in permutation_importance(model.predict, squared(y), x, parts, repeats=200)
    }
    for k in range(3):
        own, spread = found[str(k)], theirs.importances_std[k]
        error = 3 * spread * np.sqrt(2 / 200)
        assert own.mean == pytest.approx(theirs.importances_mean[k], abs=error)
        assert own.std == pytest.approx(spread, rel=0.25)


def test_the_features_of_a_column_are_shuffled_together():
    # one-hot: the two features always say the opposite, shuffled together they still do
    level = np.random.default_rng(0).integers(0, 2, 40)
    x = np.eye(2)[level]
    seen = []

    def predict(x):
        seen.append(x)
        return x[:, 0]

    permutation_importance(predict, squared(x[:, 0]), x, [("c", ([0, 1],))])
    assert all((rows.sum(axis=1) == 1).all() for rows in seen)


def test_a_channel_is_shuffled_over_the_windows_and_not_over_time():
    x = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    seen = []

    def predict(x):
        seen.append(x.copy())
        return x[:, 0, 0]

    permutation_importance(
        predict, squared(x[:, 0, 0]), x, [("second", (slice(None), 1))], repeats=2
    )
    shuffled = seen[1].reshape(2, 3, 4, 2)
    for one in shuffled:
        np.testing.assert_array_equal(one[..., 0], x[..., 0])
        order = [int(np.flatnonzero((x[..., 1] == row).all(axis=1))[0]) for row in one[..., 1]]
        assert sorted(order) == [0, 1, 2]


def section(predict, x, truth, classes=None):
    parts = [("dose", (0,)), ("<age>", (1,))]
    found = importance_reasons(
        lambda rows: predict, x, truth, parts, classes, examples="rows", target="y"
    )
    return found.sections[0][1], found.columns


def test_the_section_names_the_column_that_matters_and_the_error_it_costs():
    x = np.random.default_rng(0).normal(size=(60, 2))
    html, columns = section(lambda x: x[:, 0], x, x[:, 0])
    assert columns == ["dose", "<age>"] and "<b>dose</b> matters most" in html
    assert "&lt;age&gt;" in html and "0 ± 0" in html and "mean absolute error of y, 0 as" in html


def test_the_section_says_so_if_no_column_matters():
    x = np.random.default_rng(0).normal(size=(60, 2))
    html, _ = section(lambda x: np.full((len(x), 2), 0.5), x, np.zeros(60, int), ["a", "b"])
    assert "None of them changes the error by more than chance" in html
    assert "log loss of y, 0.6931" in html  # ln 2


def test_there_is_nothing_to_compare_with_one_column():
    found = importance_reasons(
        lambda x: x[:, 0], np.ones((9, 1)), np.ones(9), [("a", (0,))], None,
        examples="rows", target="y",
    )  # fmt: skip
    assert found.sections == []
