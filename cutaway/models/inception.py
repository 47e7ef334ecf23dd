"""GoogLeNet, the first Inception network.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke & Rabinovich 2015, "Going deeper with
convolutions", arXiv:1409.4842.

Table 1, for images of 224 x 224; an inception block concatenates a 1x1 convolution, a 3x3 after a
1x1 that reduces channels, a 5x5 after another, and a 1x1 after a 3x3 max pool:

    stage          output       1x1    reduce  3x3    reduce  5x5    pool    channels
    stem           112 x 112    7x7, 64, stride 2; 3x3 max pool, stride 2
                   28 x 28      1x1, 64; 3x3, 192; 3x3 max pool, stride 2
    inception3a    28 x 28      64     96      128    16      32     32      256
    inception3b    28 x 28      128    128     192    32      96     64      480
                                3x3 max pool, stride 2
    inception4a    14 x 14      192    96      208    16      48     64      512    auxiliary head 1
    inception4b    14 x 14      160    112     224    24      64     64      512
    inception4c    14 x 14      128    128     256    24      64     64      512
    inception4d    14 x 14      112    144     288    32      64     64      528    auxiliary head 2
    inception4e    14 x 14      256    160     320    32      128    128     832
                                max pool, stride 2
    inception5a    7 x 7        256    160     320    32      128    128     832
    inception5b    7 x 7        384    192     384    48      128    128     1024
    head           1 x 1        mean over the image, dropout, 1000 classes
    parameters     6,624,904; with both auxiliary heads 13,004,888

Differences, as in the published weights (torchvision's): batch norm (ε = 1e-3) after every
convolution instead of biases and the two local response norms; the "5x5" is a 3x3; the last max
pool is 2x2; auxiliary heads average over a 4 x 4 grid for any image size.
"""

from cutaway import ops
from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import build, conv_norm, expect_images, smallest_side
from cutaway.nn import (
    AdaptiveAvgPool,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Module,
    ReLU,
    Sequential,
)
from cutaway.weights import WeightNames, channels_last

EPS = 1e-3
AUXILIARY_WEIGHT = 0.3  # sec. 5: "the losses of the auxiliary classifiers were weighted by 0.3"

TABLE = {  # 1x1, reduce, 3x3, reduce, 5x5, pool
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}


class Inception(Module):
    """Four branches over the same input, concatenated along the channels. Fig. 2 (b).

    Args:
        in_channels: of the input.
        one, reduce3, three, reduce5, five, pooled: channels, as in the columns of table 1.
    """

    def __init__(self, in_channels, one, reduce3, three, reduce5, five, pooled):
        self.branch1 = conv_norm(in_channels, one, 1, eps=EPS)
        self.branch2 = Sequential(
            conv_norm(in_channels, reduce3, 1, eps=EPS), conv_norm(reduce3, three, 3, eps=EPS)
        )
        self.branch3 = Sequential(
            conv_norm(in_channels, reduce5, 1, eps=EPS), conv_norm(reduce5, five, 3, eps=EPS)
        )
        self.branch4 = Sequential(
            MaxPool(3, stride=1, padding=1), conv_norm(in_channels, pooled, 1, eps=EPS)
        )
        self.out_channels = one + three + five + pooled

    def forward(self, x):
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return ops.concatenate([branch(x) for branch in branches], axis=-1)


class AuxiliaryHead(Module):
    """A second classifier in the middle of the network, which injects gradients there.

    Args:
        in_channels: of the map it reads.
        num_classes: outputs.
        channels, features: of its convolution and its dense layer.
        dropout: fraction of the features dropped; the paper has 0.7.
    """

    def __init__(
        self, in_channels, num_classes, *, channels=128, features=1024, dropout: float = 0.7
    ):
        self.pool = AdaptiveAvgPool(4)
        self.conv = conv_norm(in_channels, channels, 1, eps=EPS)
        self.flatten = Flatten()
        self.hidden = Linear(16 * channels, features)
        self.activation = ReLU()
        self.dropout = Dropout(dropout)
        self.out = Linear(features, num_classes)

    def forward(self, x):
        y = self.flatten(self.conv(self.pool(x)))  # (batch, 4 · 4 · channels)
        return self.out(self.dropout(self.activation(self.hidden(y))))


class GoogLeNet(Backbone):
    """GoogLeNet with any widths.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        auxiliary: whether there are auxiliary heads; they are used in training only.
        table: {name of a block: its columns of table 1}.
        stem_channels: of the three convolutions of the stem.
        auxiliary_sizes: channels and features of the auxiliary heads.
        dropout: fraction of the features dropped before the head; the paper has 0.4.
        auxiliary_dropout: the same in the auxiliary heads.

    Shapes:
        x: (batch, height, width, in_channels)
        y: (batch, num_classes) logits; in training with auxiliary heads a tuple of three: those
            of the head, of the head at 4d, and of the head at 4a (see `auxiliary_loss`)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        auxiliary: bool = False,
        table=TABLE,
        stem_channels=(64, 64, 192),
        auxiliary_sizes=(128, 1024),
        dropout: float = 0.2,
        auxiliary_dropout: float = 0.7,
    ):
        self.stages = ("stem", *table)
        self.in_channels = in_channels
        first, second, third = stem_channels
        self.stem = Sequential(
            conv_norm(in_channels, first, 7, stride=2, eps=EPS),
            MaxPool(3, stride=2, ceil_mode=True),
            conv_norm(first, second, 1, eps=EPS),
            conv_norm(second, third, 3, eps=EPS),
            MaxPool(3, stride=2, ceil_mode=True),
        )
        self.halve = {
            "inception4a": MaxPool(3, stride=2, ceil_mode=True),
            "inception5a": MaxPool(2, stride=2, ceil_mode=True),
        }
        channels = {"stem": third}
        for before, name in zip(self.stages[:-1], table, strict=True):
            block = Inception(channels[before], *table[name])
            setattr(self, name, block)
            channels[name] = block.out_channels
        self.auxiliary = {}
        if auxiliary:
            width, features = auxiliary_sizes
            for name in ("inception4a", "inception4d"):
                self.auxiliary[name] = AuxiliaryHead(
                    channels[name],
                    num_classes,
                    channels=width,
                    features=features,
                    dropout=auxiliary_dropout,
                )
        self.smallest = smallest_side(5)
        self.num_features = channels[self.stages[-1]]
        self.pool = Sequential(GlobalAvgPool(), Dropout(dropout))
        self.head = Linear(self.num_features, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        found = {}
        for name in self.stages:
            x = self.halve[name](x) if name in self.halve else x
            found[name] = x = getattr(self, name)(x)
        return found

    def groups(self):
        """See Backbone.groups; the auxiliary heads belong to the head."""
        heads = {id(p) for head in self.auxiliary.values() for p in head.parameters()}
        found = super().groups()
        first = next(iter(found))
        found["head"] += [p for p in found[first] if id(p) in heads]
        found[first] = [p for p in found[first] if id(p) not in heads]
        return found

    def forward(self, x):
        maps = self.maps(x)
        out = self.head(self.pool(maps[self.stages[-1]]))
        if not (self.training and self.auxiliary):
            return out
        heads = {name: head(maps[name]) for name, head in self.auxiliary.items()}
        return out, heads["inception4d"], heads["inception4a"]


def auxiliary_loss(loss, weight: float = AUXILIARY_WEIGHT):
    """A loss for networks with auxiliary heads: L = loss(ŷ) + weight · Σ loss(ŷ of a head).

    In evaluation mode, where the network returns a single prediction, it is `loss`.

    Args:
        loss: function (prediction, target) -> Tensor.
        weight: of each auxiliary head; 0.3 in the paper.
    """

    def weighted(prediction, target, **options):
        if not isinstance(prediction, tuple):
            return loss(prediction, target, **options)
        first, *others = prediction
        total = loss(first, target, **options)
        for other in others:
            total = total + weight * loss(other, target, **options)
        return total

    return weighted


def _rules(*, auxiliary: bool) -> list:
    places = (("conv", "0"), ("bn", "1"))
    rules = []
    for theirs, ours in places:
        for number, place in ((1, 0), (2, 2), (3, 3)):
            rules.append((rf"conv{number}\.{theirs}\.(.*)", rf"stem.{place}.{ours}.\1"))
        block = r"(inception\d\w)\.(branch\d)"
        rules.append((rf"{block}\.{theirs}\.(.*)", rf"\1.\2.{ours}.\3"))
        rules.append((rf"{block}\.(\d)\.{theirs}\.(.*)", rf"\1.\2.\3.{ours}.\4"))
        for number, at in ((1, "inception4a"), (2, "inception4d")) if auxiliary else ():
            rules.append((rf"aux{number}\.conv\.{theirs}\.(.*)", rf"auxiliary.{at}.conv.{ours}.\1"))
    for number, at in ((1, "inception4a"), (2, "inception4d")) if auxiliary else ():
        hidden = f"auxiliary.{at}.hidden"
        rules.append((rf"aux{number}\.fc1\.weight", f"{hidden}.weight", channels_last(128)))
        rules.append((rf"aux{number}\.fc1\.bias", f"{hidden}.bias"))
        rules.append((rf"aux{number}\.fc2\.(.*)", rf"auxiliary.{at}.out.\1"))
    return [*rules, (r"fc\.(.*)", r"head.\1")]


_UNUSED = [(r".*\.num_batches_tracked", "counts batches")]
TORCHVISION_AUXILIARY = WeightNames(_rules(auxiliary=True), unused=_UNUSED)
TORCHVISION = WeightNames(
    _rules(auxiliary=False), unused=[*_UNUSED, (r"aux[12]\..*", "auxiliary heads")]
)


def googlenet(num_classes: int | None = None, *, pretrained=None, **options) -> GoogLeNet:
    """GoogLeNet with batch norm. 6,624,904 parameters; with auxiliary heads 13,004,888.

    Args:
        num_classes: number of outputs; None: 1000, as in the pretrained weights. With `pretrained`
            and another number, the heads are randomly initialized and must be trained.
        pretrained: a path, a URL, or "imagenet" (inputs are scaled to (x / 255 - 0.5) / 0.5; the
            auxiliary heads in that file are reported to be untrained); None: random
            initialization.
        options: of GoogLeNet; `auxiliary=True` for training with auxiliary heads.
    """
    auxiliary = options.get("auxiliary", False)
    return build(
        lambda classes: GoogLeNet(classes, **options),
        num_classes,
        pretrained,
        TORCHVISION_AUXILIARY if auxiliary else TORCHVISION,
        "googlenet",
        fresh=("auxiliary",) if auxiliary else (),
    )
