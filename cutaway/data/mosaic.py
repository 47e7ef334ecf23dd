"""Mosaic: one example of a detector out of four, so that each batch has more contexts."""

import dataclasses

import numpy as np

from cutaway.data.geometry import Geometry, clip_boxes
from cutaway.errors import ShapeError, expect_range


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """Four pictures of one size in the quarters around a random point, each a window of its own.

    Objects keep their size; of those that a border cuts, the part that is left is taught if it is
    at least a quarter of the area.

    Args:
        share: of the examples that are made of four.
        margin: least fraction of the height and the width that a picture gets.
        capacity: number of boxes that targets are padded to; None: as many as four pictures have.

    References:
        Bochkovskiy, Wang & Liao 2020, "YOLOv4", arXiv:2004.10934, section 3.3.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Mosaic
        >>> target = {"boxes": np.array([[0.0, 0.0, 8.0, 8.0]]), "valid": np.array([True])}
        >>> four = [(np.full((8, 8, 1), k, np.uint8), target) for k in range(4)]
        >>> picture, target = Mosaic().combine(four, np.random.default_rng(0))
        >>> np.unique(picture).tolist(), target["boxes"].shape
        ([0, 1, 2, 3], (4, 4))
    """

    share: float = 1.0
    margin: float = 0.2
    capacity: int | None = None

    def __post_init__(self):
        expect_range(self.share, what="Mosaic: share", least=0, most=1)
        expect_range(self.margin, what="Mosaic: margin", above=0, most=0.5)

    def rows(self, row: int, count: int, rng) -> list[int]:
        """The rows of `count` that an example is made of: four, or only the given one."""
        if rng.uniform() >= self.share:
            return [row]
        return [row, *rng.integers(count, size=3).tolist()]

    def combine(self, examples, rng) -> tuple:
        """One example (x, y) out of one or four.

        Args:
            examples: [(picture (height, width, channels), y)]; y: dict with "boxes" (boxes, 4),
                "valid" (boxes,), perhaps "frames" and "crops" (see data.object_crops) and others
                that have a row for each box.
            rng: a numpy Generator.

        Raises:
            ShapeError: pictures of different shapes.
        """
        if len({x.shape for x, _ in examples}) > 1:
            raise ShapeError(
                f"Mosaic: pictures of the shapes {sorted({x.shape for x, _ in examples})}",
                expected="pictures of one size",
                fix="frame them first: Framing",
            )
        count = len(examples[0][1]["valid"])
        capacity = 4 * count if self.capacity is None else self.capacity
        if len(examples) == 1:
            return examples[0][0], _packed(examples[0][1], capacity)
        picture, parts = np.empty_like(examples[0][0]), []
        size = picture.shape[:2]
        cut = [round(n * rng.uniform(self.margin, 1 - self.margin)) for n in size]
        spans = [((0, c), (c, n)) for c, n in zip(cut, size, strict=True)]
        places = [(rows, columns) for rows in spans[0] for columns in spans[1]]
        for (x, y), ((top, bottom), (left, right)) in zip(examples, places, strict=True):
            window = (bottom - top, right - left)
            start = [int(rng.integers(n - w + 1)) for n, w in zip(size, window, strict=True)]
            x = x[start[0] : start[0] + window[0], start[1] : start[1] + window[1]]
            picture[top:bottom, left:right] = x
            parts.append(_moved(y, Geometry.of(size).crop(start, window), (left, top)))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return picture, _packed(joined, capacity)


def _moved(y, geometry, corner) -> dict:
    """Targets within a window of their picture, and then at a corner (x, y) of the mosaic."""
    offset = np.tile(np.array(corner, float), 2)
    boxes, kept = clip_boxes(geometry.boxes(y["boxes"]), geometry.output_size)
    kept = kept & y["valid"]
    moved = {**y, "boxes": (boxes + offset).astype(y["boxes"].dtype), "valid": kept}
    if "frames" in y:
        frames = geometry.boxes(y["frames"]) + offset
        moved["frames"] = frames.astype(y["frames"].dtype)
    return moved


def _packed(y, capacity: int) -> dict:
    """The boxes that are there, largest first if they are too many, padded to a capacity."""
    sides = np.maximum(y["boxes"][:, 2:] - y["boxes"][:, :2], 0)
    order = np.flatnonzero(y["valid"])
    if len(order) > capacity:
        largest = np.argsort(-sides.prod(axis=1)[order], kind="stable")[:capacity]
        order = order[np.sort(largest)]
    packed = {}
    for name, value in y.items():
        rows = value[order]
        room = ((0, capacity - len(rows)), *[(0, 0)] * (rows.ndim - 1))
        packed[name] = np.pad(rows, room)
    return packed
