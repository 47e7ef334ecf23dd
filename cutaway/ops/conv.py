"""Convolution and transposed convolution in any number of window axes, with their rules.

What the field calls convolution is cross-correlation: the kernel is not flipped.
"""

import jax.numpy as jnp

from cutaway.engine.operation import operation
from cutaway.errors import OptionError, ShapeError
from cutaway.ops.correlation import correlate, kernel_gradient, swap_channels
from cutaway.ops.windows import (
    PADDING_MODES,
    expect_window_axes,
    output_sizes,
    padding_pairs,
    per_axis,
)


def _geometry(x, weight, stride, padding, dilation, groups):
    """stride, padding pairs and dilation for each window axis, checked against x."""
    axes = weight.ndim - 2
    expect_window_axes(x, axes, where="convolution")
    expect_groups("convolution", weight.shape[-2] * groups, weight.shape[-1], groups)
    if x.shape[-1] != weight.shape[-2] * groups:
        raise ShapeError(
            f"convolution: the input has {x.shape[-1]} channels",
            expected=f"{weight.shape[-2] * groups}, for a kernel of shape {weight.shape} in "
            f"{groups} groups",
        )
    stride = per_axis(stride, axes, what="stride")
    dilation = per_axis(dilation, axes, what="dilation")
    pairs = padding_pairs(padding, x.shape[1:-1], weight.shape[:-2], stride, dilation)
    output_sizes(x.shape[1:-1], weight.shape[:-2], stride, pairs, dilation, where="convolution")
    return stride, pairs, dilation


def expect_groups(where: str, in_channels: int, out_channels: int, groups: int) -> None:
    """Raise OptionError unless `groups` divides both numbers of channels."""
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise OptionError(
            f"{where}: {groups} groups of {in_channels} input and {out_channels} output channels",
            expected="a number of groups that divides both",
            fix="choose groups as a common divisor of in_channels and out_channels",
        )


@operation(edges="convolution", role="weights")
def convolution(x, weight, *, stride=1, padding=((0, 0),), dilation=1, groups=1):
    """y[n, o, c] = Σ_k Σ_i x[n, o · stride + k · dilation, i] w[k, i, c], with x padded by zeros.

    Args:
        stride, dilation: an integer, or one per window axis.
        padding: pairs (before, after), "same" or "causal"; see ops.windows.
        groups: number of groups of channels, each with its own kernels.

    Shapes:
        x: (batch, *sizes, in_channels), one to three window axes
        weight: (*kernel_size, in_channels / groups, out_channels)
        out: (batch, *out_sizes, out_channels)

    References:
        LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition".
    """
    stride, pairs, dilation = _geometry(x, weight, stride, padding, dilation, groups)
    return correlate(
        x,
        weight,
        stride=stride,
        padding=pairs,
        spacing=(1,) * len(stride),
        dilation=dilation,
        groups=groups,
    )


@convolution.backward
def convolution_backward(
    grad, out, x, weight, *, stride=1, padding=((0, 0),), dilation=1, groups=1
):
    stride, pairs, dilation = _geometry(x, weight, stride, padding, dilation, groups)
    window = weight.shape[:-2]
    # x[a] met w[k] at o where a + before = o · stride + k · dilation: the same sum, with grad
    # dilated by the stride and the kernel flipped
    back = []
    for n, m, k, s, d, (lo, _) in zip(
        x.shape[1:-1], grad.shape[1:-1], window, stride, dilation, pairs, strict=True
    ):
        back.append((d * (k - 1) - lo, n - (m - 1) * s - 1 + lo))
    to_x = correlate(
        grad,
        swap_channels(weight, groups),
        turned=True,
        stride=(1,) * len(window),
        padding=tuple(back),
        spacing=stride,
        dilation=dilation,
        groups=groups,
    )
    to_weight = kernel_gradient(
        x,
        grad,
        kernel_size=window,
        stride=stride,
        padding=pairs,
        dilation=dilation,
        groups=groups,
    )
    return to_x, to_weight


@convolution.onnx
def convolution_onnx(g, x, weight, *, stride=1, padding=((0, 0),), dilation=1, groups=1):
    axes, kernel_size = x.ndim - 2, weight.shape[:-2]
    stride, dilation = (per_axis(n, axes, what="window") for n in (stride, dilation))
    pairs = padding_pairs(padding, x.shape[1:-1], kernel_size, stride, dilation)
    order = (axes + 1, axes, *range(axes))  # (*kernel, in / groups, out) -> (out, in, *kernel)
    if weight.array is None:
        kernel = g.node("Transpose", weight, perm=list(order))
    else:
        kernel = g.constant(weight.array.transpose(order), weight.hint or "constant")
    first = g.node(
        "Conv",
        g.channels_first(x),
        kernel,
        kernel_shape=list(kernel_size),
        strides=list(stride),
        dilations=list(dilation),
        pads=g.pads(pairs),
        group=groups,
    )
    return g.result(first=first)


def _transposed_geometry(x, weight, stride, padding, output_padding, dilation, groups):
    """stride, padding pairs of the dilated x, dilation."""
    axes = weight.ndim - 2
    expect_window_axes(x, axes, where="transposed convolution")
    expect_groups("transposed convolution", x.shape[-1], weight.shape[-1], groups)
    if x.shape[-1] != weight.shape[-2] * groups:
        raise ShapeError(
            f"transposed convolution: the input has {x.shape[-1]} channels",
            expected=f"{weight.shape[-2] * groups}, for a kernel of shape {weight.shape} in "
            f"{groups} groups",
        )
    stride = per_axis(stride, axes, what="stride")
    dilation = per_axis(dilation, axes, what="dilation")
    extra = per_axis(output_padding, axes, what="output_padding", least=0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise OptionError(
            f"transposed convolution: output_padding is {output_padding}",
            expected=f"less than the stride {stride} or the dilation {dilation}",
        )
    pairs = []
    for k, d, (lo, hi), e in zip(weight.shape[:-2], dilation, padding, extra, strict=True):
        pairs.append((d * (k - 1) - lo, d * (k - 1) - hi + e))
    return stride, tuple(pairs), dilation


@operation(role="weights")
def transposed_convolution(
    x, weight, *, stride=1, padding=((0, 0),), output_padding=0, dilation=1, groups=1
):
    """The transpose of a convolution: x[n, o, :] w[k] is added to y[n, o · stride + k · dilation].

    Each input element adds a scaled kernel to the output; `padding` is then cropped from the
    borders, and `output_padding` adds positions at the end. Sizes: (n - 1) · stride
    + dilation · (k - 1) + 1 - padding + output_padding.

    Shapes:
        x: (batch, *sizes, in_channels)
        weight: (*kernel_size, in_channels / groups, out_channels)
        out: (batch, *out_sizes, out_channels)

    References:
        Zeiler et al. 2010, "Deconvolutional networks"; Dumoulin & Visin 2016, arXiv:1603.07285.
    """
    stride, pairs, dilation = _transposed_geometry(
        x, weight, stride, padding, output_padding, dilation, groups
    )
    return correlate(
        x,
        weight,
        turned=True,
        stride=(1,) * len(stride),
        padding=pairs,
        spacing=stride,
        dilation=dilation,
        groups=groups,
    )


@transposed_convolution.backward
def transposed_convolution_backward(
    grad, out, x, weight, *, stride=1, padding=((0, 0),), output_padding=0, dilation=1, groups=1
):
    stride, _, dilation = _transposed_geometry(
        x, weight, stride, padding, output_padding, dilation, groups
    )
    # the transpose of the transpose: an ordinary convolution of grad, with the size of x
    pairs = tuple(
        (lo, (n - 1) * s + d * (k - 1) + 1 - m - lo)
        for n, m, k, s, d, (lo, _) in zip(
            x.shape[1:-1], grad.shape[1:-1], weight.shape[:-2], stride, dilation, padding,
            strict=True,
        )
    )  # fmt: skip
    to_x = correlate(
        grad,
        swap_channels(weight, groups),
        stride=stride,
        padding=pairs,
        spacing=(1,) * len(stride),
        dilation=dilation,
        groups=groups,
    )
    to_weight = kernel_gradient(
        grad,
        x,
        kernel_size=weight.shape[:-2],
        stride=stride,
        padding=pairs,
        dilation=dilation,
        groups=groups,
    )
    return to_x, swap_channels(to_weight, groups)


@transposed_convolution.onnx
def transposed_convolution_onnx(
    g, x, weight, *, stride=1, padding=((0, 0),), output_padding=0, dilation=1, groups=1
):
    axes = x.ndim - 2
    kernel = weight.shape[:-2]
    if weight.array is None:
        raise OptionError(
            "a transposed convolution with a computed kernel cannot be exported to ONNX",
            expected="a constant kernel",
        )
    # (*kernel, in / groups, out) -> (in, out / groups, *kernel)
    inner, out = weight.shape[-2:]
    split = weight.array.reshape(*kernel, inner, groups, out // groups)
    order = (axes + 1, axes, axes + 2, *range(axes))
    turned = split.transpose(order).reshape(groups * inner, out // groups, *kernel)
    first = g.node(
        "ConvTranspose",
        g.channels_first(x),
        g.constant(turned, weight.hint or "constant"),
        kernel_shape=list(kernel),
        strides=list(per_axis(stride, axes, what="stride")),
        dilations=list(per_axis(dilation, axes, what="dilation")),
        output_padding=list(per_axis(output_padding, axes, what="output_padding", least=0)),
        pads=g.pads(tuple(padding) * axes if len(padding) == 1 else padding),
        group=groups,
    )
    return g.result(first=first)


@operation(edges="movement")
def pad_borders(x, *, padding, mode):
    """x padded along its window axes with its own values: "reflect" or "replicate".

    Args:
        padding: ((before, after), ...) for the window axes.

    Shapes:
        x: (batch, *sizes, features)
    """
    for n, pair in zip(x.shape[1:-1], padding, strict=True):
        if mode == "reflect" and max(pair) >= n:
            raise ShapeError(
                f"reflect padding of {max(pair)} on an axis of {n}",
                expected=f"at most {n - 1}: the border itself is not repeated",
                fix='use less padding, or padding mode "replicate"',
            )
    return jnp.pad(x, ((0, 0), *padding, (0, 0)), mode=PADDING_MODES[mode])


@pad_borders.backward
def pad_borders_backward(grad, out, x, *, padding, mode):
    # each padded element is a copy: its gradient goes back to where it was copied from
    for axis, (n, (lo, hi)) in enumerate(zip(x.shape[1:-1], padding, strict=True), start=1):
        if not (lo or hi):
            continue
        source = jnp.pad(jnp.arange(n), (lo, hi), mode=PADDING_MODES[mode])
        moved = jnp.moveaxis(grad, axis, 0)
        inner = moved[lo : lo + n]
        if lo:
            inner = inner.at[source[:lo]].add(moved[:lo])
        if hi:
            inner = inner.at[source[lo + n :]].add(moved[lo + n :])
        grad = jnp.moveaxis(inner, 0, axis)
    return grad


@pad_borders.onnx
def pad_borders_onnx(g, x, *, padding, mode):
    amounts = g.integers(g.pads([(0, 0), (0, 0), *padding]))
    mode = PADDING_MODES[mode]  # ONNX has numpy's names
    return g.result(first=g.node("Pad", g.channels_first(x), amounts, mode=mode))
