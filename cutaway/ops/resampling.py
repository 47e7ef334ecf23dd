"""Upsampling along the window axes, by repetition or linear interpolation."""

import jax.numpy as jnp
import numpy as np

from cutaway.engine.operation import operation
from cutaway.ops.pooling import along
from cutaway.ops.windows import expect_window_axes, per_axis


@operation(edges="movement")
def upsample_nearest(x, *, factor):
    """Repeats every element `factor` times along each window axis.

    Shapes:
        x: (batch, *sizes, channels)
        out: (batch, *sizes · factor, channels)
    """
    axes = x.ndim - 2
    expect_window_axes(x, axes, where="upsample_nearest")
    factors = per_axis(factor, axes, what="factor")
    shape, wide, final = [x.shape[0]], [x.shape[0]], [x.shape[0]]
    for n, f in zip(x.shape[1:-1], factors, strict=True):
        shape += [n, 1]
        wide += [n, f]
        final.append(n * f)
    channels = x.shape[-1]
    x = jnp.broadcast_to(x.reshape(*shape, channels), (*wide, channels))
    return x.reshape(*final, channels)


@upsample_nearest.backward
def upsample_nearest_backward(grad, out, x, *, factor):
    # all copies of an element send their gradient to it
    factors = per_axis(factor, x.ndim - 2, what="factor")
    wide = [x.shape[0]]
    for n, f in zip(x.shape[1:-1], factors, strict=True):
        wide += [n, f]
    return grad.reshape(*wide, x.shape[-1]).sum(tuple(range(2, 2 * len(factors) + 1, 2)))


@upsample_nearest.onnx
def upsample_nearest_onnx(g, x, *, factor):
    how = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return _resize_node(g, x, factor, mode="nearest", **how)


def _resize_node(g, x, factor, **attributes):
    scales = np.array([1, 1, *per_axis(factor, x.ndim - 2, what="factor")], np.float32)
    first = g.node("Resize", g.channels_first(x), None, g.constant(scales), **attributes)
    return g.result(first=first)


def _lines(n: int, out: int, dtype) -> np.ndarray:
    """(out, n): row o interpolates the two inputs around position (o + 1/2) n / out - 1/2."""
    at = np.clip((np.arange(out) + 0.5) * n / out - 0.5, 0, n - 1)
    left = np.floor(at).astype(int)
    right = np.minimum(left + 1, n - 1)
    matrix = np.zeros((out, n), dtype)
    np.add.at(matrix, (np.arange(out), left), 1 - (at - left))
    np.add.at(matrix, (np.arange(out), right), at - left)
    return matrix


@operation
def upsample_linear(x, *, factor):
    """Linear interpolation along each window axis: bilinear for images, trilinear for volumes.

    Elements are the middles of their cells, as in PyTorch's align_corners=False.

    Shapes:
        x: (batch, *sizes, channels)
        out: (batch, *sizes · factor, channels)
    """
    axes = x.ndim - 2
    expect_window_axes(x, axes, where="upsample_linear")
    for axis, f in enumerate(per_axis(factor, axes, what="factor"), start=1):
        x = along(_lines(x.shape[axis], x.shape[axis] * f, x.dtype), x, axis)
    return x


@upsample_linear.backward
def upsample_linear_backward(grad, out, x, *, factor):
    # the output is a matrix times the input along each axis: its transpose takes back
    for axis in range(1, x.ndim - 1):
        grad = along(_lines(x.shape[axis], out.shape[axis], x.dtype).T, grad, axis)
    return grad


@upsample_linear.onnx
def upsample_linear_onnx(g, x, *, factor):
    return _resize_node(g, x, factor, mode="linear", coordinate_transformation_mode="half_pixel")
