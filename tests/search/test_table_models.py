"""Models of a table: what each of them gets, and that finished fits are kept."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

import cutaway as ct
from cutaway.errors import DataError, RunError
from cutaway.runs import TableOptions
from cutaway.search.table_models import (
    BoostedModel,
    CutawayModel,
    LinearModel,
    PlainColumns,
    TableModel,
    encoding,
    rival_models,
)
from cutaway.search.table_problem import TableProblem
from cutaway.search.table_protocol import FitStore, fit_here

RNG = np.random.default_rng(0)
ROWS = 160


def mixed(task="binary"):
    """A table with numbers, missing ones, a category of 3 levels and one of 30."""
    a, b = RNG.normal(size=(2, ROWS))
    color = RNG.choice(["red", "green", "blue"], ROWS)
    town = RNG.choice([f"t{k:02}" for k in range(30)], ROWS)
    signal = a + (color == "red") + 0.3 * b
    y = np.where(signal > 0.3, "yes", "no") if task == "binary" else 100 + 5 * signal
    frame = pl.DataFrame(
        {"a": a, "b": [None if k % 9 == 0 else v for k, v in enumerate(b)], "color": color,
         "town": town, "y": y}
    )  # fmt: skip
    return TableProblem.of("mixed", frame, "y", task=task)


@pytest.fixture(scope="module")
def problem():
    return mixed()


def test_splits_are_stratified_cover_the_rows_and_repeat(problem):
    splits = problem.splits(3)
    for split in splits:
        both = np.concatenate([split.training, split.test])
        assert sorted(both) == list(range(ROWS)) and len(split.test) == ROWS // 5
        assert abs(problem.truth[split.test].mean() - problem.truth.mean()) < 0.02
    assert not np.array_equal(splits[0].test, splits[1].test)
    assert np.array_equal(problem.splits(3)[2].test, splits[2].test)


def test_trees_get_numbers_as_they_are_and_levels_as_codes(problem):
    training = problem.frame[: ROWS // 2]
    columns = PlainColumns.fit(encoding(problem, training), training)
    x, is_category = columns.transform(problem.frame)
    assert is_category.tolist() == [False, False, True, True]
    assert np.array_equal(x[:, 0], problem.frame["a"].to_numpy())
    assert np.array_equal(np.isnan(x[:, 1]), problem.frame["b"].is_null().to_numpy())
    codes = dict(zip(problem.frame["color"], x[:, 2], strict=True))
    assert codes == {"blue": 0.0, "green": 1.0, "red": 2.0}
    seen = set(training["town"])
    known = np.array([town in seen for town in problem.frame["town"]])
    assert np.array_equal(np.isnan(x[:, 3]), ~known)
    assert len({*x[known, 3]}) == len(seen)


def test_the_linear_model_is_scikit_learns_with_one_hot_columns(problem):
    split = problem.splits(1)[0]
    training, new = problem.frame[split.training], problem.frame[split.test]
    rows = encoding(problem, training)
    x, y = rows.transform(training).x, rows.transform(training).y
    # the last column holds the codes of towns
    hot = np.eye(31)
    train, test = (
        np.hstack([hot[z[:, -1].astype(int)], z[:, :-1]]) for z in (x, rows.transform(new).x)
    )
    seen = train[:, :31].any(axis=0)
    train, test = (z[:, np.append(seen, np.ones(z.shape[1] - 31, bool))] for z in (train, test))
    p = LogisticRegression(max_iter=1000).fit(train, y).predict_proba(test)
    found = fit_here(problem, LinearModel(), split)
    assert np.allclose(found.outputs, p, atol=1e-4)
    assert found.scores["log_loss"] == pytest.approx(
        -np.log(found.outputs[np.arange(len(split.test)), found.truth]).mean(), rel=1e-5
    )


@pytest.mark.slow  # OpenMP waits long where others compute
def test_the_boosted_trees_are_scikit_learns_with_categories_as_such(problem):
    split = problem.splits(1)[0]
    training, new = problem.frame[split.training], problem.frame[split.test]
    rows = encoding(problem, training)
    y = rows.transform(training).y
    columns = PlainColumns.fit(rows, training)
    model = HistGradientBoostingClassifier(random_state=0, categorical_features=[2, 3])
    p = model.fit(columns.transform(training)[0], y).predict_proba(columns.transform(new)[0])
    assert np.allclose(fit_here(problem, BoostedModel(), split).outputs, p)


def test_predicted_values_are_in_the_unit_of_the_target():
    problem = mixed("regression")
    split = problem.splits(1)[0]
    found = fit_here(problem, LinearModel(), split)
    assert np.allclose(found.truth, problem.frame["y"].to_numpy()[split.test])
    assert found.scores["rmse"] < problem.truth.std() < 20
    plain = problem.frame.select("a", "y")
    split = TableProblem.of("a", plain, "y").splits(1)[0]
    found = fit_here(TableProblem.of("a", plain, "y"), LinearModel(), split)
    rows = ct.data.TablePreprocessing.fit(plain[split.training], "y")
    x = rows.transform(plain).x
    peer = Ridge().fit(x[split.training], plain["y"].to_numpy()[split.training])
    assert np.allclose(found.outputs, peer.predict(x[split.test]), rtol=1e-5)


class ConstantModel(TableModel):
    """Predicts the class frequencies; or fails."""

    name, title = "constant", "the constant"

    def __init__(self, fails=False):
        self.fails = fails

    def key(self):
        return {"version": 1}

    def fit(self, problem, training, seed):
        if self.fails:
            raise DataError("no luck", expected="luck")
        return training[problem.target].value_counts(sort=True, name="n").sort(problem.target)["n"]

    def predict(self, problem, fitted, new):
        return np.tile(fitted.to_numpy() / fitted.sum(), (new.height, 1))


def test_a_finished_fit_is_read_back_and_a_changed_one_is_not(problem, tmp_path):
    store, model, split = FitStore(tmp_path), ConstantModel(), problem.splits(1)[0]
    assert store.read(problem, model, split) is None
    record = fit_here(problem, model, split)
    store.write(problem, model, split, record)
    found = store.read(problem, model, split)
    assert found is not None and found.scores == record.scores
    assert np.array_equal(found.truth, record.truth) and np.array_equal(found.rows, split.test)
    assert np.allclose(found.outputs, record.outputs, atol=1e-7)
    told = json.loads(store.path(problem, model, split).read_text())
    assert told["key"] == {"version": 1} and told["test_rows"] == len(split.test)

    model.key = lambda: {"version": 2}  # type: ignore[method-assign]
    assert store.read(problem, model, split) is None
    other = TableProblem.of("mixed", problem.frame[:-1], "y")
    assert store.read(other, ConstantModel(), other.splits(1)[0]) is None


def test_a_fit_whose_predictions_are_damaged_or_missing_is_fitted_anew(problem, tmp_path):
    store, model, split = FitStore(tmp_path), ConstantModel(), problem.splits(1)[0]
    store.write(problem, model, split, fit_here(problem, model, split))
    predictions = store.path(problem, model, split).with_suffix(".npz")
    predictions.write_bytes(predictions.read_bytes()[:-9])
    assert store.read(problem, model, split) is None
    predictions.unlink()
    assert store.read(problem, model, split) is None


@pytest.mark.slow
def test_a_fit_in_a_process_of_its_own_is_the_same_and_tells_its_memory(problem, tmp_path):
    store, split = FitStore(tmp_path), problem.splits(1)[0]
    model = LinearModel()
    found = store.fitted(problem, model, split)
    here = fit_here(problem, model, split)
    assert found.scores == pytest.approx(here.scores) and here.peak_bytes is None
    assert found.peak_bytes is not None and found.peak_bytes > 5e7 and found.cpu_seconds > 0
    again = store.fitted(problem, model, split)
    assert again.wall_seconds == found.wall_seconds  # from the folder


@pytest.mark.slow
def test_a_fit_that_fails_says_why_and_leaves_nothing(problem, tmp_path):
    bad = TableProblem.of("bad", problem.frame, "y", kinds={"nowhere": "number"})
    store = FitStore(tmp_path)
    with pytest.raises(RunError, match=r"linear on split 0 of bad failed: .*nowhere"):
        store.fitted(bad, LinearModel(), bad.splits(1)[0])
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
def test_cutaways_predictions_are_those_of_a_run_on_the_training_rows(problem, tmp_path):
    options = TableOptions(epochs=2, layers=(4,))
    split = problem.splits(1)[0]
    found = fit_here(problem, CutawayModel(options), split)
    training, new = problem.frame[split.training], problem.frame[split.test]
    run = ct.train_table(training, "y", options=options, out=tmp_path / "run")
    p = run.predict(new)[0]["probability of yes"].to_numpy()
    assert np.allclose(found.outputs[:, 1], p, atol=1e-5)
    assert CutawayModel(options).key() != CutawayModel().key()


def test_no_two_models_share_a_name():
    names = [model.name for model in rival_models()]
    assert len({*names, "cutaway"}) == len(names) + 1
    assert all(model.missing() is None for model in rival_models())
