"""Leaks are told before a training, by its checks, by its report and by the doctor."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from cutaway.cli.app import app
from cutaway.doctor.preflight import preflight
from cutaway.doctor.sources import plan_of
from cutaway.runs import TableOptions, prepare, prepare_table
from cutaway.runs.series import SeriesOptions, prepare_series

QUICK = TableOptions(epochs=1, layers=(4,))
SENTENCE = "each value of `target_copy` stands for one class of `y` in 300 of 300 rows"


def leaking(rows=300):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    return pl.DataFrame({
        "u": rng.normal(size=rows), "v": rng.normal(size=rows),
        "target_copy": np.where(y == 1, "yes", "no"), "y": y,
    })  # fmt: skip


def codes(found):
    return [finding.code for finding in found.findings]


def test_a_copy_of_the_target_is_in_the_notes_before_training():
    experiment = prepare_table(leaking(), "y", QUICK)
    assert [leak.kind for leak in experiment.leaks] == ["copy"]
    assert [SENTENCE in note for note in experiment.notes] == [True]
    without = TableOptions(epochs=1, layers=(4,), ignore=("target_copy",))
    assert prepare_table(leaking(), "y", without).leaks == ()


def test_other_options_of_the_same_data_keep_what_was_found():
    experiment = prepare_table(leaking(), "y", QUICK)
    again = experiment.with_options(TableOptions(epochs=1, layers=(8,)))
    assert again.leaks == experiment.leaks


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_every_task_looks_for_leaks(task):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    target = y.astype(str) if task == "multiclass" else y * 10 + rng.normal(size=300)
    copy = y if task == "multiclass" else target
    frame = pl.DataFrame({"u": rng.normal(size=300), "copy": copy, "y": target})
    experiment = prepare_table(frame, "y", QUICK)
    assert experiment.preprocessing.task == task
    assert [leak.columns for leak in experiment.leaks] == [("copy",)]


def test_the_preflight_names_the_column_and_the_number():
    checks = preflight(plan_of(prepare_table(leaking(), "y", QUICK)))
    found = next(finding for finding in checks.findings if finding.code == "data_leak")
    assert found.where == "target_copy" and found.evidence[0].value == 1.0
    assert "--ignore target_copy" in found.prescriptions[0].text
    assert "data leak" in checks.line()
    clean = leaking().drop("target_copy")
    assert "data_leak" not in codes(preflight(plan_of(prepare_table(clean, "y", QUICK))))


def test_repeated_rows_are_told_once():
    frame = leaking().drop("target_copy")
    experiment = prepare_table(pl.concat([frame, frame]), "y", QUICK)
    assert [leak.kind for leak in experiment.leaks] == ["duplicates"]
    found = codes(preflight(plan_of(experiment)))
    assert "data_leak" in found and "duplicated_rows" not in found


def test_the_test_rows_are_looked_at_too():
    frame = leaking().drop("target_copy")
    options = TableOptions(epochs=1, layers=(4,), test=0.2)
    experiment = prepare_table(pl.concat([frame, frame]), "y", options)
    assert [leak.found.split(" rows")[0].split()[-1] for leak in experiment.leaks] == [
        "validation",
        "test",
    ]


def test_a_series_that_holds_the_future_is_told():
    rng = np.random.default_rng(0)
    sold = rng.normal(size=200).cumsum()
    frame = pl.DataFrame({"sold": sold, "plan": np.append(sold[2:], [0.0, 0.0])})
    options = SeriesOptions(column="sold", epochs=1, hidden=4, window=8, horizon=2)
    experiment = prepare_series(frame, options)
    assert [leak.number for leak in experiment.leaks] == [2.0]
    assert any("`plan` tells `sold` 2 steps ahead" in note for note in experiment.notes)
    assert plan_of(experiment).leaks == experiment.leaks


def test_the_command_line_tells_it_before_the_training_and_the_report_after(tmp_path):
    data, out = tmp_path / "data.csv", tmp_path / "run"
    leaking().write_csv(data)
    given = ["train", str(data), "--target", "y", "--epochs", "1", "--layers", "4"]
    done = CliRunner().invoke(app, [*given, "--out", str(out)])
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert words.index(SENTENCE) < words.index("1 epoch in")
    assert "data leak: target_copy" in words
    assert SENTENCE in (out / "report.html").read_text()
    as_json = [*given, "--json", "--out", str(tmp_path / "other")]
    summary = json.loads(CliRunner().invoke(app, as_json).stdout)
    assert "data_leak" in [finding["code"] for finding in summary["preflight"]]


def test_kinds_that_look_for_no_leaks_say_so():
    texts = [f"{word} day number {k} of the year" for k in range(20) for word in ("good", "bad")]
    frame = pl.DataFrame({"text": texts, "label": ["a", "b"] * 20})
    assert prepare(frame, "label", kind="text", epochs=1).leaks is None
