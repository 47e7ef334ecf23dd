"""Estimators of texts keep scikit-learn's conventions, and train as `cutaway train` does."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import cutaway as ct
from cutaway.runs import prepare

RNG = np.random.default_rng(0)
NOUNS = ["film", "book", "play", "song", "meal"]
WORDS = {"good": ["fine", "great", "lovely"], "poor": ["bad", "dull", "weak"]}
Y = RNG.permutation(["good", "poor"] * 30)
TEXTS = [
    f"what a {RNG.choice(WORDS[y])} {RNG.choice(NOUNS)} that {RNG.choice(NOUNS)} was" for y in Y
]
VALUES = np.where(Y == "good", 5.0, 1.0) + np.arange(60) % 3
SMALL = {"max_iter": 8, "random_state": 0}


def same_weights(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def trained(model, tmp_path, target, **options):
    """The weights and the run that `cutaway train` makes of the same table."""
    frame = pl.DataFrame({"text": TEXTS, "target": target})
    given = {"model": model, "epochs": 8, "seed": 0, "text": "text", **options}
    run = prepare(frame, "target", kind="text", **given).train(tmp_path / "run", progress=False)
    return run.net.state_dict(), run


@pytest.fixture(scope="module")
def fitted():
    return ct.TextClassifier(**SMALL).fit(TEXTS, Y)


def test_of_texts_the_network_is_the_one_that_a_training_of_the_table_makes(fitted, tmp_path):
    weights, run = trained("bag", tmp_path, Y)
    assert same_weights(weights, fitted.network_.state_dict())
    predicted, _ = run.predict(pl.DataFrame({"text": TEXTS}))
    assert fitted.predict(TEXTS).tolist() == predicted["prediction"].to_list()
    assert fitted.score(TEXTS, Y) > 0.9 and fitted.classes_.tolist() == ["good", "poor"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_so_are_the_numbers_that_other_networks_predict(model, tmp_path):
    weights, run = trained(model, tmp_path, VALUES, task="regression", tokens="bpe")
    ours = ct.TextRegressor(model, tokens="bpe", **SMALL).fit(TEXTS, VALUES)
    assert same_weights(weights, ours.network_.state_dict())
    predicted, _ = run.predict(pl.DataFrame({"text": TEXTS}))
    np.testing.assert_allclose(ours.predict(TEXTS), predicted["prediction"].to_numpy(), rtol=1e-4)


def test_lists_arrays_and_series_of_texts_are_the_same_rows(fitted):
    found = fitted.predict_proba(TEXTS[:5])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1)
    series = pd.Series(TEXTS[:5], index=list("edcba"), name="text")
    for given in (
        np.array(TEXTS[:5]),
        np.array(TEXTS[:5], object),
        tuple(TEXTS[:5]),
        series,
        series.to_frame(),
        series.astype("string"),
        pl.Series(TEXTS[:5]),
    ):
        np.testing.assert_array_equal(fitted.predict_proba(given), found)
    alone = np.concatenate([fitted.predict_proba([text]) for text in TEXTS[:3]])
    np.testing.assert_allclose(alone, found[:3], rtol=1e-12)


def test_a_copy_a_pickle_and_a_clone_are_as_scikit_learn_has_them(fitted):
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params() and not hasattr(fresh, "network_")
    for call in (fresh.predict, fresh.predict_proba, fresh.explain):
        with pytest.raises(NotFittedError):
            call([3])
    assert "TextClassifier" in fresh._repr_html_()
    assert "Embedding" in fitted._repr_html_()


def test_weights_of_texts_count(fitted):
    by_class = ct.TextClassifier(**SMALL, class_weight={"good": 3}).fit(TEXTS, Y)
    by_text = ct.TextClassifier(**SMALL)
    by_text.fit(TEXTS, Y, sample_weight=np.where(Y == "good", 3, 1))
    assert same_weights(by_class.network_.state_dict(), by_text.network_.state_dict())
    assert not same_weights(by_class.network_.state_dict(), fitted.network_.state_dict())
    equal = ct.TextClassifier(**SMALL).fit(TEXTS, Y, sample_weight=np.full(60, 2.0))
    assert same_weights(equal.network_.state_dict(), fitted.network_.state_dict())
    left_out = np.arange(60) % 4 > 0
    some = ct.TextClassifier(**SMALL).fit(TEXTS, Y, sample_weight=left_out)
    kept = [text for text, kept in zip(TEXTS, left_out, strict=True) if kept]
    without = ct.TextClassifier(**SMALL).fit(kept, Y[left_out])
    assert same_weights(some.network_.state_dict(), without.network_.state_dict())


def test_partial_fit_and_a_warm_start_go_on(fitted):
    model = ct.TextClassifier(lr=0.02, random_state=0)
    for _ in range(6):
        model.partial_fit(TEXTS, Y, classes=["good", "poor"])
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.partial_fit(TEXTS, Y)
    assert same_weights(model.network_.state_dict(), again.network_.state_dict())
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]
    warm = copy.deepcopy(fitted).set_params(warm_start=True).fit(TEXTS, Y)
    assert warm.loss_curve_[0] < fitted.loss_curve_[0]
    with pytest.raises(ValueError, match="other layers"):
        warm.set_params(model="lstm").fit(TEXTS, Y)


def test_a_grid_over_a_pipeline_is_searched_in_threads():
    import joblib

    pipeline = make_pipeline(
        FunctionTransformer(lambda texts: [text.replace("what a ", "") for text in texts]),
        ct.TextClassifier(**SMALL),
    )
    grid = {"textclassifier__vocabulary": [5, 1000]}
    with joblib.parallel_config(backend="threading", n_jobs=2):
        search = GridSearchCV(pipeline, grid, cv=2, refit=False).fit(TEXTS, Y)
    assert search.best_params_ == {"textclassifier__vocabulary": 1000}


@pytest.mark.slow  # processes that import everything
def test_cross_validation_in_processes_gives_the_scores_of_threads():
    import joblib

    scores = []
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            scores.append(cross_val_score(ct.TextRegressor(**SMALL), TEXTS, VALUES, cv=3))
    assert scores[0].tolist() == scores[1].tolist()


@pytest.mark.slow
def test_an_explanation_names_the_words_and_a_diagnosis_is_made(fitted):
    why = fitted.explain("a lovely book", "good")
    assert np.exp(-why.loss) == pytest.approx(fitted.predict_proba(["a lovely book"])[0, 0], 1e-4)
    assert "lovely" in str(fitted._names(fitted._encoded(["a lovely book"])))
    assert why.gradient("head.weight", (0, 0)).count > 0
    assert "too_few_epochs" in [finding.code for finding in fitted.diagnose().findings]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((60, 3)), "float64 of shape .60, 3.*ct.Classifier"),
        (pd.DataFrame({"a": TEXTS, "b": TEXTS}), "of shape .60, 2.*that column"),
        (np.arange(60), "int64 of shape"),
        ("a text", "one text, not several.*pass .text."),
        ([*TEXTS[:59], " "], "1 text of 60 without words .index 59"),
        ([None, *TEXTS[:58], float("nan")], "2 texts of 60 without words .index 0, 59"),
        ([*TEXTS[:59], 7], "row 59 is 7, an int"),
        ([], "no texts"),
        ({"text": TEXTS}, "a dict"),
        (TEXTS[:59], "inconsistent numbers of samples"),
    ],
)
def test_what_is_no_list_of_texts_is_said(given, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ct.TextClassifier(**SMALL).fit(given, Y)
