"""The ensemble for tables: folds, honest scores, its first network, and what a run keeps of it."""

import dataclasses
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway.data import Folds
from cutaway.data.target import Target
from cutaway.doctor import changes, diagnosis
from cutaway.doctor.sources import options_with, plan_of
from cutaway.errors import OptionError
from cutaway.metrics import EnsembleTemperature
from cutaway.runs import TableOptions, prepare_table, table_recipe
from cutaway.runs.explain import explain_row
from cutaway.runs.fold_ensemble import AtRest, CrossFittedExperiment
from cutaway.runs.worth_seeing import worth_seeing
from cutaway.studio.origins.from_data import subject_of_experiment
from cutaway.train.resuming import INTERRUPTED
from tests.cli import in_process

RNG = np.random.default_rng(0)
ROWS = 160
X = RNG.normal(size=(ROWS, 3))
LOGIT = 2 * X[:, 0] * X[:, 1] + X[:, 2]
FRAME = pl.DataFrame(
    {
        **{name: X[:, k] for k, name in enumerate("abc")},
        "level": [f"L{k}" for k in RNG.integers(0, 40, ROWS)],
        "yes": np.where(RNG.random(ROWS) < 1 / (1 + np.exp(-LOGIT)), "yes", "no"),
    }
)
OPTIONS = TableOptions(recipe="ensemble", epochs=4)


def prepared(frame=FRAME, target="yes", options=OPTIONS) -> CrossFittedExperiment:
    found = prepare_table(frame, target, options)
    assert isinstance(found, CrossFittedExperiment)
    return found


def test_all_rows_train_and_each_is_held_out_from_as_many_networks_as_there_are_repeats():
    experiment = prepared()
    assert len(experiment.training) == len(experiment.validation) == ROWS
    np.testing.assert_array_equal(experiment.dealt.held_out.sum(axis=1), 2)
    assert "160 rows in 4 folds for 8 networks" in experiment.data_line
    apart = dataclasses.replace(
        experiment, folds=Folds.deal(np.arange(ROWS) % 2, 4, seed=0, apart=0.1)
    )
    assert apart.data_line.endswith("predicted by 1 that has not seen it; 16 train none")


def test_numbers_have_waves_and_categories_small_vectors():
    spec = prepared().spec
    assert (spec["periodic"], spec["embeddings"]) == ([0, 1, 2], [[40, 8]])
    assert all(member.clip.limit == spec["clip"] == 10 for member in prepared().net.members)
    few = FRAME.with_columns(a=pl.Series(RNG.integers(0, 5, ROWS)).cast(pl.Float64))
    assert prepared(few, "yes", OPTIONS).spec["periodic"] == [1, 2]


def test_the_networks_begin_at_the_base_rate():
    experiment = prepared()
    p = (FRAME["yes"] == "yes").mean()
    out = experiment.net(experiment.x[:5]).numpy()
    np.testing.assert_allclose(out, np.log(p / (1 - p)), rtol=1e-5)
    three = Target("t", "multiclass", ["a", "b", "c"], 0.0, 1.0, [10, 30, 60], [])
    np.testing.assert_allclose(table_recipe.base_rate(three), np.log([0.1, 0.3, 0.6]))


def test_steps_are_as_large_in_wide_layers_as_in_narrow_ones_and_decay_does_not_follow():
    net = prepared().net.members[0]
    named = net.named_parameters()
    rates = {path: table_recipe.rate_of(path, p) for path, p in named.items()}
    decays = {path: table_recipe.decay_of(path, p) for path, p in named.items()}
    assert rates["mlp.3.weight"] == pytest.approx(128**-0.5)
    assert rates["mlp.3.weight"] * decays["mlp.3.weight"] == pytest.approx(1)
    assert (rates["scale.factor"], decays["scale.factor"]) == (6.0, 0.0)
    assert (rates["mlp.3.bias"], decays["mlp.3.bias"]) == (0.1, 0.0)
    assert (rates["waves.frequency"], decays["waves.phase"]) == (0.1, 0.0)


def test_the_doctor_looks_at_the_first_network_and_the_rows_that_it_has():
    experiment = prepared()
    plan = plan_of(experiment)
    held = experiment.dealt.held_out[:, 0] > 0
    np.testing.assert_array_equal(plan.x, experiment.x[experiment.training[~held]])
    np.testing.assert_array_equal(plan.validation[0], experiment.x[experiment.training[held]])
    first = experiment.net.members[0].state_dict()
    for path, values in plan.program.net.state_dict().items():
        np.testing.assert_array_equal(values, first[path])


@pytest.mark.parametrize(
    ("frame", "given", "expected"),
    [
        (FRAME, {}, "ensemble"),
        (FRAME[:99], {}, "plain"),  # tiny
        (FRAME, {"layers": (8,)}, "plain"),
        (FRAME, {"lr": 0.01}, "plain"),
        (FRAME, {"epochs": 3, "batch_size": 50, "seed": 4}, "ensemble"),
        (FRAME[:99], {"recipe": "ensemble"}, "ensemble"),
        (FRAME, {"recipe": "plain"}, "plain"),
        (None, {}, "plain"),  # the table of the lessons
    ],
)
def test_the_plain_network_is_taken_where_it_is_asked_for_or_the_table_is_tiny(
    frame, given, expected
):
    experiment = prepare_table(frame, None if frame is None else "yes", TableOptions(**given))
    options: Any = experiment.options
    assert options.recipe == expected
    assert isinstance(experiment, CrossFittedExperiment) == (expected == "ensemble")


def test_cycles_end_with_epochs_and_large_tables_have_fewer():
    cycles = table_recipe.Cycles
    assert cycles.of(400, 256) == cycles(6, 4)  # 2 steps each: 252 epochs are the most
    assert cycles.of(2400, 256) == cycles(6, 2)  # 126 epochs of 10 steps
    assert cycles.of(10_000, 256) == cycles(6, 1)
    assert cycles.of(160_000, 256) == cycles(5, 1)  # 31 epochs of 625 steps
    assert cycles.of(10_000_000, 256) == cycles(3, 1)
    assert cycles(5, 2).epochs == 62


def rests(*losses, base=1.0):
    """How many of these rests, each followed by an epoch at a high rate, are trained."""

    class Told:
        planned_epochs, first_epoch, epoch, stopped = 2 * len(losses), 0, 0, False

        def weights(self):
            return {"epoch": self.epoch}

        def stop(self, why):
            self.stopped = True

    told, stopping = Told(), AtRest(0.1, base, patience=None)
    stopping.on_start(told)
    for count, loss in enumerate(losses, 1):
        for lr, value in ((0.05, loss), (1.0, 0.0)):
            told.epoch += 1
            stopping.on_epoch(told, {"lr": lr, "val_loss": value})
        if told.stopped:
            return count, stopping.best_epoch
    return len(losses), stopping.best_epoch


def test_training_ends_after_a_cycle_that_is_no_better_but_not_before_something_is_found():
    assert rests(0.6, 0.5, 0.56, 0.4) == (3, 3)  # worse by 12%
    assert rests(0.6, 0.5, 0.53, 0.4, 0.3) == (5, 9)  # a little worse: four cycles at least
    assert rests(0.6, 0.5, 0.4, 0.41, 0.3) == (4, 5)
    assert rests(0.7, 0.701, 0.73, 0.72, 0.71, 0.2, base=0.693) == (6, 11)  # nothing found yet
    assert rests(0.7, 0.8, base=0.693) == (2, 1)  # noise alone is learned


def test_stopping_goes_on_from_what_a_checkpoint_kept():
    first = AtRest(0.1, 1.0, patience=None)
    first.lowest, first.rests, first.best_value, first.best_weights = 0.5, 3, 0.4, {}
    again = AtRest(0.1, 1.0, patience=None)
    again.load_state(first.state())
    assert (again.lowest, again.rests, again.best_value) == (0.5, 3, 0.4)


def test_copies_of_a_row_are_in_one_fold_and_told():
    twice = prepared(pl.concat([FRAME, FRAME[:30]]))
    numbers = twice.dealt.numbers
    np.testing.assert_array_equal(numbers[:, :30], numbers[:, ROWS:])
    assert any(note.startswith("30 rows repeat another one") for note in twice.notes)


def test_options_of_the_plain_network_are_refused():
    with pytest.raises(OptionError, match="the recipe ensemble with layers"):
        TableOptions(recipe="ensemble", layers=(8,))


def test_groups_stay_in_one_fold():
    frame = FRAME.with_columns(who=pl.Series(np.arange(ROWS) // 4))
    options = TableOptions(recipe="ensemble", split="group:who")
    for numbers in prepared(frame, "yes", options).dealt.numbers:
        assert all(len(set(numbers[4 * k : 4 * k + 4])) == 1 for k in range(ROWS // 4))


def test_the_report_says_what_the_networks_do_with_each_column():
    words = prepared().inputs_in_words
    assert words.startswith("Each of the 8 networks takes the columns as preprocessed")
    assert "(a, b, c) go through a smooth clip at ±10 and then through waves" in words
    assert "Categories of level become learned vectors" in words
    assert prepare_table(FRAME, "yes", TableOptions(recipe="plain")).inputs_in_words == ""


def test_the_doctor_does_not_take_a_rising_loss_between_cycles_for_overfitting(monkeypatch):
    monkeypatch.setattr(diagnosis.course, "overfits", lambda rows, kept: "it overfits")
    trainer = SimpleNamespace(history=SimpleNamespace(rows=[]))
    for recipe, words in (("ensemble", ""), ("plain", "it overfits")):
        plan = plan_of(prepare_table(FRAME, "yes", TableOptions(recipe=recipe)))
        trained = SimpleNamespace(
            plan=plan, trainer=trainer, trained=True, losses=[1.0], kept_epoch=1, trouble="none"
        )
        assert diagnosis._in_words(trained)[0] == words


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    experiment = prepared(FRAME, "yes", TableOptions(recipe="ensemble", epochs=12))
    return experiment, experiment.train(tmp_path_factory.mktemp("runs") / "run", progress=False)


def scale_of_two(experiment) -> float:
    """From the temperature for the mean of eight networks to that for two."""
    return experiment.temperature.of(8) / experiment.temperature.of(2)


@pytest.mark.slow
def test_the_temperature_is_for_the_mean_of_all_networks(trained):
    """Undone, predictions out of fold give it again."""
    experiment, run = trained
    labels = (FRAME["yes"] == "yes").to_numpy().astype(int)
    logits = np.stack([member(experiment.x).numpy() for member in run.net.members])
    found = EnsembleTemperature.fit(
        logits * experiment.temperature.of(8), labels, experiment.dealt.held_out
    )
    assert found.single == pytest.approx(experiment.temperature.single, rel=1e-5)
    assert found.gain == pytest.approx(experiment.temperature.gain, rel=1e-4)


def test_many_rows_of_classes_have_some_that_no_network_has_seen():
    y = np.arange(6000) % 3
    held = table_recipe.deal(y, "multiclass", 0).held_out
    assert held.shape == (6000, 4)
    assert list(np.bincount(held.sum(axis=1).astype(int))) == [0, 5700, 0, 0, 300]
    assert (table_recipe.deal(y, "regression", 0).held_out.sum(axis=1) == 1).all()
    most = table_recipe.deal(np.arange(60_000) % 2, "binary", 0).held_out
    assert (most.sum(axis=1) == 4).sum() == 1000


@pytest.mark.slow
def test_scores_of_validation_are_those_of_networks_that_did_not_see_the_row(trained):
    experiment, run = trained
    labels = (FRAME["yes"] == "yes").to_numpy().astype(int)
    logits = np.zeros(ROWS)
    for member, held in zip(run.net.members, experiment.dealt.held_out.T, strict=True):
        logits += held * member(experiment.x).numpy()[:, 0] / 2
    p = 1 / (1 + np.exp(-logits * scale_of_two(experiment)))
    loss = -np.log(np.where(labels == 1, p, 1 - p)).mean()
    assert run.metrics["validation"]["log_loss"] == pytest.approx(loss, rel=1e-5)
    assert run.metrics["train"]["log_loss"] < loss


@pytest.mark.slow
def test_the_importance_of_columns_is_measured_on_rows_that_were_not_seen(trained):
    """As much as the log loss out of fold rises, with the columns shuffled by hand."""
    experiment, run = trained
    rows = experiment.training
    outputs = experiment.outputs(run, rows)
    (title, page), *_ = experiment.reasons(run, rows, outputs).sections
    assert title == "Columns that matter"
    held = experiment.dealt.held_out  # (rows, members)

    def loss_of_unseen(x):
        logits = np.stack([member(x).numpy()[:, 0] for member in run.net.eval().members], axis=1)
        p = 1 / (1 + np.exp(-(logits * held).sum(axis=1) / 2 * scale_of_two(experiment)))
        return -np.log(np.where(experiment.y[rows] == 1, p, 1 - p)).mean()

    x, rng = experiment.x[rows], np.random.default_rng(0)
    before, rises = loss_of_unseen(x), []
    for order in [rng.permutation(ROWS) for _ in range(10)]:
        shuffled = x.copy()
        shuffled[:, 2] = x[order, 2]  # c
        rises.append(loss_of_unseen(shuffled) - before)
    assert before == pytest.approx(run.metrics["validation"]["log_loss"], rel=1e-5)
    shown = re.search(r">c<.*?([-0-9.e]+) ± ([0-9.e]+)", page, re.DOTALL)
    assert shown is not None
    assert float(shown[1]) == pytest.approx(np.mean(rises), rel=0.01)
    assert float(shown[2]) == pytest.approx(np.std(rises, ddof=1), rel=0.06)


@pytest.mark.slow
def test_the_report_and_the_notebook_call_these_scores_out_of_fold(trained):
    experiment, run = trained
    page = experiment.page(run, "cutaway train")
    assert "Out-of-fold accuracy for yes: <b>" in page
    assert "each of the 160 rows is predicted only by networks that did not train on it" in page
    assert "of 160 out-of-fold rows</h2>" in page and "of 160 out-of-fold rows was shuffled" in page
    assert "alidation" not in page.partition("<h2>Settings")[0]
    again = ct.runs.Run.open(run.path)
    assert "out of fold" in again._repr_html_() and "validation" not in again._repr_html_()
    worth = worth_seeing(dataclasses.replace(experiment, source="t.csv"), run)
    assert worth is not None and "wrong predictions on the out-of-fold rows" in worth.why


@pytest.mark.slow
def test_the_terminal_calls_them_so_too_and_sees_no_overfitting_in_cycles(tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.cli.train.overfits", lambda rows, kept: "it overfits")
    FRAME.write_csv(tmp_path / "t.csv")
    for recipe in ("ensemble", "plain"):
        _, out, _ = in_process.cutaway(
            "train", tmp_path / "t.csv", "--target", "yes", "--recipe", recipe,
            "--epochs", "12", "--out", tmp_path / recipe,
        )  # fmt: skip
        out, of_folds = " ".join(out.split()), recipe == "ensemble"
        assert ("training out of fold accuracy" in out) == of_folds
        assert ("Out-of-fold accuracy for yes: " in out) == of_folds
        assert ("(lowest out-of-fold loss among the epochs at a low" in out) == of_folds
        assert ("Network: ensemble of 8 networks 4-128-128-1, " in out) == of_folds
        assert ("training validation accuracy" in out) != of_folds
        assert ("Validation accuracy for yes: " in out) != of_folds
        assert ("(lowest validation loss)" in out) != of_folds
        assert ("it overfits" in out) != of_folds


@pytest.mark.slow
def test_a_run_that_is_opened_again_predicts_the_same_and_explains_a_row(trained):
    _, run = trained
    again = ct.runs.Run.open(run.path)
    first, second = run.predict(FRAME)[0], again.predict(FRAME)[0]
    assert first["probability of yes"].to_list() == second["probability of yes"].to_list()
    story = explain_row(again, FRAME, 3)
    assert story.attribution is not None
    assert "Prediction: yes = " in story.text()


@pytest.mark.slow
def test_a_training_that_is_resumed_has_the_weights_of_one_that_was_not(trained, tmp_path):
    _, whole = trained

    def stop(trainer, row):
        if row["epoch"] == 5:
            trainer.stop(INTERRUPTED)

    options = TableOptions(recipe="ensemble", epochs=12)
    prepared(FRAME, "yes", options).train(tmp_path / "r", callbacks=[stop], progress=False)
    experiment = prepared(FRAME, "yes", options)
    run = experiment.train(tmp_path / "r", resume=True, progress=False)
    for path, values in whole.net.state_dict().items():
        np.testing.assert_array_equal(values, run.net.state_dict()[path])


@pytest.mark.slow
def test_numbers_are_predicted_with_intervals_from_rows_that_were_not_seen(tmp_path):
    frame = FRAME.with_columns(amount=pl.Series(5 + LOGIT + RNG.normal(size=ROWS))).drop("yes")
    experiment = prepared(frame, "amount", TableOptions(recipe="ensemble", epochs=12))
    run = experiment.train(tmp_path / "run", progress=False)
    scores = run.metrics
    assert scores["validation"]["mean_absolute_error"] > scores["train"]["mean_absolute_error"]
    found = run.predict(frame)[0]
    inside = found.filter(pl.col("amount").is_between(pl.col("lower"), pl.col("upper")))
    assert len(inside) >= 0.9 * ROWS


@pytest.mark.slow
def test_weights_are_kept_where_the_learning_rate_is_low(tmp_path):
    experiment = prepared(FRAME, "yes", TableOptions(recipe="ensemble", epochs=40))
    run = experiment.train(tmp_path / "run", progress=False)
    rates = run.history["lr"]
    resting = [k for k, rate in enumerate(rates) if rate <= table_recipe.REST * table_recipe.RATE]
    losses = run.history["val_loss"]
    assert 0 < len(resting) < len(rates)
    assert run.metrics["best_epoch"] == min(resting, key=losses.__getitem__) + 1
    page = experiment.page(run, "cutaway train")
    assert "the best on the out-of-fold rows among the epochs at a low learning rate" in page
    assert "Where the validation loss rises" not in page
    assert "so the loss in blue may rise after the epoch that was kept" in page


@pytest.mark.slow
def test_with_a_split_by_time_all_networks_train_on_the_earlier_rows(tmp_path):
    options = TableOptions(recipe="ensemble", epochs=8, split="time:a")
    experiment = prepare_table(FRAME, "yes", options)
    assert len(experiment.training) == 128
    run = experiment.train(tmp_path / "run", progress=False)
    labels = (FRAME["yes"] == "yes").to_numpy().astype(int)[experiment.validation]
    p = run.outputs(experiment.x[experiment.validation])[np.arange(32), labels]
    assert run.metrics["validation"]["log_loss"] == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert run.metrics["validation_kind"] == "validation"


def test_the_studio_opens_the_first_network_on_the_rows_that_it_has():
    experiment = prepared()
    subject = subject_of_experiment(experiment)
    held = experiment.dealt.held_out[:, 0] > 0
    np.testing.assert_array_equal(subject.training, experiment.training[~held])
    assert not subject.program.members


def test_prescriptions_change_what_the_recipe_leaves_open_and_the_others_are_refused_by_name():
    experiment = prepared()
    given = options_with(experiment, (changes.Epochs(2.0), changes.BatchSize(0.5)))
    assert given == {"epochs": 8, "batch_size": experiment.batch_size // 2}
    lower = options_with(experiment, (changes.LearningRate(0.1),))
    with pytest.raises(OptionError, match="the recipe ensemble with lr"):
        dataclasses.replace(experiment.options, **lower)
