"""Claims of a textbook on losses, each shown with its number.

The number in front of a test's docstring is that of the claim.
"""

import functools
import json

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from tests.cli.in_process import cutaway
from tests.docs.course import LINE, flat


def loss_of(predictions, targets, loss, weights=LINE, activation=None):
    net = ct.network(None, weights, activation)
    return flat(ct.explain(net, predictions, targets, loss=loss).losses())


@pytest.mark.parametrize(
    ("prediction", "y", "written", "slope"),
    [
        (0.0, 1.0, "L = (ŷ - y)² = (0 - 1)² = 1", "2 · (0 - 1) = -2"),
        (24.0, 21.0, "L = (ŷ - y)² = (24 - 21)² = 9", "2 · (24 - 21) = 6"),
    ],
)
def test_a_squared_error_is_written_out_with_its_slope(prediction, y, written, slope):
    """19: (1 - 0)² = 1 and (21 - 24)² = 9."""
    text = loss_of([prediction], [y], losses.mean_squared_error)
    assert written in text and slope in text


def test_half_of_the_square_halves_loss_and_slope():
    """20: ½ (y - ŷ)² and ½ Σ (y - ŷ)²: 4.5, with a slope of 24 - 21 = 3."""

    def half(p, y):
        return 0.5 * losses.mean_squared_error(p, y)

    assert "L = 0.5 mean_squared_error = 0.5 · 9 = 4.5" in loss_of([24.0], [21.0], half)
    why = ct.explain(ct.network(None, LINE, None), [24.0], [21.0], loss=half)
    assert "= 0.5 · 6 · 24" in flat(why.gradient("0.weight", (0, 0)))
    text = loss_of([[24.0], [1.0]], [[21.0], [3.0]], lambda p, y: 0.5 * ((p - y) ** 2).sum())
    assert "0.5 · ((24 - 21)² + (1 - 3)²) = 6.5" in text


def test_errors_with_their_sign_cancel():
    """22: Σ (y - ŷ) of errors of -3 and 3 is 0, where the squares give 9."""
    rows = [[24.0], [18.0]], [[21.0], [21.0]]
    assert "(21 - 24) + (21 - 18) = 0" in loss_of(*rows, lambda p, y: (y - p).sum())
    text = loss_of(*rows, losses.mean_squared_error)
    assert "(9 + 9) / 2 = 9, the mean" in text and "The loss is of one row; the cost" in text


def test_the_absolute_error_is_convex_although_not_differentiable_at_0():
    """23: rows of errors 1, 2, 1; the notes call it not convex."""
    text = loss_of([[22.0], [22.0], [20.0]], [[21.0], [20.0], [21.0]], losses.mean_absolute_error)
    assert "L = (1 + 2 + 1) / 3 = 1.333" in text
    assert "∂L/∂ŷ[row 1] = 1 / 3 = 0.3333" in text and "∂L/∂ŷ[row 3] = -1 / 3 = -0.3333" in text
    code, out, _ = cutaway("plot", "mae")
    assert code == 0 and "It is convex" in out and "the subgradient 0 is used there" in out


@pytest.mark.parametrize(
    ("prediction", "delta", "written", "slope"),
    [
        (22.0, 1.0, "0.5 · (22 - 21)² = 0.5, because |22 - 21| <= 1", "22 - 21 = 1"),
        (21.5, 1.0, "0.5 · (21.5 - 21)² = 0.125", "21.5 - 21 = 0.5"),
        (23.5, 1.0, "(|23.5 - 21| - 0.5) = 2, because |23.5 - 21| > 1", "δ = 1"),
        (24.0, 2.0, "2 · (|24 - 21| - 1) = 4, because |24 - 21| > 2", "δ = 2"),
    ],
)
def test_huber_is_written_out_on_both_sides_of_delta(prediction, delta, written, slope):
    """24: ½ r² up to δ, then δ (|r| - ½ δ)."""
    text = loss_of([prediction], [21.0], functools.partial(losses.huber, delta=delta))
    assert written in text and slope in text, text


def test_huber_has_its_picture():
    """24: `cutaway plot huber`: its slope at an error of 3 is δ."""
    code, out, _ = cutaway("plot", "huber", "--set", "delta=2", "--json")
    (found,) = json.loads(out)["losses"]
    assert code == 0 and found["values"][-1] == 4 and found["slopes"][-1] == 2


@pytest.mark.parametrize(("y", "written"), [(1.0, "-ln 0.954"), (0.0, "-ln (1 - 0.954)")])
def test_binary_cross_entropy_is_written_out(y, written):
    """25: -ln ŷ or -ln (1 - ŷ) of ŷ = 0.954."""
    z = np.log(0.954 / 0.046)
    text = loss_of([z], [y], losses.binary_cross_entropy, activation=ct.Sigmoid)
    value = -np.log(0.954 if y else 0.046)
    assert written in text and f"= {value:.4g}" in text


def test_categorical_cross_entropy_is_written_out_for_one_hot_rows_and_labels():
    """26: of Good/Bad/Neutral the true one has 0.7: -ln 0.7 = 0.3567."""
    scores = [np.log([0.7, 0.2, 0.1])]
    eye = [np.eye(3)]
    text = loss_of(scores, [[1.0, 0, 0]], losses.categorical_cross_entropy, eye, ct.Softmax)
    assert "-(1 · ln 0.7 + 0 · ln 0.2 + 0 · ln 0.1) = 0.3567" in text
    text = loss_of(scores, [0], losses.sparse_categorical_cross_entropy, eye, ct.Softmax)
    assert "L = -ln ŷ_1 = -ln 0.7 = 0.3567" in text


def test_the_squared_error_has_one_minimum_and_punishes_outliers():
    """27: over ŷ for y = 21: 9 at 24 with a slope of 6, 1 at 22 with 2."""
    code, out, _ = cutaway("plot", "mse", "--y", "21")
    assert code == 0 and "no local minimum but the global one" in out
    assert " 21 0 0 22 1 2 23 4 4 24 9 6 " in out
    assert "An error of 3 costs 9 times as much as one of 1" in out
