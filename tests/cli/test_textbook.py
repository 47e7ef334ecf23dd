"""`cutaway explain --sizes`: the numbers of a textbook's network."""

import json
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway.cli.textbook import place_of_name
from cutaway.errors import OptionError
from tests.cli import in_process

W = [np.array([[0.2, -0.4, 0.5], [0.3, 0.1, -0.6], [0.7, 0.2, -0.1]]),
     np.array([[0.4, -0.3], [0.6, 0.8], [-0.5, 0.2]]), np.array([[0.9], [-0.7]])]  # fmt: skip
B = [np.array([0.1, 0, -0.1]), np.zeros(2), np.zeros(1)]
X, Y = np.array([1, 0.5, -1]), 1.0
ARGUMENTS = ("--sizes", "3,3,2,1", "--x", "1,0.5,-1", "--y", "1", "--weights", "w.csv")


@pytest.fixture
def folder(tmp_path):
    blocks = ["\n".join(",".join(map(str, row)) for row in weight) for weight in W]
    blocks[0] += "\nb,0.1,0,-0.1"
    (tmp_path / "w.csv").write_text("\n\n".join(blocks) + "\n")
    return tmp_path


def by_numpy():
    """(outputs of the layers, ∂L/∂w_21^(1)) of the squared error after sigmoids."""
    outputs, current = [], X
    for weight, bias in zip(W, B, strict=True):
        current = 1 / (1 + np.exp(-(current @ weight + bias)))
        outputs.append(current)
    back = 2 * (outputs[2] - Y) * outputs[2] * (1 - outputs[2])
    for k in (2, 1):
        back = (W[k] @ back) * outputs[k - 1] * (1 - outputs[k - 1])
    return outputs, X[1] * back[0]


def test_forward_loss_gradient_and_step_are_numpys(cutaway, folder):
    options = ("--loss", "mse", "--weight", "w_21^(1)", "--lr", "1")
    outputs, gradient = by_numpy()
    printed = cutaway("explain", *ARGUMENTS, *options, folder=folder).stdout
    assert max(map(len, printed.splitlines())) <= 80
    for value in (*outputs[0], *outputs[1], *outputs[2]):
        assert f" = {value:.4g}\n" in printed
    assert f"L = (ŷ - y)² = ({outputs[2][0]:.4g} - 1)² = {(outputs[2][0] - 1) ** 2:.4g}" in printed
    assert "in 2 paths" in printed and "w_21^(1)" in printed
    told = json.loads(cutaway("explain", *ARGUMENTS, *options, "--json", folder=folder).stdout)
    assert told["Gradient of w_21^(1)"]["value"] == pytest.approx(gradient, rel=1e-6)
    assert re.search(r"= 0\.3 - 1 · \(-0\.0\d+\) = 0\.30\d+\n", printed)


def test_it_is_also_a_page_and_latex(cutaway, folder):
    done = cutaway("explain", *ARGUMENTS, "--html", "p.html", "--latex", "p.tex", folder=folder)
    assert done.returncode == 0, done.stderr
    page, latex = (folder / "p.html").read_text(), (folder / "p.tex").read_text()
    assert "<svg" in page and "lit" in page and "<math" in page
    assert latex.startswith("\\documentclass") and latex.endswith("\\end{document}\n")
    assert latex.count("\\[") == latex.count("\\]") == 6
    assert r"\frac{\partial L}{\partial w_{11}^{(1)}}" in latex
    assert not set(latex) - set(map(chr, range(128)))  # plain LaTeX without packages for Unicode


@pytest.mark.slow
def test_the_loss_fits_the_last_activation(cutaway, folder):
    printed = cutaway("explain", *ARGUMENTS, folder=folder).stdout
    assert "L = -ln ŷ" in printed
    rest = ("--x", "1,2", "--y", "3", "--activations", "relu,none")
    assert (
        "mean_squared_error" in cutaway("explain", "--sizes", "2,2,1", *rest, folder=folder).stdout
    )
    rest = ("--x", "1,2", "--y", "0,1", "--activations", "tanh,softmax")
    found = cutaway("explain", "--sizes", "2,2,2", *rest, folder=folder).stdout
    assert "categorical_cross_entropy" in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "RUN is missing"),
        (("--x", "1"), "--x without --sizes"),
        (("run", "--sizes", "2,1"), "--sizes beside run"),
        (("--sizes", "2,1", "--row", "3"), "--sizes beside --row"),
        (("--sizes", "2,a"), "--sizes 2,a"),
        (("--sizes", "2,1"), "--x is missing"),
        (("--sizes", "2,1", "--x", "1,2"), "--y is missing"),
        (("--sizes", "2,1", "--x", "1,2,3", "--y", "1"), "--x 1,2,3"),
        (("--sizes", "2,1", "--x", "1,b", "--y", "1"), "--x 1,b"),
        (("--sizes", "2,1", "--x", "1,2", "--y", "1", "--loss", "mes"), "--loss mes"),
        (("--sizes", "2,1", "--x", "1,2", "--y", "1", "--activations", "rleu"), "relu"),
        (("--sizes", "2,1", "--x", "1,2", "--y", "1", "--optimizer", "sdg"), "sgd"),
        (("--sizes", "2,1", "--x", "1,2", "--y", "1", "--weight", "w_31^1"), "w_31^1"),
        (("--sizes", "2,1", "--x", "1,2", "--y", "1", "--weights", "w.csv"), "3 layers"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_an_error_that_names_it(arguments, said, cutaway, folder):
    done = cutaway("explain", *arguments, "--html", "p.html", folder=folder)
    assert done.returncode == 2 and said in done.stderr
    assert not (folder / "p.html").exists()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("w_12^(1)", ("0.weight", (0, 1))),
        ("w_32^1", ("0.weight", (2, 1))),
        ("w_1,2^(2)", ("2.weight", (0, 1))),
        ("b_2^(2)", ("2.bias", (1,))),
        ("0:2,1", ("0.weight", (2, 1))),
        ("0.bias:1", ("0.bias", (1,))),
    ],
)
def test_weights_are_named_as_in_textbooks(name, place):
    assert place_of_name(name, ct.network((3, 3, 2, 1))) == place


@pytest.mark.parametrize("name", ["w_41^1", "w_11^4", "w_1^1", "w_11^0", "b_4^1", "v_11^1"])
def test_a_weight_that_there_is_not_is_named(name):
    with pytest.raises(OptionError, match="--weight"):
        place_of_name(name, ct.network((3, 3, 2, 1)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--x", "nan,1,1"), "--x is nan"),
        (("--x", "1e300,1,1"), "--x is 1e+300"),
        (("--y", "inf"), "--y is inf"),
        (("--y", "5"), "--y 5 with the loss binary_cross_entropy"),
    ],
)
def test_numbers_that_no_network_can_take_are_named(changed, said):
    given = {"--sizes": "3,2,1", "--x": "1,2,3", "--y": "1", changed[0]: changed[1]}
    code, out, error = in_process.cutaway(
        "explain", *(part for pair in given.items() for part in pair)
    )
    assert (code, out) == (2, "") and said in error and "note:" not in error


def test_of_a_network_with_other_layers_weights_are_named_by_path():
    net = ct.Sequential(ct.Conv2d(1, 2, 3), ct.Flatten(), ct.Linear(8, 1))
    with pytest.raises(OptionError, match="not Linear"):
        place_of_name("w_11^1", net)
    assert place_of_name("2:3,0", net) == ("2.weight", (3, 0))


@pytest.mark.slow
def test_a_run_takes_the_notation_that_it_prints(cutaway, tmp_path):
    assert cutaway("train", "--layers", "2", "--epochs", "2", folder=tmp_path).returncode == 0
    asked = ("explain", "runs/students", "--weight")
    named = cutaway(*asked, "w_21^(1)", folder=tmp_path)
    assert named.returncode == 0 and "∂L/∂w_21^(1)" in named.stdout
    told = (
        run.stdout.partition("\n")[2] for run in (named, cutaway(*asked, "0:1,0", folder=tmp_path))
    )
    assert len({*told}) == 1
