"""Batch sizes on a regression: against loops written by hand in NumPy, and closed forms."""

import json

import numpy as np
import pytest

from cutaway.errors import OptionError
from cutaway.landscape import batch_race, race, regression_surface
from cutaway.landscape.batch_sizes import uphill, way_per_distance
from cutaway.landscape.regression_rows import REGRESSION

X, Y = REGRESSION.x, REGRESSION.y


def mean_loss(w, b):
    return np.mean((w * X + b - Y) ** 2)


@pytest.fixture(scope="module")
def found():
    return batch_race(("all", 4, 1))


def by_hand(size, steps, lr):
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(X)) for _ in range(-(-steps * size // len(X)))])
    w, b = REGRESSION.start
    points = [(w, b)]
    for k in range(steps):
        rows = order[k * size : (k + 1) * size]
        error = w * X[rows] + b - Y[rows]
        w, b = w - lr * 2 * np.mean(error * X[rows]), b - lr * 2 * np.mean(error)
        points.append((w, b))
    return np.array(points)


def test_the_surface_is_the_mean_over_its_rows_and_its_minimum_numpys_fit():
    for point in [(0.0, 0.0), (2.0, -1.0), (-1.5, 3.0)]:
        assert float(REGRESSION.values(point)) == pytest.approx(mean_loss(*point), rel=1e-13)
        rows = REGRESSION.gradients_of_rows(point)
        assert REGRESSION.gradient(point) == pytest.approx(rows.mean(axis=0), rel=1e-12)
    np.testing.assert_allclose(REGRESSION.minima[0], np.polyfit(X, Y, 1), rtol=1e-12)
    # of (w x + b - y)² the Hessian is 2 [x², x; x, 1], with the eigenvalues 0 and 2 (x² + 1)
    x = X[np.argmax(np.abs(X))]
    hessian = 2 * np.outer([x, 1], [x, 1])
    assert REGRESSION.steepest() == pytest.approx(np.linalg.eigvalsh(hessian)[1])


def test_every_way_is_that_of_a_plain_loop(found):
    assert [r.name for r in found.racers] == [
        "all 24 rows (GD)",
        "4 rows (mini-batch)",
        "1 row (SGD)",
    ]
    for racer, size in zip(found.racers, (24, 4, 1), strict=True):
        assert racer.lr == 0.1  # 1 / (2 (2² + 1))
        np.testing.assert_allclose(racer.points, by_hand(size, 48, 0.1), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(racer.values, [mean_loss(*p) for p in racer.points])


def test_gradient_descent_goes_straight_and_small_batches_zigzag(found):
    ways = [way_per_distance(racer) for racer in found.racers]
    for racer, way in zip(found.racers, ways, strict=True):
        lengths = np.hypot(*np.diff(racer.points, axis=0).T)
        assert way == pytest.approx(lengths.sum() / np.hypot(*(racer.points[-1] - racer.points[0])))
    assert ways[0] < 1.05 and 1.5 < ways[1] < ways[2]
    assert uphill(found.racers[0]) == 0 and min(map(uphill, found.racers[1:])) > 0.2
    sentence = found.comparison()
    assert f"all 24 rows (GD): straight, {ways[0]:.2f} times the direct way, no step" in sentence
    assert f"1 row (SGD): in a zigzag, {ways[2]:.2f} times" in sentence


def test_the_text_fits_and_says_epochs_and_iterations(found):
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line.split() for line in lines if line.startswith("4 rows (mini-batch) ")]
    assert row[3:6] == ["6", "8", f"{way_per_distance(found.racers[1]):.2f}"]  # 24/4, 48 · 4/24
    assert "gradient at the start: ∂L/∂w" in str(found)


def test_the_page_and_the_plot_name_w_and_b(found):
    page = found.page()
    assert page.count('class="trajectory halo"') == 3 and ">w</text>" in page
    assert page.count("data-value=") == 3 + 1  # and once in the script
    assert found.plot().get_xlabel() == "w"
    plain = json.loads(json.dumps(found.to_dict()))
    assert [o["batch_size"] for o in plain["optimizers"]] == [24, 4, 1]


def test_the_regression_is_a_surface_for_every_optimizer_too():
    whole = race("regression", ["sgd"], lr=0.1, steps=48)
    (racer,) = batch_race("all").racers
    np.testing.assert_allclose(whole["sgd"].points, racer.points, rtol=1e-10, atol=1e-12)


def test_seeds_repeat_and_differ():
    a, b, c = (batch_race(1, seed=seed, steps=5).racers[0].points for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_wrong_batches_are_errors():
    with pytest.raises(OptionError, match="batch size 25 of a regression with 24 rows"):
        batch_race((25,))
    with pytest.raises(OptionError, match="batch size is 0"):
        batch_race((0,))
    with pytest.raises(OptionError, match="no batch size"):
        batch_race(())


def test_own_rows_can_race():
    surface = regression_surface([0, 1, 2, 3], [1, 3, 5, 7], start=(0, 0))
    assert surface.minima[0] == pytest.approx((2, 1))
    exact = batch_race((1,), surface=surface, steps=400)
    np.testing.assert_allclose(exact.racers[0].points[-1], (2, 1), atol=1e-3)
