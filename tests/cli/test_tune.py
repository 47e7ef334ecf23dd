"""`cutaway tune` as people use it: in a process of its own, at 80 columns."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
SMALL = ("--epochs", "2", "--set", "layers=8")


@pytest.mark.slow
def test_a_search_prints_its_trials_and_goes_on_in_two_processes_when_asked_again(
    cutaway, tmp_path
):
    done = cutaway("tune", "--trials", "1", "--out", "t", *SMALL, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "trial   1 of 1" in done.stdout and "1 trial: 1 completed" in done.stdout
    assert "test rows." in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80 and done.stderr == ""
    again = cutaway(
        "tune", "--trials", "3", "--jobs", "2", "--out", "t", *SMALL, "--json", folder=tmp_path
    )
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert [t["trial"] for t in told["trials"]] == [1, 2, 3]
    assert {t["state"] for t in told["trials"]} <= {"complete", "pruned"}
    assert told["scores"]["best"]["test"]
    used = cutaway("evaluate", "t/best", cutaway_students(), "--json", folder=tmp_path)
    assert used.returncode == 0 and json.loads(used.stdout)["accuracy"] > 0.3


def cutaway_students():
    from cutaway.data import students_path

    return students_path()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_the_trials_that_are_done_and_says_so(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "cutaway", "tune", "--trials", "500", "--out", "t", *SMALL],
        cwd=tmp_path, env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while "trial   2" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "Interrupted after" in err and "repeat the command to resume" in err
    assert "cutaway predict t/best" in out
    assert (tmp_path / "t" / "tune.html").exists()


BAD = [
    (["--trials", "0"], "trials is 0"),
    (["nowhere.csv"], "nowhere.csv"),
    (["--set", "dropout"], "the setting 'dropout'"),
    (["--set", "color=3"], "color: not an option"),
    (["--test", "1"], "test is 1"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: " ".join(case[0]))
def test_wrong_input_exits_with_2_and_leaves_nothing(cutaway, tmp_path, case):
    arguments, words = case
    done = cutaway("tune", *arguments, "--epochs", "2", folder=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert done.stderr.startswith("cutaway: ") and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_has_an_example_and_fits(cutaway, tmp_path):
    shown = cutaway("tune", "--help", folder=tmp_path)
    assert "Example" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 80
