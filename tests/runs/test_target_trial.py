"""A skewed target is learned from its logarithm where a trial finds that better."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from scipy.stats import skew

from cutaway.errors import OptionError
from cutaway.runs import Run, TableOptions, prepare_table, target_trial, train_table

RNG = np.random.default_rng(1)
X = RNG.normal(size=(240, 2))
SKEWED = RNG.exponential(size=(240, 2))
COLUMNS = {name: column for name, column in zip("abcd", [*X.T, *SKEWED.T], strict=True)}
PRODUCT = np.exp(1.5 * X[:, 0] + X[:, 1])  # a sum in its logarithm
SUM = SKEWED @ [10.0, 5.0]  # skewed as its columns are
OPTIONS = TableOptions(recipe="ensemble", epochs=2)


def frame_of(target) -> pl.DataFrame:
    return pl.DataFrame({**COLUMNS, "price": target})


def test_skewness_is_that_of_scipy():
    assert target_trial.skewness(PRODUCT) == pytest.approx(skew(PRODUCT), rel=1e-12)
    assert target_trial.skewness(np.ones(4)) == 0


@pytest.mark.parametrize(
    ("values", "is_tried"),
    [(PRODUCT, True), (SUM, True), (PRODUCT - 1, False), (X[:, 0] - X.min(), False)],
)
def test_it_is_tried_where_no_value_is_negative_and_the_skewness_is_above_1(values, is_tried):
    assert target_trial.is_skewed(values) == is_tried


@pytest.mark.slow
@pytest.mark.parametrize(("target", "transform"), [(PRODUCT, "log1p"), (SUM, "none")])
def test_what_has_the_lower_error_in_the_unit_is_taken_and_both_are_told(target, transform):
    experiment = prepare_table(frame_of(target), "price", OPTIONS)
    assert dataclasses.asdict(experiment.options)["target_transform"] == transform
    assert experiment.preprocessing.target.transform == transform
    (note,) = [note for note in experiment.notes if "skewed" in note]
    assert ("it is" in note) == (transform == "none")
    with_logarithm, without = (
        float(note.split(before)[1].split(after)[0].rstrip())
        for before, after in ((" error was ", " with the"), (" with the logarithm, ", " without"))
    )
    assert (with_logarithm < 0.99 * without) == (transform == "log1p")


def test_the_trial_is_of_the_training_rows_and_has_no_test_set(monkeypatch):
    seen = []

    def prepare(frame, options):
        seen.append((frame, options))
        raise StopIteration

    options = dataclasses.replace(OPTIONS, split="group:a", test=0.2)
    rows = pl.concat([frame_of(PRODUCT)] * 20)
    with pytest.raises(StopIteration):
        target_trial.choose(rows, "price", options, prepare)
    ((frame, given),) = seen
    assert len(frame) == 2000
    assert (given.test, given.split, given.epochs) == (0.0, "group:a", 38)
    tried = []

    def choose(frame, *_):
        tried.append(frame)
        return target_trial.TriedTransform("none", [])

    monkeypatch.setattr(target_trial, "choose", choose)
    options = dataclasses.replace(OPTIONS, test=0.25)
    held = prepare_table(frame_of(PRODUCT), "price", options)
    assert tried[0].equals(held.frame[held.training]) and len(tried[0]) == 180


def test_a_run_on_the_logarithm_tells_everything_in_the_unit(tmp_path):
    options = dataclasses.replace(OPTIONS, target_transform="log1p", epochs=14)
    run = train_table(frame_of(PRODUCT), "price", options=options, out=tmp_path / "run")
    frame, _ = Run.open(run.path).predict(frame_of(PRODUCT))
    predicted = frame["prediction"].to_numpy()
    assert PRODUCT.min() <= predicted.min() < predicted.max() <= PRODUCT.max()
    scores, _ = Run.open(run.path).evaluate(frame_of(PRODUCT))
    error = np.sqrt(np.mean((predicted - PRODUCT) ** 2))
    assert scores["root_mean_squared_error"] == pytest.approx(error, rel=1e-6)
    assert scores["r2"] > 0.5


def test_an_unknown_transform_and_one_that_the_values_do_not_allow_are_told():
    with pytest.raises(OptionError, match="target_transform"):
        TableOptions(target_transform="sqrt")  # pyright: ignore[reportArgumentType]
    options = dataclasses.replace(OPTIONS, target_transform="log1p")
    with pytest.raises(OptionError, match="its logarithm was asked for"):
        prepare_table(frame_of(PRODUCT - 5), "price", options)


def test_no_logarithm_is_tried_if_a_test_row_is_negative(monkeypatch):
    monkeypatch.setattr(target_trial, "choose", lambda *_: pytest.fail("it was tried"))
    values = PRODUCT.copy()
    values[0] = -3.0
    options = dataclasses.replace(OPTIONS, test=0.25)
    experiment = prepare_table(frame_of(values), "price", options)
    assert experiment.preprocessing.target.transform == "none"
