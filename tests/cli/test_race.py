"""`cutaway race` as people use it: in a process of its own, at 80 columns."""

import json

import pytest

from tests.cli import in_process


def test_the_plain_command_races_all_on_the_ravine(cutaway, tmp_path):
    done = cutaway("race", "--steps", "60", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.startswith("ravine: 0.02 x² + y², from (-8.00, 2.50)")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "nesterov" in done.stdout and "adadelta" in done.stdout
    assert not list(tmp_path.iterdir())


def test_options_pictures_and_the_page(cutaway, tmp_path):
    done = cutaway(
        "race", "saddle", "--optimizer", "sgd, adam", "--steps", "300", "--start", "-2,0",
        "--png", "out/race.png", "--html", "race.html", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("sgd", "adam"))]
    assert {row[0]: row[-1] for row in rows} == {"sgd": "saddle", "adam": "saddle"}
    assert (tmp_path / "out" / "race.png").read_bytes().startswith(b"\x89PNG")
    assert "<!doctype html>" in (tmp_path / "race.html").read_text()
    assert "race.html" in done.stdout and max(map(len, done.stdout.splitlines())) <= 80


def test_json_for_machines(cutaway, tmp_path):
    done = cutaway("race", "bowl", "--optimizer", "sgd", "--lr", "0.25", "--steps", "5", "--json",
                   folder=tmp_path)  # fmt: skip
    found = json.loads(done.stdout)
    assert found["optimizers"][0]["lr"] == 0.25 and len(found["optimizers"][0]["points"]) == 6
    # (1 - 0.25)⁵ · -4
    assert found["optimizers"][0]["points"][-1][0] == pytest.approx(-4 * 0.75**5, rel=1e-12)


def test_the_surfaces_are_listed_and_help_has_an_example(cutaway, tmp_path):
    listed = cutaway("race", "--list", folder=tmp_path).stdout
    assert "rosenbrock: (1 - x)² + 100 (y - x²)²" in listed
    assert max(map(len, listed.splitlines())) <= 80
    assert (
        "ravine"
        in json.loads(cutaway("race", "--list", "--json", folder=tmp_path).stdout)["surfaces"]
    )
    shown = cutaway("race", "--help", folder=tmp_path)
    assert "Example" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 80


BAD = [
    (["nowhere"], "unknown surface 'nowhere'"),
    (["--optimizer", "adm"], 'did you mean "adam"'),
    (["--start", "1,b"], "the starting point '1,b'"),
    (["--start", "1"], "two finite numbers"),
    (["--steps", "0"], "steps is 0"),
    (["--lr", "-1"], "learning rate lr is -1"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: " ".join(case[0]))
def test_wrong_input_exits_with_2_and_one_paragraph(cutaway, tmp_path, case):
    arguments, words = case
    done = cutaway("race", *arguments, folder=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert done.stderr.startswith("cutaway: ") and "fix:" in done.stderr


def test_a_formula_races(cutaway, tmp_path):
    done = cutaway("race", "x**2 + y**2", "--start", "2,1", "--optimizer", "sgd", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("L = x² + y², from (2.00, 1.00), 200 steps.")
    assert "(0, 0)  minimum  eigenvalues 2, 2  sgd" in done.stdout
    bad = cutaway("race", "__import__('os')", folder=tmp_path)
    assert bad.returncode == 2 and "in the formula" in bad.stderr


def test_batch_sizes_race_on_the_regression(cutaway, tmp_path):
    done = cutaway("race", "regression", "--batch-size", "all,4,1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "all 24 rows (GD): straight" in done.stdout
    bad = cutaway("race", "bowl", "--batch-size", "1", folder=tmp_path)
    assert bad.returncode == 2 and "which has no rows" in bad.stderr


def test_a_formula_too_steep_at_the_start_is_an_error_without_a_warning_of_numpy():
    code, out, error = in_process.cutaway("race", "x**1000")
    assert (code, out) == (2, "") and error.startswith("cutaway: at the start (-1.5, 1) x¹⁰⁰⁰")
    assert "note:" not in error


def test_a_plane_is_a_slope_wherever_an_optimizer_ends():
    code, out, _ = in_process.cutaway("race", "x", "--json")
    assert code == 0
    assert {one["verdict"] for one in json.loads(out)["optimizers"]} == {"slope"}
