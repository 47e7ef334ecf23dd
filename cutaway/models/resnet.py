"""Residual networks.

He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", arXiv:1512.03385.

Table 1, for images of 224 x 224; brackets are blocks, followed by their number of repetitions:

    stage    output      18-layer      34-layer      50-layer          101-layer    152-layer
    stem     112 x 112                     7x7, 64, stride 2
    stage1   56 x 56                    3x3 max pool, stride 2, then
                         [3x3, 64 ]    [3x3, 64 ]    [1x1, 64 ]
                         [3x3, 64 ] 2  [3x3, 64 ] 3  [3x3, 64 ]
                                                     [1x1, 256] 3       3            3
    stage2   28 x 28     128        2  128        4  128, 512   4       4            8
    stage3   14 x 14     256        2  256        6  256, 1024  6       23           36
    stage4   7 x 7       512        2  512        3  512, 2048  3       3            3
    head     1 x 1                     mean over the image, 1000 classes
    parameters           11,689,512    21,797,672    25,557,032    44,549,160   60,192,808

Section 4.2, for CIFAR's images of 32 x 32, 6n + 2 layers deep:

    stage    output      layers
    stem     32 x 32     3x3, 16
    stage1   32 x 32     [3x3, 16; 3x3, 16] n
    stage2   16 x 16     [3x3, 32; 3x3, 32] n
    stage3   8 x 8       [3x3, 64; 3x3, 64] n
    head     1 x 1       mean over the image, 10 classes
    n                    3 (20)     5 (32)     7 (44)     9 (56)     18 (110)
    parameters           269,722    464,154    658,586    853,018    1,727,962

Differences. The paper's bottleneck has its stride in the first 1x1 convolution; here it is in the
3x3, as in all weights published since ("ResNet v1.5"): the 1x1 with stride 2 would skip three of
four positions. Weights are initialized from He's normal distribution with fan-in.
"""

import functools

from cutaway import ops
from cutaway.errors import OptionError, ShapeError, expect_range
from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, conv_norm, expect_images, smallest_side
from cutaway.nn import GlobalAvgPool, Identity, Linear, MaxPool, Module, Sequential
from cutaway.weights import WeightNames


class BasicBlock(Module):
    """y = relu(x + norm(conv(relu(norm(conv(x)))))), both 3x3. Fig. 5, left.

    Args:
        in_channels, width: channels of x, and of the two convolutions.
        stride: of the first convolution.
        shortcut: class of the shortcut where the shape of x changes.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, shortcut):
        self.conv1, self.norm1 = conv_norm(in_channels, width, 3, stride=stride, activation=None)
        self.conv2, self.norm2 = conv_norm(width, width, 3, activation=None)
        self.shortcut = _shortcut(shortcut, in_channels, width, stride)

    def forward(self, x):
        y = ops.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return ops.relu(y + self.shortcut(x))

    def last_norm(self):
        return self.norm2


class Bottleneck(Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, plus x. Fig. 5, right.

    Args: see BasicBlock; the output has 4 · width channels.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, shortcut):
        out_channels = self.expansion * width
        self.conv1, self.norm1 = conv_norm(in_channels, width, 1, activation=None)
        self.conv2, self.norm2 = conv_norm(width, width, 3, stride=stride, activation=None)
        self.conv3, self.norm3 = conv_norm(width, out_channels, 1, activation=None)
        self.shortcut = _shortcut(shortcut, in_channels, out_channels, stride)

    def forward(self, x):
        y = ops.relu(self.norm1(self.conv1(x)))
        y = ops.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return ops.relu(y + self.shortcut(x))

    def last_norm(self):
        return self.norm3


def projection(in_channels: int, out_channels: int, stride: int) -> Sequential:
    """Shortcut of option B: a 1x1 convolution with batch norm."""
    return conv_norm(in_channels, out_channels, 1, stride=stride, activation=None)


class PaddedShortcut(Module):
    """Shortcut of option A, without weights: every stride-th position, new channels of zeros.

    The zeros are on both sides of the old channels, as in the weights published for CIFAR.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        more = out_channels - in_channels
        if more < 0:
            raise ShapeError(
                f"PaddedShortcut: from {in_channels} to {out_channels} channels",
                expected="out_channels >= in_channels: channels can be added but not removed",
                fix="use `projection`",
            )
        self.stride = stride
        self.widths = ((0, 0), (0, 0), (0, 0), (more // 2, more - more // 2))

    def forward(self, x):
        return ops.pad(x[:, :: self.stride, :: self.stride], widths=self.widths)


def _shortcut(shortcut, in_channels, out_channels, stride):
    if in_channels == out_channels and stride == 1:
        return Identity()
    return shortcut(in_channels, out_channels, stride)


class ImageNetStem(Sequential):
    """conv1 of table 1: 7x7 with stride 2, followed by a 3x3 max pool with stride 2."""

    halvings = 2  # with the pool

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(*conv_norm(in_channels, out_channels, 7, stride=2))

    @staticmethod
    def reduce():
        return MaxPool(3, stride=2, padding=1)


class SmallImageStem(Sequential):
    """The first layer of section 4.2: 3x3, without downsampling."""

    halvings = 0

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(*conv_norm(in_channels, out_channels, 3))

    @staticmethod
    def reduce():
        return Identity()


class ResNet(Backbone):
    """A residual network of any depth.

    Args:
        block: the class BasicBlock or Bottleneck.
        layers: number of blocks in each stage; each stage but the first halves the image.
        num_classes: outputs.
        in_channels: of the images.
        widths: of each stage's blocks.
        stem: class of the first layers, `ImageNetStem` or `SmallImageStem`.
        shortcut: class of the shortcuts between stages, `projection` or `PaddedShortcut`.
        zero_init: whether γ of the last batch norm of each block is initialized to 0, so every
            block starts as its shortcut (Goyal et al. 2017, arXiv:1706.02677, sec. 5.1).

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.models import BasicBlock, ResNet
        >>> net = ResNet(BasicBlock, (1, 1), num_classes=10, widths=(8, 16)).eval()
        >>> {name: out.shape for name, out in net.maps(ct.Tensor(np.ones((1, 32, 32, 3)))).items()}
        {'stem': (1, 16, 16, 8), 'stage1': (1, 8, 8, 8), 'stage2': (1, 4, 4, 16)}
    """

    def __init__(
        self,
        block,
        layers,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        widths=(64, 128, 256, 512),
        stem=ImageNetStem,
        shortcut=projection,
        zero_init: bool = False,
    ):
        self.stages = ("stem", *(f"stage{i + 1}" for i in range(len(layers))))
        self.in_channels = in_channels
        self.stem = stem(in_channels, widths[0])
        self.reduce = stem.reduce()
        channels = widths[0]
        for i, (count, width) in enumerate(zip(layers, widths, strict=True)):
            expect_range(count, what="ResNet: blocks of a stage", least=1)
            blocks = []
            for k in range(count):
                stride = 2 if i > 0 and k == 0 else 1
                blocks.append(block(channels, width, stride, shortcut))
                channels = block.expansion * width
            setattr(self, f"stage{i + 1}", Sequential(*blocks))
        self.smallest = smallest_side(stem.halvings + len(layers) - 1)
        self.num_features = channels
        self.pool = GlobalAvgPool()
        self.head = Linear(channels, num_classes)
        if zero_init:
            for stage in self.stages[1:]:
                for part in getattr(self, stage):
                    gamma = part.last_norm().weight
                    gamma.data = 0 * gamma.data

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        found = {"stem": self.stem(x)}
        x = self.reduce(found["stem"])
        for name in self.stages[1:]:
            found[name] = x = getattr(self, name)(x)
        return found


TORCHVISION = WeightNames(
    [
        (r"conv1\.weight", "stem.0.weight"),
        (r"bn1\.(.*)", r"stem.1.\1"),
        (r"layer(\d)\.(\d+)\.bn(\d)\.(.*)", r"stage\1.\2.norm\3.\4"),
        (r"layer(\d)\.(\d+)\.downsample\.(.*)", r"stage\1.\2.shortcut.\3"),
        (r"layer(\d)\.(.*)", r"stage\1.\2"),
        (r"(?:fc|linear)\.(.*)", r"head.\1"),
    ],
    unused=[(r".*\.num_batches_tracked", "counts batches")],
)
TIMM = TORCHVISION

_STAGES = r"resnet\.encoder\.stages\."
_PARTS = (("convolution", "0", "conv"), ("normalization", "1", "norm"))


def _transformers_block(i: int) -> list:
    """Rules for the blocks of stage i in transformers, which is our stage i + 1."""
    block, ours, rules = rf"{_STAGES}{i}\.layers\.(\d+)\.", rf"stage{i + 1}.\1.", []
    for part, number, name in _PARTS:
        rules.append((rf"{block}shortcut\.{part}\.(.*)", rf"{ours}shortcut.{number}.\2"))
        for k in range(3):
            rules.append((rf"{block}layer\.{k}\.{part}\.(.*)", rf"{ours}{name}{k + 1}.\2"))
    return rules


TRANSFORMERS = WeightNames(
    [
        *(
            (rf"resnet\.embedder\.embedder\.{part}\.(.*)", rf"stem.{number}.\1")
            for part, number, _ in _PARTS
        ),
        *(rule for i in range(4) for rule in _transformers_block(i)),
        (r"classifier\.1\.(.*)", r"head.\1"),
    ],
    unused=[(r".*\.num_batches_tracked", "counts batches")],
)


def _variant(name, block, layers, num_classes, pretrained, options):
    network = functools.partial(ResNet, block, layers, **options)
    return build(
        lambda classes: network(num_classes=classes),
        num_classes,
        pretrained,
        TORCHVISION,
        name,
    )


def resnet18(num_classes: int | None = None, *, pretrained=None, **options) -> ResNet:
    """ResNet-18: basic blocks, 2, 2, 2, 2. 11,689,512 parameters.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the head is randomly initialized and must be trained.
        pretrained: a path, a URL, or "imagenet"; None: random initialization.
        options: of ResNet (in_channels, stem, shortcut, zero_init).
    """
    return _variant("resnet18", BasicBlock, (2, 2, 2, 2), num_classes, pretrained, options)


def resnet34(num_classes: int | None = None, *, pretrained=None, **options) -> ResNet:
    """ResNet-34: basic blocks, 3, 4, 6, 3. 21,797,672 parameters. Args: see resnet18."""
    return _variant("resnet34", BasicBlock, (3, 4, 6, 3), num_classes, pretrained, options)


def resnet50(num_classes: int | None = None, *, pretrained=None, **options) -> ResNet:
    """ResNet-50: bottlenecks, 3, 4, 6, 3. 25,557,032 parameters. Args: see resnet18."""
    return _variant("resnet50", Bottleneck, (3, 4, 6, 3), num_classes, pretrained, options)


def resnet101(num_classes: int | None = None, *, pretrained=None, **options) -> ResNet:
    """ResNet-101: bottlenecks, 3, 4, 23, 3. 44,549,160 parameters. Args: see resnet18."""
    return _variant("resnet101", Bottleneck, (3, 4, 23, 3), num_classes, pretrained, options)


def resnet152(num_classes: int | None = None, *, pretrained=None, **options) -> ResNet:
    """ResNet-152: bottlenecks, 3, 8, 36, 3. 60,192,808 parameters. Args: see resnet18."""
    return _variant("resnet152", Bottleneck, (3, 8, 36, 3), num_classes, pretrained, options)


def cifar_resnet(depth: int = 20, *, num_classes: int = 10, pretrained=None, **options) -> ResNet:
    """A ResNet of section 4.2, for images of 32 x 32; its shortcuts have no weights.

    Args:
        depth: 6n + 2: 20, 32, 44, 56, 110, ...
        num_classes, pretrained: see resnet18; here the default is 10 classes, and there are no
            weights by name.
        options: of ResNet.

    Example:
        >>> from cutaway.models import cifar_resnet
        >>> sum(p.size for p in cifar_resnet(20).parameters())
        269722
    """
    if depth < 8 or (depth - 2) % 6:
        raise OptionError(
            f"cifar_resnet: depth is {depth}",
            expected="6n + 2 layers: 8, 14, 20, 32, 44, 56, 110, ...",
        )
    options = {"widths": (16, 32, 64), "stem": SmallImageStem, "shortcut": PaddedShortcut} | options
    layers = ((depth - 2) // 6,) * 3
    return build(
        lambda classes: ResNet(BasicBlock, layers, num_classes=classes, **options),
        num_classes,
        pretrained,
        TORCHVISION,
    )
