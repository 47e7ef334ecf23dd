"""Every surface from drawn starts, and eigenvalues against NumPy's of Hessians written by hand."""

import math
import re

import numpy as np
import pytest

from cutaway.landscape import SURFACES, race
from cutaway.landscape.own_surface import formula_surface
from cutaway.landscape.race_ends import ends

T = 2 * math.pi


def _plateau(x, y):
    e = math.exp(-0.5 * (x**2 + y**2))
    return [[(1 - x**2) * e, -x * y * e], [-x * y * e, (1 - y**2) * e]]


# ∂²L/∂x², ∂²L/∂x∂y and ∂²L/∂y² of each formula, by hand
HESSIANS = {
    "bowl": lambda x, y: [[1, 0], [0, 2]],
    "ravine": lambda x, y: [[0.04, 0], [0, 2]],
    "saddle": lambda x, y: [[1, 0], [0, 3 * y**2 - 1]],
    "rosenbrock": lambda x, y: [[2 - 400 * y + 1200 * x**2, -400 * x], [-400 * x, 200]],
    "rastrigin": lambda x, y: [
        [2 + 10 * T**2 * math.cos(T * x), 0],
        [0, 2 + 10 * T**2 * math.cos(T * y)],
    ],
    "himmelblau": lambda x, y: [
        [12 * x**2 + 4 * y - 42, 4 * (x + y)],
        [4 * (x + y), 12 * y**2 + 4 * x - 26],
    ],
    "styblinski_tang": lambda x, y: [[6 * x**2 - 16, 0], [0, 6 * y**2 - 16]],
    "plateau": _plateau,
}


def drawn(surface, count):
    rng = np.random.default_rng(20)
    return rng.uniform(*zip(surface.x_range, surface.y_range, strict=True), (count, 2))


@pytest.mark.parametrize("name", HESSIANS)
def test_eigenvalues_anywhere_are_numpys_of_the_full_hessian(name):
    surface = SURFACES[name]
    for point in [*drawn(surface, 20), *surface.minima[:6]]:
        expected = np.linalg.eigvalsh(HESSIANS[name](*point))
        scale = np.abs(expected).max()
        found = surface.curvature(point).eigenvalues
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)


def race_from_drawn_starts(name, count, optimizers):
    """Race from drawn starts; check each eigenvalue that is shown. Returns the kinds of ends."""
    kinds = set()
    for start in drawn(SURFACES[name], count):
        found = race(name, optimizers, start=start)
        for racer in found.racers:
            kinds.add(racer.verdict)
            if racer.end is None:
                continue
            expected = np.linalg.eigvalsh(HESSIANS[name](*racer.place))
            scale = np.abs(expected).max()
            np.testing.assert_allclose(racer.end.deciding, expected, rtol=0, atol=1e-11 * scale)
        everyone = ", ".join(racer.name for racer in found.racers)
        rows = [row[3].replace(f"all {len(found.racers)}", everyone) for row in ends(found)]
        shown = {name for row in rows for name in row.split(", ")}
        resting = {r.name for r in found.racers if r.verdict not in ("slope", "diverged")}
        assert shown == resting
    return kinds


@pytest.mark.parametrize("name", HESSIANS)
def test_every_surface_races_and_shows_the_eigenvalues_of_where_racers_end(name):
    assert race_from_drawn_starts(name, 1, ["sgd", "adam"]) <= {"minimum", "slope", "plateau"}


@pytest.mark.slow
@pytest.mark.parametrize("name", HESSIANS)
def test_every_surface_races_from_twenty_drawn_starts(name):
    found = race_from_drawn_starts(name, 20, ["sgd", "nesterov", "adagrad", "adam"])
    assert "minimum" in found and found <= {"minimum", "slope", "plateau"}


def test_the_text_and_the_page_show_the_eigenvalues_of_the_saddle():
    found = race("saddle", ["sgd", "adam"], start=(-2, 0))
    assert ends(found) == [["(0, 0)", "saddle", "eigenvalues -1, 1", "sgd, adam"]]
    assert "(0, 0)  saddle  eigenvalues -1, 1  sgd, adam" in str(found)
    # L = x²/2 - y²/2 + y⁴/4: (x, y³ - y)
    assert "gradient at the start: ∂L/∂x = -2, ∂L/∂y = 0" in str(found)
    assert "gradient at (0, 0): ∂L/∂x = 0, ∂L/∂y = 0" in str(found)
    cells = re.findall(r"<td>([^<]*)</td>", found.page().partition('class="ends"')[2])
    assert cells[:4] == ["(0, 0)", "saddle", "eigenvalues -1, 1", "sgd, adam"]
    (row, *_) = found.to_dict()["optimizers"]
    assert row["end"]["deciding"] == pytest.approx([-1, 1])
    assert row["end"]["stationary"]["point"] == pytest.approx([0, 0], abs=1e-12)


def test_a_plateau_is_shown_with_its_small_eigenvalues():
    (row,) = ends(race("plateau", ["sgd"], steps=3))
    low, high = np.linalg.eigvalsh(_plateau(-4.5, 3))
    assert row[1] == "plateau"
    np.testing.assert_allclose([float(v) for v in row[2].split(" ", 1)[1].split(", ")],
                               [low, high], rtol=2e-3)  # fmt: skip


def test_slopes_and_diverged_racers_have_no_line():
    found = race("bowl", ["sgd"], lr=3.0, steps=3000)
    assert found["sgd"].verdict == "diverged" and ends(found) == []
    assert race("rosenbrock", ["sgd"], steps=5).ends() == []


def test_a_valley_is_undecided_however_its_floor_was_reached():
    """The floor of 2.5 (x y - 3)² is level: no rounding of the place may make it a minimum."""
    surface = formula_surface("2.5*(x*y - 3)**2", (1, 1))
    rng = np.random.default_rng(4)
    for x, size in zip(rng.uniform(0.5, 5, 100), 10.0 ** rng.uniform(-9, -3, 100), strict=True):
        found = surface.curvature(np.array([x, 3 / x]) + rng.normal(0, size, 2))
        assert found.verdict == "not decided", (x, found.reason)
        assert found.stationary["point"].prod() == pytest.approx(3, rel=1e-5)


def test_steps_that_lead_away_are_told_from_a_slope_that_is_descended():
    # SGD multiplies x by 1 - 2 η and y by 1 - 6 η: with η = 0.4, by 0.2 and -1.4
    surface = formula_surface("x**2 + 3*y**2", start=(2, 1))
    found = race(surface, ["sgd"], steps=60, lr=0.4)
    assert found.racers[0].values[-1] == pytest.approx(3 * 1.4**120, rel=1e-3)
    assert found.racers[0].verdict == "diverging" and not ends(found)
    slow = race(surface, ["sgd"], steps=60, lr=0.001)
    assert slow.racers[0].verdict == "slope"


def test_how_many_arrive_is_told_in_words_that_fit_their_number():
    surface = formula_surface("x**2 + 3*y**2", start=(2, 1))
    both = race(surface, ["sgd", "momentum"], steps=300, lr=0.1).answer()
    one = race(surface, ["sgd", "adagrad"], steps=60, lr=0.1).answer()
    none = race(surface, ["sgd", "adagrad"], steps=3, lr=0.001).answer()
    assert "both arrive" in both and "1 of 2 optimizers arrives" in one
    assert none == "Neither of the 2 optimizers reaches a minimum in 3 steps."
