"""Sliding windows: their positions on an input, its padding, and the errors about both.

A window axis is an axis that a kernel or a pool slides along: all axes between the batch and the
features. Position o of the output reads, for each tap k of the window, the padded input at
o · stride + k · dilation.
"""

import itertools
from collections.abc import Iterable

import jax.numpy as jnp
from jax import lax

from cutaway.errors import OptionError, ShapeError

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}


def per_axis(value, axes: int, *, what: str, least: int = 1) -> tuple[int, ...]:
    """One integer for each of `axes` window axes, from a number or a sequence."""
    values = tuple(value) if isinstance(value, Iterable) else (value,) * axes
    if len(values) != axes or not all(isinstance(v, int) and v >= least for v in values):
        raise OptionError(
            f"{what} is {value!r}",
            expected=f"an integer >= {least}, or {axes} of them, one per window axis",
        )
    return values


def expect_padding(padding, axes: int, *, where: str):
    """Check a padding option and return it normalized: "same", "causal", or pairs.

    Args:
        padding: "valid", "same", "causal" (all on the left), a number for all sides, one number
            per window axis, or one (before, after) pair per window axis.
    """
    if padding == "valid":
        return ((0, 0),) * axes
    if padding in ("same", "causal"):
        return padding
    if isinstance(padding, int) and padding >= 0:
        return ((padding, padding),) * axes
    if isinstance(padding, tuple | list) and len(padding) == axes:
        pairs = tuple((p, p) if isinstance(p, int) else tuple(p) for p in padding)
        if all(len(p) == 2 and all(isinstance(n, int) and n >= 0 for n in p) for p in pairs):
            return pairs
    raise OptionError(
        f"{where}: padding is {padding!r}",
        expected='"valid", "same", "causal", an integer >= 0, or one integer or (before, after) '
        f"pair for each of the {axes} window axes",
    )


def padding_pairs(padding, sizes, kernel_size, stride, dilation) -> tuple:
    """((before, after), ...) for an input of these sizes along the window axes.

    "same" gives ceil(size / stride) outputs, more on the right where it is odd, as in TensorFlow;
    with stride 1 that is PyTorch's "same" too.
    """
    if not isinstance(padding, str):
        return padding
    pairs = []
    for n, k, s, d in zip(sizes, kernel_size, stride, dilation, strict=True):
        if padding == "causal":
            pairs.append((d * (k - 1), 0))
        else:
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def output_sizes(sizes, kernel_size, stride, padding, dilation, *, where: str) -> tuple[int, ...]:
    """Number of window positions along each axis; ShapeError if there is none."""
    out = []
    for i, (n, k, s, (lo, hi), d) in enumerate(
        zip(sizes, kernel_size, stride, padding, dilation, strict=True)
    ):
        reach = d * (k - 1) + 1
        if n + lo + hi < reach:
            raise ShapeError(
                f"{where}: the window spans {reach} positions along window axis {i}, but "
                f"the input has {n}" + (f" and {lo + hi} of padding" if lo + hi else ""),
                expected=f"an input size of at least {max(reach - lo - hi, 1)} along that axis",
                fix="use a larger input, more padding, a smaller kernel, or less pooling before it",
            )
        out.append((n + lo + hi - reach) // s + 1)
    return tuple(out)


def expect_window_axes(x, axes: int, *, where: str) -> None:
    """Raise ShapeError unless x is (batch, *window axes, features)."""
    if x.ndim != axes + 2:
        names = {1: "time", 2: "height, width", 3: "depth, height, width"}[axes]
        raise ShapeError(
            f"{where}: the input has shape {tuple(x.shape)}",
            expected=f"{axes + 2} axes: (batch, {names}, channels)",
            fix="for a single example add the batch axis: x[None]; channels are the last axis"
            + (", for a single channel x[..., None]" if x.ndim == axes + 1 else ""),
        )


def pad_windows(x, padding, value=0.0):
    """x (batch, *axes, features) with `value` around its window axes; negative pairs cut off."""
    if not any(n for pair in padding for n in pair):
        return x
    value = jnp.asarray(value, x.dtype)
    return lax.pad(x, value, ((0, 0, 0), *((lo, hi, 0) for lo, hi in padding), (0, 0, 0)))


def taps(kernel_size):
    """All positions within a window: tuples of indices, the last axis fastest."""
    return itertools.product(*(range(k) for k in kernel_size))


def read_tap(x, tap, out_sizes, stride, dilation):
    """What the windows on a padded x read at one tap: (batch, *out_sizes, features)."""
    starts = [k * d for k, d in zip(tap, dilation, strict=True)]
    stops = [a + (o - 1) * s + 1 for a, o, s in zip(starts, out_sizes, stride, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *stride, 1))


def write_tap(values, tap, in_sizes, padding, stride, dilation):
    """The transpose of read_tap and padding: values put back where they were read, 0 elsewhere.

    Shapes:
        values: (batch, *out_sizes, features)
        returns: (batch, *in_sizes, features), of the input before it was padded
    """
    config = [(0, 0, 0)]
    for k, n, (lo, _), s, d, o in zip(
        tap, in_sizes, padding, stride, dilation, values.shape[1:-1], strict=True
    ):
        before = k * d - lo
        config.append((before, n - before - ((o - 1) * s + 1), s - 1))
    return lax.pad(values, jnp.zeros((), values.dtype), (*config, (0, 0, 0)))
