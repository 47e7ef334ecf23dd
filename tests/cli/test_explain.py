"""`cutaway explain` as people use it: in a process of its own, at 80 columns."""

import json

import pytest

from cutaway.runs import prepare


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """A folder with a run, trained for a moment."""
    folder = tmp_path_factory.mktemp("explain")
    prepared = prepare(None, epochs=3, layers=(6, 4))
    prepared.train(folder / "run", progress=False)
    return folder


def test_without_options_it_tells_the_story_of_a_row(cutaway, students):
    done = cutaway("explain", "run", "--row", "3", folder=students)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Row 3 of students.csv" and done.stderr == ""
    assert max(map(len, lines)) <= 80 and len(lines) <= 50
    for part in (
        "study = 2",
        "Prediction: passed = ",
        "True value: passed = 0",
        "study: 2 -> (2 - ",
        "ŷ = σ(z) = 1 / (1 + e^-z) = 1 / (1 + e^",
        "L = -ln(1 - ŷ) = -ln(1 - 0.",
        "∂L/∂w_",
        "Unusual",
    ):
        assert part in done.stdout
    assert "sum over 4 paths" in done.stdout


def test_a_neuron_a_weight_and_the_page(cutaway, students):
    done = cutaway(
        "explain", "run", "--row", "1", "--neuron", "0:2", "--weight", "0:2,1", "--top", "2",
        "--html", "why.html", folder=students,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "z_3^(1) = " in done.stdout and "w_33^(1) · x_3 (sleep)" in done.stdout
    assert "∂L/∂w_32^(1)   (0.weight[2, 1] = " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    page = (students / "why.html").read_text()
    assert page.startswith("<!doctype html>") and "<svg" in page and "<math" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page


def test_the_next_step_of_a_weight(cutaway, students):
    done = cutaway("explain", "run", "--row", "1", "--weight", "0:2,1", "--step", folder=students)
    assert done.returncode == 0, done.stderr
    assert "The next step, if training went on from these weights" in done.stdout
    assert "AdamW, step 1: the update of w_32^(1)" in done.stdout
    alone = cutaway("explain", "run", "--row", "1", "--step", "--json", folder=students)
    assert json.loads(alone.stdout)["step"]["optimizer"] == "AdamW"


def test_json_for_machines(cutaway, students):
    story = json.loads(cutaway("explain", "run", "--json", folder=students).stdout)
    assert story["row"] == 0 and set(story["values"]) == {"study", "play", "sleep", "passed"}
    gradient = story["gradient"]
    added = sum(p["product"] for p in gradient["paths"]) + gradient["remainder"]
    assert added == pytest.approx(gradient["value"], rel=1e-9)
    weight = cutaway("explain", "run", "--weight", "0:0,0", "--json", folder=students)
    assert json.loads(weight.stdout)["weight"]["count"] == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--row", "100000"], "there is no row 100000 in"),
        (["--weight", "9:0,0"], "the network has no '9'"),
        (["--weight", "0:0,77"], "0.weight has no element (0, 77)"),
        (["--neuron", "first"], "--neuron 'first'"),
        (["--window", "0:1,1,1"], "'0' is no convolution"),
        (["--gates", "0"], "the layer '0', Linear, has no gates"),
        (["--input", "nothing.csv"], "nothing.csv"),
        (["--html", "no/such/folder/page.html"], "folder"),
    ],
)
def test_what_is_wrong_is_said(cutaway, students, options, said):
    done = cutaway("explain", "run", *options, folder=students)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_rows_of_other_data_and_data_that_are_gone(cutaway, students, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("study,play,sleep\n9,9,40\n")
    done = cutaway("explain", students / "run", "--input", table, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Row 0 of new.csv" in done.stdout and "True value" not in done.stdout
    assert (
        "sleep is " in done.stdout and "standard deviations above the training mean" in done.stdout
    )
