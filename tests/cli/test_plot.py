"""`cutaway plot` as people use it: in a process of its own, at 80 columns."""

import json

import numpy as np
import pytest

from tests.cli import in_process


def test_an_activation_with_its_pictures(cutaway, tmp_path):
    done = cutaway("plot", "leaky-relu", "--set", "slope=0.2", "--png", "a.png", "--html", "a.html",
                   folder=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("LeakyReLU with slope = 0.2: z for z > 0")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.html").read_text().count('class="cutaway-curve"') == 2


def test_losses_formulas_and_dropout_as_json(cutaway, tmp_path):
    def found(*arguments):
        done = cutaway("plot", *arguments, "--json", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    losses = found("mse,huber", "--set", "delta=2", "--y", "21")["losses"]
    assert [(one["loss"], one["y"]) for one in losses] == [
        ("mean_squared_error", 21),
        ("huber", 21),
    ]
    # δ (|r| - δ/2) of r = 3
    assert losses[0]["values"][-1] == pytest.approx(9) and losses[1]["values"][-1] == 4
    points = found("x**2 - 2*x", "--range=-1,4")["points"]
    assert points[0]["kind"] == "global minimum" and points[0]["x"] == pytest.approx(1)
    assert [len(k) for k in found("dropout", "--sizes", "2,4,1")["kept"]] == [2, 4, 1]


@pytest.mark.slow
def test_the_curve_of_a_weight_of_a_run_has_the_gradient_that_explain_shows(cutaway, tmp_path):
    done = cutaway("train", "--epochs", "2", "--out", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = cutaway("plot", "run", "--weight", "0:0,1", "--row", "3", "--lr", "2", "--json",
                   folder=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    curve = json.loads(done.stdout)
    shown = cutaway("explain", "run", "--weight", "0:0,1", "--row", "3", "--json", folder=tmp_path)
    gradient = json.loads(shown.stdout)["weight"]["value"]
    assert curve["slope"] == pytest.approx(gradient, rel=1e-5) and curve["name"] == "w_12^(1)"
    assert curve["new"] == pytest.approx(curve["weight"] - 2 * curve["slope"])
    assert min(curve["losses"]) <= curve["loss"] and np.isfinite(curve["losses"]).all()


def test_the_list_shows_range_and_largest_slope(cutaway, tmp_path):
    lines = cutaway("plot", "--list", folder=tmp_path).stdout.splitlines()
    (row,) = [line.split() for line in lines if line.startswith("sigmoid ")]
    assert row == ["sigmoid", "σ", "0", "to", "1", "0.25"] and max(map(len, lines)) <= 80


BAD = [
    (["sigmod"], 'did you mean "sigmoid"'),
    (["mse", "--set", "delta=2"], "no option 'delta'"),
    (["huber", "--set", "delta"], "the setting 'delta'"),
    (["x +"], "cannot be read as a formula"),
    (["x*y"], "the name 'y'"),
    (["x", "--range", "1"], "the range '1'"),
    (["dropout", "--sizes", "3,1"], "hidden layer"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: " ".join(case[0]))
def test_wrong_input_exits_with_2_and_one_paragraph(cutaway, tmp_path, case):
    arguments, words = case
    done = cutaway("plot", *arguments, folder=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert done.stderr.startswith("cutaway: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mse", "--y", "nan"), "target y is nan"),
        (("mse", "--y", "1e30"), "target y is 1e+30"),
        (("sigmoid", "--range=-1,1"), "--range beside an activation"),
        (("sigmoid", "--y", "0"), "--y beside an activation"),
        (("mse", "--lr", "1"), "--lr beside a loss"),
        (("x**2", "--sizes", "3,1"), "--sizes beside a formula"),
        (("dropout", "--y", "1"), "--y beside dropout"),
        (("-x**2",), "read as an option"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_it(arguments, said):
    code, out, error = in_process.cutaway("plot", *arguments)
    assert (code, out) == (2, "") and said in error


def test_a_formula_that_begins_with_a_minus_goes_after_two_dashes():
    code, out, _ = in_process.cutaway("plot", "--json", "--", "-x**2")
    assert code == 0 and json.loads(out)["points"][0]["kind"] == "maximum"
