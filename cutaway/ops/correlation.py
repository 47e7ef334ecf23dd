"""How a convolution is computed: the sums behind ops.convolution, by the fastest method available.

    y[n, o, c] = Σ_k Σ_i x[n, o · stride + k · dilation, i] w[k, i, c]

with x padded and, for `spacing` > 1, zeros between its elements (for the backward pass of a strided
convolution). Everything is linear in x and in w, so two functions suffice for the forward and
backward passes of ordinary and transposed convolution: `correlate` and `kernel_gradient`.

XLA's own convolution is used except where it was measured to be slow on CPU: windows of one element
are matrix products; short windows over time are one matrix product for all taps, whose parts are
then shifted and added (twice as fast); 3 x 3 windows between many channels need a quarter of the
multiplications (twice as fast, see winograd.py); depthwise convolutions are sums of shifted
products (20 to 40 times as fast), and so are those with one channel (2 to 7 times as fast);
convolutions over volumes become convolutions over slices (4 to 20 times as fast), and strides that
divide the window become channels (1.1 to 4 times as fast backward), see rearranging.py.
"""

import functools
import inspect
import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from cutaway.ops import rearranging, shifting, winograd
from cutaway.ops.precision import current_precision, product
from cutaway.ops.windows import taps
from cutaway.runtime import on_cpu

FEW = 32  # elements in a window
MANY = 2**18  # numbers: for fewer, a loop costs more than what it saves

POINTWISE = "one matrix product"
DEPTHWISE = "sums of shifted products, channel by channel"
SHORT = "one matrix product for all taps, shifted and added"
ONE_CHANNEL = "sums of shifted products"
WINOGRAD = "Winograd's algorithm, 36 matrix products"
BLOCKS = "blocks of positions as channels"
SPREAD = "one matrix product, whose windows are added"
SLICES = "slices of the volume, shifted and added"
DIRECT = "XLA's own convolution"


def choose(
    x_shape, w_shape, stride, padding, spacing, groups, *, dilation, dtype=jnp.float32
) -> str:
    """The method by which `correlate` computes a convolution of these shapes."""
    window = w_shape[:-2]
    if groups > 1:
        return DEPTHWISE if groups == w_shape[-1] and w_shape[-2] == 1 else DIRECT
    if any(s > 1 for s in spacing):
        fits = rearranging.fits_blocks(window, spacing, dilation) and set(stride) == {1}
        return SPREAD if fits and on_cpu() else DIRECT
    if _is_pointwise(window, padding):
        return POINTWISE
    if shifting.is_short(window, stride, x_shape[-1]):
        return SHORT
    if not on_cpu():
        return DIRECT
    if rearranging.fits_blocks(window, stride, dilation) and _pays_in_blocks(x_shape):
        return BLOCKS
    if _is_volume(window, stride):
        return SLICES
    if winograd.serves(x_shape, w_shape, dtype, stride, padding, dilation):
        return WINOGRAD
    return ONE_CHANNEL if x_shape[-1] == 1 and math.prod(window) <= FEW else DIRECT


def correlate(x, w, *, stride, padding, spacing, dilation, groups, turned=False):
    """The sum above.

    Args:
        turned: whether w is flipped along its window axes first.

    Shapes:
        x: (batch, *sizes, in)
        w: (*kernel_size, in / groups, out)
        returns: (batch, *out_sizes, out)
    """
    x = _as_floats(x, w)
    dtype = jnp.result_type(x, w)
    method = choose(
        x.shape, w.shape, stride, padding, spacing, groups, dilation=dilation, dtype=dtype
    )
    if method == SPREAD:
        w = w if turned else _turned(w)
        return _spread(x, w, padding=padding, spacing=spacing)
    if turned and method != DIRECT:
        w = _turned(w)
    if method == POINTWISE:
        return _pointwise(x, w, stride)
    if method == DEPTHWISE:
        return shifting.depthwise(x, w, stride, padding, spacing, dilation)
    if method == SHORT:
        return shifting.short(x, w, padding, dilation)
    if method == ONE_CHANNEL:
        return shifting.one_channel(x, w, stride, padding, dilation)
    if method == WINOGRAD:
        return winograd.correlate_by_winograd(x, w, padding)
    if method == BLOCKS:
        return _in_blocks(x, w, stride=stride, padding=padding)
    if method == SLICES:
        return _in_slices(x, w, padding=padding, dilation=dilation, many=MANY)
    return product(
        lax.conv_general_dilated,
        x,
        w,
        turn=_turned if turned else None,
        window_strides=stride,
        padding=padding,
        lhs_dilation=spacing,
        rhs_dilation=dilation,
        dimension_numbers=_channels_last(x.ndim),
        feature_group_count=groups,
    )


def kernel_gradient(x, grad, *, kernel_size, stride, padding, dilation, groups):
    """∂L/∂w[k, i, c] = Σ_n Σ_o x[n, o · stride + k · dilation, i] grad[n, o, c].

    Shapes:
        x: (batch, *sizes, in)
        grad: (batch, *out_sizes, out)
        returns: (*kernel_size, in / groups, out)
    """
    x = _as_floats(x, grad)
    if groups == 1 and _is_pointwise(kernel_size, padding):
        x = _strided(x, stride)
        w = product(jnp.matmul, shifting.flat(x).T, shifting.flat(grad))
        return w.reshape(*kernel_size, x.shape[-1], grad.shape[-1])
    if groups == x.shape[-1] == grad.shape[-1] and groups > 1:
        return shifting.depthwise_kernel_gradient(x, grad, kernel_size, stride, padding, dilation)
    if groups == 1 and shifting.is_short(kernel_size, stride, x.shape[-1]):
        return shifting.short_kernel_gradient(x, grad, kernel_size, padding, dilation)
    if groups == 1 and on_cpu():
        if rearranging.fits_blocks(kernel_size, stride, dilation):
            return _kernel_gradient_in_blocks(
                x, grad, kernel_size=kernel_size, stride=stride, padding=padding
            )
        if _is_volume(kernel_size, stride):
            return _kernel_gradient_in_slices(
                x, grad, kernel_size=kernel_size, padding=padding, dilation=dilation, many=MANY
            )
    if groups > 1:  # XLA's own batch grouping is 50 times slower than a loop over groups
        parts = [
            kernel_gradient(
                part,
                part_grad,
                kernel_size=kernel_size,
                stride=stride,
                padding=padding,
                dilation=dilation,
                groups=1,
            )
            for part, part_grad in zip(
                jnp.split(x, groups, -1), jnp.split(grad, groups, -1), strict=True
            )
        ]
        return jnp.concatenate(parts, axis=-1)
    # A convolution with batch and channels swapped: it sums over the batch of x, and grad is the
    # kernel, dilated by the stride. The axes are transposed explicitly: with dimension numbers,
    # XLA takes a path that is 80 times slower inside loops.
    pairs = [
        (lo, d * (k - 1) + (m - 1) * s + 1 - n - lo)
        for n, m, k, s, d, (lo, _) in zip(
            x.shape[1:-1], grad.shape[1:-1], kernel_size, stride, dilation, padding, strict=True
        )
    ]
    window = tuple(range(1, x.ndim - 1))
    last = x.ndim - 1
    w = product(
        lax.conv_general_dilated,
        x.transpose(last, *window, 0),  # (in, *sizes, batch)
        grad.transpose(*window, 0, last),  # (*out_sizes, batch, out)
        window_strides=dilation,
        padding=pairs,
        rhs_dilation=stride,
        dimension_numbers=_channels_last(x.ndim),
    )  # (in, *kernel_size, out)
    return w.transpose(*window, 0, last)


def _as_floats(x, like):
    """x in the type of `like` if it holds integers, such as the bytes of pictures."""
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(like.dtype)


def swap_channels(w, groups):
    """(*kernel_size, in / groups, out) -> (*kernel_size, out / groups, in), group by group."""
    *window, fan, out = w.shape
    w = w.reshape(*window, fan, groups, out // groups)
    return jnp.swapaxes(w, -1, -3).reshape(*window, out // groups, groups * fan)


def _turned(w):
    """w flipped along its window axes."""
    return jnp.flip(w, tuple(range(w.ndim - 2)))


def _channels_last(ndim):
    axes = tuple(range(1, ndim - 1))
    last = ndim - 1
    return lax.ConvDimensionNumbers(
        (0, last, *axes), (last, last - 1, *range(last - 1)), (0, last, *axes)
    )


def _is_pointwise(window, padding):
    return all(k == 1 for k in window) and not any(n for pair in padding for n in pair)


def _strided(x, stride):
    if all(s == 1 for s in stride):
        return x
    return x[(slice(None), *(slice(None, None, s) for s in stride))]


def _pointwise(x, w, stride):
    x = _strided(x, stride)
    flat = product(jnp.matmul, shifting.flat(x), w.reshape(w.shape[-2:]))
    return flat.reshape(*x.shape[:-1], w.shape[-1])


def _plain(x, w, padding, dilation=None, *, turned=False):
    """`correlate` with stride 1."""
    ones = (1,) * (w.ndim - 2)
    return correlate(
        x,
        w,
        stride=ones,
        padding=padding,
        spacing=ones,
        dilation=ones if dilation is None else dilation,
        groups=1,
        turned=turned,
    )


def _one_program(function):
    """Compiled by itself: in eager mode one program instead of 20, one for each precision."""

    def traced(*arrays, precision, **geometry):
        return function(*arrays, **geometry)

    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    compiled = jax.jit(traced, inline=True, static_argnames=("precision", *names))

    @functools.wraps(function)
    def call(*arrays, **geometry):
        return compiled(*arrays, precision=current_precision(), **geometry)

    return call


@_one_program
def _in_blocks(x, w, *, stride, padding):
    blocks = _blocks(x, w.shape[:-2], stride, padding)
    return _plain(blocks, rearranging.kernel_blocks(w, stride), ((0, 0),) * len(stride))


@_one_program
def _kernel_gradient_in_blocks(x, grad, *, kernel_size, stride, padding):
    w = kernel_gradient(
        _blocks(x, kernel_size, stride, padding),
        grad,
        kernel_size=tuple(k // s for k, s in zip(kernel_size, stride, strict=True)),
        stride=(1,) * len(stride),
        padding=((0, 0),) * len(stride),
        dilation=(1,) * len(stride),
        groups=1,
    )
    return rearranging.kernel_unblocked(w, stride)


def _blocks(x, window, stride, padding):
    """The padded x in blocks, without what no window reaches at the end."""
    sizes = []
    for n, k, s, (lo, hi) in zip(x.shape[1:-1], window, stride, padding, strict=True):
        sizes.append((n + lo + hi - k) // s * s + k)
    return rearranging.blocks_of(rearranging.resized(x, [lo for lo, _ in padding], sizes), stride)


def _pays_in_blocks(x_shape):
    """Whether XLA's own convolution with strides is slower, forward."""
    *positions, channels = x_shape
    return len(positions) == 4 or channels <= 4 or math.prod(positions) <= 64


@_one_program
def _spread(x, w, *, padding, spacing):
    """Each position of x adds w, not turned, to the output, `spacing` apart: one matrix product."""
    *window, fan, out = w.shape
    w = jnp.moveaxis(w, -2, 0).reshape(fan, -1)
    products = product(jnp.matmul, shifting.flat(x), w)
    split = [n for k, s in zip(window, spacing, strict=True) for n in (k // s, s)]
    products = products.reshape(*x.shape[:-1], *split, out)
    befores, sizes = [], []
    for n, k, s, (lo, hi) in zip(x.shape[1:-1], window, spacing, padding, strict=True):
        befores.append(lo - (k - 1))
        sizes.append((n - 1) * s + 1 + lo + hi - (k - 1))
    total = 0
    for block in taps(split[::2]):  # the blocks of the window, each a stride wide
        part = products[(..., *(i for b in block for i in (b, slice(None))), slice(None))]
        part = rearranging.unblocked(part.reshape(*x.shape[:-1], -1), spacing)
        places = [lo + b * s for lo, b, s in zip(befores, block, spacing, strict=True)]
        total = total + rearranging.resized(part, places, sizes)
    return total


def _is_volume(window, stride):
    return len(window) == 3 and window[0] > 1 and set(stride) == {1}


@_one_program
def _in_slices(x, w, *, padding, dilation, many):
    """By examples, if x has at least `many` numbers."""
    slices = partial(_slices_of, w=w, padding=padding, dilation=dilation)
    return shifting.in_parts(slices, x) if x.size >= many else slices(x)


def _slices_of(x, w, padding, dilation):
    planes, (lo, hi), step = w.shape[0], padding[0], dilation[0]
    depth = x.shape[1] + lo + hi - step * (planes - 1)
    befores = [lo - step * plane for plane in range(planes)]
    if w.shape[-2] < w.shape[-1]:  # fewer inputs: they are what is copied
        slices = rearranging.as_slices(rearranging.shifted(x, befores, depth))
        y = _plain(slices, rearranging.planes_as_inputs(w), padding[1:], dilation[1:])
        return y.reshape(x.shape[0], depth, *y.shape[1:])
    kernel = rearranging.planes_as_outputs(w)
    y = _plain(rearranging.as_slices(x), kernel, padding[1:], dilation[1:])
    y = y.reshape(x.shape[0], x.shape[1], *y.shape[1:])
    sizes = (depth, *y.shape[2:4])
    parts = jnp.split(y, planes, axis=-1)
    shifted = (
        rearranging.resized(part, (before, 0, 0), sizes)
        for part, before in zip(parts, befores, strict=True)
    )
    return sum(shifted)


@_one_program
def _kernel_gradient_in_slices(x, grad, *, kernel_size, padding, dilation, many):
    """By examples, if x or grad has at least `many` numbers."""
    f = partial(
        _kernel_gradient_of_slices, kernel_size=kernel_size, padding=padding, dilation=dilation
    )
    return shifting.summed_over_parts(f, x, grad) if max(x.size, grad.size) >= many else f(x, grad)


def _kernel_gradient_of_slices(x, grad, kernel_size, padding, dilation):
    planes, (lo, _), step = kernel_size[0], padding[0], dilation[0]
    rest = {
        "kernel_size": kernel_size[1:],
        "stride": (1, 1),
        "padding": padding[1:],
        "dilation": dilation[1:],
        "groups": 1,
    }
    fan, out = x.shape[-1], grad.shape[-1]
    if fan < out:
        befores = [lo - step * plane for plane in range(planes)]
        slices = rearranging.shifted(x, befores, grad.shape[1])
        w = kernel_gradient(rearranging.as_slices(slices), rearranging.as_slices(grad), **rest)
        return w.reshape(*kernel_size[1:], planes, fan, out).transpose(2, 0, 1, 3, 4)
    # the output o of plane k read x[o + k · step - lo]
    befores = [step * plane - lo for plane in range(planes)]
    slices = rearranging.shifted(grad, befores, x.shape[1])
    w = kernel_gradient(rearranging.as_slices(x), rearranging.as_slices(slices), **rest)
    return w.reshape(*kernel_size[1:], fan, planes, out).transpose(3, 0, 1, 2, 4)
