"""Values of an array at other places: along each axis by itself, or at any coordinates.

Coordinates are continuous: pixel i covers i to i + 1, so that its center is i + 0.5. A place from 0
to the size of an axis is inside; outside, `border` decides: "constant" gives `fill`, "mirrored"
reflects the coordinate at the edge (as np.pad's "symmetric"). Inside, half a pixel from the edge,
the value is that of the pixel at the edge.
"""

import numpy as np

from cutaway.errors import expect_choice

BORDERS = ("constant", "mirrored")
TOLERANCE = 1e-7  # pixels: coordinates that differ by rounding fall on the same pixel
SHRINKS = 1.25  # pixels per step from which on a rotated picture is smoothed first


def inside(places, size: int, border: str):
    """(coordinates folded into 0..size, whether each was inside; None if all count as inside)."""
    expect_choice(border, BORDERS, what="border")
    if border == "mirrored":
        places = places + TOLERANCE
        low, high = places.min(initial=0), places.max(initial=0)
        if low < -size or high > 2 * size:
            places = np.mod(places, 2 * size)
        if low < 0:
            places = np.abs(places)
        if high > size or low < -size:
            places = size - np.abs(size - places)
        return places, None
    places = places + TOLERANCE
    return places, (places >= 0) & (places < size)


def pixels_at(places, size: int):
    """The pixel that holds each coordinate, the nearest one for those outside."""
    return np.clip(np.floor(places), 0, size - 1).astype(np.intp)


def separable(array, places, spacings, border: str, fill, *, is_linear: bool):
    """The values at a grid of places, given by their coordinates along each of the first axes.

    Linearly interpolated along each axis. Where neighboring places are more than a pixel apart, the
    filter is widened by this factor (a triangle), as Pillow does for BILINEAR, against aliasing.

    Args:
        array: (*sizes, ...).
        places: for each of the axes, (n,) evenly spaced coordinates.
        spacings: for each of the axes, pixels from one place to the next, positive.
        border, fill: of places outside.
        is_linear: otherwise the nearest pixel is taken.

    Shapes:
        result: (*n, ...), float if linear and not on the centers of pixels
    """
    if is_linear and len(places) == 2:
        resized = _resized_by_pillow(array, places, spacings, border, fill)
        if resized is not None:
            return resized
    outside = []
    steps: list = [None] * len(places)
    for axis, given in enumerate(places):
        size = array.shape[axis]
        where, within = inside(given, size, border)
        outside.append(None if within is None else ~within)
        on_pixels = np.abs(np.mod(where, 1) - 0.5).max(initial=0) < 10 * TOLERANCE
        if not is_linear or (on_pixels and spacings[axis] < 1 + TOLERANCE):
            array = _taken(array, pixels_at(where, size), axis)
        else:
            where = np.clip(where, 0, size)
            reach = max(1.0, spacings[axis])
            low = max(0, int(where.min(initial=0) - reach - 1)) if len(where) else 0
            high = min(size, int(where.max(initial=0) + reach + 2))
            array = array[(slice(None),) * axis + (slice(low, high),)]
            steps[axis] = _weights(where - low, high - low, reach)
    if any(step is not None for step in steps):
        array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    for axis, step in enumerate(steps):
        if step is not None:
            array = _weighted(array, step, axis)
    for axis, mask in enumerate(outside):
        if mask is not None and mask.any():
            array = array if array.flags.writeable and array.base is None else array.copy()
            array[(slice(None),) * axis + (mask,)] = fill
    return array


def _resized_by_pillow(array, places, spacings, border, fill):
    """The same for uint8 pictures that are scaled along both axes: four times as fast.

    None where the picture is not scaled, or is mirrored at its edges, or where an outermost pixel
    of the result lies partly beyond them.
    """
    if array.dtype != np.uint8 or array.shape[2] not in (1, 3) or min(map(len, places)) == 0:
        return None
    if all(abs(s - 1) < TOLERANCE for s in spacings):
        return None
    from PIL import Image

    box, parts, flips = [], [], []
    for where, size, spacing in zip(places, array.shape, spacings, strict=False):
        within = np.flatnonzero((where + TOLERANCE >= 0) & (where + TOLERANCE < size))
        if not len(within) or (border == "mirrored" and len(within) < len(where)):
            return None
        ends = sorted((where[within[0]], where[within[-1]]))
        low, high = ends[0] - spacing / 2, ends[1] + spacing / 2
        if low < -TOLERANCE or high > size + TOLERANCE:
            return None
        box.append((max(low, 0), min(high, size)))
        parts.append(slice(within[0], within[-1] + 1))
        flips.append(slice(None, None, 1 if where[within[0]] <= where[within[-1]] else -1))
    (top, bottom), (left, right) = box
    height, width = (part.stop - part.start for part in parts)
    image = Image.fromarray(np.ascontiguousarray(array if array.shape[2] == 3 else array[..., 0]))
    resized = image.resize(
        (int(width), int(height)), Image.Resampling.BILINEAR, (left, top, right, bottom)
    )
    pixels = np.asarray(resized).reshape(height, width, array.shape[2])[flips[0], flips[1]]
    if (height, width) == (len(places[0]), len(places[1])):
        return pixels
    out = np.full((len(places[0]), len(places[1]), array.shape[2]), np.rint(fill), np.uint8)
    out[parts[0], parts[1]] = pixels
    return out


def linear_at(array, places, border: str, fill):
    """Linear interpolation at any places.

    Args:
        array: (*sizes, channels).
        places: for each axis, an array of coordinates, all of one shape.

    Shapes:
        result: (*places, channels), float
    """
    from scipy.ndimage import map_coordinates

    dtype = np.result_type(array.dtype, np.float32)
    folded, outside = _folded(array, places, border)
    at, part = [], []
    for where, size in zip(folded, array.shape, strict=False):  # only what is needed is copied
        low = int(np.clip(where.min(initial=size) - 1, 0, size - 1))
        part.append(slice(low, int(np.clip(where.max(initial=0) + 2, low + 1, size))))
        at.append(where - (0.5 + low))
    at = np.stack(at)
    out = np.empty((*at.shape[1:], array.shape[-1]), dtype)
    for channel in range(array.shape[-1]):
        plane = np.ascontiguousarray(array[(*part, channel)])
        out[..., channel] = map_coordinates(plane, at, output=dtype, order=1, mode="nearest")
    if outside is not None:
        out[outside] = fill
    return out


def nearest_at(array, places, border: str, fill):
    """The nearest pixel at any places; as linear_at, of the array's dtype."""
    folded, outside = _folded(array, places, border)
    flat = 0
    for where, size in zip(folded, array.shape, strict=False):
        flat = flat * size + pixels_at(where, size)
    axes = len(places)
    out = array.reshape(-1, *array.shape[axes:])[flat]
    if outside is not None:
        out[outside] = fill
    return out


def _folded(array, places, border):
    folded, outside = [], None
    for where, size in zip(places, array.shape, strict=False):
        where, within = inside(where, size, border)
        folded.append(where)
        if within is not None:
            outside = ~within if outside is None else outside | ~within
    return folded, outside if outside is not None and outside.any() else None


def _taken(array, pixels, axis):
    """array.take along an axis; a view where the pixels follow each other."""
    if len(pixels) > 1:
        step = int(pixels[1] - pixels[0])
        if step in (1, -1) and (np.diff(pixels) == step).all():
            end = int(pixels[-1]) + step
            part = slice(int(pixels[0]), None if end < 0 else end, step)
            return array[(slice(None),) * axis + (part,)]
    return array.take(pixels, axis)


def _weights(places, size: int, reach: float):
    """Sparse (places, size): triangles of half width `reach` around each place, of sum 1."""
    from scipy.sparse import csr_matrix

    width = 2 * int(np.ceil(reach)) + 1
    first = np.floor(places - 0.5 - reach).astype(np.intp) + 1
    columns = first[:, None] + np.arange(width)
    weights = np.maximum(0, 1 - np.abs(columns + 0.5 - places[:, None]) / reach)
    weights[(columns < 0) | (columns >= size)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(places)), width)
    at = np.clip(columns, 0, size - 1).ravel()
    shape = len(places), size
    return csr_matrix((weights.ravel().astype(np.float32), (rows, at)), shape=shape)


def _weighted(array, weights, axis):
    moved = np.moveaxis(array, axis, 0)
    flat = np.ascontiguousarray(moved).reshape(len(moved), -1)
    out = (weights @ flat).reshape(-1, *moved.shape[1:])
    return np.moveaxis(out, 0, axis)
