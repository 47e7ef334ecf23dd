"""MobileNetV2: a small network for mobile devices.

Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: inverted residuals and linear
bottlenecks", arXiv:1801.04381.

Table 2, for images of 224 x 224; t: expansion factor of a block, c: channels, n: number of blocks,
s: stride of the first of them:

    stage     output        operator       t    c      n    s
    stem      112 x 112     3x3, ReLU6          32          2
    stage1    112 x 112     block          1    16     1    1
    stage2    56 x 56       block          6    24     2    2
    stage3    28 x 28       block          6    32     3    2
    stage4    14 x 14       block          6    64     4    2
    stage5    14 x 14       block          6    96     3    1
    stage6    7 x 7         block          6    160    3    2
    stage7    7 x 7         block          6    320    1    1
    top       7 x 7         1x1, ReLU6          1280
    head      1 x 1         mean over the image, dropout, 1000 classes
    parameters              3,504,872
"""

from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, conv_norm, expect_images, smallest_side
from cutaway.nn import Dropout, GlobalAvgPool, Identity, Linear, Module, ReLU6, Sequential
from cutaway.weights import WeightNames

TABLE = (  # t, c, n, s
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(Module):
    """Expand (1x1), filter (depthwise), project (1x1, no activation), plus x. Fig. 4.

    The residual connects the narrow ends; there is no activation there, since a ReLU in few
    channels loses information (sec. 3.2). x is added where shapes allow.

    Args:
        in_channels, out_channels: of x and y.
        widen: expansion factor t, also a fraction; with 1 there is no first convolution.
        stride: of the depthwise convolution.
        kernel_size: of the depthwise convolution.
        activation: class of the two inner ones.
        padding: of the depthwise convolution, see conv_norm.
        eps, momentum: of all norms.
        squeeze: Module between the depthwise and the last convolution; None: none.
        drop: Module applied to the branch before the addition; None: none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widen: float,
        stride: int,
        *,
        kernel_size: int = 3,
        activation=ReLU6,
        padding=None,
        eps: float = 1e-5,
        momentum: float = 0.1,
        squeeze: Module | None = None,
        drop: Module | None = None,
    ):
        inner = round(in_channels * widen)
        norm: dict = {"eps": eps, "momentum": momentum}
        rest = {"activation": activation, **norm}
        self.expand = conv_norm(in_channels, inner, 1, **rest) if widen > 1 else Identity()
        self.depthwise = conv_norm(
            inner, inner, kernel_size, stride=stride, padding=padding, groups=inner, **rest
        )
        self.squeeze = Identity() if squeeze is None else squeeze
        self.project = conv_norm(inner, out_channels, 1, activation=None, **norm)
        self.drop = Identity() if drop is None else drop
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x):
        return self.narrow(self.expand(x), x)

    def narrow(self, expanded, x):
        """The block's output, from that of `expand` and its input."""
        y = self.project(self.squeeze(self.depthwise(expanded)))
        return x + self.drop(y) if self.is_residual else y


class MobileNetV2(Backbone):
    """MobileNetV2 with any table of stages.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        table: rows (t, c, n, s), as in table 2.
        stem_channels, top_channels: of the first and last convolution.
        dropout: fraction of the features dropped before the head.
        padding, eps: of convolutions and norms, see conv_norm; TensorFlow's are "same" and 1e-3.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        table=TABLE,
        stem_channels: int = 32,
        top_channels: int = 1280,
        dropout: float = 0.2,
        padding: str | None = None,
        eps: float = 1e-5,
    ):
        rest = {"padding": padding, "eps": eps}
        self.stages = ("stem", *(f"stage{i + 1}" for i in range(len(table))), "top")
        self.in_channels = in_channels
        self.stem = conv_norm(in_channels, stem_channels, 3, stride=2, activation=ReLU6, **rest)
        channels = stem_channels
        for i, (widen, width, count, stride) in enumerate(table):
            blocks = []
            for k in range(count):
                blocks.append(InvertedResidual(channels, width, widen, 1 if k else stride, **rest))
                channels = width
            setattr(self, f"stage{i + 1}", Sequential(*blocks))
        self.top = conv_norm(channels, top_channels, 1, activation=ReLU6, eps=eps)
        self.smallest = smallest_side(1 + sum(stride == 2 for *_, stride in table))
        self.num_features = top_channels
        self.pool = Sequential(GlobalAvgPool(), Dropout(dropout))
        self.head = Linear(top_channels, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        return super().maps(x)


def _torchvision_rules(table) -> list:
    """torchvision numbers the blocks consecutively, and layers within a block by position."""
    rules = [(r"features\.0\.([01])\.(.*)", r"stem.\1.\2")]
    number = 1
    for i, (widen, _, count, _) in enumerate(table):
        for k in range(count):
            theirs, ours = rf"features\.{number}\.conv\.", f"stage{i + 1}.{k}."
            inner = ("expand", "depthwise") if widen > 1 else ("depthwise",)
            for place, name in enumerate(inner):
                rules.append((rf"{theirs}{place}\.([01])\.(.*)", rf"{ours}{name}.\1.\2"))
            for place in (0, 1):
                project = rf"{theirs}{len(inner) + place}\.(\w+)"
                rules.append((project, rf"{ours}project.{place}.\1"))
            number += 1
    return [
        *rules,
        (rf"features\.{number}\.([01])\.(.*)", r"top.\1.\2"),
        (r"classifier\.1\.(.*)", r"head.\1"),
    ]


def torchvision_names(table=TABLE) -> WeightNames:
    """torchvision's names for a network with this table."""
    unused = [(r".*\.num_batches_tracked", "counts batches")]
    return WeightNames(_torchvision_rules(table), unused=unused)


TORCHVISION = torchvision_names()


def mobilenet_v2(num_classes: int | None = None, *, pretrained=None, **options) -> MobileNetV2:
    """MobileNetV2 as in the paper. 3,504,872 parameters.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the head is randomly initialized and must be trained.
        pretrained: a path, a URL, or "imagenet"; None: random initialization.
        options: of MobileNetV2, except `table`.
    """
    return build(
        lambda classes: MobileNetV2(classes, **options),
        num_classes,
        pretrained,
        TORCHVISION,
        "mobilenet-v2",
    )
