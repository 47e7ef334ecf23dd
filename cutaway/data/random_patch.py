"""Windows of pictures with boxes, by which a detector sees its objects larger and smaller."""

import dataclasses

import numpy as np

from cutaway.data.geometry import Geometry
from cutaway.errors import expect_integer, expect_range

WHOLE, ANY = "whole", "any"


@dataclasses.dataclass(frozen=True)
class RandomPatch:
    """A window of a picture, enlarged to the picture's size.

    Half of the pictures first lie on a larger canvas, at a random place. Then one is drawn of: the
    whole canvas, any window, and for each of `overlaps` a window whose IoU with some box is at
    least that; if none is found in `tries`, it is drawn again. A window holds the center of a box,
    if there are boxes.

    Args:
        share: of the pictures that get a window; the others stay.
        canvas: largest side of the canvas, as a factor of the picture's.
        sides: least and largest side of a window, as fractions of the canvas's.
        ratio: largest width / height, and height / width, of a window in these fractions.
        overlaps: IoU of a window with some box.
        tries: windows that are drawn at most.

    References:
        Liu et al. 2016, "SSD: single shot multibox detector", arXiv:1512.02325, sections 2.2, 3.6.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import RandomPatch
        >>> boxes, rng = np.array([[8.0, 8.0, 24.0, 24.0]]), np.random.default_rng(0)
        >>> RandomPatch().draw((32, 48), boxes, rng).output_size
        (32, 48)
    """

    share: float = 1.0
    canvas: float = 4.0
    sides: tuple[float, float] = (0.3, 1.0)
    ratio: float = 2.0
    overlaps: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    tries: int = 50

    def __post_init__(self):
        name = type(self).__name__
        expect_range(self.share, what=f"{name}: share", least=0, most=1)
        for what in ("canvas", "ratio"):
            expect_range(getattr(self, what), what=f"{name}: {what}", least=1, below=float("inf"))
        expect_range(self.sides[0], what=f"{name}: sides[0]", above=0, most=self.sides[1])
        expect_range(self.sides[1], what=f"{name}: sides[1]", above=0, most=1)
        for overlap in self.overlaps:
            expect_range(overlap, what=f"{name}: overlaps", least=0, most=1)
        expect_integer(self.tries, what=f"{name}: tries", least=1)

    def draw(self, size, boxes, rng) -> Geometry:
        """A Geometry from pictures of this (height, width) to pictures of the same size.

        Args:
            boxes: (boxes, 4) x1 y1 x2 y2 of the objects.
            rng: a numpy Generator.
        """
        geometry = Geometry.of(size)
        if rng.uniform() >= self.share:
            return geometry
        picture = np.array(geometry.input_size, float)
        factor = rng.uniform(1, self.canvas) if rng.uniform() < 0.5 else 1.0
        canvas = picture * factor
        start = -rng.uniform(size=2) * (canvas - picture)  # of the canvas, in the picture
        found = None
        while found is None:
            chosen = (WHOLE, ANY, *self.overlaps)[rng.integers(2 + len(self.overlaps))]
            if chosen == WHOLE:
                found = np.rint(start), np.rint(canvas)
            else:
                overlap = 0.0 if chosen == ANY else chosen
                found = self._window(start, canvas, np.asarray(boxes, float), overlap, rng)
        corner, window = found
        return geometry.crop(corner, window.astype(int)).resize(geometry.input_size)

    def _window(self, start, canvas, boxes, overlap, rng):
        """(corner, size) of a window that fits, or None if none of the tries does."""
        for _ in range(self.tries):
            part = rng.uniform(*self.sides, 2)
            window = np.maximum(np.rint(part * canvas), 1)
            corner = np.rint(start + rng.uniform(size=2) * (canvas - window))
            is_even = max(part[0] / part[1], part[1] / part[0]) <= self.ratio
            if is_even and _fits(corner, window, boxes, overlap):
                return corner, window
        return None


def _fits(corner, window, boxes, overlap) -> bool:
    """Whether a window (y, x), (height, width) holds a center and overlaps a box enough."""
    if not len(boxes):
        return True
    low, high = corner[::-1], (corner + window)[::-1]
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    if not np.all((centers > low) & (centers < high), axis=1).any():
        return False
    sides = np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    both = np.maximum(sides, 0).prod(axis=1)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + window.prod() - both
    return bool((both >= overlap * union).any())
