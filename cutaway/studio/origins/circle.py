"""A disk of one class inside a ring of the other."""

import numpy as np

from cutaway.studio.origins.plane_points import PlaneTraining, PointSubject, halves, plane_subject

RADIUS = 5.0
INSIDE, OUTSIDE = (0.0, 0.5), (0.7, 1.0)  # of the radius


def circle(
    points: int = 500, noise: float = 0.0, seed: int = 0, training: PlaneTraining | None = None
) -> PointSubject:
    """A disk inside a ring.

    Args:
        points, noise, seed, training: see plane_subject.
    """
    return plane_subject("A disk in a ring", _draw, points, noise, seed, training)


def _draw(points: int, noise: float, rng):
    y = halves(points)
    low, high = (np.where(y == 1, *pair) for pair in zip(OUTSIDE, INSIDE, strict=True))
    radius, angle = RADIUS * rng.uniform(low, high), rng.uniform(0, 2 * np.pi, points)
    on = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return on + noise * RADIUS / 2 * rng.uniform(-1, 1, (points, 2)), y
