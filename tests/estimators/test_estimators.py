"""Classifier and Regressor keep scikit-learn's conventions, and are Cutaway's networks."""

import concurrent.futures
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import cutaway as ct
from cutaway.data import students_path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3))
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
VALUES = 1000 + 50 * X[:, 0]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}


def same_weights(one, other) -> bool:
    one, other = one.network_.state_dict(), other.network_.state_dict()
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ct.Classifier, ct.Regressor])
def test_every_check_of_scikit_learn_passes(kind):
    results = check_estimator(kind(), on_skip=None)
    assert len(results) > 50
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= {
        "check_array_api_input"  # skipped where SCIPY_ARRAY_API is not set
    }


def test_of_a_frame_the_network_is_the_one_that_train_table_trains(tmp_path):
    frame = pl.read_csv(students_path())
    options = ct.TableOptions(epochs=10, seed=3, recipe="plain")
    run = ct.train_table(frame, "passed", options=options, out=tmp_path / "run")
    model = ct.Classifier(max_iter=10, random_state=3)
    model.fit(frame.drop("passed"), frame["passed"])
    trained = run.net.state_dict()
    assert all(np.array_equal(v, trained[k]) for k, v in model.network_.state_dict().items())
    best = model.validation_scores_[run.metrics["best_epoch"] - 1]
    assert run.metrics["validation"]["accuracy"] == pytest.approx(best)
    predicted, _ = run.predict(frame)
    assert model.predict(frame.drop("passed")).tolist() == predicted["prediction"].to_list()


def raw_frame(rows=120) -> tuple[pd.DataFrame, np.ndarray]:
    """Categories, dates and missing values; the city and the month decide."""
    rng = np.random.default_rng(1)
    city = rng.choice(["Köln", "Bonn", "Aachen"], rows)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 360, rows), "D")
    age = rng.normal(40, 10, rows)
    y = np.where((city == "Bonn") ^ (day.month > 6), "late", "early")
    age[::7] = np.nan
    city = np.where(np.arange(rows) % 11, city, None)
    return pd.DataFrame({"city": city, "day": day, "age": age}), y


def test_a_raw_frame_is_fitted_by_its_categories_dates_and_missing_values():
    frame, y = raw_frame()
    model = ct.Classifier(max_iter=60, random_state=0).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["city", "day", "age"]
    assert model.score(frame, y) > 0.85 > 0.6 > max(np.mean(y == "late"), np.mean(y == "early"))
    in_polars = ct.Classifier(max_iter=60, random_state=0).fit(pl.from_pandas(frame), y)
    assert same_weights(model, in_polars)
    unseen = frame[:1].assign(city="Paris", age=None)
    assert model.predict_proba(unseen).sum() == pytest.approx(1)
    as_array = frame[:5].to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="valid feature names"):
        found = model.predict_proba(as_array)
    np.testing.assert_array_equal(found, model.predict_proba(frame[:5]))


def test_fits_in_threads_give_the_bits_of_fits_one_after_the_other():
    def fitted(seed):
        return ct.Classifier(**{**SMALL, "random_state": seed}).fit(X, Y)

    alone = [fitted(seed) for seed in (0, 1, 0, 1)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fitted, (0, 1, 0, 1)))
    assert all(map(same_weights, alone, together))
    assert same_weights(alone[0], alone[2]) and not same_weights(alone[0], alone[1])


@pytest.mark.slow  # processes that import everything
def test_cross_validation_in_threads_and_in_processes_gives_equal_scores():
    import joblib

    model = ct.Regressor(**SMALL)
    scores = [cross_val_score(model, X, VALUES, cv=3)]
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            scores.append(cross_val_score(model, X, VALUES, cv=3))
    assert scores[0].tolist() == scores[1].tolist() == scores[2].tolist()


def test_a_grid_in_a_pipeline_is_searched_in_threads():
    import joblib

    pipeline = make_pipeline(StandardScaler(), ct.Classifier(**SMALL, lr=0.02))
    grid = {"classifier__hidden_layer_sizes": [2, (8,)]}
    with joblib.parallel_config(backend="threading", n_jobs=2):
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_score_ > 0.6
    assert search.best_estimator_[-1].classes_.tolist() == ["no", "yes"]


def test_rows_that_are_there_twice_are_rows_of_weight_two():
    x, y = X[:20], Y[:20]
    weights = RNG.integers(0, 4, 20)
    repeated = ct.Classifier(**SMALL).fit(x.repeat(weights, axis=0), y.repeat(weights))
    weighted = ct.Classifier(**SMALL).fit(x[::-1], y[::-1], sample_weight=weights[::-1])
    assert same_weights(repeated, weighted)


def test_weights_of_classes_are_weights_of_their_rows():
    by_class = ct.Classifier(**SMALL, class_weight={"yes": 3}).fit(X, Y)
    by_row = ct.Classifier(**SMALL).fit(X, Y, sample_weight=np.where(Y == "yes", 3, 1))
    assert same_weights(by_class, by_row)
    counts = {name: np.sum(name == Y) for name in ("no", "yes")}
    balanced = ct.Classifier(**SMALL, class_weight="balanced").fit(X, Y)
    stated = {name: len(Y) / (2 * count) for name, count in counts.items()}
    assert same_weights(balanced, ct.Classifier(**SMALL, class_weight=stated).fit(X, Y))


def test_a_prediction_is_float64_and_does_not_depend_on_the_rows_beside_it():
    model = ct.Regressor(**SMALL).fit(X, VALUES)
    together = model.predict(X)
    assert together.dtype == np.float64
    alone = np.concatenate([model.predict(X[k : k + 1]) for k in range(6)])
    np.testing.assert_allclose(alone, together[:6], rtol=1e-13)
    assert ct.Classifier(**SMALL).fit(X, Y).predict_proba(X).dtype == np.float64


def test_a_training_begins_at_the_base_rate_of_a_rare_class():
    y = np.where(np.arange(96) % 24 == 0, "rare", "usual")
    model = ct.Classifier(**{**SMALL, "max_iter": 1}, lr=1e-9).fit(X[:, :2], y)
    assert model.predict_proba(X[:, :2]).mean(axis=0)[0] < 0.15
    weighted = ct.Classifier(**{**SMALL, "max_iter": 1}, lr=1e-9, class_weight="balanced")
    assert weighted.fit(X[:, :2], y).predict_proba(X[:, :2]).mean(axis=0)[0] > 0.35


def test_a_pickle_predicts_the_same_and_holds_no_rows():
    model = ct.Classifier(**SMALL).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    many = ct.Classifier(**SMALL).fit(
        np.tile(X, (100, 1)) + RNG.normal(size=(9600, 3)), np.tile(Y, 100)
    )
    assert len(pickle.dumps(many)) < 20_000
    many.partial_fit(RNG.normal(size=(9600, 3)), np.tile(Y, 100))
    assert len(pickle.dumps(many)) < 20_000
    with pytest.raises(ValueError, match="call fit first"):
        again.diagnose()


def test_partial_fit_goes_on_where_it_was_also_after_a_pickle():
    model = ct.Classifier(hidden_layer_sizes=(16,), lr=0.02, random_state=0)
    for _ in range(3):
        model.partial_fit(X, Y, classes=["yes", "no"])
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        for _ in range(10):
            one.partial_fit(X, Y)
    assert same_weights(model, again)
    assert model.n_iter_ == len(model.loss_curve_) == 13
    assert model.loss_curve_[-1] < 0.6 * model.loss_curve_[0] and model.score(X, Y) > 0.85
    with pytest.raises(ValueError, match="'maybe', which is none of the classes"):
        model.partial_fit(X[:1], ["maybe"])


def test_a_warm_start_goes_on_from_the_weights_it_has():
    model = ct.Regressor(**SMALL, warm_start=True, dropout=0, lr=0.02).fit(X, VALUES)
    before = model.loss_curve_
    model.fit(X, VALUES)
    assert model.loss_curve_[0] < before[0] / 2
    with pytest.raises(ValueError, match="other layers"):
        model.set_params(hidden_layer_sizes=(4,)).fit(X, VALUES)


def test_an_explanation_is_that_of_the_network_for_the_row():
    frame, y = raw_frame(60)
    model = ct.Classifier(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(frame, y)
    why = model.explain(frame.iloc[3], y[3])
    x = model._inputs.encode(pl.from_pandas(frame[3:4]))
    loss = ct.losses.binary_cross_entropy_with_logits
    code = np.array([model.classes_.tolist().index(y[3])])
    path = "0.weight"
    expected = ct.explain(model.network_, x, code, loss=loss).gradient(path, (0, 0))
    assert why.gradient(path, (0, 0)).value == expected.value
    assert np.exp(-why.loss) == pytest.approx(model.predict_proba(frame[3:4])[0, code[0]], rel=1e-5)
    assert "age" in str(why.forward("0", 0))
    with pytest.raises(ValueError, match="one row, and got 2"):
        model.explain(frame[:2])


def test_parameters_that_no_training_can_have_are_called_by_their_names():
    for name, value in (("max_iter", 0), ("n_iter_no_change", 0.5), ("validation_fraction", 1)):
        with pytest.raises(ValueError, match=name):
            ct.Classifier(**{**SMALL, name: value}).fit(X, Y)


@pytest.mark.slow
def test_a_diagnosis_finds_a_rate_that_is_too_low():
    model = ct.Classifier(**{**SMALL, "max_iter": 5}, batch_size=4, lr=1e-5).fit(X, Y)
    assert [finding.code for finding in model.diagnose().findings] == ["learning_rate_too_low"]


def test_a_notebook_shows_the_parameters_and_the_trained_network():
    model = ct.Classifier(**SMALL)
    fresh = model._repr_html_()
    assert "hidden_layer_sizes" in fresh and "Linear" not in fresh
    shown = model.fit(X, Y)._repr_html_()
    assert "hidden_layer_sizes" in shown and "Linear" in shown
    assert model._repr_mimebundle_()["text/html"].endswith(model.history_._repr_html_())
