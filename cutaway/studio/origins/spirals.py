"""Two spirals, one inside the other: what the studio opens with."""

import numpy as np

from cutaway.studio.origins.plane_points import PlaneTraining, PointSubject, halves, plane_subject

RADIUS, TURNS = 5.0, 1.75


def spirals(
    points: int = 500, noise: float = 0.0, seed: int = 0, training: PlaneTraining | None = None
) -> PointSubject:
    """Two spirals.

    Args:
        points, noise, seed, training: see plane_subject.

    Example:
        >>> from cutaway.studio.origins.spirals import spirals
        >>> subject = spirals()
        >>> subject.x.shape, len(subject.training), [column.name for column in subject.inputs]
        ((500, 2), 400, ['x1', 'x2'])
    """
    return plane_subject("Two spirals", _draw, points, noise, seed, training)


def _draw(points: int, noise: float, rng):
    y = halves(points)
    # neither begins in the middle: a point there would be of both classes, and times 0 is 0
    part = np.concatenate([np.arange(1, n + 1) / n for n in ((y == 0).sum(), (y == 1).sum())])
    angle = 2 * np.pi * TURNS * part + np.pi * y
    on = RADIUS * part[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return on + noise * rng.uniform(-1, 1, (points, 2)), y
