"""Pooling and upsampling layers, without weights.

They work on time series, images and volumes: window axes are all axes between the batch and the
channels.
"""

from cutaway import ops
from cutaway.errors import expect_choice
from cutaway.nn.module import Module


class MaxPool(Module):
    """The maximum of each window. If several values are equal, the first gets the gradient.

    Args:
        kernel_size: an integer, or one per window axis.
        stride: step between windows, by default the kernel size; smaller values make them overlap.
        padding: on both sides, with -∞.
        ceil_mode: whether to include windows that extend beyond the end.

    Shapes:
        x: (batch, *sizes, channels)
        y: (batch, *out_sizes, channels)

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.MaxPool(2)(np.ones((1, 28, 28, 6))).shape
        (1, 14, 14, 6)
    """

    layer_kind = "pooling"

    keeps_features = True
    operation = staticmethod(ops.max_pool)

    def __init__(self, kernel_size, *, stride=None, padding=0, ceil_mode: bool = False):
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x):
        return type(self).operation(
            x,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
        )

    def describe(self):
        parts = [str(self.kernel_size)]
        parts += [f"stride={self.stride}"] if self.stride is not None else []
        parts += [f"padding={self.padding}"] if self.padding != 0 else []
        return ", ".join(parts + (["ceil_mode=True"] if self.ceil_mode else []))


class AvgPool(MaxPool):
    """The mean of each window, including zeros of the padding. Args and Shapes: see MaxPool."""

    operation = staticmethod(ops.average_pool)


class AdaptiveAvgPool(Module):
    """Average pooling with windows chosen for `output_size` output positions per axis.

    Args:
        output_size: an integer, or one per window axis.

    Shapes:
        x: (batch, *sizes, channels)
        y: (batch, *output_size, channels)
    """

    layer_kind = "pooling"

    keeps_features = True

    def __init__(self, output_size):
        self.output_size = output_size

    def forward(self, x):
        return ops.adaptive_average_pool(x, output_size=self.output_size)

    def describe(self):
        return str(self.output_size)


class GlobalAvgPool(Module):
    """The mean over all positions: (batch, *sizes, channels) -> (batch, channels)."""

    layer_kind = "pooling"

    keeps_features = True

    def forward(self, x):
        return ops.mean(x, axis=tuple(range(1, x.ndim - 1)))


class GlobalMaxPool(Module):
    """The maximum over all positions: (batch, *sizes, channels) -> (batch, channels)."""

    layer_kind = "pooling"

    keeps_features = True

    def forward(self, x):
        return ops.max(x, axis=tuple(range(1, x.ndim - 1)))


class Upsample(Module):
    """Upsamples each window axis by `factor`.

    Args:
        factor: an integer, or one per window axis.
        mode: "nearest" repeats values, "linear" interpolates (bilinear for images, trilinear for
            volumes, with elements at the centers of their cells).

    Shapes:
        x: (batch, *sizes, channels)
        y: (batch, *sizes · factor, channels)
    """

    layer_kind = "pooling"

    keeps_features = True

    def __init__(self, factor, *, mode: str = "nearest"):
        expect_choice(mode, ("nearest", "linear"), what="Upsample: mode")
        self.factor = factor
        self.mode = mode

    def forward(self, x):
        if self.mode == "linear":
            return ops.upsample_linear(x, factor=self.factor)
        return ops.upsample_nearest(x, factor=self.factor)

    def describe(self):
        return f"{self.factor}" + ("" if self.mode == "nearest" else ", mode='linear'")
