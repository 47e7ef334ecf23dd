"""Two normal distributions, which a line divides."""

import numpy as np

from cutaway.studio.origins.plane_points import PlaneTraining, PointSubject, halves, plane_subject

CENTER = 2.0
SPREAD, NOISY = 0.7, 1.3  # standard deviation without noise, and what noise of 1 adds


def gauss(
    points: int = 500, noise: float = 0.0, seed: int = 0, training: PlaneTraining | None = None
) -> PointSubject:
    """Two normal distributions around (-2, -2) and (2, 2).

    Args:
        points, noise, seed, training: see plane_subject.
    """
    return plane_subject("Two normal distributions", _draw, points, noise, seed, training)


def _draw(points: int, noise: float, rng):
    y = halves(points)
    center = np.where(y == 1, CENTER, -CENTER)[:, None]
    return center + (SPREAD + NOISY * noise) * rng.normal(size=(points, 2)), y
