"""Exclusive or: one class where both coordinates have the same sign."""

import numpy as np

from cutaway.studio.origins.plane_points import PlaneTraining, PointSubject, plane_subject

EDGE, GAP = 5.0, 0.3  # of the square; between the quadrants


def xor(
    points: int = 500, noise: float = 0.0, seed: int = 0, training: PlaneTraining | None = None
) -> PointSubject:
    """Exclusive or: four squares, which no line divides.

    Args:
        points, noise, seed, training: see plane_subject.
    """
    return plane_subject("Exclusive or", _draw, points, noise, seed, training)


def _draw(points: int, noise: float, rng):
    on = rng.uniform(GAP, EDGE, (points, 2)) * rng.choice([-1, 1], (points, 2))
    y = (on[:, 0] * on[:, 1] > 0).astype(np.int32)
    return on + noise * EDGE / 2 * rng.uniform(-1, 1, (points, 2)), y
