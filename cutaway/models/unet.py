"""U-Net: a contracting path, an expanding path, and skip connections between maps of equal scale.

Ronneberger, Fischer & Brox 2015, "U-Net: convolutional networks for biomedical image segmentation",
arXiv:1505.04597. In three dimensions: Çiçek et al. 2016, "3D U-Net: learning dense volumetric
segmentation from sparse annotation", arXiv:1606.06650.

Figure 1, for tiles of 572 x 572; the 3x3 convolutions are valid (without padding), each with ReLU:

    stage     output        channels     operations
    down1     568 x 568     64           3x3, 3x3
    down2     280 x 280     128          2x2 max pool; 3x3, 3x3
    down3     136 x 136     256          2x2 max pool; 3x3, 3x3
    down4     64 x 64       512          2x2 max pool; 3x3, 3x3; dropout
    bottom    28 x 28       1024         2x2 max pool; 3x3, 3x3; dropout
    up4       52 x 52       512          2x2 up-convolution to 512; the middle of down4; 3x3, 3x3
    up3       100 x 100     256          2x2 up-convolution to 256; the middle of down3; 3x3, 3x3
    up2       196 x 196     128          2x2 up-convolution to 128; the middle of down2; 3x3, 3x3
    up1       388 x 388     64           2x2 up-convolution to 64; the middle of down1; 3x3, 3x3
    head      388 x 388     2            1x1

    weights      N(0, √(2/N)), N the number of inputs of a neuron
    parameters   31,030,658 for 1 channel and 2 classes

`padded` is the form in wide use: convolutions keep the size, so the output has the size of the
input and skip connections are not cropped; the number of parameters is the same. With batch norm
after each convolution (instead of its bias) it is 31,036,546, and no dropout is needed.
"""

import math

from cutaway import ops
from cutaway.errors import ShapeError, expect_axis, expect_choice, expect_integer
from cutaway.nn import (
    BatchNorm,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    ConvTranspose3d,
    Dropout,
    MaxPool,
    Module,
    ReLU,
    Sequential,
    init,
)
from cutaway.ops.windows import expect_window_axes

CONVOLUTIONS = {2: (Conv2d, ConvTranspose2d), 3: (Conv3d, ConvTranspose3d)}


class UNet(Module):
    """A U-Net of any depth, width and number of window axes.

    Args:
        num_classes: outputs per position.
        in_channels: of the images.
        axes: 2 for images, 3 for volumes.
        base: channels of the first stage; each stage further down has twice as many.
        levels: number of scales, that of the bottom included.
        padded: whether convolutions keep the size.
        norm: class of a normalization after each convolution, such as BatchNorm; None: none.
        dropout: fraction of the outputs dropped at the end of the contracting path, in its last two
            stages.

    Attributes:
        stages: names of the parts in order, from the input on.
        multiple: of what the sizes of a padded network's input must be a multiple.

    Shapes:
        x: (batch, *sizes, in_channels)
        y: (batch, *sizes, num_classes) logits; without padding smaller, see `input_size`
        maps: {stage: (batch, *sizes, channels)}

    References:
        See the top of cutaway/models/unet.py.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import UNet
        >>> net = UNet(2, base=4, levels=3)
        >>> net.input_size(20), net(np.zeros((1, 60, 60, 1))).shape
        (60, (1, 20, 20, 2))
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        in_channels: int = 1,
        axes: int = 2,
        base: int = 64,
        levels: int = 5,
        padded: bool = False,
        norm: type[Module] | None = None,
        dropout: float = 0.0,
    ):
        for name, value in (
            ("num_classes", num_classes),
            ("in_channels", in_channels),
            ("base", base),
        ):
            expect_integer(value, what=f"UNet: {name}", least=1)
        expect_integer(levels, what="UNet: levels", least=2)
        expect_choice(axes, CONVOLUTIONS, what="UNet: axes")
        convolution, up_convolution = CONVOLUTIONS[axes]
        self.in_channels, self.axes, self.levels, self.padded = in_channels, axes, levels, padded
        self.multiple = 2 ** (levels - 1)
        widths = [base * 2**level for level in range(levels)]
        down = [f"down{level + 1}" for level in range(levels - 1)]
        up = [f"up{level + 1}" for level in reversed(range(levels - 1))]
        self.stages = (*down, "bottom", *up)

        def double(n_in, n_out, p=0.0) -> Sequential:
            layers = []
            for n in (n_in, n_out):
                layers.append(
                    convolution(
                        n, n_out, 3, padding=int(padded), bias=norm is None, init=init.he_normal
                    )
                )
                layers += [] if norm is None else [norm(n_out)]
                layers.append(ReLU())
            return Sequential(*layers, *([Dropout(p)] if p else []))

        for name, n_in, n_out in zip(
            (*down, "bottom"), (in_channels, *widths), widths, strict=False
        ):
            setattr(self, name, double(n_in, n_out, dropout if n_out >= widths[-2] else 0.0))
        self.pool = MaxPool(2)
        self.rise = {
            name: up_convolution(2 * width, width, 2, stride=2, init=_one_input_per_output)
            for name, width in zip(up, reversed(widths[:-1]), strict=True)
        }
        for name, width in zip(up, reversed(widths[:-1]), strict=True):
            setattr(self, name, double(2 * width, width))
        self.head = convolution(base, num_classes, 1, init=init.he_normal)

    def maps(self, x) -> dict:
        """{stage: its output}, in order."""
        self._expect_sizes(x)
        found, skips = {}, []
        for name in self.stages:
            if name in self.rise:
                x = self.rise[name](x)
                x = ops.concatenate([crop_to(skips.pop(), x), x], axis=-1)
            elif found:
                skips.append(x)
                x = self.pool(x)
            found[name] = x = getattr(self, name)(x)
        return found

    def forward(self, x):
        return self.head(self.maps(x)[self.stages[-1]])

    def input_size(self, output: int) -> int:
        """The smallest size of an input for which the output has at least this size.

        It holds for each axis. Without padding an output lies in the middle of its input: to
        predict at the border, mirror the image there.

        Example:
            >>> from cutaway.models import UNet
            >>> UNet(2, base=1).input_size(388), UNet(2, base=1, padded=True).input_size(388)
            (572, 400)
        """
        expect_integer(output, what="UNet.input_size: output", least=1)
        if self.padded:
            return -(-output // self.multiple) * self.multiple
        bottom = 1
        while self._sizes(bottom)[1] < output:
            bottom += 1
        return self._sizes(bottom)[0]

    def _sizes(self, bottom: int) -> tuple[int, int]:
        """(size of the input, of the output) for an output of the bottom of this size."""
        lost = 0 if self.padded else 4
        inner, outer = bottom + lost, bottom
        for _ in range(self.levels - 1):
            inner, outer = 2 * inner + lost, 2 * outer - lost
        return inner, outer

    def _expect_sizes(self, x) -> None:
        expect_window_axes(x, self.axes, where=self.label())
        expect_axis(x, -1, self.in_channels, where=self.label(), name="in_channels")
        first, step = self.input_size(1), self.multiple
        for size in x.shape[1:-1]:
            if size >= first and (size - first) % step == 0:
                continue
            near = [n for n in (size - (size - first) % step,) if n >= first]
            near.append(max(first, size + -(size - first) % step))
            sizes = " x ".join(map(str, x.shape[1:-1]))
            raise ShapeError(
                f"{self.label()}: inputs of {sizes}",
                expected=f"sizes {first}, {first + step}, {first + 2 * step}, ...: each of "
                f"{self.levels - 1} poolings must halve its map without a remainder",
                fix=f"pad, crop or resize: {size} to {' or '.join(map(str, near))}",
            )


def crop_to(skip, x):
    """The middle of a skip connection, in the sizes of x; the same if they are equal."""
    places = []
    for n, m in zip(skip.shape[1:-1], x.shape[1:-1], strict=True):
        before = (n - m) // 2
        places.append(slice(before, before + m))
    if skip.shape[1:-1] == x.shape[1:-1]:
        return skip
    return skip[(slice(None), *places)]


def _one_input_per_output(shape):
    """N(0, √(2/N)) for an up-convolution whose windows do not overlap: N is the channels."""
    return init.normal(shape, math.sqrt(2 / shape[-2]))


def valid_unet(
    num_classes: int = 2, *, in_channels: int = 1, dropout: float = 0.5, **options
) -> UNet:
    """U-Net as in the paper: valid convolutions, dropout, no normalization. 31,030,658 parameters.

    Args:
        num_classes, in_channels: see UNet.
        dropout: the paper gives no number; 0.5 is that of its published network.
        options: of UNet: axes, base, levels.
    """
    return UNet(num_classes, in_channels=in_channels, dropout=dropout, **options)


def padded_unet(num_classes: int = 2, *, in_channels: int = 1, norm=BatchNorm, **options) -> UNet:
    """U-Net whose output has the size of its input, with batch norm. 31,036,546 parameters.

    Args:
        num_classes, in_channels: see UNet.
        norm: class of the normalization.
        options: of UNet: axes, base, levels, dropout.
    """
    return UNet(num_classes, in_channels=in_channels, padded=True, norm=norm, **options)
