"""Convolution layers over time, images and volumes."""

from collections.abc import Sequence

from cutaway import ops
from cutaway.errors import OptionError, expect_axis, expect_choice, expect_integer
from cutaway.nn import init as initializers
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter
from cutaway.ops.conv import expect_groups
from cutaway.ops.windows import (
    PADDING_MODES,
    expect_padding,
    expect_window_axes,
    output_sizes,
    padding_pairs,
    per_axis,
)


class _Convolution(Module):
    """Base class of convolution layers; a subclass sets the number of window axes."""

    layer_kind = "convolution"

    axes: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence = 0,
        padding_mode: str = "zeros",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        init=initializers.glorot_uniform,
    ):
        name = type(self).__name__
        expect_integer(in_channels, what=f"{name}: in_channels", least=1)
        expect_integer(out_channels, what=f"{name}: out_channels", least=1)
        expect_groups(name, in_channels, out_channels, groups)
        expect_choice(padding_mode, PADDING_MODES, what=f"{name}: padding_mode")
        kernel = per_axis(kernel_size, self.axes, what=f"{name}: kernel_size")
        self.stride = per_axis(stride, self.axes, what=f"{name}: stride")
        self.dilation = per_axis(dilation, self.axes, what=f"{name}: dilation")
        self.padding = expect_padding(padding, self.axes, where=name)
        self.padding_mode = padding_mode
        self.groups = groups
        if self.padding == "causal" and any(s > 1 for s in self.stride):
            raise OptionError(
                f"{name}: causal padding with stride {self.stride}",
                expected="stride 1, with which output t reads inputs up to t",
            )
        self.weight = Parameter(init((*kernel, in_channels // groups, out_channels)))
        self.bias = Parameter(initializers.zeros((out_channels,))) if bias else None

    def forward(self, x):
        expect_window_axes(x, self.axes, where=self.label())
        channels = self.weight.shape[-2] * self.groups
        expect_axis(x, -1, channels, where=self.label(), name="in_channels")
        sizes, kernel = x.shape[1:-1], self.weight.shape[:-2]
        padding = padding_pairs(self.padding, sizes, kernel, self.stride, self.dilation)
        output_sizes(sizes, kernel, self.stride, padding, self.dilation, where=self.label())
        if self.padding_mode != "zeros":
            x = ops.pad_borders(x, padding=padding, mode=self.padding_mode)
            padding = ((0, 0),) * self.axes
        y = ops.convolution(
            x,
            self.weight,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y if self.bias is None else y + self.bias

    def describe(self):
        return _described(
            self,
            f"{self.weight.shape[-2] * self.groups}, {self.weight.shape[-1]}",
            stride=1,
            padding=((0, 0),) * self.axes,
            dilation=1,
            groups=1,
        )


def _described(layer, channels: str, **usual) -> str:
    parts = [channels, f"kernel_size={_short(layer.weight.shape[:-2])}"]
    for name, default in usual.items():
        value = getattr(layer, name)
        if value not in (default, (default,) * layer.axes):
            parts.append(f"{name}={_short(value)}")
    return ", ".join(parts + ([] if layer.bias is not None else ["bias=False"]))


def _short(value):
    """(3, 3) as 3: a single number if all are equal."""
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    return repr(value)


class Conv1d(_Convolution):
    """Convolution over time: y[n, t] = Σ_k x[n, t · stride + k · dilation] w[k] + b.

    Args:
        in_channels, out_channels: features of input and output.
        kernel_size, stride, dilation: integers.
        padding: number on both sides, ((before, after),), "valid", "same" (ceil(size / stride)
            outputs) or "causal" (all before: outputs do not depend on the future).
        padding_mode: "zeros", "reflect" or "replicate".
        groups: number of groups of channels, each with its own kernels; in_channels groups make
            a depthwise convolution.
        bias: whether b is added.
        init: initializer of the weight, see cutaway.init.

    Shapes:
        x: (batch, time, in_channels)
        y: (batch, out_time, out_channels)

    Parameters:
        weight: (kernel_size, in_channels / groups, out_channels), Glorot uniform by default.
        bias: (out_channels,), zeros.

    Raises:
        ShapeError: an input of the wrong shape, or smaller than the kernel.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.Conv1d(3, 8, 2, dilation=4, padding="causal")(np.ones((2, 10, 3))).shape
        (2, 10, 8)
    """

    axes = 1


class Conv2d(_Convolution):
    """Convolution over images: y[n, o] = Σ_k x[n, o · stride + k · dilation] w[k] + b.

    Args, Parameters, Raises: see Conv1d; kernel_size, stride, dilation and padding may be given
    per window axis.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, out_height, out_width, out_channels)

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.Conv2d(3, 8, 3, stride=2, padding=1)(np.ones((2, 32, 32, 3))).shape
        (2, 16, 16, 8)
    """

    axes = 2


class Conv3d(_Convolution):
    """Convolution over volumes; see Conv2d.

    Shapes:
        x: (batch, depth, height, width, in_channels)
        y: (batch, out_depth, out_height, out_width, out_channels)
    """

    axes = 3


class _TransposedConvolution(Module):
    """Base class of transposed convolution layers."""

    axes: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence = 0,
        output_padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        init=initializers.glorot_uniform,
    ):
        name = type(self).__name__
        expect_integer(in_channels, what=f"{name}: in_channels", least=1)
        expect_integer(out_channels, what=f"{name}: out_channels", least=1)
        expect_groups(name, in_channels, out_channels, groups)
        kernel = per_axis(kernel_size, self.axes, what=f"{name}: kernel_size")
        self.stride = per_axis(stride, self.axes, what=f"{name}: stride")
        self.dilation = per_axis(dilation, self.axes, what=f"{name}: dilation")
        self.output_padding = per_axis(
            output_padding, self.axes, what=f"{name}: output_padding", least=0
        )
        self.padding = expect_padding(padding, self.axes, where=name)
        if isinstance(self.padding, str):
            raise OptionError(
                f"{name}: padding is {padding!r}",
                expected="integers: the amount cropped from the borders of the output",
            )
        self.groups = groups
        self.weight = Parameter(init((*kernel, in_channels // groups, out_channels)))
        self.bias = Parameter(initializers.zeros((out_channels,))) if bias else None

    def forward(self, x):
        expect_window_axes(x, self.axes, where=self.label())
        channels = self.weight.shape[-2] * self.groups
        expect_axis(x, -1, channels, where=self.label(), name="in_channels")
        y = ops.transposed_convolution(
            x,
            self.weight,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y if self.bias is None else y + self.bias

    def describe(self):
        return _described(
            self,
            f"{self.weight.shape[-2] * self.groups}, {self.weight.shape[-1]}",
            stride=1,
            padding=((0, 0),) * self.axes,
            output_padding=0,
            dilation=1,
            groups=1,
        )


class ConvTranspose1d(_TransposedConvolution):
    """The transpose of Conv1d: each input element adds a scaled kernel to the output.

    Sizes: (n - 1) · stride + dilation · (kernel_size - 1) + 1 - padding on both sides
    + output_padding.

    Args:
        padding: amount cropped from the borders of the output.
        output_padding: positions added at the end of the output, less than the stride.
        others: see Conv1d.

    Shapes:
        x: (batch, time, in_channels)
        y: (batch, out_time, out_channels)

    Parameters:
        weight: (kernel_size, in_channels / groups, out_channels), Glorot uniform by default.
        bias: (out_channels,), zeros.
    """

    layer_kind = "convolution"

    axes = 1


class ConvTranspose2d(_TransposedConvolution):
    """The transpose of Conv2d; see ConvTranspose1d.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, out_height, out_width, out_channels)

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.ConvTranspose2d(8, 3, 2, stride=2)(np.ones((2, 16, 16, 8))).shape
        (2, 32, 32, 3)
    """

    layer_kind = "convolution"

    axes = 2


class ConvTranspose3d(_TransposedConvolution):
    """The transpose of Conv3d; see ConvTranspose1d.

    Shapes:
        x: (batch, depth, height, width, in_channels)
        y: (batch, out_depth, out_height, out_width, out_channels)
    """

    layer_kind = "convolution"

    axes = 3
