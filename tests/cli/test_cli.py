"""The command line as people use it: in a process of its own, at 80 columns."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cutaway as ct

ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def trained(cutaway, tmp_path_factory):
    """A folder in which `cutaway train` ran without options, and what it printed."""
    folder = tmp_path_factory.mktemp("students")
    return folder, cutaway("train", folder=folder)


def test_the_plain_command_trains_on_the_students_and_says_how_good_it_is(trained):
    folder, done = trained
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "students.csv (bundled with Cutaway): 200 rows, 4 columns" in done.stdout
    assert re.search(r"Validation accuracy for passed: 0\.\d{3} \(\d+ of 40\)", done.stdout)
    assert "majority-class baseline: 0.550" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (folder / "runs" / "students" / "report.html").exists()


def test_training_leads_on_to_the_row_worth_explaining_and_to_the_doctor(cutaway, trained):
    folder, done = trained
    lines = done.stdout.splitlines()
    last = next(k for k, line in enumerate(lines) if "cutaway explain" in line)
    row = int(re.search(r"cutaway explain runs/students --row (\d+)$", lines[last])[1])
    why = " ".join(f"{lines[last + 1]} {lines[last + 2]}".split())
    assert "wrong predictions on the validation rows: predicted" in why
    assert lines[-2] == "  cutaway doctor runs/students"
    explained = cutaway("explain", "runs/students", "--row", str(row), "--json", folder=folder)
    found = json.loads(explained.stdout)
    told = re.search(r"predicted (\d) \((\d+\.\d)%\), true (\d)", why)
    assert f"passed = {told[1]} (probability {float(told[2]) / 100:.3f}" in found["prediction"]
    assert found["truth"] == f"passed = {told[3]}" and told[1] != told[3]


def test_the_readme_shows_what_the_plain_command_prints(trained):
    _, done = trained
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = readme.partition("The first ends with:\n\n```text\n")[2].partition("\n```")[0]
    texts = [shown, done.stdout[done.stdout.index("Pre-flight:") :]]
    kept, printed = (re.sub(r"[\d.,]*\d", "#", " ".join(text.split())) for text in texts)
    assert kept == printed  # but for numbers, of which other processors round the last digits


def test_predict_evaluate_and_summary_use_the_run(cutaway, trained):
    folder, _ = trained
    new = folder / "new.csv"
    new.write_text("study,play,sleep\n8,1,8\n0.5,6,5\n")
    printed = cutaway("predict", "runs/students", "new.csv", folder=folder)
    assert printed.returncode == 0
    lines = printed.stdout.splitlines()
    assert lines[0] == "study,play,sleep,prediction,probability,probability of 0,probability of 1"
    assert lines[1].startswith("8,1,8,1,0.9") and lines[2].startswith("0.5,6,5,0,0.9")

    written = cutaway("predict", "runs/students", "new.csv", "--out", "p.csv", folder=folder)
    assert "Wrote 2 predictions to p.csv" in written.stdout
    assert (folder / "p.csv").read_text() == printed.stdout

    as_json = cutaway("predict", "runs/students", "new.csv", "--json", folder=folder)
    assert [p["prediction"] for p in json.loads(as_json.stdout)["predictions"]] == [1, 0]

    data = ct.data.students_path()
    found = json.loads(cutaway("evaluate", "runs/students", data, "--json", folder=folder).stdout)
    assert found["task"] == "binary" and 0.75 < found["accuracy"] < 0.95
    shown = cutaway("evaluate", "runs/students", data, folder=folder).stdout
    assert "accuracy" in shown and "baseline accuracy" in shown

    table = cutaway("summary", "runs/students", folder=folder).stdout
    assert "trainable parameters" in table and "(batch, 128)" in table


def test_summary_of_sizes_counts_as_the_textbooks(cutaway):
    done = cutaway("summary", "4,3,2,1", folder=".")
    assert [int(line.split()[-1]) for line in done.stdout.splitlines() if "Linear" in line] == [
        15,
        8,
        3,
    ]
    assert done.stdout.splitlines()[-1].split() == ["trainable", "parameters", "26"]
    assert json.loads(cutaway("summary", "4,3,2,1", "--json", folder=".").stdout)["total"] == 26


def test_train_prints_one_json_object_for_machines(cutaway, tmp_path):
    frame = pl.DataFrame({"x": RNG.normal(size=60), "y": RNG.normal(size=60)})
    frame.write_csv(tmp_path / "t.csv")
    done = cutaway(
        "train", "t.csv", "--target", "y", "--epochs", "3", "--layers", "4", "--activation", "tanh",
        "--optimizer", "rmsprop", "--lr", "0.01", "--batch-size", "8", "--loss", "huber",
        "--dropout", "0.1", "--init", "glorot_normal", "--seed", "5", "--out", "run", "--json",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["task"] == "regression" and found["parameters"] == 13 and found["epochs"] == 3
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["options"]["optimizer"] == "rmsprop" and config["network"]["loss"] == "huber"
    again = cutaway(
        "train", "t.csv", "--target", "y", "--epochs", "5", "--layers", "4", "--activation", "tanh",
        "--optimizer", "rmsprop", "--lr", "0.01", "--batch-size", "8", "--loss", "huber",
        "--dropout", "0.1", "--init", "glorot_normal", "--seed", "5", "--out", "run", "--json",
        "--resume", folder=tmp_path,
    )  # fmt: skip
    assert json.loads(again.stdout)["epochs"] == 5


def test_help_of_every_command_has_an_example_and_fits_80_columns(cutaway):
    for command in ("", "train", "predict", "evaluate", "summary"):
        done = cutaway(*command.split(), "--help", folder=".")
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "cutaway" in done.stdout and ("Example" in done.stdout or command == "")
    version = cutaway("--version", folder=".")
    assert version.stdout == f"cutaway {ct.__version__}\n"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    files = {
        "good.csv": "x,z,y\n" + "".join(f"{k},{k % 3},{k % 2}\n" for k in range(40)),
        "empty.csv": "",
        "one.csv": "x,y\n1,5\n2,5\n3,5\n",
        "missing.csv": "x,y\n,1\n,0\n,1\n",
        "ragged.csv": "x,y\n1,2\n1,2,3\n",
        "small.csv": "x,y\n1.5,0\n2.5,1\n3.5,0\n4,1\n5,1\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


BAD = [
    (["train", "godo.csv", "--target", "y"], 'did you mean "good.csv"'),
    (["train", "empty.csv", "--target", "y"], "empty.csv is empty"),
    (["train", "ragged.csv", "--target", "y"], "line 3 has 3 cells"),
    (["train", "good.csv", "--target", "Y "], 'did you mean "y"'),
    (["train", "good.csv"], "no target was given"),
    (["train", "one.csv", "--target", "y"], "has only one class, 5, in all 3 rows"),
    (["train", "missing.csv", "--target", "y"], "x: no values"),
    (["train", "good.csv", "--target", "y", "--lr", "0"], "learning rate lr is 0"),
    (["train", "good.csv", "--target", "y", "--lr", "-1"], "learning rate lr is -1"),
    (["train", "small.csv", "--target", "y", "--batch-size", "64"], "has 4 rows"),
    (["train", "good.csv", "--target", "y", "--layers", "4,x"], "layer sizes '4,x'"),
    (["train", "good.csv", "--target", "y", "--loss", "huber", "--task", "x"], "task 'x'"),
    (
        ["train", "good.csv", "--target", "y", "--loss", "categorical_cross_entropy"],
        "does not fit the target",
    ),
    (["train", "good.csv", "--target", "y", "--out", "good.csv"], "good.csv is a file"),
    (["doctor", "good.csv"], "script.py:trainer"),
    (["tune", "good.csv", "--target", "y", "--set", "lr=abc"], "learning rate lr is 'abc'"),
    (["train", "good.csv", "--target", "y", "--out", "."], "is not empty"),
    (["train", "good.csv", "--target", "y", "--resume"], "resume was requested without a run"),
    (["predict", ".", "good.csv"], "has no config.json"),
    (["predict", "nowhere", "good.csv"], "nowhere is not a folder"),
    (["summary", "nowhere"], "neither a run nor a list of layer sizes"),
    (["summary", "4"], "at least two integers"),
    (["trian"], 'did you mean "train"?'),
    (["train", "good.csv", "--epoch", "3"], 'did you mean "--epochs"?'),
    (["train", "good.csv", "--epochs", "x"], "--epochs is 'x'\n  expected: an integer"),
    (["train", "good.csv", "--epochs"], "--epochs was given without a value"),
    (["train", "good.csv", "other.csv"], "unexpected argument other.csv"),
    (["predict", "nowhere"], "DATA is missing\n  expected: cutaway predict RUN DATA"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: " ".join(case[0]))
def test_wrong_input_exits_with_2_and_one_paragraph(cutaway, tables, case):
    arguments, words = case
    before = sorted(p.name for p in tables.iterdir())
    done = cutaway(*arguments, folder=tables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("cutaway: ") and "Traceback" not in done.stderr
    assert "expected:" in done.stderr or "fix:" in done.stderr
    assert sorted(p.name for p in tables.iterdir()) == before


def test_debug_shows_the_traceback_and_json_the_parts_of_an_error(cutaway, tables):
    done = cutaway("train", "empty.csv", "--target", "y", "--debug", folder=tables)
    assert "Traceback" in done.stderr and done.returncode != 0
    done = cutaway("train", "empty.csv", "--target", "y", "--json", folder=tables)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["type"] == "DataError"
    done = cutaway("predict", "--json", folder=tables)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["came"] == "RUN is missing"


def test_errors_at_prediction_name_columns(cutaway, trained):
    folder, _ = trained
    for text, words in (
        ("study,play\n1,2\n", "no column 'sleep'"),
        ("study,play,sleep\n1,many,8\n", "column 'play' holds 'many' in row 1"),
    ):
        (folder / "bad.csv").write_text(text)
        done = cutaway("predict", "runs/students", "bad.csv", folder=folder)
        assert done.returncode == 2 and words in done.stderr


@pytest.mark.slow
def test_a_loss_that_becomes_nan_exits_with_1_and_keeps_a_run(cutaway, tmp_path):
    rows = "".join(f"{k * 0.37:.2f},{k * 1.7:.2f}\n" for k in range(60))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    done = cutaway("train", "t.csv", "--target", "y", "--optimizer", "sgd", "--lr", "1e25",
                   "--out", "run", folder=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "the loss became" in done.stderr and "in epoch 1, step" in done.stderr
    assert (tmp_path / "run" / "weights.safetensors").exists()


def test_ctrl_c_saves_the_run_and_exits_with_130(tmp_path):
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in RNG.normal(size=(4000, 2)))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    child = subprocess.Popen(
        [sys.executable, "-m", "cutaway", "train", "t.csv", "--target", "y", "--epochs", "100000",
         "--out", "run", "--dropout", "0.3"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "config.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    out, error = child.communicate(timeout=60)
    if child.returncode == 0:  # it had ended by itself before
        assert "has not improved" in out
        return
    assert child.returncode == 130, error
    assert "interrupted" in out and (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.slow
def test_a_terminal_sees_a_moving_display(tmp_path):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cutaway", "train", "--epochs", "30", "--out", "run"],
        cwd=tmp_path, env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
        stdin=subprocess.DEVNULL, stdout=child, stderr=child,
    )  # fmt: skip
    os.close(child)
    seen = b""
    while select.select([parent], [], [], 60)[0]:
        try:
            part = os.read(parent, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "epoch" in text and "steps/s" in text and "left" in text


def test_help_and_import_load_nothing_heavy():
    code = (
        "import sys, cutaway, cutaway.cli.app\n"
        "heavy = {'jax', 'numpy', 'polars', 'matplotlib', 'orbax', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
