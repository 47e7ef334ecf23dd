"""MobileNetV3: MobileNetV2's blocks with squeeze and excitation and a cheap Swish.

Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244.

Table 1, MobileNetV3-Large, for images of 224 x 224. Blocks of equal channels make a stage; e: the
channels within each block, SE: squeeze and excitation to a quarter of them, s: stride of the first
block:

    stage     output        blocks            c      SE    activation     s
    stem      112 x 112     3x3               16           hard swish     2
    stage1    112 x 112     3x3 e 16          16           ReLU           1
    stage2    56 x 56       3x3 e 64, 72      24           ReLU           2
    stage3    28 x 28       5x5 e 72, 120,    40     yes   ReLU           2
                            120
    stage4    14 x 14       3x3 e 240, 200,   80           hard swish     2
                            184, 184
    stage5    14 x 14       3x3 e 480, 672    112    yes   hard swish     1
    stage6    7 x 7         5x5 e 672, 960,   160    yes   hard swish     2
                            960
    top       7 x 7         1x1               960          hard swish
    head      1 x 1         mean over the image, 1280 features, hard swish, dropout, 1000 classes
    parameters              5,483,032; MobileNetV3-Small (table 2): 2,542,856

The gate of the squeeze and excitation is the hard sigmoid. For detection the channels from the last
stage on are halved (section 6.3): see ssdlite.py.
"""

from typing import NamedTuple

from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, conv_norm, expect_images, smallest_side
from cutaway.models.mobilenet import InvertedResidual
from cutaway.nn import (
    Dropout,
    GlobalAvgPool,
    HardSigmoid,
    HardSwish,
    Linear,
    Module,
    ReLU,
    Sequential,
    SqueezeExcite,
)
from cutaway.weights import WeightNames

EPS, MOMENTUM = 1e-3, 0.01  # of all batch norms; section 6.1


class MobileStage(NamedTuple):
    """The blocks of a stage.

    Attributes:
        kernel_size: of the depthwise convolutions.
        inner: channels within each block.
        channels: of the stage's map.
        squeezes: whether blocks have squeeze and excitation.
        activation: class of all activations.
        stride: of the first block.
    """

    kernel_size: int
    inner: tuple[int, ...]
    channels: int
    squeezes: bool
    activation: type[Module]
    stride: int


BEGINNING = (
    MobileStage(3, (16,), 16, False, ReLU, 1),
    MobileStage(3, (64, 72), 24, False, ReLU, 2),
    MobileStage(5, (72, 120, 120), 40, True, ReLU, 2),
    MobileStage(3, (240, 200, 184, 184), 80, False, HardSwish, 2),
    MobileStage(3, (480, 672), 112, True, HardSwish, 1),
)
LARGE = (*BEGINNING, MobileStage(5, (672, 960, 960), 160, True, HardSwish, 2))
LARGE_HALVED = (*BEGINNING, MobileStage(5, (672, 480, 480), 80, True, HardSwish, 2))
SMALL = (
    MobileStage(3, (16,), 16, True, ReLU, 2),
    MobileStage(3, (72, 88), 24, False, ReLU, 2),
    MobileStage(5, (96, 240, 240), 40, True, HardSwish, 2),
    MobileStage(5, (120, 144), 48, True, HardSwish, 1),
    MobileStage(5, (288, 576, 576), 96, True, HardSwish, 2),
)
WIDER = 6  # channels of the top for each of the last stage


class MobileNetV3(Backbone):
    """MobileNetV3 with any table of stages.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        table: a MobileStage for each stage.
        stem_channels: of the first convolution.
        features: between the two dense layers of the head.
        dropout: fraction of these dropped.
        momentum: of all batch norms.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        table=LARGE,
        stem_channels: int = 16,
        features: int = 1280,
        dropout: float = 0.2,
        momentum: float = MOMENTUM,
    ):
        rest: dict = {"eps": EPS, "momentum": momentum}
        self.stages = ("stem", *(f"stage{i + 1}" for i in range(len(table))), "top")
        self.in_channels = in_channels
        self.stem = conv_norm(in_channels, stem_channels, 3, stride=2, activation=HardSwish, **rest)
        channels = stem_channels
        for i, stage in enumerate(table):
            blocks = []
            for k, inner in enumerate(stage.inner):
                blocks.append(
                    InvertedResidual(
                        channels,
                        stage.channels,
                        inner / channels,
                        1 if k else stage.stride,
                        kernel_size=stage.kernel_size,
                        activation=stage.activation,
                        squeeze=_squeeze(inner) if stage.squeezes else None,
                        **rest,
                    )
                )
                channels = stage.channels
            setattr(self, f"stage{i + 1}", Sequential(*blocks))
        top_channels = WIDER * channels
        self.top = conv_norm(channels, top_channels, 1, activation=HardSwish, **rest)
        self.smallest = smallest_side(1 + sum(stage.stride == 2 for stage in table))
        self.num_features = features
        self.pool = Sequential(
            GlobalAvgPool(), Linear(top_channels, features), HardSwish(), Dropout(dropout)
        )
        self.head = Linear(features, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        return super().maps(x)


def _squeeze(inner):
    return SqueezeExcite(inner, _of_eight(inner // 4), gate=HardSigmoid)


def _of_eight(channels):
    """The nearest multiple of 8 that is not more than a tenth smaller."""
    found = max(8, (channels + 4) // 8 * 8)
    return found if found >= 0.9 * channels else found + 8


def block_rules(table, theirs: str, ours: str) -> list:
    """Rules for the blocks of a network of this table, from torchvision's names.

    Args:
        theirs: pattern of a block's name, with {number} in it, counted from 1 on.
        ours: what stands before "stage1".
    """
    rules, number, channels = [], 1, None
    for i, stage in enumerate(table):
        for k, inner in enumerate(stage.inner):
            widens = channels is not None and inner != channels
            parts = [
                *(("expand",) if widens else ()),
                "depthwise",
                *(("squeeze",) if stage.squeezes else ()),
                "project",
            ]
            block, own = theirs.format(number=number), f"{ours}stage{i + 1}.{k}."
            for place, name in enumerate(parts):
                if name == "squeeze":
                    rules.append((rf"{block}{place}\.fc1\.(.*)", rf"{own}squeeze.reduce.\1"))
                    rules.append((rf"{block}{place}\.fc2\.(.*)", rf"{own}squeeze.expand.\1"))
                else:
                    rules.append((rf"{block}{place}\.([01])\.(.*)", rf"{own}{name}.\1.\2"))
            channels = stage.channels
            number += 1
    return rules


UNUSED = [(r".*\.num_batches_tracked", "counts batches")]


def torchvision_names(table=LARGE) -> WeightNames:
    """torchvision's names for a network with this table."""
    last = 1 + sum(len(stage.inner) for stage in table)
    rules = [
        (r"features\.0\.([01])\.(.*)", r"stem.\1.\2"),
        *block_rules(table, r"features\.{number}\.block\.", ""),
        (rf"features\.{last}\.([01])\.(.*)", r"top.\1.\2"),
        (r"classifier\.0\.(.*)", r"pool.1.\1"),
        (r"classifier\.3\.(.*)", r"head.\1"),
    ]
    return WeightNames(rules, unused=UNUSED)


def mobilenet_v3_large(
    num_classes: int | None = None, *, pretrained=None, **options
) -> MobileNetV3:
    """MobileNetV3-Large as in the paper. 5,483,032 parameters.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the last layer is randomly initialized and must be trained.
        pretrained: a path or a URL of weights with torchvision's names; None: random
            initialization.
        options: of MobileNetV3, except `table`.
    """
    return build(
        lambda classes: MobileNetV3(classes, **options),
        num_classes,
        pretrained,
        torchvision_names(),
    )


def mobilenet_v3_small(
    num_classes: int | None = None, *, pretrained=None, **options
) -> MobileNetV3:
    """MobileNetV3-Small as in the paper. 2,542,856 parameters.

    Args:
        num_classes, pretrained: see mobilenet_v3_large.
        options: of MobileNetV3, except `table` and `features`.
    """
    return build(
        lambda classes: MobileNetV3(classes, table=SMALL, features=1024, **options),
        num_classes,
        pretrained,
        torchvision_names(SMALL),
    )
