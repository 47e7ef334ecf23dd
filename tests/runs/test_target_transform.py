"""A skewed target by its logarithm, and predictions within the range of the training rows."""

import json

import numpy as np
import polars as pl
import pytest

from cutaway import losses
from cutaway.data import TablePreprocessing
from cutaway.data.target import Target
from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, prepare
from cutaway.runs.explain import explain_row
from cutaway.runs.outputs import describe_outputs
from cutaway.runs.row_arithmetic import _forecast
from cutaway.runs.table import TableRows
from cutaway.story.text import number
from tests.runs.test_row_arithmetic import expect_true, numbers

PRICES = [0.0, 1.0, 2.0, 5.0, 12.0, 30.0, 95.0, 400.0]
FRAME = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "price": PRICES})
LOGS = np.log1p(PRICES)


def rows(**options):
    options = {"task": "regression", "target_transform": "log1p", **options}
    return TableRows(TablePreprocessing.fit(FRAME, "price", **options))


def test_the_logarithm_is_standardized_and_undone_before_any_error():
    found = rows()
    y = found.transform(FRAME).y
    np.testing.assert_allclose(y, (LOGS - LOGS.mean()) / LOGS.std(), rtol=1e-6)
    np.testing.assert_allclose(found.truth(y), PRICES, rtol=1e-5, atol=1e-5)
    predictions = found.to_predictions(np.asarray(y)[:, None] + 0.1, losses.mean_squared_error)
    np.testing.assert_allclose(predictions, np.expm1(LOGS + 0.1 * LOGS.std()), rtol=1e-5)
    scores = found.score(y, predictions, None)
    assert scores["mean_absolute_error"] == pytest.approx(np.abs(predictions - PRICES).mean(), 1e-4)
    expected = np.abs(np.array(PRICES) - np.mean(PRICES)).mean()  # of the mean price, not of e^mean
    assert scores["baseline_mean_absolute_error"] == pytest.approx(expected, rel=1e-5)
    huge = found.to_predictions(np.array([[1e6]]), losses.mean_squared_error)
    assert np.isfinite(huge).all()


def test_predictions_are_limited_to_the_training_range_and_truths_are_not():
    found = rows(clamp_target=True, target_transform="none")
    high = pl.DataFrame({"x": [9.0], "price": [1000.0]})
    y = found.transform(high).y
    assert found.truth(y)[0] == pytest.approx(1000, rel=1e-5)
    raw = np.array([[-9.0], [0.0], [9.0]])
    predictions = found.to_predictions(raw, losses.mean_squared_error)
    assert predictions.tolist() == [0.0, pytest.approx(np.mean(PRICES)), 400.0]
    part = found.fitted.refit(FRAME.head(4))
    assert part.target.bounds == (0.0, 5.0)  # of the training rows alone


def test_both_are_stored_and_targets_of_earlier_versions_are_read():
    fitted = rows(clamp_target=True).fitted
    stored = json.loads(json.dumps(fitted.to_json()))
    again = TablePreprocessing.from_json(stored)
    assert again.target == fitted.target
    assert (again.target.transform, again.target.bounds) == ("log1p", (0.0, 400.0))
    assert again.refit(FRAME.head(5)).target.transform == "log1p"
    old = {k: v for k, v in stored["target"].items() if k not in ("transform", "center", "bounds")}
    assert Target.from_json(old).decode(0.0) == pytest.approx(LOGS.mean())
    for wrong in ({"transform": "sqrt"}, {"bounds": [1.0, 0.0]}, {"center": None}):
        with pytest.raises(DataError, match="not a preprocessing of a table"):
            TablePreprocessing.from_json({**stored, "target": {**stored["target"], **wrong}})


def test_what_is_said_of_the_target_is_its_arithmetic():
    found = rows(clamp_target=True)
    mean, scale = float(LOGS.mean()), float(LOGS.std())
    [said] = describe_outputs(found, "mean_squared_error")
    assert said == (
        f"price, ln(1 + value) standardized: value = exp(output x {scale!r} + {mean!r}) - 1, "
        "limited to the range from 0.0 to 400.0"
    )
    assert "ln(1 + value), standardized" in found.summary_rows()[-1][2]
    assert "predictions limited to 0 to 400" in found.summary_rows()[-1][2]
    told = "\n".join(_forecast(found, [0.5]))
    v = 0.5 * scale + mean
    assert f"v = z · σ + μ = 0.5 · {scale:.4g} + {mean:.4g} = {v:.4g}: ln(1 + ŷ)" in told
    assert f"= {np.expm1(v):.4g}" in told and "limited" not in told
    assert "ŷ = 400: predictions are limited" in "\n".join(_forecast(found, [5.0]))
    expect_true(told, 2)


@pytest.mark.slow
def test_a_run_tells_errors_and_explains_rows_in_the_unit_of_the_target(tmp_path):
    data, options = numbers(tmp_path)
    experiment = prepare(data, epochs=2, **options)
    frame = experiment.frame
    fitted = TablePreprocessing.fit(
        frame, "y", task="regression", scaling="robust", target_transform="log1p",
        clamp_target=True,
    ).refit(frame[experiment.training])  # fmt: skip
    arrays = fitted.transform(frame)
    experiment.preprocessing = TableRows(fitted, experiment.preprocessing.reading)
    experiment.x, experiment.y = arrays.x, arrays.targets
    experiment.train(tmp_path / "run", progress=False)

    run = Run.open(tmp_path / "run")
    truth = frame["y"].to_numpy()
    predicted = run.predict(frame)[0]
    found = predicted["prediction"].to_numpy()
    raw = run.net(arrays.x).numpy()[:, 0].astype(np.float64)
    target = fitted.target
    own = np.expm1(raw * target.scale + target.mean).clip(*target.bounds)
    np.testing.assert_allclose(found, own, rtol=1e-4)
    error = run.evaluate(frame)[0]["mean_absolute_error"]
    assert error == pytest.approx(np.abs(own - truth).mean(), rel=1e-4)
    story = explain_row(run, row=3).arithmetic
    text = story.text()
    expect_true(text, 5)
    text = " ".join(text.split())
    assert "smoothly clipped" in text and "ln(1 + ŷ)" in text
    assert "y = (ln(1 + truth) - μ) / σ = " in text and "σ²" not in text
    assert f"= {number((own[3] - truth[3]) ** 2)}" in "\n".join(story.loss)


def test_a_logarithm_that_does_not_exist_is_refused():
    negative = FRAME.with_columns(price=pl.col("price") - 2.0)
    with pytest.raises(OptionError, match="holds -2, and its logarithm was asked for"):
        TablePreprocessing.fit(negative, "price", task="regression", target_transform="log1p")
    with pytest.raises(DataError, match="numbers above -1"):
        rows().transform(negative)
    with pytest.raises(OptionError, match="transform of the target"):
        rows(target_transform="sqrt")
