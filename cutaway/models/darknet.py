"""Darknet-19, Darknet-53 and the small body of YOLOv3-tiny.

Redmon & Farhadi 2017, "YOLO9000: better, faster, stronger", arXiv:1612.08242, table 6 (19 layers).
Redmon & Farhadi 2018, "YOLOv3: an incremental improvement", arXiv:1804.02767, table 1 (53 layers).

Each convolution has batch norm and a leaky ReLU of slope 0.1; a 1x1 convolution between 3x3 ones
halves the channels. P is a 2x2 max pool of stride 2 ("pool": of stride 1), /2 a stride, x n a
number of residual blocks of a 1x1 and a 3x3 convolution.

    stride   Darknet-19                         Darknet-53               body of YOLOv3-tiny
    1        32                                 32                       16
    2        P 64                               64/2, x 1                P 32
    4        P 128 64 128                       128/2, x 2               P 64
    8        P 256 128 256                      256/2, x 8               P 128
    16       P 512 256 512 256 512              512/2, x 8               P 256
    32       P 1024 512 1024 512 1024           1024/2, x 4              P 512, pool, 1024
    head     1x1 to 1000 classes, mean          mean, 1000 classes
    parameters    20,842,376                    41,609,928

Differences. The program darknet adds 1e-6 to the standard deviation of a batch, not to the variance
below the root; here 1e-12 is added to the variance, which is the same where there is none. The mean
over the image is taken before the 1x1 convolution to the classes, not after it: it is linear.
"""

from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import expect_images, smallest_side
from cutaway.nn import (
    BatchNorm,
    Conv2d,
    GlobalAvgPool,
    LeakyReLU,
    Linear,
    MaxPool,
    Module,
    Sequential,
    init,
)

# channels of each stage; in parentheses those of 1x1 convolutions
DARKNET19 = (
    (32,),
    (64,),
    (128, (64,), 128),
    (256, (128,), 256),
    (512, (256,), 512, (256,), 512),
    (1024, (512,), 1024, (512,), 1024),
)
DARKNET53 = (0, 1, 2, 8, 8, 4)  # residual blocks of each stage
TINY = (16, 32, 64, 128, 256, 512, 1024)
EPS, MOMENTUM, SLOPE = 1e-12, 0.01, 0.1


def darknet_layer(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1):
    """Convolution, batch norm and leaky ReLU, under the paths "0", "1" and "2"."""
    return Sequential(
        Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
            init=init.he_normal,
        ),
        BatchNorm(out_channels, eps=EPS, momentum=MOMENTUM),
        LeakyReLU(SLOPE),
    )


class DarknetBlock(Module):
    """y = x + 3x3(1x1(x)), the 1x1 to half the channels."""

    def __init__(self, channels: int):
        self.reduce = darknet_layer(channels, channels // 2, 1)
        self.expand = darknet_layer(channels // 2, channels, 3)

    def forward(self, x):
        return x + self.expand(self.reduce(x))


class PoolInPlace(MaxPool):
    """Max pool of stride 1 that keeps the size: one row below and one column right are -∞.

    Shapes:
        x and y: (batch, height, width, channels)
    """

    def __init__(self):
        super().__init__(2, stride=1, padding=1)

    def forward(self, x):
        return super().forward(x)[:, 1:, 1:]

    def describe(self):
        return "2, stride=1"


class Darknet(Backbone):
    """A body of stages, each of half the size of the one before, and a head for classes.

    Args:
        stages: the Module of each stage.
        channels: of the last stage's output.
        halvings: how often the image is halved.
        num_classes: outputs.
        in_channels: of the images.

    Shapes:
        x: (batch, height, width, in_channels), values from 0 to 1
        y: (batch, num_classes) logits
        maps: {"stage1": (batch, height, width, ...), "stage2": half as high and wide, ...}
    """

    def __init__(
        self, stages, channels: int, halvings: int, num_classes: int = 1000, in_channels: int = 3
    ):
        self.stages = tuple(f"stage{i + 1}" for i in range(len(stages)))
        self.in_channels = in_channels
        for name, stage in zip(self.stages, stages, strict=True):
            setattr(self, name, stage)
        self.smallest = smallest_side(halvings)
        self.num_features = channels
        self.pool = GlobalAvgPool()
        self.head = Linear(channels, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        return super().maps(x)


def darknet19(num_classes: int = 1000, *, in_channels: int = 3, table=DARKNET19) -> Darknet:
    """Darknet-19, the body of YOLOv2. 20,842,376 parameters.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        table: channels of each stage's convolutions.
    """
    stages, channels = [], in_channels
    for place, widths in enumerate(table):
        layers: list[Module] = [MaxPool(2)] if place else []
        for width in widths:
            kernel_size = 1 if isinstance(width, tuple) else 3
            width = width[0] if isinstance(width, tuple) else width
            layers.append(darknet_layer(channels, width, kernel_size))
            channels = width
        stages.append(Sequential(*layers))
    return Darknet(stages, channels, len(table) - 1, num_classes, in_channels)


def darknet53(
    num_classes: int = 1000, *, in_channels: int = 3, blocks=DARKNET53, base: int = 32
) -> Darknet:
    """Darknet-53, the body of YOLOv3. 41,609,928 parameters.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        blocks: residual blocks of each stage.
        base: channels of the first stage; each further stage has twice as many.
    """
    stages, channels = [], in_channels
    for place, count in enumerate(blocks):
        width = base * 2**place
        first = darknet_layer(channels, width, 3, stride=2 if place else 1)
        stages.append(Sequential(first, *(DarknetBlock(width) for _ in range(count))))
        channels = width
    return Darknet(stages, channels, len(blocks) - 1, num_classes, in_channels)


def darknet_tiny(num_classes: int = 1000, *, in_channels: int = 3, widths=TINY) -> Darknet:
    """The body of YOLOv3-tiny; before its last convolution a pool keeps the size.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        widths: channels of the convolutions, of which the last two are in the last stage.
    """
    *usual, last = widths
    stages, channels = [], in_channels
    for place, width in enumerate(usual):
        layers = [*([MaxPool(2)] if place else []), darknet_layer(channels, width, 3)]
        if place == len(usual) - 1:
            layers += [PoolInPlace(), darknet_layer(width, last, 3)]
        stages.append(Sequential(*layers))
        channels = width
    return Darknet(stages, last, len(usual) - 1, num_classes, in_channels)
