"""Convolutions as other convolutions: strides as channels, and volumes as images.

    blocks    A convolution with stride s and a window of k, a multiple of s: blocks of s positions
              become channels, then the window has k / s blocks and the stride is 1. With k = s it
              is one matrix product. Its transpose is one for any k: each position gives the values
              of a window, which are added where windows overlap.
    slices    A convolution over volumes: the window's planes become output channels of a
              convolution over the slices, which are then shifted along the depth and added; where
              there are fewer input channels, the shifted slices become input channels instead.

XLA's own convolutions on CPU are 4 to 20 times slower for volumes, and up to 4 times for strides
backward, where it multiplies the zeros between the positions.
"""

import itertools
import math

import jax.numpy as jnp
from jax import lax


def fits_blocks(window, stride, dilation) -> bool:
    """Whether a convolution of this stride is one of blocks."""
    is_strided = any(s > 1 for s in stride)
    return (
        is_strided
        and all(d == 1 for d in dilation)
        and all(k % s == 0 for k, s in zip(window, stride, strict=True))
    )


def blocks_of(x, stride):
    """(batch, *sizes, channels) -> (batch, *(sizes / stride), stride's product · channels)."""
    split, axes = [x.shape[0]], len(stride)
    for n, s in zip(x.shape[1:-1], stride, strict=True):
        split += [n // s, s]
    order = (0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
    turned = x.reshape(*split, x.shape[-1]).transpose(order)
    return turned.reshape(*turned.shape[: axes + 1], -1)


def unblocked(y, stride):
    """The inverse of blocks_of."""
    axes = len(stride)
    sizes, channels = y.shape[1:-1], y.shape[-1] // math.prod(stride)
    y = y.reshape(y.shape[0], *sizes, *stride, channels)
    order = (0, *itertools.chain(*((1 + a, 1 + axes + a) for a in range(axes))), 2 * axes + 1)
    turned = y.transpose(order)
    whole = (n * s for n, s in zip(sizes, stride, strict=True))
    return turned.reshape(y.shape[0], *whole, channels)


def kernel_blocks(w, stride):
    """(*window, in, out) -> (*(window / stride), stride's product · in, out)."""
    *window, fan, out = w.shape
    return blocks_of(w.reshape(1, *window, fan * out), stride).reshape(
        *(k // s for k, s in zip(window, stride, strict=True)), -1, out
    )


def kernel_unblocked(w, stride):
    """The inverse of kernel_blocks."""
    *window, fan, out = w.shape
    axes, inner = len(stride), fan // math.prod(stride)
    w = unblocked(w.reshape(1, *window, fan * out), stride)[0]
    return w.reshape(*w.shape[:axes], inner, out)


def resized(x, befores, sizes):
    """x with zeros before it, or cropped where `befores` is negative, and ends at these sizes."""
    config = [
        (before, size - n - before, 0)
        for n, before, size in zip(x.shape[1:-1], befores, sizes, strict=True)
    ]
    if all(pair == (0, 0, 0) for pair in config):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *config, (0, 0, 0)))


def as_slices(x):
    """(batch, depth, ...) -> (batch · depth, ...)."""
    return x.reshape(-1, *x.shape[2:])


def shifted(x, befores, depth: int):
    """x along the depth, once for each number of zeros before it, joined as channels."""
    parts = [resized(x, (before, 0, 0), (depth, *x.shape[2:4])) for before in befores]
    return jnp.concatenate(parts, axis=-1)


def planes_as_inputs(w):
    """(depth, height, width, in, out) -> (height, width, depth · in, out)."""
    depth, high, wide, fan, out = w.shape
    return w.transpose(1, 2, 0, 3, 4).reshape(high, wide, depth * fan, out)


def planes_as_outputs(w):
    """(depth, height, width, in, out) -> (height, width, in, depth · out)."""
    depth, high, wide, fan, out = w.shape
    return w.transpose(1, 2, 3, 0, 4).reshape(high, wide, fan, depth * out)
