"""Pooling: the maximum or the mean of each window."""

import functools
import math
import operator

import jax.numpy as jnp
import numpy as np
from jax import lax

from cutaway.engine.operation import operation
from cutaway.errors import OptionError
from cutaway.ops.windows import (
    expect_window_axes,
    output_sizes,
    pad_windows,
    per_axis,
    read_tap,
    taps,
    write_tap,
)


def _geometry(name, x, kernel_size, stride, padding, ceil_mode):
    """(kernel, stride, pairs, out_sizes) with the padding that ceil_mode adds at the end."""
    axes = x.ndim - 2
    expect_window_axes(x, axes, where=name)
    kernel = per_axis(kernel_size, axes, what="kernel_size")
    stride = kernel if stride is None else per_axis(stride, axes, what="stride")
    lows = per_axis(padding, axes, what="padding", least=0)
    pairs = []
    for n, k, s, p in zip(x.shape[1:-1], kernel, stride, lows, strict=True):
        if 2 * p > k:
            raise OptionError(
                f"{name}: padding {p} with a kernel of {k}",
                expected="padding of at most half the kernel size",
            )
        after = p
        if ceil_mode:
            out = -(-(n + 2 * p - k) // s) + 1
            if (out - 1) * s >= n + p:  # the last window would start beyond the input
                out -= 1
            after = max((out - 1) * s + k - n - p, p)
        pairs.append((p, after))
    sizes = output_sizes(x.shape[1:-1], kernel, stride, pairs, (1,) * axes, where=name)
    return kernel, stride, tuple(pairs), sizes


def _tiles(x, kernel, stride, pairs):
    """Whether the windows tile x exactly."""
    return (
        kernel == stride
        and not any(n for pair in pairs for n in pair)
        and all(n % k == 0 for n, k in zip(x.shape[1:-1], kernel, strict=True))
    )


def _untiled(parts, shape, kernel):
    """Values of each tap (batch, *sizes, c) interleaved again: (batch, *sizes · k, c)."""
    axes = len(kernel)
    stacked = jnp.stack(parts).reshape(*kernel, *parts[0].shape)
    order = [axes]
    for i in range(axes):
        order += [axes + 1 + i, i]
    return stacked.transpose(*order, stacked.ndim - 1).reshape(shape)


@operation(edges="pool")
def max_pool(x, *, kernel_size, stride=None, padding=0, ceil_mode=False):
    """The maximum of each window. If several values are equal, the first gets the gradient.

    Args:
        kernel_size, stride, padding: a number, or one for each window axis; stride is the kernel
            size by default, padding counts as -∞.
        ceil_mode: whether windows that reach over the end count too.

    Shapes:
        x: (batch, *sizes, channels), one to three window axes
        out: (batch, *out_sizes, channels)
    """
    kernel, stride, pairs, sizes = _geometry("max_pool", x, kernel_size, stride, padding, ceil_mode)
    padded = pad_windows(x, pairs, _least(x.dtype))
    ones = (1,) * len(kernel)
    parts = (read_tap(padded, tap, sizes, stride, ones) for tap in taps(kernel))
    return functools.reduce(jnp.maximum, parts)


@max_pool.backward
def max_pool_backward(grad, out, x, *, kernel_size, stride=None, padding=0, ceil_mode=False):
    kernel, stride, pairs, sizes = _geometry("max_pool", x, kernel_size, stride, padding, ceil_mode)
    padded = pad_windows(x, pairs, _least(x.dtype))
    ones = (1,) * len(kernel)
    free = jnp.ones(out.shape, bool)  # windows whose maximum has not been found yet
    parts = []
    for tap in taps(kernel):
        hit = free & (read_tap(padded, tap, sizes, stride, ones) == out)
        free &= ~hit
        parts.append(jnp.where(hit, grad, 0))
    return _put_back(parts, x, kernel, stride, pairs)


@max_pool.onnx
def max_pool_onnx(g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False):
    windows = _window_attributes(g, "max_pool", x, kernel_size, stride, padding, ceil_mode)
    return g.result(first=g.node("MaxPool", g.channels_first(x), **windows))


def _window_attributes(g, name, x, *geometry) -> dict:
    """What ceil_mode adds is exported as padding at the end."""
    kernel, stride, pairs, _ = _geometry(name, x, *geometry)
    return {"kernel_shape": list(kernel), "strides": list(stride), "pads": g.pads(pairs)}


def _put_back(parts, x, kernel, stride, pairs):
    if _tiles(x, kernel, stride, pairs):
        return _untiled(parts, x.shape, kernel)
    ones = (1,) * len(kernel)
    written = (
        write_tap(part, tap, x.shape[1:-1], pairs, stride, ones)
        for part, tap in zip(parts, taps(kernel), strict=True)
    )
    return functools.reduce(operator.add, written)


def _least(dtype):
    return -jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


@operation(edges="pool")
def average_pool(x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_padding=True):
    """The mean of each window.

    Args:
        count_padding: whether padding counts as zeros in the mean, as PyTorch's
            count_include_pad; what ceil_mode adds beyond it never counts.
        others: see max_pool.

    Shapes:
        x: (batch, *sizes, channels), one to three window axes
        out: (batch, *out_sizes, channels)
    """
    kernel, stride, pairs, sizes = _geometry(
        "average_pool", x, kernel_size, stride, padding, ceil_mode
    )
    padded = pad_windows(x, pairs)
    ones = (1,) * len(kernel)
    parts = (read_tap(padded, tap, sizes, stride, ones) for tap in taps(kernel))
    total = functools.reduce(operator.add, parts)
    return total / _counts(x, kernel, stride, pairs, sizes, padding, count_padding)


@average_pool.backward
def average_pool_backward(
    grad, out, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_padding=True
):
    kernel, stride, pairs, sizes = _geometry(
        "average_pool", x, kernel_size, stride, padding, ceil_mode
    )
    # every element of a window has the derivative 1 / count
    each = grad / _counts(x, kernel, stride, pairs, sizes, padding, count_padding)
    return _put_back([each] * math.prod(kernel), x, kernel, stride, pairs)


@average_pool.onnx
def average_pool_onnx(
    g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_padding=True
):
    windows = _window_attributes(g, "average_pool", x, kernel_size, stride, padding, ceil_mode)
    lows = per_axis(padding, x.ndim - 2, what="padding", least=0)
    first = g.channels_first(x)
    if count_padding and any(lows):
        # padding from ceil_mode does not count, explicit padding does: it is added beforehand
        first = g.node("Pad", first, g.integers([0, 0, *lows, 0, 0, *lows]))
        extra = [after - low for after, low in zip(windows["pads"][len(lows) :], lows, strict=True)]
        windows["pads"] = [0] * len(lows) + extra
    return g.result(first=g.node("AveragePool", first, count_include_pad=0, **windows))


def _counts(x, kernel, stride, pairs, sizes, padding, count_padding):
    """Number of elements averaged in each window: a number, or (1, *sizes, 1)."""
    per = []
    for n, k, s, (lo, _), o in zip(x.shape[1:-1], kernel, stride, pairs, sizes, strict=True):
        begin = np.arange(o) * s - lo
        end = np.minimum(begin + k, n + lo if count_padding else n)
        per.append(end - (begin if count_padding else np.maximum(begin, 0)))
    if all((p == k).all() for p, k in zip(per, kernel, strict=True)):
        return math.prod(kernel)
    return jnp.asarray(functools.reduce(np.multiply.outer, per), x.dtype)[None, ..., None]


def _shares(n: int, out: int, dtype) -> np.ndarray:
    """(out, n): row o averages the positions floor(o n / out) to ceil((o + 1) n / out)."""
    matrix = np.zeros((out, n), dtype)
    for o in range(out):
        begin, end = o * n // out, -(-(o + 1) * n // out)
        matrix[o, begin:end] = 1 / (end - begin)
    return matrix


@operation
def adaptive_average_pool(x, *, output_size):
    """Average pooling with windows chosen for `output_size` output positions per axis.

    Window o of n positions reads from floor(o n / output_size) to ceil((o + 1) n / output_size).

    Shapes:
        x: (batch, *sizes, channels)
        out: (batch, *output_size, channels)
    """
    axes = x.ndim - 2
    expect_window_axes(x, axes, where="adaptive_average_pool")
    for axis, o in enumerate(per_axis(output_size, axes, what="output_size"), start=1):
        x = along(_shares(x.shape[axis], o, x.dtype), x, axis)
    return x


@adaptive_average_pool.backward
def adaptive_average_pool_backward(grad, out, x, *, output_size):
    for axis in range(1, x.ndim - 1):
        grad = along(_shares(x.shape[axis], out.shape[axis], x.dtype).T, grad, axis)
    return grad


@adaptive_average_pool.onnx
def adaptive_average_pool_onnx(g, x, *, output_size):
    sizes = per_axis(output_size, x.ndim - 2, what="output_size")
    first = g.channels_first(x)
    if set(sizes) == {1}:
        return g.result(first=g.node("GlobalAveragePool", first))
    if not any(n % o for n, o in zip(x.shape[1:-1], sizes, strict=True)):
        kernel = [n // o for n, o in zip(x.shape[1:-1], sizes, strict=True)]
        return g.result(first=g.node("AveragePool", first, kernel_shape=kernel, strides=kernel))
    # windows of unequal sizes: one product with an averaging matrix per axis
    letters = "nchwd"[: x.ndim]
    for axis, o in enumerate(sizes, start=2):
        shares = g.constant(_shares(x.shape[axis - 1], o, x.dtype))
        out = letters.replace(letters[axis], "o")
        first = g.node("Einsum", shares, first, equation=f"o{letters[axis]},{letters}->{out}")
    return g.result(first=first)


def along(matrix, x, axis):
    """matrix (out, n) times x along one axis of size n."""
    moved = jnp.tensordot(matrix, x, axes=(1, axis), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(moved, 0, axis)
