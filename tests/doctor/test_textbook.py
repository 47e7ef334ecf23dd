"""The example of the textbook's faults shows what the textbook says."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "examples" / "doctor_textbook.py"


@pytest.fixture(scope="module")
def textbook():
    spec = importlib.util.spec_from_file_location("doctor_textbook", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ten_sigmoids_multiply_to_less_than_a_quarter_to_the_tenth_and_relu_fixes_it(
    textbook, capsys
):
    (share, slopes, loss), (fixed, _, fixed_loss) = textbook.vanishing()
    assert len(slopes) == 10 and slopes.prod() < 0.25**10
    assert share < 1e-5 < 1e-2 < fixed
    assert loss > 0.65 and fixed_loss < 0.2
    assert "9.54e-07" in capsys.readouterr().out


def test_weights_of_500_multiply_the_gradient_by_125_a_layer(textbook):
    share, after = textbook.exploding(layers=6)
    assert share == pytest.approx(125.0**5, rel=1e-4)
    assert after[0]["grad"] == 0


def test_a_dead_relu_gets_no_gradient_and_a_leaky_one_learns(textbook):
    (dead, gradient, loss), (alive, leaky_gradient, leaky_loss) = textbook.dying()
    assert dead == 1 and gradient == 0 and loss > 0.65
    assert alive == 0 and leaky_gradient > 0 and leaky_loss < 0.2


def test_the_rate_of_adagrad_only_falls_and_that_of_adadelta_rises_too(textbook):
    found = textbook.adaptive_rates(epochs=32)
    adagrad, adadelta = ([rate for _, rate in found[name][0]] for name in ("Adagrad", "Adadelta"))
    assert (np.diff(adagrad) < 0).all() and adagrad[-1] < adagrad[0] / 3
    assert (np.diff(adadelta) > 0).any() and adadelta[-1] > adadelta[0] / 3
