"""tune: the search, left and taken up again, its failures, and what it leaves behind."""

import json
import os
import random
import re
import shutil
import sys

import numpy as np
import polars as pl
import pytest
from pytest import param

import cutaway as ct
from cutaway.errors import CutawayError, DataError, OptionError, RunError, install_extra
from cutaway.files import Manifest, Owner
from cutaway.runs.space import Choice, Integer, Real
from cutaway.search import trial as trials_module
from cutaway.search.paired import paired_interval
from cutaway.search.study import Study
from tests.hostile.damage import changed_json
from tests.runs.drawn_sets import write_masks, write_objects, write_pairs, write_volumes

SMALL = {"kind": "table", "epochs": 4}


def values(found):
    return found.trials.select("trial", "state", "value", "lr", "layers", "dropout").rows()


@pytest.fixture(scope="module")
def whole(points, tmp_path_factory):
    """A search of 4 trials that nobody disturbs: (frame, Tuned)."""
    return points, ct.tune(
        points, "where", trials=4, out=tmp_path_factory.mktemp("tune") / "t", **SMALL
    )


def test_the_first_trial_has_the_default_options_and_the_best_is_no_worse(whole):
    frame, found = whole
    rows = found.trials
    assert rows["trial"].to_list() == [1, 2, 3, 4]
    assert rows["lr"][0] == 0.001 and rows["layers"][0] == "128-128"
    plain = ct.runs.prepare(frame, "where", test=0.2, recipe="plain", **SMALL)
    plain.test = None
    run = plain.train(found.path / "plain", progress=False)
    assert rows["value"][0] == pytest.approx(min(run.history["val_loss"]), rel=1e-6)
    assert found.summary["trials"][found.summary["best"] - 1]["value"] == rows["value"].min()


def test_the_best_is_an_ordinary_run_with_its_own_score_on_the_test_rows(whole):
    frame, found = whole
    summary = found.best.predict(frame)[0]
    assert summary.height == 120 and set(summary["prediction"]) <= {"in", "out"}
    options = found.best.config["options"]
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    x, y = ct.runs.prepare(frame, "where", kind="table", **given).test  # as the doctor does
    right = (found.best.outputs(x).argmax(axis=1) == y).mean()
    assert found.summary["scores"]["best"]["test"] == pytest.approx(right)
    assert found.best.metrics["test"]["accuracy"] == pytest.approx(right)
    assert found.summary["rows"] == {"training": 77, "validation": 19, "test": 24}
    assert "24" in found.verdict() and (found.path / "best" / "report.html").exists()
    trial = json.loads((found.path / "trials" / "001" / "metrics.json").read_text())
    assert "test" not in trial  # no trial sees it


@pytest.mark.slow
def test_a_search_that_was_left_and_taken_up_is_the_one_that_was_not(whole, tmp_path, monkeypatch):
    frame, found = whole
    ct.tune(frame, "where", trials=2, out=tmp_path / "t", **SMALL)
    train = trials_module._train

    def interrupted(base, study, trial, drawn, path, log):
        train(base, study, trial, drawn, path, log)
        raise KeyboardInterrupt

    monkeypatch.setattr(trials_module, "_train", interrupted)
    left = ct.tune(frame, "where", trials=4, out=tmp_path / "t", **SMALL)
    assert len(left.trials) == 2 and left.summary["wanted"] == 4
    assert not (tmp_path / "t" / "trials" / "003").exists()
    monkeypatch.undo()
    again = ct.tune(frame, "where", trials=4, out=tmp_path / "t", **SMALL)
    assert values(again) == values(found)
    done = ct.tune(frame, "where", trials=4, out=tmp_path / "t", **SMALL)  # nothing left to do
    assert values(done) == values(found)


@pytest.mark.slow
def test_a_failed_trial_is_marked_and_the_search_goes_on(points, tmp_path, monkeypatch):
    train = trials_module._train

    def second_fails(base, study, trial, drawn, path, log):
        if path.name == "002":
            path.mkdir()
            raise ct.errors.TrainingError("the loss became NaN")
        return train(base, study, trial, drawn, path, log)

    monkeypatch.setattr(trials_module, "_train", second_fails)
    found = ct.tune(points, "where", trials=3, out=tmp_path / "t", **SMALL)
    assert found.trials["state"].to_list() == ["complete", "failed", "complete"]
    assert "the loss became NaN" in found.trials["failed"][1]
    assert not (tmp_path / "t" / "trials" / "002").exists()
    assert "TrainingError: the loss became NaN" in found.report.read_text()


def test_a_trial_worse_than_half_of_those_before_is_given_up(tmp_path):
    study = Study(
        tmp_path / "s.db", {"a": Real(0.0, 1.0, start=0.5)}, higher_is_better=False, epochs=10,
        seed=0,
    )  # fmt: skip

    class Trainer:
        stopped = None

        def stop(self, why):
            self.stopped = why

    def run(place, losses):
        trial, _ = study.ask(place)
        trainer = Trainer()
        pruning = trials_module.Pruning(study, trial, "val_loss")
        for epoch, loss in enumerate(losses):
            trainer.epoch = epoch + 1
            pruning.on_epoch(trainer, {"val_loss": loss})
            if trainer.stopped:
                study.tell(trial, pruned=epoch + 1)
                return epoch + 1
        study.tell(trial, pruning.best)
        return None

    assert [run(k, [1 / (1 + e) + k / 10 for e in range(10)]) for k in range(4)] == [None] * 4
    assert run(4, [5.0] * 10) == 3  # a quarter of the epochs is waited for
    assert run(5, [1 / (2 + e) for e in range(10)]) is None
    # a trial between those that were given up and the others is gone on with: it beats half
    assert run(6, [1 / (1 + e) + 0.15 for e in range(10)]) is None
    assert [study.state_of(t) for t in study.trials()].count("pruned") == 1
    assert study.best().user_attrs["place"] == 5


def test_importances_name_what_the_value_comes_from(tmp_path):
    space = {
        "rate_factor": Real(0.01, 100, start=1.0, log=True),
        "width": Integer(1, 9, start=3),
        "init": Choice(("a", "b")),
    }
    study = Study(tmp_path / "s.db", space, higher_is_better=True, epochs=3, seed=0)
    for place in range(20):
        trial, drawn = study.ask(place)
        assert place or drawn == {"rate_factor": 1.0, "width": 3, "init": "a"}
        study.tell(trial, -abs(np.log(drawn["rate_factor"])) + 0.01 * drawn["width"])
        if place == 8:
            assert study.importances() == {}  # too few to say
    shares = study.importances()
    assert next(iter(shares)) == "learning rate" and shares["learning rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_a_paired_interval_is_that_of_the_mean_difference():
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    b = a + rng.normal(0.2, 1.0, 400)
    mean, low, high = paired_interval(a, b)
    error = (b - a).std(ddof=1) / 20
    assert mean == pytest.approx((b - a).mean())
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.012)


def test_the_page_and_the_plot_tell_of_every_trial(whole):
    _, found = whole
    page = found.report.read_text()
    assert page.startswith("<!doctype html>") and "<script" not in page
    assert "The best 4 trials" in page and "Too few trials" in page
    assert found.plot().axes[0].get_xlabel() == "trial"


@pytest.mark.slow
def test_what_was_given_is_not_searched(points, tmp_path):
    found = ct.tune(points, "where", trials=2, out=tmp_path / "t", lr=0.01, layers=(8,), **SMALL)
    assert found.trials["lr"].to_list() == [0.01, 0.01]
    assert found.best.config["options"]["layers"] == [8]
    assert "width" not in json.loads((tmp_path / "t" / "search.json").read_text())["space"]


def bad_calls():
    everything = dict(
        lr=0.1, layers=(4,), optimizer="sgd", batch_size=8, weight_decay=0.0, dropout=0.0,
        init="zeros",
    )  # fmt: skip
    return [
        ({"trials": 0}, OptionError, "trials is 0"),
        ({"jobs": 0}, OptionError, "jobs is 0"),
        ({"jobs": 2}, OptionError, "in memory"),
        ({"target": "nowhere"}, DataError, "nowhere"),
        ({"learning_rate": 1.0}, OptionError, "learning_rate"),
        ({"test": 1.5}, OptionError, "test is 1.5"),
        (everything, OptionError, "all searchable options are fixed"),
    ]


@pytest.mark.parametrize("case", bad_calls(), ids=lambda case: case[2])
def test_wrong_input_leaves_nothing_behind(points, tmp_path, case):
    given, error, words = case
    given = {"target": "where", **SMALL, **given}
    with pytest.raises(error, match=words):
        ct.tune(points, out=tmp_path / "t", **given)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_left_alone(points, tmp_path, whole):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty and does not hold a search"):
        ct.tune(points, "where", trials=1, out=tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    _, found = whole
    with pytest.raises(RunError, match=r"another search, .*: epochs \(4 there, 5 here\)"):
        ct.tune(points, "where", trials=5, out=found.path, kind="table", epochs=5)
    Manifest(tmp_path / "broken").write({"search.json": b"{}"})
    (tmp_path / "broken" / "search.json").write_text("{")
    with pytest.raises(RunError, match=r"search\.json is damaged"):
        ct.tune(points, "where", trials=1, out=tmp_path / "broken", **SMALL)


def test_two_searches_at_once_in_one_folder_are_refused(points, whole):
    frame, found = whole
    words = f"is in use: process {os.getpid()} has been searching there since"
    with Owner(found.path, "searching"), pytest.raises(RunError, match=words):
        ct.tune(frame, "where", trials=5, out=found.path, **SMALL)


def test_without_optuna_the_error_says_how_to_get_it(points, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(CutawayError, match=re.escape(install_extra("search"))):
        ct.tune(points, "where", out=tmp_path / "t", **SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_frame_of_numbers_is_searched_too(tmp_path):
    rng = np.random.default_rng(3)
    a = rng.normal(size=80)
    frame = pl.DataFrame({"a": a, "y": 3 * a + 1})
    found = ct.tune(frame, "y", trials=2, out=tmp_path / "t", **SMALL)
    assert found.summary["score"] == "mean_absolute_error"
    assert len(found.summary["difference"]) == 3 or found.summary["best"] == 1


def test_a_damaged_study_is_named_with_its_file(tmp_path):
    path = tmp_path / "study.db"

    def use():
        study = Study(path, {}, higher_is_better=True, epochs=4, seed=0)
        study.forget_unfinished()
        study.tell(study.ask(len(study.trials()))[0], 0.5)

    use()
    content, rng, named = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(12):
        changed = bytearray(content)
        for byte in rng.integers(0, len(content), 100):
            changed[byte] ^= 1 << rng.integers(8)
        path.write_bytes(changed[: rng.integers(len(content))])
        try:
            use()
        except RunError as error:
            assert f"{path} is damaged" in str(error)
            named += 1
    assert named > 6


def test_any_change_of_the_notes_of_a_search_is_another_search_or_damage(whole, tmp_path):
    frame, found = whole
    shutil.copytree(found.path, tmp_path / "tuned")
    path = tmp_path / "tuned" / "search.json"
    content = json.loads(path.read_bytes())
    for number in range(12):
        _, changed = changed_json(random.Random(number), content)
        path.write_text(json.dumps(changed))
        Manifest(path.parent).accept([path.name])
        if changed == content:
            continue
        with pytest.raises(RunError, match=r"holds another search|search\.json is damaged"):
            ct.tune(frame, "where", trials=4, out=path.parent, **SMALL)
    path.write_text('{"a":' * 5000)
    Manifest(path.parent).accept([path.name])
    with pytest.raises(RunError, match=r"search\.json is damaged"):
        ct.tune(frame, "where", trials=4, out=path.parent, **SMALL)


@pytest.mark.slow  # two networks for each
@pytest.mark.parametrize(
    "write, score, given",
    [
        param(write_masks, "mean_iou", {"width": 2, "levels": 2, "size": 32}, id="masks"),
        param(write_volumes, "mean_iou", {"width": 2, "levels": 2}, id="volumes"),
        param(write_pairs, "l1", {"model": "l1", "width": 2}, id="pairs"),
        param(
            write_objects,
            "ap",
            {"model": "yolo", "augment": False, "size": 64},
            id="objects",
            marks=pytest.mark.longest,
        ),
    ],
)
def test_searches_of_pictures_and_volumes_end_with_scores_and_a_report(
    tmp_path, write, score, given
):
    found = ct.tune(
        write(tmp_path / "set"), trials=2, epochs=1, out=tmp_path / "t", validation=0.3, **given
    )
    told = found.summary["scores"]["best"]
    assert found.summary["score"] == score and told["validation"] >= 0 and "test" in told
    assert found.summary["rows"]["test"] > 0
    assert found.verdict() and (tmp_path / "t" / "best" / "report.html").exists()
