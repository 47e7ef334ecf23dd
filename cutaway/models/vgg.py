"""VGG: 3x3 convolutions, 2x2 pools and dense layers only.

Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556.

Table 1, column D (16 layers with weights), for images of 224 x 224; after each stage a 2x2 max
pool:

    stage     output of the stage     convolutions, 3x3, each with ReLU
    stage1    112 x 112               64, 64
    stage2    56 x 56                 128, 128
    stage3    28 x 28                 256, 256, 256
    stage4    14 x 14                 512, 512, 512
    stage5    7 x 7                   512, 512, 512
    dense     4096                    4096, 4096, each with ReLU and dropout 0.5
    head      1000
    parameters                        138,357,544; with batch norm 138,365,992

Differences: for images of other sizes, maps are average-pooled to 7 x 7 before the dense layers, as
in torchvision. The paper has no batch norm; with it the network trains from scratch.
"""

from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, expect_images
from cutaway.nn import (
    AdaptiveAvgPool,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool,
    ReLU,
    Sequential,
    init,
)
from cutaway.weights import WeightNames, channels_last

TABLE = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
SIDE = 7  # of the map that the dense layers read


class VGG(Backbone):
    """VGG with any table of stages.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        table: for each stage the channels of its convolutions.
        norm: the class BatchNorm, after each convolution; None: none, as in the paper.
        features: of the two dense layers.
        dropout: fraction of their outputs dropped.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits
        maps["dense"]: (batch, features)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        table=TABLE,
        norm=None,
        features: int = 4096,
        dropout: float = 0.5,
    ):
        self.stages = (*(f"stage{i + 1}" for i in range(len(table))), "dense")
        self.in_channels = in_channels
        channels = in_channels
        for i, widths in enumerate(table):
            layers = []
            for width in widths:
                conv = Conv2d(channels, width, 3, padding=1, init=init.he_normal)
                layers += [conv, *([] if norm is None else [norm(width)]), ReLU()]
                channels = width
            setattr(self, f"stage{i + 1}", Sequential(*layers, MaxPool(2)))
        self.dense = Sequential(
            AdaptiveAvgPool(SIDE),
            Flatten(),
            Linear(SIDE * SIDE * channels, features, init=init.he_normal),
            ReLU(),
            Dropout(dropout),
            Linear(features, features, init=init.he_normal),
            ReLU(),
            Dropout(dropout),
        )
        self.smallest = 2 ** len(table)
        self.num_features = features
        self.pool = Identity()
        self.head = Linear(features, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        return super().maps(x)


def torchvision_rules(table=TABLE, *, norm: bool = False) -> list:
    """From torchvision's names, which number all layers, including those without weights."""
    rules, number = [], 0
    for i, widths in enumerate(table):
        for k in range(len(widths)):
            for layer in range(2 if norm else 1):
                place = (3 if norm else 2) * k + layer
                rules.append((rf"features\.{number + layer}\.(.*)", rf"stage{i + 1}.{place}.\1"))
            number += 3 if norm else 2
        number += 1  # the pool
    return [
        *rules,
        (r"classifier\.0\.weight", "dense.2.weight", channels_last(table[-1][-1])),
        (r"classifier\.0\.bias", "dense.2.bias"),
        (r"classifier\.3\.(.*)", r"dense.5.\1"),
        (r"classifier\.6\.(.*)", r"head.\1"),
    ]


_UNUSED = [(r".*\.num_batches_tracked", "counts batches")]
TORCHVISION = WeightNames(torchvision_rules())
TORCHVISION_NORM = WeightNames(torchvision_rules(norm=True), unused=_UNUSED)


def vgg16(num_classes: int | None = None, *, pretrained=None, **options) -> VGG:
    """VGG-16 as in the paper. 138,357,544 parameters, 553 MB.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the head is randomly initialized and must be trained.
        pretrained: a path, a URL, or "imagenet"; None: random initialization.
        options: of VGG, except `table` and `norm`.
    """
    return build(lambda n: VGG(n, **options), num_classes, pretrained, TORCHVISION, "vgg16")


def vgg16_norm(num_classes: int | None = None, *, pretrained=None, **options) -> VGG:
    """VGG-16 with batch norm after every convolution. 138,365,992 parameters. Args: see vgg16."""
    return build(
        lambda n: VGG(n, norm=BatchNorm, **options),
        num_classes,
        pretrained,
        TORCHVISION_NORM,
        "vgg16-norm",
    )
