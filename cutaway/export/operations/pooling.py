"""Pooling and resampling, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.export.operations.products import pads
from cutaway.export.operations.registry import exports
from cutaway.ops.pooling import _shares
from cutaway.ops.windows import per_axis


@exports(ops.max_pool)
def _max_pool(g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False):
    return g.result(first=g.node("MaxPool", g.channels_first(x), **_windows(
        x, g.shape, kernel_size, stride, padding)))  # fmt: skip


@exports(ops.average_pool)
def _average_pool(
    g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_padding=True
):
    windows = _windows(x, g.shape, kernel_size, stride, padding)
    lows = per_axis(padding, x.ndim - 2, what="padding", least=0)
    first = g.channels_first(x)
    if count_padding and any(lows):
        # what ceil_mode adds does not count, what was asked for does: so it is put there before
        first = g.node("Pad", first, g.constant(np.array([0, 0, *lows, 0, 0, *lows], np.int64)))
        extra = [after - low for after, low in zip(windows["pads"][len(lows) :], lows, strict=True)]
        windows["pads"] = [0] * len(lows) + extra
    return g.result(first=g.node("AveragePool", first, count_include_pad=0, **windows))


def _windows(x, out_shape, kernel_size, stride, padding) -> dict:
    """Attributes of a pooling; what ceil_mode adds is written as padding at the end."""
    axes = x.ndim - 2
    kernel = per_axis(kernel_size, axes, what="kernel_size")
    stride = kernel if stride is None else per_axis(stride, axes, what="stride")
    lows = per_axis(padding, axes, what="padding", least=0)
    pairs = []
    for n, k, s, p, o in zip(x.shape[1:-1], kernel, stride, lows, out_shape[1:-1], strict=True):
        pairs.append((p, max((o - 1) * s + k - n - p, p)))
    return {"kernel_shape": list(kernel), "strides": list(stride), "pads": pads(pairs)}


@exports(ops.adaptive_average_pool)
def _adaptive_average_pool(g, x, *, output_size):
    axes = x.ndim - 2
    sizes = per_axis(output_size, axes, what="output_size")
    if set(sizes) == {1}:
        return g.result(first=g.node("GlobalAveragePool", g.channels_first(x)))
    first = g.channels_first(x)
    if any(n % o for n, o in zip(x.shape[1:-1], sizes, strict=True)):
        # windows of unequal sizes: one product with a matrix of shares for each axis
        letters = "nchwd"[: x.ndim]
        for axis, o in enumerate(sizes, start=2):
            shares = g.constant(_shares(x.shape[axis - 1], o, x.dtype))
            out = letters.replace(letters[axis], "o")
            first = g.node("Einsum", shares, first, equation=f"o{letters[axis]},{letters}->{out}")
        return g.result(first=first)
    kernel = [n // o for n, o in zip(x.shape[1:-1], sizes, strict=True)]
    return g.result(first=g.node("AveragePool", first, kernel_shape=kernel, strides=kernel))


@exports(ops.upsample_nearest)
def _upsample_nearest(g, x, *, factor):
    return _resized(g, x, factor, mode="nearest", nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric")  # fmt: skip


@exports(ops.upsample_linear)
def _upsample_linear(g, x, *, factor):
    return _resized(g, x, factor, mode="linear", coordinate_transformation_mode="half_pixel")


def _resized(g, x, factor, **attributes):
    scales = np.array([1, 1, *per_axis(factor, x.ndim - 2, what="factor")], np.float32)
    first = g.node("Resize", g.channels_first(x), None, g.constant(scales), **attributes)
    return g.result(first=first)
