"""The rows called wrong are wrong, the row to explain is the one that is meant, and what is said
first if nothing was learned."""

import numpy as np
import polars as pl
import pytest

from cutaway.runs import TableOptions, prepare_table, write_report
from cutaway.runs.beats_baseline import nothing_learned
from cutaway.runs.explain import open_row
from cutaway.runs.worst_rows import WorstRows, without_dust
from cutaway.runs.worth_seeing import worth_seeing


def test_wrong_rows_come_first_and_the_surest_of_them_before_the_others():
    p = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8], [0.51, 0.49]])
    found = WorstRows.of(np.array([1, 0, 1, 0]), p, p.argmax(axis=1))
    assert found.order.tolist() == [0, 1, 3, 2] and found.wrong == 2


def test_errors_of_values_are_means_over_the_steps():
    truth = np.array([[1.0, 2.0], [3.0, 3.0], [0.0, 0.0]])
    apart = np.array([[1, -1], [0, 4], [0, 0]])
    found = WorstRows.of(truth, truth + apart)
    assert found.order.tolist() == [1, 0, 2] and found.wrong == 0
    assert found.errors.tolist() == [1.0, 2.0, 0.0]


def test_what_only_rounding_keeps_from_0_is_shown_as_0():
    assert without_dust([4e-7, 10.0, -3e-6, 0.001]).tolist() == [0.0, 10.0, 0.0, 0.001]
    assert without_dust([]).tolist() == []


def scores(**values):
    return {"validation": values}


OUT_OF_FOLD = {"validation_kind": "out of fold"}


def said(metrics, baseline="always predicting the majority class"):
    counts = {"validation": 40, "test": 30}
    return nothing_learned(metrics, counts=counts, examples="rows", baseline=baseline)


def test_nothing_is_said_of_a_run_that_is_better_than_its_baseline():
    assert said(scores(accuracy=0.8, baseline_accuracy=0.5)) == ""
    assert said(scores(mean_absolute_error=1.0, baseline_mean_absolute_error=1.5)) == ""
    assert said(scores(nats_per_character=2.0, baseline_nats_per_character=3.0)) == ""
    assert said(scores(ap=0.1)) == ""  # there is no baseline


def test_a_run_that_is_as_good_as_its_baseline_has_learned_nothing():
    assert said(scores(accuracy=0.5, baseline_accuracy=0.5)) == (
        "Nothing useful was learned: on the 40 validation rows the accuracy is 0.5, no better than "
        "the baseline's 0.5 (always predicting the majority class)."
    )


def test_rows_that_networks_predict_which_did_not_see_them_are_called_out_of_fold():
    metrics = scores(accuracy=0.5, baseline_accuracy=0.5) | OUT_OF_FOLD
    assert "on the 40 out-of-fold rows the accuracy is 0.5" in said(metrics)


def test_the_test_set_counts_where_there_is_one():
    metrics = scores(accuracy=0.9, baseline_accuracy=0.5)
    metrics["test"] = {"accuracy": 0.4, "baseline_accuracy": 0.5}
    assert "on the 30 test rows the accuracy is 0.4" in said({**metrics, **OUT_OF_FOLD})
    metrics["validation"], metrics["test"] = metrics["test"], metrics["validation"]
    assert said(metrics) == ""


def test_what_was_learned_all_the_same_is_not_denied():
    text = said(scores(accuracy=0.9, roc_auc=0.95, baseline_accuracy=0.9))
    assert text.startswith("No better than the baseline") and "ROC AUC 0.95" in text
    text = said(
        scores(mean_absolute_error=2.0, r2=0.4, baseline_mean_absolute_error=1.9),
        "naive forecast, the last value",
    )
    assert "Nothing" not in text and "R² 0.40" in text


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A run on a table whose target has nothing to do with its columns, and skips a row."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("noise") / "noise.csv"
    target = [None, *rng.choice(["yes", "no"], 119)]
    pl.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "t": target}).write_csv(
        path
    )
    experiment = prepare_table(path, "t", TableOptions(epochs=1, layers=(2,)))
    return experiment, experiment.train(path.parent / "run")


def test_the_row_that_is_named_is_the_one_that_explain_opens(noise):
    experiment, run = noise
    worth = worth_seeing(experiment, run)
    assert worth is not None
    _, x, y, _ = open_row(run, None, worth.row)
    assert y is not None
    outputs = run.outputs(x)[0]
    assert outputs.argmax() != y[0]
    everything = run.outputs(experiment.x[experiment.validation])
    wrong = everything.argmax(axis=1) != experiment.y[experiment.validation]
    assert outputs.max() == pytest.approx(everything[wrong].max(), rel=1e-5)
    assert f"({outputs.max():.1%})" in worth.why and f"of {wrong.sum()} wrong" in worth.why


def test_the_report_calls_wrong_what_is_wrong_and_says_first_that_nothing_was_learned(noise):
    experiment, run = noise
    run.metrics["validation"] = {**run.metrics["validation"], "accuracy": 0.4, "roc_auc": 0.5}
    experiment.explain = "cutaway explain RUN --row 7"
    page = write_report(experiment, run).read_text()
    outputs = run.outputs(experiment.x[experiment.validation])
    wrong = int((outputs.argmax(axis=1) != experiment.y[experiment.validation]).sum())
    rows = len(experiment.validation)
    assert f"<h2>Wrong predictions: {wrong} of {rows} validation rows</h2>" in page
    assert page.index("Nothing useful was learned") < page.index("Validation accuracy")
    assert f"Scores and errors are those on the {rows} validation rows." in page
    assert "the best on the validation rows, were kept" in page
    assert "Where the validation loss rises" in page and "out of fold" not in page
    assert "cutaway explain RUN --row 7" in page and "cutaway doctor " in page
    assert "Columns that matter" in page


@pytest.mark.parametrize(
    ("found", "score"),
    [
        ({"accuracy": 1.0, "baseline_accuracy": 1.0}, "accuracy is 1."),
        ({"accuracy": 0.75, "baseline_accuracy": 1.0}, "accuracy is 0.75."),
        ({"mean_absolute_error": 2.0, "baseline_mean_absolute_error": 0.0}, "error is 2."),
    ],
)
def test_a_baseline_that_nothing_can_beat_shows_nothing_of_what_was_learned(found, score):
    text = said(scores(**found))
    assert text.startswith("What was learned cannot be seen on the 40 validation rows")
    assert text.endswith(score)
