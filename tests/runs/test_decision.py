"""The threshold of a rare class: the best F1, kept with the run, and used wherever it decides."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_curve, recall_score

from cutaway.errors import OptionError
from cutaway.runs import Run, TableOptions, prepare_table, train_table
from cutaway.runs.decision import DecisionThreshold
from cutaway.runs.explain import explain_row
from tests.cli.in_process import cutaway

RNG = np.random.default_rng(3)
ROWS = 400
X = RNG.normal(size=(ROWS, 3))
TRUTH = RNG.random(ROWS) < 1 / (1 + np.exp(-(2.5 * X[:, 0] - 3.5)))
FRAME = pl.DataFrame(
    {**{name: X[:, k] for k, name in enumerate("abc")}, "fraud": np.where(TRUTH, "yes", "no")}
)
OPTIONS = TableOptions(recipe="ensemble", epochs=6)


def two_columns(p) -> np.ndarray:
    return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("decimals", [1, 9])
@pytest.mark.parametrize("seed", range(8))
def test_no_other_threshold_has_a_larger_f1(seed, decimals):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 8, 300).round(decimals)  # with one decimal most are equal
    truth = (rng.random(300) < p).astype(int)
    found = DecisionThreshold.with_best_f1(truth, two_columns(p))
    precision, recall, _ = precision_recall_curve(truth, p)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert f1_score(truth, found.decide(two_columns(p))) == pytest.approx(f1.max(), abs=1e-12)


def test_with_true_probabilities_the_threshold_is_half_of_the_best_f1():
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 5, 400_000)
    truth = (rng.random(len(p)) < p).astype(int)
    found = DecisionThreshold.with_best_f1(truth, two_columns(p))
    best = f1_score(truth, found.decide(two_columns(p)))
    assert found.value == pytest.approx(best / 2, rel=0.05)  # Lipton et al. 2014, theorem 1


def test_either_class_may_be_the_rare_one():
    p = RNG.beta(1, 8, 500)
    truth = (RNG.random(500) < p).astype(int)
    first = DecisionThreshold.of_rare(truth, two_columns(p))
    other = DecisionThreshold.of_rare(1 - truth, two_columns(p)[:, ::-1])
    assert first is not None and other is not None
    assert (first.positive, other.positive) == (1, 0)
    assert first.value == pytest.approx(other.value)
    np.testing.assert_array_equal(
        first.decide(two_columns(p)), 1 - other.decide(two_columns(p)[:, ::-1])
    )


@pytest.mark.parametrize(
    ("rare", "rows", "is_chosen"),
    [(19, 400, False), (20, 400, True), (79, 400, True), (80, 400, False)],
)
def test_it_is_chosen_for_at_least_20_rows_that_are_less_than_a_fifth(rare, rows, is_chosen):
    truth = np.arange(rows) < rare
    found = DecisionThreshold.of_rare(truth.astype(int), two_columns(RNG.random(rows)))
    assert (found is not None) == is_chosen


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    experiment = prepare_table(FRAME, "fraud", OPTIONS)
    out = tmp_path_factory.mktemp("rare") / "run"
    return experiment, experiment.train(out)


def test_what_the_note_says_is_true_of_the_rows_that_no_network_has_seen(trained):
    experiment, run = trained
    chosen = run.preprocessing.decision
    assert chosen is not None
    unseen, truth = experiment.outputs(run, experiment.training), TRUTH.astype(int)
    guess = (unseen[:, 1] >= chosen.value).astype(int)
    (_, alarms), (_, found) = confusion_matrix(truth, guess)
    (_, usual_alarms), (_, usual) = confusion_matrix(truth, unseen.argmax(axis=1))
    note = experiment.notes[-1]
    assert f"finds {found} of {truth.sum()}, with {alarms} false alarm" in note
    assert f"0.5 finds {usual}, with {usual_alarms} false alarm" in note
    assert f"({f1_score(truth, guess):.3f})" in note
    scores = run.metrics["validation"]
    assert scores["f1"] == pytest.approx(f1_score(truth, guess))
    assert scores["recall"] == pytest.approx(recall_score(truth, guess))
    assert scores["accuracy"] == pytest.approx((guess == truth).mean())
    assert scores["baseline_f1"] == pytest.approx(f1_score(truth, np.ones(ROWS)))
    assert found > usual


def test_predictions_scores_and_explanations_of_the_opened_run_use_it(trained):
    _, run = trained
    opened = Run.open(run.path)
    chosen = opened.preprocessing.decision
    assert chosen is not None
    assert chosen == run.preprocessing.decision
    frame, notes = opened.predict(FRAME)
    p = frame["probability of yes"].to_numpy()
    is_yes = p >= chosen.value
    np.testing.assert_array_equal(frame["prediction"] == "yes", is_yes)
    np.testing.assert_allclose(frame["probability"], np.where(is_yes, p, 1 - p), atol=1e-6)
    assert any("is predicted from a probability of" in note for note in notes)
    scores, _ = opened.evaluate(FRAME)
    assert scores["f1"] == pytest.approx(f1_score(TRUTH, is_yes))
    # a row between the threshold and a half: most probable is one class, predicted the other
    (row, *_) = np.flatnonzero(is_yes & (p < 0.5))
    told = explain_row(opened, FRAME[int(row)])
    assert "fraud = yes" in told.prediction
    assert told.arithmetic.output[-1].endswith("the threshold: predicted is fraud = yes")


def test_each_training_of_an_experiment_chooses_anew(tmp_path):
    experiment = prepare_table(FRAME, "fraud", dataclasses.replace(OPTIONS, epochs=1))
    experiment.preprocessing.decision = DecisionThreshold(0, 0.999)  # as a training left it
    run = experiment.train(tmp_path / "run")
    chosen = run.preprocessing.decision
    assert chosen is not None and chosen.positive == 1


def test_a_threshold_that_is_given_is_taken(tmp_path):
    options = dataclasses.replace(OPTIONS, decision_threshold=0.125, epochs=1)
    run = train_table(FRAME, "fraud", options=options, out=tmp_path / "run")
    assert run.preprocessing.decision == DecisionThreshold(1, 0.125)
    with pytest.raises(OptionError, match="decision_threshold"):
        TableOptions(decision_threshold=1.0)
    with pytest.raises(OptionError, match="two classes"):
        prepare_table(FRAME, "a", options)


def test_a_stored_threshold_outside_of_0_to_1_is_refused(trained):
    _, run = trained
    path = run.folder.preprocessing
    value = json.loads(path.read_text())
    value["decision"]["value"] = 1.5
    with pytest.raises(ValueError, match=r"\.value"):
        type(run.preprocessing).from_json(value)


@pytest.mark.slow
def test_the_threshold_of_a_rare_kind_of_text_is_kept_with_the_run(tmp_path):
    rng = np.random.default_rng(0)
    common, rare = (
        ["the", "cat", "sat", "on", "a", "mat"],
        ["win", "free", "cash", "now", "the", "a"],
    )
    lines = []
    for _ in range(1500):
        is_rare = rng.random() < 0.12
        words = rng.choice(rare if is_rare else common, 4)
        lines.append(f"{'spam' if is_rare else 'ham'}\t{' '.join(words)}")
    path = tmp_path / "messages.txt"
    path.write_text("\n".join(lines) + "\n")
    code, out, _ = cutaway("train", path, "--out", tmp_path / "run", "--epochs", 3)
    assert code == 0 and "is predicted from a probability of" in " ".join(out.split())
    run = Run.open(tmp_path / "run")
    threshold = run.preprocessing.decision
    assert threshold is not None
    code, *_ = cutaway("predict", tmp_path / "run", path, "--out", tmp_path / "p.csv")
    table = pl.read_csv(tmp_path / "p.csv", separator="\t")  # as the input has it
    p = table["probability of spam"].to_numpy()
    np.testing.assert_array_equal(table["prediction"] == "spam", p >= threshold.value)
    code, out, _ = cutaway("explain", tmp_path / "run", "--row", 0)
    assert code == 0 and "the threshold" in out
