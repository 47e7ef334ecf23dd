"""Intervals of predicted numbers: split conformal prediction keeps its promise."""

import numpy as np
import polars as pl
import pytest

from cutaway.errors import OptionError
from cutaway.runs import write_report
from cutaway.runs.finished_run import Run
from cutaway.runs.interval import PredictionInterval, interval_json, stored_interval
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.options.table import TableOptions
from cutaway.runs.series import prepare_series
from cutaway.runs.table import prepare_table, train_table


def drawn(rng, count, width):
    """Predictions and truths whose errors are skewed, and wider for larger predictions."""
    predicted = rng.normal(size=(count, width))
    errors = rng.gamma(1.5, 1 + np.abs(predicted)) - 1
    return predicted + errors, predicted


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("rows", [19, 500])
def test_new_rows_lie_inside_as_often_as_promised(level, rows):
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        interval = PredictionInterval.fit(*drawn(rng, rows, 1), level)
        truth, predicted = drawn(rng, 500, 1)
        covered.append(interval.scores(truth, predicted)["interval_coverage"])
    # at least the level, at most 2 / (n + 1) more, but for chance: its standard error is measured
    chance = 4 * np.std(covered) / np.sqrt(len(covered))
    assert level - chance <= np.mean(covered) <= level + 2 / (rows + 1) + chance


def test_each_step_ahead_has_its_own_ends_and_each_end_its_own_errors():
    rng = np.random.default_rng(1)
    errors = np.stack([rng.exponential(1, 999), rng.exponential(10, 999)], axis=1)
    found = PredictionInterval.fit(errors, np.zeros((999, 2)))
    ordered = np.sort(errors, axis=0)
    np.testing.assert_array_equal(found.lower, ordered[49])  # the 50th of 999: 5% below
    np.testing.assert_array_equal(found.upper, ordered[949])
    lower, upper = found.around(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(lower, [[1.0, 2.0]] + ordered[49])
    np.testing.assert_allclose(upper, [[1.0, 2.0]] + ordered[949])


@pytest.mark.parametrize(("rows", "level", "given"), [
    (18, 0.9, False), (19, 0.9, True), (2, 0.5, False), (3, 0.5, True), (38, 0.95, False),
    (39, 0.95, True),
])  # fmt: skip
def test_too_few_rows_promise_nothing(rows, level, given):
    found = PredictionInterval.fit(np.arange(rows, dtype=float), np.zeros(rows), level)
    assert (found is not None) == given


def test_a_level_that_is_no_fraction_is_refused():
    with pytest.raises(OptionError, match="level"):
        PredictionInterval.fit(np.arange(50.0), np.zeros(50), 90)


def test_intervals_come_back_from_json_and_nothing_else_does():
    found = PredictionInterval.fit(np.arange(50.0), np.zeros(50))
    assert stored_interval({"interval": interval_json(found)}) == found
    assert stored_interval({}) is None
    for bad in ({"level": 2}, {"lower": []}, {"upper": ["1"]}, {"lower": [99.0]}):
        with pytest.raises(ValueError):
            stored_interval({"interval": {**interval_json(found), **bad}})


def noisy(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 2))
    y = 3 * x[:, 0] - x[:, 1] + 50 + rng.exponential(1, count)
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y})


def test_a_regression_predicts_ends_and_scores_how_often_they_hold(tmp_path):
    options = TableOptions(epochs=30, layers=(8,), test=0.2, validation=0.4)
    run = train_table(noisy(1000, 0), "y", options=options, out=tmp_path / "run")
    assert "interval_coverage" not in run.metrics["validation"]  # holds there by construction
    assert 0.8 < run.metrics["test"]["interval_coverage"] < 0.97
    opened = Run.open(tmp_path / "run")
    assert opened.preprocessing.interval == run.preprocessing.interval
    new = noisy(2000, 1)
    frame, _ = opened.predict(new.drop("y"))
    assert frame.columns == ["a", "b", "prediction", "lower", "upper"]
    inside = ((frame["lower"] <= new["y"]) & (new["y"] <= frame["upper"])).mean()
    assert 0.85 < inside < 0.95
    assert opened.evaluate(new)[0]["interval_coverage"] == pytest.approx(inside)


def test_forecasts_have_ends_for_each_step(tmp_path):
    rng = np.random.default_rng(0)
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 12, 31), eager=True)
    steps = rng.normal(size=len(days)).cumsum()
    experiment = prepare_series(
        pl.DataFrame({"day": days, "value": steps}), SeriesOptions(epochs=2, horizon=5)
    )
    run = experiment.train(tmp_path / "run")
    frame, _ = Run.open(tmp_path / "run").predict(pl.DataFrame({"day": days, "value": steps}))
    assert frame.columns == ["day", "prediction", "lower", "upper"]
    widths = (frame["upper"] - frame["lower"]).to_numpy()
    np.testing.assert_allclose(
        widths, np.subtract(run.preprocessing.interval.upper, run.preprocessing.interval.lower)
    )
    assert widths[-1] > widths[0]  # a random walk spreads


def test_too_few_validation_rows_for_intervals_are_said(tmp_path):
    experiment = prepare_table(noisy(60, 0), "y", TableOptions(epochs=1))
    run = experiment.train(tmp_path / "run", progress=False)
    assert run.preprocessing.interval is None
    assert "12 validation rows: too few for intervals" in write_report(experiment, run).read_text()
