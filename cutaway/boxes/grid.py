"""Boxes of a few shapes side by side over a picture, and how well they fit its objects."""

import numpy as np

SHARE = 4.0  # the next box of a shape lies a fourth of its side away


def grid_axes(size, shapes, *, share: float = SHARE) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each shape the (columns, 2) beginnings and ends along x, and the (rows, 2) along y.

    The first box begins and the last one ends at the edge of the picture. A side that is longer
    than the picture is cut to it.

    Args:
        size: (height, width) of the picture.
        shapes: (n, 2) widths and heights in pixels.
        share: the next box lies at most this part of the box's side away.

    Returns:
        [(x, y), ...] float32
    """
    found = []
    for shape in np.asarray(shapes, np.float64).reshape(-1, 2):
        axes = []
        for whole, side in zip(size[::-1], shape, strict=True):
            own = min(side, whole)
            room = whole - own
            starts = np.linspace(0, room, int(np.ceil(room * share / own)) + 1)
            axes.append(np.stack([starts, starts + own], axis=-1).astype(np.float32))
        found.append(tuple(axes))
    return found


def grid_of_boxes(size, shapes, *, share: float = SHARE) -> np.ndarray:
    """(n, 4) boxes of some shapes side by side over a picture: of a shape, row by row.

    Args: see grid_axes.

    Example:
        >>> from cutaway.boxes import grid_of_boxes
        >>> grid_of_boxes((4, 6), [(4, 4)], share=2).tolist()
        [[0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0]]
    """
    found = [np.zeros((0, 4), np.float32)]
    for x, y in grid_axes(size, shapes, share=share):
        rows, columns = np.repeat(y, len(x), axis=0), np.tile(x, (len(y), 1))
        found.append(np.stack([columns[:, 0], rows[:, 0], columns[:, 1], rows[:, 1]], axis=-1))
    return np.concatenate(found)


def best_grid_iou(boxes, size, shapes, *, share: float = SHARE) -> np.ndarray:
    """The largest IoU of each box with a box of the grid.

    All boxes of a shape have one area, so the best of them has the largest intersection, and that
    is the product of the largest ones along x and along y.

    Args:
        boxes: (n, 4) in pixels of the picture.
        size, shapes, share: see grid_axes.

    Shapes:
        out: (n,)
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    best = np.zeros(len(boxes))
    for x, y in grid_axes(size, shapes, share=share):
        both, own = np.ones(len(boxes)), 1.0
        for axis, spans in enumerate((x.astype(np.float64), y.astype(np.float64))):
            low = np.maximum(boxes[:, axis, None], spans[:, 0])
            high = np.minimum(boxes[:, axis + 2, None], spans[:, 1])
            both *= np.maximum(high - low, 0).max(axis=1)
            own *= spans[0, 1] - spans[0, 0]
        best = np.maximum(best, both / (areas + own - both))
    return best
