"""Masks of objects, each within a frame of its own: they take the same memory in any picture.

A crop is a square of values from 0 to 255, the part of each of its cells that belongs to the
object; its frame says where in the picture it lies, as x1 y1 x2 y2, also beyond the edges.
"""

import numpy as np

from cutaway.data.elastic import permutation
from cutaway.data.geometry import Geometry
from cutaway.data.outlines import outline_mask
from cutaway.data.resampling import linear_at

SIDE = 112  # of a crop; Mask R-CNN is taught four times fewer cells along each axis


def object_crops(outlines, boxes, size, side: int = SIDE) -> np.ndarray:
    """Crops of the objects of a picture, within their boxes.

    Args:
        outlines: of each object its polygons or run lengths, see outline_mask; None: its whole box.
        boxes: (objects, 4) x1 y1 x2 y2 within the picture.
        size: (height, width) of the picture.
        side: of the crops.

    Shapes:
        result: (objects, side, side) uint8

    Raises:
        DataError: an outline that does not fit the picture.

    Example:
        >>> from cutaway.data.object_crops import object_crops
        >>> outline = [[1, 0, 3, 0, 3, 4, 1, 4]]  # a rectangle
        >>> object_crops([outline], [[1.0, 0.0, 5.0, 4.0]], (4, 6), side=4)[0, 0].tolist()
        [255, 255, 0, 0]
    """
    from PIL import Image

    crops = np.full((len(outlines), side, side), 255, np.uint8)
    for crop, outline, box in zip(crops, outlines, boxes, strict=True):
        if outline is not None:
            mask = Image.fromarray(outline_mask(outline, size).astype(np.uint8) * 255)
            x1, y1, x2, y2 = (float(n) for n in box)
            where = (x1, y1, x2, y2)
            crop[...] = np.asarray(mask.resize((side, side), Image.Resampling.BILINEAR, where))
    return crops


def moved_crops(crops, frames, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Crops and their frames where a Geometry moves them.

    Maps along the axes only mirror and transpose crops; with rotations and deformations the crop is
    interpolated within the box around the moved frame.

    Args:
        crops: (objects, side, side) uint8.
        frames: (objects, 4) in pixels of the input.
        geometry: of the picture.

    Returns:
        (crops, frames): the frames in pixels of the output, not clipped to it.
    """
    moved = geometry.boxes(frames).astype(np.float32)
    along = None if geometry.elastic is not None else permutation(geometry.matrix[:, :-1])
    if along is None:
        return _interpolated(crops, np.asarray(frames, float), moved, geometry), moved
    found = crops if along == [0, 1] else crops.transpose(0, 2, 1)
    mirrored = tuple(1 + k for axis, k in enumerate(along) if geometry.matrix[axis, k] < 0)
    return np.ascontiguousarray(np.flip(found, mirrored)), moved


def _interpolated(crops, frames, moved, geometry: Geometry) -> np.ndarray:
    side = crops.shape[-1]
    steps = (np.arange(side) + 0.5) / side
    found = np.zeros_like(crops)
    for k, (frame, box) in enumerate(zip(frames, moved.astype(float), strict=True)):
        sides = np.maximum(frame[2:] - frame[:2], 1e-6)[::-1]
        grid = np.meshgrid(
            *(low + steps * (high - low) for low, high in ((box[1], box[3]), (box[0], box[2]))),
            indexing="ij",
        )
        places = np.stack([one.ravel() for one in grid])  # of the output
        inside = geometry.matrix[:, :-1] @ places + geometry.matrix[:, -1:]
        if geometry.elastic is not None:
            inside = inside + geometry.elastic.at(places)
        own = (inside - frame[1::-1, None]) / sides[:, None] * side  # rows, columns of the crop
        values = linear_at(
            crops[k][..., None].astype(np.float32),
            list(own.reshape(2, side, side).astype(np.float32)),
            "constant",
            0,
        )
        found[k] = np.clip(np.rint(values[..., 0]), 0, 255)
    return found
