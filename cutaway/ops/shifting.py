"""Convolutions as sums of shifted products, and loops over a few examples at a time.

Of convolutions with one channel, of depthwise ones, and of short windows over time.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from cutaway.ops.precision import product
from cutaway.ops.windows import output_sizes, pad_windows, read_tap, taps
from cutaway.runtime import on_cpu

PARTS = 4


def flat(x):
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def one_channel(x, w, stride, padding, dilation):
    """One input channel: the sum over taps of shifted inputs times weights, in one kernel."""
    window = w.shape[:-2]
    x = pad_windows(x, padding)
    none = ((0, 0),) * len(window)
    sizes = output_sizes(x.shape[1:-1], window, stride, none, dilation, where="convolution")

    def summed(x):
        total = 0
        for tap in taps(window):
            total = total + read_tap(x, tap, sizes, stride, dilation) * w[tap][0]
        return total

    return in_parts(summed, x)


def in_parts(f, x):
    """f(x), a few examples at a time.

    The loop prevents fusion: without it, XLA would recompute these sums in every kernel that reads
    them.
    """
    parts = math.gcd(x.shape[0], PARTS)
    if parts == 1:
        return f(x)
    out = lax.map(f, x.reshape(parts, -1, *x.shape[1:]))
    return out.reshape(x.shape[0], *out.shape[2:])


def summed_over_parts(f, *arrays):
    """f(arrays), a sum over the examples, a few examples at a time, for the reason of in_parts."""
    parts = math.gcd(arrays[0].shape[0], PARTS)
    if parts == 1:
        return f(*arrays)
    split = tuple(a.reshape(parts, -1, *a.shape[1:]) for a in arrays)

    def add(total, some):
        return total + f(*some), None

    zero = jnp.zeros_like(jax.eval_shape(f, *(a[0] for a in split)))
    return lax.scan(add, zero, split)[0]


def is_short(window, stride, channels):
    return len(window) == 1 and 1 < window[0] <= 4 and stride == (1,) and channels >= 16


def short(x, w, padding, dilation):
    (k, fan, out), (d,), ((lo, hi),) = w.shape, dilation, padding
    batch, n = x.shape[:2]
    products = product(jnp.matmul, flat(x), w.transpose(1, 0, 2).reshape(fan, k * out))
    products = products.reshape(batch, n, k, out)
    zero = jnp.zeros((), products.dtype)
    size = n + lo + hi - d * (k - 1)
    total = 0
    for tap in range(k):  # output t reads the product at t + tap · dilation - lo
        before = lo - tap * d
        config = ((0, 0, 0), (before, size - n - before, 0), (0, 0, 0))
        total = total + lax.pad(products[:, :, tap], zero, config)
    return total


def short_kernel_gradient(x, grad, kernel_size, padding, dilation):
    (k,), (d,), size = kernel_size, dilation, grad.shape[1]
    x = pad_windows(x, padding)
    grad = flat(grad)
    read = (flat(x[:, tap * d : tap * d + size]) for tap in range(k))
    return jnp.stack([product(jnp.matmul, part.T, grad) for part in read])


def _spaced(x, spacing, padding):
    """x with spacing - 1 zeros between its elements and padding around them."""
    config = [(lo, hi, s - 1) for s, (lo, hi) in zip(spacing, padding, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *config, (0, 0, 0)))


@partial(
    jax.jit, inline=True, static_argnums=(2, 3, 4, 5)
)  # also in eager mode one program, not 50
def depthwise(x, w, stride, padding, spacing, dilation):
    window = w.shape[:-2]
    x = _spaced(x, spacing, padding)
    none = ((0, 0),) * len(window)
    sizes = output_sizes(x.shape[1:-1], window, stride, none, dilation, where="convolution")
    total = 0
    for tap in taps(window):
        total = total + read_tap(x, tap, sizes, stride, dilation) * w[tap][0]
    return total


@partial(jax.jit, inline=True, static_argnums=(2, 3, 4, 5))
def depthwise_kernel_gradient(x, grad, kernel_size, stride, padding, dilation):
    x = pad_windows(x, padding)
    sizes = grad.shape[1:-1]
    if not on_cpu():
        rows = tuple(range(grad.ndim - 1))
        reads = (read_tap(x, tap, sizes, stride, dilation) for tap in taps(kernel_size))
        w = jnp.stack([jnp.sum(read * grad, rows) for read in reads])
        return w.reshape(*kernel_size, 1, grad.shape[-1])
    # Example by example, which keeps the running sums in the cache: XLA's reduction over all rows
    # is 10 times slower. And one row of the kernel after another by the same program: to unroll
    # all taps compiles for two to three times as long, and runs no faster.
    *leading, last = kernel_size
    spans = tuple((size - 1) * s + 1 for size, s in zip(sizes[:-1], stride[:-1], strict=True))
    starts = jnp.array(list(taps(leading))) * jnp.array(dilation[:-1], int)

    def row_of_taps(start):
        def add_example(sums, example):
            x, grad = example
            x = lax.dynamic_slice(x, (*start, 0, 0), (*spans, *x.shape[-2:]))[None]
            reads = (
                read_tap(x, (*(0 for _ in leading), tap), sizes, stride, dilation)[0]
                for tap in range(last)
            )
            return tuple(s + read * grad for s, read in zip(sums, reads, strict=True)), None

        zeros = (jnp.zeros(grad.shape[1:], grad.dtype),) * last
        sums, _ = lax.scan(add_example, zeros, (x, grad))
        return jnp.stack([s.sum(tuple(range(s.ndim - 1))) for s in sums])

    w = lax.map(row_of_taps, starts) if leading else row_of_taps(())
    return w.reshape(*kernel_size, 1, grad.shape[-1])
