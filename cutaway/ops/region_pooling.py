"""Regions of a map made one size by maxima: RoIPool.

Boxes are grouped by picture, (batch, regions, 4), and have no gradient, as in the paper.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from cutaway.engine.operation import operation
from cutaway.ops.region_alignment import expect_regions
from cutaway.ops.windows import per_axis


def _bins(start, end, size, bins):
    """(regions..., bins, size) bool: which positions of an axis each bin covers."""
    length = jnp.maximum(end - start + 1, 1)
    # XLA divides by one number as a product with its reciprocal, which rounds otherwise than C
    step = length / lax.optimization_barrier(jnp.full(length.shape, bins, length.dtype))
    first = jnp.floor(jnp.arange(bins) * step[..., None]) + start[..., None]
    last = jnp.ceil(jnp.arange(1, bins + 1) * step[..., None]) + start[..., None]
    place = jnp.arange(size)
    return (place >= first[..., None]) & (place < last[..., None])


def _pool_bins(x, boxes, output_size, scale):
    """What each bin covers, region by region: rows, and columns as two spans of 2^k.

    Returns:
        (rows (regions, batch, n, height) bool, k, first of the one, first of the other, whether
        there is a column: each (regions, batch, m))
    """
    expect_regions("roi_pool", x, boxes, scale)
    bins = per_axis(output_size, 2, what="output_size")
    corners = boxes.astype(jnp.promote_types(x.dtype, jnp.float32)) * scale
    # half away from zero
    corners = jnp.sign(corners) * jnp.floor(jnp.abs(corners) + 0.5)
    corners = jnp.swapaxes(corners, 0, 1)
    rows = _bins(corners[..., 1], corners[..., 3], x.shape[1], bins[0])
    columns = _bins(corners[..., 0], corners[..., 2], x.shape[2], bins[1])
    first, length = jnp.argmax(columns, axis=-1), jnp.sum(columns, axis=-1)
    k = jnp.sum(length[..., None] >= 2 ** np.arange(1, 31), axis=-1)  # log2 of it, rounded down
    last = jnp.maximum(first + length - 2**k, 0)
    return rows, k, first, last, length > 0


def _spans(x):
    """[maxima of the columns w to w + 2^k, without the last], k = 0, 1, ...: each like x.

    Any span of columns is two of these, so that no bin looks at all columns. Beyond the edge is -∞.

    Shapes:
        x: (batch, width, height, channels)
    """
    found, step = [x], 1
    while 2 * step <= x.shape[1]:
        found.append(jnp.maximum(found[-1], _moved(found[-1], step)))
        step *= 2
    return found


def _moved(x, step):
    """Column w + step of x (batch, width, ...) in place of w; -∞ beyond the edge."""
    return jnp.concatenate([x[:, step:], jnp.full_like(x[:, :step], -jnp.inf)], axis=1)


def _region_maxima(spans, region):
    """(the two spans' maxima, those of each column bin (batch, m, height, channels))."""
    _, k, first, last, is_there = region
    picture = jnp.arange(k.shape[0])[:, None]
    one, two = spans[k, picture, first], spans[k, picture, last]
    return one, two, jnp.where(is_there[..., None, None], jnp.maximum(one, two), -jnp.inf)


def _row_maxima(best, rows):
    """(batch, n, m, channels) maxima over the rows of each bin."""
    covered = rows[:, :, None, :, None]
    return jnp.max(best[:, None], axis=3, where=covered, initial=-jnp.inf)


@operation
def roi_pool(x, boxes, *, output_size, scale=1.0):
    """Each box as a small map: the maximum of each bin, of whole positions.

    Corners are rounded to positions of the map, both of them included. Bin i covers the rows
    floor(i h / n) to ceil((i + 1) h / n) of the box, without the last. A bin outside of the map is
    0.

    Args:
        output_size: bins, one number or (rows, columns).
        scale: of the boxes: map size / picture size, 1/16 for VGG16.

    Shapes:
        x: (batch, height, width, channels)
        boxes: (batch, regions, 4) x1 y1 x2 y2
        out: (batch, regions, *output_size, channels)

    References:
        Girshick 2015, "Fast R-CNN", arXiv:1504.08083, section 2.1.
    """
    bins = _pool_bins(x, boxes, output_size, scale)
    spans = jnp.stack(_spans(jnp.swapaxes(x, 1, 2)))

    def of_region(region):  # of each picture
        found = _row_maxima(_region_maxima(spans, region)[2], region[0])
        return jnp.where(found == -jnp.inf, 0, found)

    return jnp.moveaxis(lax.map(of_region, bins), 0, 1)


def _span_columns(levels):
    """[first column of each maximum of `_spans`], k = 0, 1, ...: each (batch, width, height, c)."""
    own, found = levels[0], []
    found.append(jnp.broadcast_to(jnp.arange(own.shape[1])[:, None, None], own.shape))
    for k, level in enumerate(levels[:-1]):
        moved = jnp.roll(found[-1], -(2**k), axis=1)  # beyond the edge is -∞, which never wins
        found.append(jnp.where(level >= _moved(level, 2**k), found[-1], moved))
    return found


@roi_pool.backward
def roi_pool_backward(grad, out, x, boxes, *, output_size, scale=1.0):
    # to the first maximum of each bin in the order of rows: the first row that has it, and in this
    # row the first column
    bins = _pool_bins(x, boxes, output_size, scale)
    levels = _spans(jnp.swapaxes(x, 1, 2))
    spans, columns = jnp.stack(levels), jnp.stack(_span_columns(levels))
    batch, height, width, channels = x.shape
    picture, channel = jnp.arange(batch)[:, None], jnp.arange(channels)
    at_row = jnp.arange(height)[:, None]

    def by_bin(values):  # (bins, batch, channels)
        return jnp.moveaxis(values.reshape(batch, -1, channels), 1, 0)

    def add_bin(total, item):  # each channel has one place: nothing is added at once
        place, grad = item
        return total.at[picture, place, channel].add(grad, mode="drop", unique_indices=True), None

    def add_region(total, item):
        region, grad = item  # grad (batch, n, m, c)
        rows, k, first, last, _ = region
        one, two, best = _region_maxima(spans, region)
        column = jnp.where(one >= two, columns[k, picture, first], columns[k, picture, last])
        most = _row_maxima(best, rows)[:, :, :, None]
        is_most = (best[:, None] == most) & rows[:, :, None, :, None] & (most != -jnp.inf)
        row = jnp.min(jnp.where(is_most, at_row, height), axis=3)  # as argmax, faster
        at = jnp.minimum(row, height - 1)[:, :, :, None]
        column = jnp.take_along_axis(column[:, None], at, axis=3)[:, :, :, 0]
        place = jnp.where(row < height, row * width + column, height * width)
        return lax.scan(add_bin, total, (by_bin(place), by_bin(grad)))

    start = jnp.zeros((batch, height * width, channels), grad.dtype)
    total, _ = lax.scan(add_region, start, (bins, jnp.moveaxis(grad, 1, 0)))
    return total.reshape(x.shape), None


@roi_pool.onnx
def roi_pool_onnx(g, x, boxes, *, output_size, scale=1.0):
    # a flat list of boxes, each with the number of its picture in front
    count, bins = boxes.shape[1], per_axis(output_size, 2, what="output_size")
    total = g.node("Squeeze", g.node("Shape", boxes, start=0, end=1), g.integers([0]))
    pictures = g.node("Range", g.integers(0), total, g.integers(1))
    pictures = g.node(
        "Tile", g.node("Unsqueeze", pictures, g.integers([1])), g.integers([1, count])
    )
    numbers = g.cast(g.node("Reshape", pictures, g.integers([-1, 1])), np.float32)
    flat = g.node("Concat", numbers, g.node("Reshape", boxes, g.integers([-1, 4])), axis=1)
    found = g.node(
        "MaxRoiPool", g.channels_first(x), flat, spatial_scale=float(scale), pooled_shape=[*bins]
    )
    last = g.node("Transpose", found, perm=[0, 2, 3, 1])
    return g.result(g.node("Reshape", last, g.integers([-1, count, *bins, x.shape[-1]])))
