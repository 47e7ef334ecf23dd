"""`cutaway doctor` as people use it: in a process of its own, at 80 columns."""

import json
import os

import pytest

from cutaway.runs import Run, prepare

ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
SCRIPT = """
import numpy as np
import cutaway as ct

def slow(lr=1e-4, epochs=8):
    ct.seed(0)
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    y = x @ np.array([[1], [-2], [0.5], [0]], "float32")
    net = ct.Sequential(ct.Linear(4, 1))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr))
    return trainer, x, y, {"epochs": epochs}

healthy = slow(0.1, 60)
number = 3

def broken():
    return 1 / 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a script, and a run whose learning rate was far too low."""
    path = tmp_path_factory.mktemp("doctor")
    (path / "script.py").write_text(SCRIPT)
    slow = prepare(None, epochs=20, layers=(8,), lr=1e-3)
    slow.train(path / "run", progress=False)
    return path


def test_a_healthy_script_ends_with_0(cutaway, folder):
    done = cutaway("doctor", "script.py:healthy", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Healthy")


@pytest.mark.slow
def test_the_verdict_fits_a_screen_and_the_trials_prove_it(cutaway, folder):
    done = cutaway(
        "doctor", "script.py:slow", "--treat", "--seeds", "2", "--html", "d.html", folder=folder
    )
    assert done.returncode == 1 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "1. learning rate too low" in done.stdout and "Fix:" in done.stdout
    assert "control" in done.stdout and "\nrandom" in done.stdout and "Best: " in done.stdout
    page = (folder / "d.html").read_text()
    assert page.count("<svg") >= 4 and "Gradients by layer" in page
    assert "https://" not in page


@pytest.mark.slow
def test_a_run_is_treated_and_a_new_one_written(cutaway, folder):
    done = cutaway(
        "doctor",
        "run",
        "--apply",
        "--seeds",
        "4",
        "--budget",
        "12",
        "--out",
        "new",
        "--json",
        folder=folder,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["findings"][0]["code"] == "learning_rate_too_low"
    assert told["treatment"]["best"] is not None and told["run"] == "new"
    before, after = Run.open(folder / "run"), Run.open(folder / "new")
    assert after.config["lr"] > 3 * before.config["lr"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["script.py:nothing"], "has no 'nothing'"),
        (["script.py:number"], "number in script.py is a int"),
        (["script.py:broken"], "ZeroDivisionError"),
        (["other.py:name"], "no Python file other.py"),
        (["no_run"], "no_run"),
        (["script.py:slow", "--apply"], "--apply writes a run"),
    ],
)
def test_what_cannot_be_looked_at_ends_with_2(cutaway, folder, arguments, said):
    done = cutaway("doctor", *arguments, folder=folder)
    assert done.returncode == 2 and said in done.stderr


def test_data_that_are_gone_are_named(cutaway, tmp_path):
    table = "a,b\n" + "\n".join(f"{i * i % 11},{i % 7}" for i in range(60))
    (tmp_path / "t.csv").write_text(table)
    prepare(tmp_path / "t.csv", "b", epochs=1, layers=(2,)).train(tmp_path / "r", progress=False)
    (tmp_path / "t.csv").unlink()
    done = cutaway("doctor", "r", folder=tmp_path)
    assert done.returncode == 2 and "are no longer at" in done.stderr


@pytest.mark.slow
def test_training_ends_with_its_most_important_finding_if_there_is_one(cutaway, tmp_path):
    command = ["train", "--init", "zeros", "--layers", "8", "--epochs", "10", "--lr", "0.01"]
    done = cutaway(*command, "--out", "r", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "symmetric weights: " in done.stdout
    last = "  cutaway doctor r\n      more about the symmetric weights, and all other checks\n"
    assert done.stdout.endswith(last)
    assert max(map(len, done.stdout.splitlines())) <= 80
    fine = cutaway("train", "--epochs", "60", "--out", "fine", "--json", folder=tmp_path)
    assert json.loads(fine.stdout)["finding"] is None
