"""Regions of a map made one size by interpolation: RoIAlign, of one map and of a pyramid.

Boxes are grouped by picture, (batch, regions, 4). It is two matrix products per box, and so is its
derivative; with few samples the values are gathered, which takes a small part of the time. Shapes
are static, results deterministic. Boxes have no gradient, as in the paper.
"""

import math

import jax.numpy as jnp
import numpy as np

from cutaway.engine.operation import operation
from cutaway.errors import ShapeError, expect_integer, expect_range
from cutaway.ops.windows import per_axis

MOST_GATHERED = 3  # samples along an axis of a bin up to which values are gathered


def expect_regions(name, x, boxes, scale):
    if x.ndim != 4 or boxes.ndim != 3 or boxes.shape[::2] != (x.shape[0], 4):
        raise ShapeError(
            f"{name}: a map of shape {x.shape}, boxes of shape {boxes.shape}",
            expected="a map (batch, height, width, channels), boxes (batch, regions, 4)",
            fix="group the boxes by picture; pad those that have fewer",
        )
    expect_range(scale, what=f"{name}: scale", above=0)


def align_weights(start, length, size, bins, ratio):
    """(..., bins, size): how much each position of an axis counts in each bin.

    Sample a of bin i lies at start + (i + (a + 1/2) / g) length / bins. One before -1 or after
    `size` counts nothing; up to there it takes the value at the edge.
    """
    step = length / bins
    if ratio:
        most, samples = ratio, jnp.full(start.shape, float(ratio), start.dtype)
    else:  # as many samples as the bin has positions
        most = math.ceil(size / bins) + 1
        samples = jnp.clip(jnp.ceil(step), 0, most)
    a, per_bin = jnp.arange(most), jnp.maximum(samples, 1)
    # (..., bins, samples)
    offset = step[..., None] * (a + 0.5) / per_bin[..., None]
    at = start[..., None, None] + jnp.arange(bins)[:, None] * step[..., None, None]
    at = at + offset[..., None, :]
    inside = (at >= -1) & (at <= size) & (a < samples[..., None, None])
    # linear between two positions: 1 - distance
    distance = jnp.clip(at, 0, size - 1)[..., None] - jnp.arange(size)
    weights = jnp.maximum(1 - jnp.abs(distance), 0)
    weights = jnp.where(inside[..., None], weights, 0)
    return weights.sum(axis=-2) / per_bin[..., None, None]


def _neighbors(start, length, size, bins, ratio):
    """(positions, how much they count): (batch, regions, bins, 2 ratio), of each sample two."""
    last = size - 1 if isinstance(size, int) else size[..., None, None] - 1
    step = (length / bins)[..., None, None]
    sample = (jnp.arange(ratio) + 0.5) / ratio
    at = start[..., None, None] + (jnp.arange(bins)[:, None] + sample) * step
    inside = (at >= -1) & (at <= last + 1)
    at = jnp.clip(at, 0, last)
    low = jnp.floor(at)
    part = at - low
    positions = jnp.concatenate([low, jnp.minimum(low + 1, last)], axis=-1)
    weights = jnp.where(jnp.tile(inside, 2), jnp.concatenate([1 - part, part], axis=-1), 0)
    return positions.astype(jnp.int32), weights / ratio


def _gathered(x, boxes, output_size, scale, ratio, aligned):
    """RoIAlign as a sum of rows of the map, (2 ratio)² for each bin."""
    bins, corners, sides = _align_corners(x, boxes, output_size, scale, aligned)
    batch, height, width, channels = x.shape
    first = height * width * jnp.arange(batch)[:, None]
    return _sum_of_rows(
        x.reshape(-1, channels), first, (height, width), corners, sides, bins, ratio
    )


def _sum_of_rows(flat, first, size, corners, sides, bins, ratio):
    """(batch, regions, *bins, channels): weighted sums of rows of a flat map.

    Args:
        flat: (positions, channels).
        first: (batch, regions) or (batch, 1), where the map of a box begins.
        size: its height and width, numbers or (batch, regions).
        corners, sides: (batch, regions, 4) and (batch, regions, 2), in positions of the map.
    """
    rows, of_row = _neighbors(corners[..., 1], sides[..., 1], size[0], bins[0], ratio)
    columns, of_column = _neighbors(corners[..., 0], sides[..., 0], size[1], bins[1], ratio)
    width = size[1] if isinstance(size[1], int) else size[1][..., None, None]
    rows = first[..., None, None] + rows * width
    total = jnp.zeros((*corners.shape[:2], *bins, flat.shape[-1]), flat.dtype)
    for a in range(2 * ratio):
        for b in range(2 * ratio):
            at = rows[..., :, None, a] + columns[..., None, :, b]
            weight = of_row[..., :, None, a] * of_column[..., None, :, b]
            total += flat.at[at].get(mode="clip") * weight[..., None].astype(flat.dtype)
    return total


def _align_corners(x, boxes, output_size, scale, aligned):
    """(bins, corners, sides) of boxes in positions of the map."""
    bins = per_axis(output_size, 2, what="output_size")
    corners = boxes.astype(jnp.promote_types(x.dtype, jnp.float32)) * scale
    corners = corners - 0.5 if aligned else corners
    sides = corners[..., 2:] - corners[..., :2]
    return bins, corners, sides if aligned else jnp.maximum(sides, 1)


def region_weights(x, boxes, output_size, scale, sampling_ratio, aligned):
    """How much each row and column of a map counts in each bin of RoIAlign.

    Args: see roi_align; of x only the shape counts.

    Returns:
        (rows (batch, regions, n, height), columns (batch, regions, m, width))
    """
    bins, corners, sides = _align_corners(x, boxes, output_size, scale, aligned)
    rows = align_weights(corners[..., 1], sides[..., 1], x.shape[1], bins[0], sampling_ratio)
    columns = align_weights(corners[..., 0], sides[..., 0], x.shape[2], bins[1], sampling_ratio)
    return rows.astype(x.dtype), columns.astype(x.dtype)


@operation
def roi_align(x, boxes, *, output_size, scale=1.0, sampling_ratio=2, aligned=False):
    """Each box as a small map: bilinear samples, evenly spaced, averaged in each bin.

    Value (i, j) of a box is Σ_h Σ_w Wy[i, h] Wx[j, w] x[h, w]: both matrices hold how much a row
    or a column counts in a bin.

    Args:
        output_size: bins, one number or (rows, columns).
        scale: of the boxes: map size / picture size.
        sampling_ratio: samples of each bin along each axis; 0: as many as the bin has positions,
            for boxes up to the size of the map.
        aligned: whether pixels are the areas from i to i + 1, so that boxes are shifted by half a
            pixel of the map. False as in Mask R-CNN; then boxes are at least 1 wide and high.

    Shapes:
        x: (batch, height, width, channels)
        boxes: (batch, regions, 4) x1 y1 x2 y2
        out: (batch, regions, *output_size, channels)

    References:
        He et al. 2017, "Mask R-CNN", arXiv:1703.06870, section 3.
    """
    expect_regions("roi_align", x, boxes, scale)
    expect_integer(sampling_ratio, what="roi_align: sampling_ratio", least=0)
    if 0 < sampling_ratio <= MOST_GATHERED:
        return _gathered(x, boxes, output_size, scale, sampling_ratio, aligned)
    rows, columns = region_weights(x, boxes, output_size, scale, sampling_ratio, aligned)
    part = jnp.einsum("brih,bhwc->briwc", rows, x)
    return jnp.einsum("brjw,briwc->brijc", columns, part)


@roi_align.backward
def roi_align_backward(
    grad, out, x, boxes, *, output_size, scale=1.0, sampling_ratio=2, aligned=False
):
    # linear in x: the transposed products, summed over the boxes of a picture
    rows, columns = region_weights(x, boxes, output_size, scale, sampling_ratio, aligned)
    return _align_gradient(grad, rows, columns), None


def _align_gradient(grad, rows, columns):
    """(batch, height, width, channels) of a map, for the weights of its rows and columns."""
    part = jnp.einsum("brjw,brijc->briwc", columns, grad)
    return jnp.einsum("brih,briwc->bhwc", rows, part)


@operation
def pyramid_roi_align(boxes, levels, *maps, output_size, scales, sampling_ratio=2):
    """RoIAlign of each box from one of several maps, those of a feature pyramid.

    Args:
        output_size: bins, one number or (rows, columns).
        scales: of the boxes on each map: map size / picture size.
        sampling_ratio: samples of each bin along each axis, at most 3.

    Shapes:
        boxes: (batch, regions, 4) x1 y1 x2 y2
        levels: (batch, regions) integers, the index of the map that a box is read from
        maps: (batch, height, width, channels), ...
        out: (batch, regions, *output_size, channels)

    References:
        Lin et al. 2017, "Feature pyramid networks", arXiv:1612.03144, section 4.2.
    """
    for own, scale in zip(maps, scales, strict=True):
        expect_regions("pyramid_roi_align", own, boxes, scale)
    what = "pyramid_roi_align: sampling_ratio"
    expect_integer(sampling_ratio, what=what, least=1, most=MOST_GATHERED)
    sizes = np.array([own.shape[1:3] for own in maps], np.int32)
    ends = np.cumsum(sizes.prod(axis=1))
    batch, _, _, channels = maps[0].shape
    flat = jnp.concatenate([own.reshape(batch, -1, channels) for own in maps], axis=1)
    first = ends[-1] * jnp.arange(batch)[:, None] + jnp.array([0, *ends[:-1]])[levels]
    size = [jnp.asarray(along)[levels] for along in sizes.T]
    scale = jnp.asarray(scales, boxes.dtype)[levels][..., None]
    bins, corners, sides = _align_corners(maps[0], boxes, output_size, scale, False)
    return _sum_of_rows(
        flat.reshape(-1, channels), first, size, corners, sides, bins, sampling_ratio
    )


@pyramid_roi_align.backward
def pyramid_roi_align_backward(
    grad, out, boxes, levels, *maps, output_size, scales, sampling_ratio=2
):
    # of each map as of roi_align; boxes of other maps count nothing
    grads = []
    for place, (own, scale) in enumerate(zip(maps, scales, strict=True)):
        rows, columns = region_weights(own, boxes, output_size, scale, sampling_ratio, False)
        rows = rows * (levels == place)[..., None, None].astype(rows.dtype)
        grads.append(_align_gradient(grad, rows, columns))
    return None, None, *grads


def _weights_nodes(g, start, length, size, bins, ratio):
    """`align_weights` in ONNX, of names of values (batch, regions, 1)."""
    dtype = g.dtype

    def number(value):
        return np.array(value, dtype)

    step = g.node("Div", length, number(bins))
    per_bin, most = number(ratio), ratio
    counts = None
    if not ratio:
        most = math.ceil(size / bins) + 1
        samples = g.node("Clip", g.node("Ceil", step), number(0), number(most))
        per_bin = g.node("Max", samples, number(1))
        # (batch, regions, 1, samples)
        wide = g.node("Unsqueeze", samples, g.integers([-1]))
        counts = g.node("Less", np.arange(most).astype(dtype), wide)
        per_bin = g.node("Unsqueeze", per_bin, g.integers([-1]))
    wide_step = g.node("Unsqueeze", step, g.integers([-1]))
    part = g.node("Div", (np.arange(most) + 0.5).astype(dtype), per_bin)
    place = g.node("Add", np.arange(bins).astype(dtype)[:, None], part)
    at = g.node(
        "Add", g.node("Unsqueeze", start, g.integers([-1])), g.node("Mul", wide_step, place)
    )
    inside = g.node(
        "And", g.node("GreaterOrEqual", at, number(-1)), g.node("LessOrEqual", at, number(size))
    )
    inside = inside if counts is None else g.node("And", inside, counts)
    at = g.node("Unsqueeze", g.node("Clip", at, number(0), number(size - 1)), g.integers([-1]))
    distance = g.node("Abs", g.node("Sub", at, np.arange(size).astype(dtype)))
    weights = g.node("Max", g.node("Sub", number(1), distance), number(0))
    of_inside = g.cast(g.node("Unsqueeze", inside, g.integers([-1])), dtype)
    total = g.node("ReduceSum", g.node("Mul", weights, of_inside), g.integers([3]), keepdims=0)
    return g.node("Div", total, per_bin)


def _region_nodes(g, x, boxes, output_size, scale, sampling_ratio, aligned):
    """`region_weights` in ONNX."""
    bins = per_axis(output_size, 2, what="output_size")
    corners = g.node("Mul", boxes, np.array(scale, g.dtype))
    if aligned:
        corners = g.node("Sub", corners, np.array(0.5, g.dtype))
    x1, y1, x2, y2 = g.node("Split", corners, outputs=4, axis=-1, num_outputs=4)
    width, height = g.node("Sub", x2, x1), g.node("Sub", y2, y1)
    if not aligned:
        width, height = (g.node("Max", side, np.array(1, g.dtype)) for side in (width, height))
    rows = _weights_nodes(g, y1, height, x.shape[1], bins[0], sampling_ratio)
    columns = _weights_nodes(g, x1, width, x.shape[2], bins[1], sampling_ratio)
    return rows, columns


@roi_align.onnx
def roi_align_onnx(g, x, boxes, *, output_size, scale=1.0, sampling_ratio=2, aligned=False):
    # by nodes: onnxruntime lacks RoiAlign of this opset
    rows, columns = _region_nodes(g, x, boxes, output_size, scale, sampling_ratio, aligned)
    part = g.node("Einsum", rows, x, equation="brih,bhwc->briwc")
    return g.out("Einsum", columns, part, equation="brjw,briwc->brijc")


@pyramid_roi_align.onnx
def pyramid_roi_align_onnx(g, boxes, levels, *maps, output_size, scales, sampling_ratio=2):
    parts = []
    for place, (own, scale) in enumerate(zip(maps, scales, strict=True)):
        rows, columns = _region_nodes(g, own, boxes, output_size, scale, sampling_ratio, False)
        is_own = g.cast(g.node("Equal", levels, np.array(place, np.int32)), g.dtype)
        rows = g.node("Mul", rows, g.node("Unsqueeze", is_own, g.integers([2, 3])))
        part = g.node("Einsum", rows, own, equation="brih,bhwc->briwc")
        parts.append(g.node("Einsum", columns, part, equation="brjw,briwc->brijc"))
    return g.out("Sum", *parts)
