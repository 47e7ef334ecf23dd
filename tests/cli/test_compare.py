"""`cutaway compare` as people use it: in a process of its own, at 80 columns."""

import json

import pytest

SMALL = ("--sizes", "2", "--seeds", "2", "--epochs", "2", "--set", "layers=4")


@pytest.mark.slow
def test_the_plain_command_prints_a_table_and_a_verdict(cutaway, tmp_path):
    done = cutaway("compare", *SMALL, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and max(map(len, done.stdout.splitlines())) <= 80
    assert "random forest" in done.stdout and "±" in done.stdout
    folder = tmp_path / "runs" / "students-compare"
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["compare.html", "compare.json", "compare.png"]
    told = json.loads((folder / "compare.json").read_text())
    assert told["sizes"] == [20, 150] and len(told["scores"]["network"]) == 2


@pytest.mark.slow
def test_a_table_is_compared_on_splits_by_default(cutaway, tmp_path):
    plain = ("--seeds", "3", "--epochs", "2", "--set", "layers=4", "--out", "c")
    done = cutaway("compare", *plain, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and max(map(len, done.stdout.splitlines())) <= 80
    for words in ("boosted trees", "minus Cutaway's", "Cutaway (log loss", "3 splits", "Nadeau"):
        assert words in done.stdout
    told = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert told["splits"] == 3 and len(told["models"]["cutaway"]["scores"]) == 3
    page = (tmp_path / "c" / "compare.html").read_text()
    assert "Trees" in page or "trees are neither" in page


def test_wrong_input_exits_with_2_and_leaves_nothing(cutaway, tmp_path):
    for arguments, words in (
        (["--seeds", "0"], "seeds is 0"),
        (["--seconds", "0"], "seconds is 0"),
        (["nowhere.csv"], "nowhere.csv"),
        (["--set", "=3"], "the setting"),
    ):
        done = cutaway("compare", *arguments, folder=tmp_path)
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert done.stderr.startswith("cutaway: ") and not list(tmp_path.iterdir())


def test_help_has_an_example_and_fits(cutaway, tmp_path):
    shown = cutaway("compare", "--help", folder=tmp_path)
    assert "Example" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 80
