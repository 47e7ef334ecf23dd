"""Textbook surfaces: their minima, their formulas, their gradients."""

import math

import numpy as np
import pytest

from cutaway.engine import check_gradient
from cutaway.errors import OptionError, ShapeError
from cutaway.landscape import SURFACES, textbook_surface

FORMULAS = {
    "bowl": lambda x, y: x**2 / 2 + y**2,
    "ravine": lambda x, y: 0.02 * x**2 + y**2,
    "saddle": lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 4,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "rastrigin": lambda x, y: (
        20 + x**2 + y**2 - 10 * (np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y))
    ),
    "himmelblau": lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    "styblinski_tang": lambda x, y: (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y) / 2,
    "plateau": lambda x, y: 1 - np.exp(-(x**2 + y**2) / 2),
}
# published values of the lowest minimum
LOWEST = {
    "rosenbrock": ((1, 1), 0.0),
    "rastrigin": ((0, 0), 0.0),
    "himmelblau": ((3, 2), 0.0),
    "styblinski_tang": ((-2.903534, -2.903534), 2 * -39.16616570377142),
}


@pytest.mark.parametrize("name", SURFACES)
def test_the_surface_is_what_its_formula_says(name):
    surface = SURFACES[name]
    xs, ys, values = surface.grid(9)
    x, y = np.meshgrid(xs, ys)
    np.testing.assert_allclose(values, FORMULAS[name](x, y), rtol=1e-12, atol=1e-12)
    points = np.random.default_rng(0).uniform(-2, 2, (2, 5))
    check_gradient(surface, *points, rtol=1e-5)


@pytest.mark.parametrize("name", SURFACES)
def test_every_known_minimum_is_one_by_its_curvature(name):
    surface = SURFACES[name]
    for minimum in surface.minima:
        found = surface.curvature(minimum)
        assert found.verdict == "minimum", (minimum, found.reason)
        assert found.gradient_norm < 1e-12 * max(1, found.largest)
        assert surface.x_range[0] < minimum[0] < surface.x_range[1]
        assert surface.y_range[0] < minimum[1] < surface.y_range[1]
    heights = surface.values(surface.minima)
    assert (np.diff(heights) > -1e-9).all()


@pytest.mark.parametrize("name", LOWEST)
def test_the_lowest_minimum_is_the_published_one(name):
    surface, (place, height) = SURFACES[name], LOWEST[name]
    np.testing.assert_allclose(surface.minima[0], place, atol=1e-6)
    assert float(surface.values(surface.minima[0])) == pytest.approx(height, abs=1e-10)


def test_rastrigin_has_121_minima_and_the_nearest_is_found():
    surface = SURFACES["rastrigin"]
    assert len(set(surface.minima)) == 121
    minimum, distance = surface.nearest_minimum((1.2, -2.1))
    np.testing.assert_allclose(minimum, (0.99496, -1.98991), atol=1e-4)
    assert distance == pytest.approx(math.dist((1.2, -2.1), minimum))


def test_starts_are_no_stationary_points_or_known_ones():
    for surface in SURFACES.values():
        expected = "plateau" if surface.name == "plateau" else "slope"
        assert surface.curvature(surface.start).verdict == expected


def test_unknown_names_and_points_are_errors():
    with pytest.raises(OptionError, match='did you mean "ravine"'):
        textbook_surface("ravin")
    with pytest.raises(ShapeError, match=r"shape \(3,\)"):
        SURFACES["bowl"].curvature((1, 2, 3))
