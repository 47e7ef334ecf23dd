"""V-Net: a U-Net for volumes whose stages learn residuals, with strided convolutions for pooling.

Milletari, Navab & Ahmadi 2016, "V-Net: fully convolutional neural networks for volumetric medical
image segmentation", arXiv:1606.04797. Where the paper's figure and its authors' published network
(github.com/faustomilletari/VNet) differ, this is the latter.

For volumes of 128 x 128 x 64. All convolutions between "stage" and its sum are 5x5x5 with padding
2; each has a PReLU, with a slope per channel; that of the last one comes after the sum.

    stage     output          convolutions    added to their output   before the stage
    left1     128, 128, 64    1 of 16         the input, 16 times
    left2     64, 64, 32      1 of 32         their input             2x2x2, stride 2, PReLU
    left3     32, 32, 16      2 of 64         their input             2x2x2, stride 2, PReLU
    left4     16, 16, 8       3 of 128        their input             2x2x2, stride 2, PReLU
    bottom    8, 8, 4         3 of 256        their input             2x2x2, stride 2, PReLU
    right4    16, 16, 8       3 of 256        their input             up to 128, joined with left4
    right3    32, 32, 16      2 of 128        their input             up to 64, joined with left3
    right2    64, 64, 32      1 of 64         their input             up to 32, joined with left2
    right1    128, 128, 64    1 of 32         their input             up to 16, joined with left1
    head      128, 128, 64    5x5x5 to the classes, PReLU, 1x1x1

    up           transposed 2x2x2 convolution, stride 2, PReLU
    weights      N(0, √(2/n)), n the mean of fan_in and fan_out; the authors' "msra, average"
    parameters   61,982,682 for 1 channel and 2 classes: 61,979,512 and 3,170 slopes

Re-implementations in wide use have batch norm after each convolution, and two convolutions instead
of three at the bottom and in right4: `normalized_vnet`.
"""

import itertools
import math

from cutaway import ops
from cutaway.errors import OptionError, ShapeError, expect_axis, expect_integer
from cutaway.nn import BatchNorm, Conv3d, ConvTranspose3d, Module, PReLU, Sequential, init
from cutaway.ops.windows import expect_window_axes

LEFT = (1, 1, 2, 3, 3)  # convolutions of each stage, the bottom last
RIGHT = (1, 1, 2, 3)
FEWER_LEFT, FEWER_RIGHT = (1, 1, 2, 3, 2), (1, 1, 2, 2)


class VNet(Module):
    """A V-Net of any depth and width.

    Args:
        num_classes: outputs per position.
        in_channels: of the volumes; divides base.
        base: channels of the first stage; each stage further down has twice as many.
        left: number of convolutions of each stage from the input down, the bottom last.
        right: of the stages beside them, in the same order, without the bottom.
        kernel_size: of the stages' convolutions, odd.
        norm: class of a normalization after each convolution, such as BatchNorm; None: none.

    Attributes:
        stages: names of the parts in order, from the input on.
        multiple: of what the sizes of the input must be a multiple.

    Shapes:
        x: (batch, depth, height, width, in_channels)
        y: (batch, depth, height, width, num_classes) logits
        maps: {stage: (batch, *sizes, channels)}

    References:
        See the top of cutaway/models/vnet.py.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import VNet
        >>> net = VNet(3, base=4, left=(1, 1, 2), right=(1, 1), kernel_size=3)
        >>> net(np.zeros((1, 8, 12, 8, 1))).shape
        (1, 8, 12, 8, 3)
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        in_channels: int = 1,
        base: int = 16,
        left: tuple[int, ...] = LEFT,
        right: tuple[int, ...] = RIGHT,
        kernel_size: int = 5,
        norm: type[Module] | None = None,
    ):
        expect_integer(num_classes, what="VNet: num_classes", least=1)
        expect_integer(in_channels, what="VNet: in_channels", least=1)
        expect_integer(base, what="VNet: base", least=1)
        if base % in_channels:
            raise OptionError(
                f"VNet: base is {base} for {in_channels} input channels",
                expected="a multiple of in_channels: the input is repeated and added to the first "
                "convolution's output",
                fix=f"use base={-(-base // in_channels) * in_channels}",
            )
        if len(left) != len(right) + 1 or min((*left, *right), default=0) < 1:
            raise OptionError(
                f"VNet: left is {left}, right is {right}",
                expected="numbers of convolutions >= 1, one more on the left: the bottom",
                fix=f"use left={LEFT}, right={RIGHT}, as in the paper",
            )
        if kernel_size % 2 == 0:
            raise OptionError(
                f"VNet: kernel_size is {kernel_size}",
                expected="an odd number: stages keep the size",
                fix=f"use kernel_size={kernel_size + 1}",
            )
        self.in_channels, self.base = in_channels, base
        depth = len(right)
        self.multiple = 2**depth
        widths = [base * 2**level for level in range(depth + 1)]
        names = [*(f"left{level + 1}" for level in range(depth)), "bottom"]
        rising = [f"right{level + 1}" for level in reversed(range(depth))]
        self.stages = (*names, *rising)

        def stage(n_in, n_out, count) -> ResidualStage:
            sizes = [n_in, *[n_out] * count]
            layers = []
            for n, m in itertools.pairwise(sizes):
                layers += [_norm(Conv3d, n, m, kernel_size, norm, padding=kernel_size // 2)]
                layers += [PReLU(m)]
            return ResidualStage(*layers)

        for name, width, count in zip(names, widths, left, strict=True):
            setattr(self, name, stage(in_channels if name == "left1" else width, width, count))
        self.reduce = {
            name: Sequential(_norm(Conv3d, n, m, 2, norm, stride=2), PReLU(m))
            for name, n, m in zip(names[1:], widths[:-1], widths[1:], strict=True)
        }
        self.rise = {}
        below = widths[-1]
        for name, width, count in zip(rising, widths[-2::-1], right[::-1], strict=True):
            self.rise[name] = Sequential(
                _norm(ConvTranspose3d, below, width, 2, norm, stride=2), PReLU(width)
            )
            below = 2 * width
            setattr(self, name, stage(below, below, count))
        self.head = Sequential(
            _norm(Conv3d, below, num_classes, kernel_size, norm, padding=kernel_size // 2),
            PReLU(num_classes),
            Conv3d(num_classes, num_classes, 1, init=_msra),
        )

    def maps(self, x) -> dict:
        """{stage: its output}, in order."""
        self._expect_sizes(x)
        found, skips = {}, []
        for name in self.stages:
            if name in self.rise:
                x = ops.concatenate([self.rise[name](x), skips.pop()], axis=-1)
            elif name in self.reduce:
                skips.append(x)
                x = self.reduce[name](x)
            found[name] = x = getattr(self, name)(x)
        return found

    def forward(self, x):
        return self.head(self.maps(x)[self.stages[-1]])

    def input_size(self, output: int) -> int:
        """The smallest size of an input for which the output has at least this size."""
        expect_integer(output, what="VNet.input_size: output", least=1)
        return -(-output // self.multiple) * self.multiple

    def _expect_sizes(self, x) -> None:
        expect_window_axes(x, 3, where=self.label())
        expect_axis(x, -1, self.in_channels, where=self.label(), name="in_channels")
        sizes = x.shape[1:-1]
        if any(size % self.multiple or not size for size in sizes):
            raise ShapeError(
                f"{self.label()}: volumes of {' x '.join(map(str, sizes))}",
                expected=f"multiples of {self.multiple}, which can be halved in every stage",
                fix=f"pad them to {' x '.join(str(self.input_size(max(n, 1))) for n in sizes)}",
            )


class ResidualStage(Sequential):
    """Convolutions to which their input is added before the last activation.

    y = act(f(x) + x); if f has more channels than x, x is repeated.

    Shapes:
        x: (batch, *sizes, in_channels)
        y: (batch, *sizes, out_channels), out_channels a multiple of in_channels
    """

    def forward(self, x):
        *body, activation = self.layers()
        y = x
        for layer in body:
            y = layer(y)
        times = y.shape[-1] // x.shape[-1]
        if times > 1 and x.shape[-1] > 1:
            x = ops.concatenate([x] * times, axis=-1)
        return activation(y + x)


def _norm(convolution, n_in, n_out, kernel_size, norm, **options) -> Module:
    """A convolution, followed by a normalization if there is one, which makes its bias needless."""
    layer = convolution(n_in, n_out, kernel_size, bias=norm is None, init=_msra, **options)
    return layer if norm is None else Sequential(layer, norm(n_out))


def _msra(shape):
    """N(0, √(2/n)), n the mean of fan_in and fan_out."""
    return init.normal(shape, math.sqrt(4 / sum(init.fans(shape))))


def plain_vnet(num_classes: int = 2, *, in_channels: int = 1, **options) -> VNet:
    """V-Net as its authors published it. 61,982,682 parameters.

    Args:
        num_classes, in_channels: see VNet.
        options: of VNet.
    """
    return VNet(num_classes, in_channels=in_channels, **options)


def normalized_vnet(
    num_classes: int = 2, *, in_channels: int = 1, norm=BatchNorm, **options
) -> VNet:
    """V-Net with batch norm and fewer convolutions at the bottom. 45,600,316 parameters.

    Without the 2,658 slopes of PReLU, and with the 240 biases of the transposed convolutions, these
    are the 45,597,898 of MONAI's, whose activation is ELU.

    Args:
        num_classes, in_channels: see VNet.
        norm: class of the normalization.
        options: of VNet: base, left, right, kernel_size.
    """
    options = {"left": FEWER_LEFT, "right": FEWER_RIGHT, **options}
    return VNet(num_classes, in_channels=in_channels, norm=norm, **options)
