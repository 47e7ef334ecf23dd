"""SSD: boxes from maps of several scales, by one convolution on each.

Liu et al. 2016, "SSD: single shot multibox detector", arXiv:1512.02325. SSD on MobileNetV2: Sandler
et al. 2018, arXiv:1801.04381, section 6.2; the form here is that of Google's MediaPipe Objectron.

                   SSD300 on VGG16                          SSD on MobileNetV2, 300 px
    map            from                  size  channels     from                   size  channels
    1              conv4_3, normalized   38    512          expansion of stage6    19    576
    2              conv7                 19    1024         top                    10    1280
    3              1x1 256, 3x3/2        10    512          1x1 256, 3x3/2         5     512
    4              1x1 128, 3x3/2        5     256          1x1 128, 3x3/2         3     256
    5              1x1 128, 3x3 valid    3     256          1x1 128, 3x3/2         2     256
    6              1x1 128, 3x3 valid    1     256          1x1 64,  3x3/2         1     128
    heads          3x3                                      1x1
    priors         4 6 6 6 4 4: 8,732                       3 6 6 6 6 6: 1,917
    activations    ReLU, no batch norm                      ReLU6, batch norm, TensorFlow's padding
    outputs        K + 1, softmax; 0 is the background      K + 1, sigmoid; 0 is the background
    parameters     26,285,486 for 20 classes,               4,970,780 for 23 classes
                   35,641,826 for 90

In VGG16 the third pool includes the last odd row and column, the fifth is 3x3 of stride 1, and the
dense layers have become convolutions: conv6, 3x3 of dilation 6, and conv7, 1x1, of 1,024 channels.
conv4_3 is divided by its norm over the channels and multiplied by a learned number, at first 20.

With a prior (cx, cy, w, h), in fractions of the image, and the outputs tx, ty, tw, th a box has
    center    (cx + w tx / 10, cy + h ty / 10)
    size      (w exp(tw / 5), h exp(th / 5))
"""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np

from cutaway import ops
from cutaway.errors import expect_integer
from cutaway.models.backbone import Backbone, shapes_of
from cutaway.models.image_parts import conv_norm, expect_images
from cutaway.models.mediapipe import EPS, MEDIAPIPE, short_names
from cutaway.models.mobilenet import MobileNetV2
from cutaway.models.mobilenet_v3 import MobileNetV3
from cutaway.nn import Conv2d, MaxPool, Module, Parameter, ReLU, ReLU6, Sequential, init
from cutaway.weights import fetch, load_into, read_weights

CODING = (10.0, 10.0, 5.0, 5.0)
LARGEST = math.log(1000 / 16)  # of tw / 5 and th / 5, before the exponential
# of the priors' sides in the image: of each map, and one more
VGG_SCALES = (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05)  # for Pascal VOC
COCO_SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
VGG_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
VGG_STEPS = (8, 16, 32, 64, 100, 300)  # pixels from one prior to the next
VGG_TABLE = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
VGG_EXTRAS = ((256, 512, 2, 1), (128, 256, 2, 1), (128, 256, 1, 0), (128, 256, 1, 0))
MOBILE_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
MOBILE_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))


def prior_sizes(scales, ratios) -> list[np.ndarray]:
    """Widths and heights of the priors at a position of each map, as fractions of the image.

    A square of the map's scale s, one of √(s s') with the next scale s', and for each ratio r
    (s √r, s / √r) and (s / √r, s √r).

    Args:
        scales: of each map, and one more.
        ratios: of each map.

    Returns:
        for each map an array (2 + 2 · ratios, 2).
    """
    found = []
    for scale, after, own in zip(scales, scales[1:], ratios, strict=False):
        middle = math.sqrt(scale * after)
        sizes = [(scale, scale), (middle, middle)]
        for ratio in own:
            long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            sizes += [(long, short), (short, long)]
        found.append(np.array(sizes, np.float32))
    return found


def mobile_prior_sizes(scales=MOBILE_SCALES) -> list[np.ndarray]:
    """As prior_sizes, for SSD on MobileNetV2, whose first map has three priors."""

    def sized(scale, ratio):
        return scale * math.sqrt(ratio), scale / math.sqrt(ratio)

    first = [sized(0.1, 1), sized(scales[0], 2), sized(scales[0], 0.5)]
    found = [np.array(first, np.float32)]
    for scale, after in itertools.pairwise(scales[1:]):
        own = [sized(scale, ratio) for ratio in (1, 2, 0.5, 3, 1 / 3)]
        found.append(np.array([*own, sized(math.sqrt(scale * after), 1)], np.float32))
    return found


class ChannelScale(Module):
    """x divided by its norm over the channels, times a learned number for each channel.

    Liu et al. 2015, "ParseNet: looking wider to see better", arXiv:1506.04579.

    Args:
        channels: size of the last axis.
        initial: of the learned numbers.
    """

    layer_kind = "normalization"

    def __init__(self, channels: int, initial: float = 20.0):
        self.scale = Parameter(init.constant((channels,), initial))

    def forward(self, x):
        norm = ops.sqrt(ops.maximum(ops.sum(x * x, axis=-1, keepdims=True), 1e-24))
        return x / norm * self.scale


class SSDBody(Module):
    """Base of what gives an SSD its maps.

    Attributes:
        in_channels: of the images.
        channels: of each map.
        smallest: height and width below which there is no last map.
    """

    in_channels: int
    channels: tuple[int, ...]
    smallest: int

    def forward(self, x) -> list:
        """The maps, the largest first."""
        raise NotImplementedError

    def map_sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """(height, width) of each map, for an input of these sizes."""
        shape = 1, height, width, self.in_channels
        return [map_shape[1:3] for map_shape in shapes_of(self, self, shape)]


class SSDVgg(SSDBody):
    """VGG16 with the further convolutions of SSD300; see the top of this file.

    Args:
        in_channels: of the images.
        table: channels of the convolutions of the first stages; the last of these stages gives the
            first map.
        wide: channels of conv6 and conv7.
        extras: (channels of the 1x1, channels, stride and padding of the 3x3) of each further map.
    """

    smallest = 224

    def __init__(
        self, in_channels: int = 3, *, table=VGG_TABLE, wide: int = 1024, extras=VGG_EXTRAS
    ):
        self.in_channels = in_channels
        layers, channels = [], in_channels
        for place, widths in enumerate(table):
            if place:
                layers.append(MaxPool(2, ceil_mode=place == 3))
            for width in widths:
                layers += _plain(channels, width, 3, padding=1)
                channels = width
        self.conv4 = Sequential(*layers)
        self.scale = ChannelScale(channels)
        self.conv7 = Sequential(
            MaxPool(2),
            *(layer for _ in range(3) for layer in _plain(channels, channels, 3, padding=1)),
            MaxPool(3, stride=1, padding=1),
            *_plain(channels, wide, 3, padding=6, dilation=6),
            *_plain(wide, wide, 1),
        )
        found, channels = [channels, wide], wide
        for place, (narrow, width, stride, padding) in enumerate(extras):
            extra = Sequential(
                *_plain(channels, narrow, 1),
                *_plain(narrow, width, 3, stride=stride, padding=padding),
            )
            setattr(self, f"extra{place + 1}", extra)
            found.append(width)
            channels = width
        self.channels = tuple(found)

    def forward(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        x = self.conv4(x)
        maps = [self.scale(x)]
        for part in ("conv7", *(f"extra{k}" for k in range(1, len(self.channels) - 1))):
            x = getattr(self, part)(x)
            maps.append(x)
        return maps


def _plain(in_channels, out_channels, kernel_size, **options):
    conv = Conv2d(in_channels, out_channels, kernel_size, init=init.he_normal, **options)
    return conv, ReLU()


def halving(in_channels: int, narrow: int, width: int) -> Sequential:
    """A further map of SSD on MobileNetV2: 1x1 to `narrow` channels, 3x3 of stride 2 to `width`."""
    rest = {"activation": ReLU6, "padding": "same", "eps": EPS}
    return Sequential(
        conv_norm(in_channels, narrow, 1, **rest),
        conv_norm(narrow, width, 3, stride=2, **rest),
    )


class SSDMobile(SSDBody):
    """A MobileNet with further convolutions for an SSD; see the top of this file.

    Args:
        backbone: a MobileNetV2 or MobileNetV3; its stages are shared, not copied.
        expanded: the stage whose first expansion is the first map.
        extras: (channels within, channels) of each further map.
        extra: function (channels of the map before, channels within, channels) -> Module.
    """

    smallest = 1

    def __init__(
        self,
        backbone: MobileNetV2 | MobileNetV3,
        *,
        expanded: str = "stage6",
        extras=MOBILE_EXTRAS,
        extra: Callable[[int, int, int], Module] = halving,
    ):
        self.body: Backbone = backbone.up_to("top")
        self.expanded = expanded
        self.in_channels = backbone.in_channels
        channels = backbone.top[0].weight.shape[-1]
        first = getattr(backbone, expanded)[0].expand[0].weight.shape[-1]
        found = [first, channels]
        for place, (narrow, width) in enumerate(extras):
            setattr(self, f"extra{place + 1}", extra(channels, narrow, width))
            found.append(width)
            channels = width
        self.channels = tuple(found)

    def forward(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.smallest)
        maps = []
        for name in self.body.stages:
            stage = getattr(self.body, name)
            if name == self.expanded:
                block, *others = stage
                wide = block.expand(x)
                maps.append(wide)
                x = block.narrow(wide, x)
                for other in others:
                    x = other(x)
            else:
                x = stage(x)
        maps.append(x)
        for place in range(1, len(self.channels) - 1):
            x = getattr(self, f"extra{place}")(x)
            maps.append(x)
        return maps


def _plain_head(channels, outputs, *, kernel_size):
    padding = kernel_size // 2
    return Conv2d(channels, outputs, kernel_size, padding=padding, init=init.glorot_uniform)


class SSD(Module):
    """SSD's heads on the maps of a body.

    Args:
        body: gives the maps.
        num_outputs: numbers for the classes of each prior, that of the background included.
        sizes: widths and heights of the priors at a position of each map, as fractions of the
            image.
        steps: pixels of the input from one prior to the next; None: as many as fit the map.
        kernel_size: of the heads.
        head: function (channels, outputs) -> Module, a head; None: one convolution of
            `kernel_size`.
        inputs: Module applied to the images first; None: none.

    Shapes:
        x: (batch, height, width, channels)
        y: {"codes": (batch, N, 4) tx, ty, tw, th; "classes": (batch, N, num_outputs) logits},
            N: the priors of all maps, in rows of positions, the largest map first

    References:
        See the top of cutaway/models/ssd.py.
    """

    def __init__(
        self,
        body: SSDBody,
        num_outputs: int,
        sizes,
        *,
        steps: tuple[int, ...] | None = None,
        kernel_size: int = 3,
        head: Callable[[int, int], Module] | None = None,
        inputs: Module | None = None,
    ):
        expect_integer(num_outputs, what="SSD: num_outputs", least=2)
        head = functools.partial(_plain_head, kernel_size=kernel_size) if head is None else head
        self.inputs = inputs
        self.body = body
        self.num_outputs = num_outputs
        self.sizes = [np.asarray(one, np.float32) for one in sizes]
        self.steps = steps
        for place, (channels, own) in enumerate(zip(body.channels, self.sizes, strict=True), 1):
            for name, count in (("box", 4), ("class", num_outputs)):
                setattr(self, f"{name}{place}", head(channels, len(own) * count))

    def forward(self, x):
        maps = self.body(x if self.inputs is None else self.inputs(x))
        found = {"codes": [], "classes": []}
        for place, own in enumerate(maps, 1):
            for name, head, count in (
                ("codes", f"box{place}", 4),
                ("classes", f"class{place}", self.num_outputs),
            ):
                out = getattr(self, head)(own)
                found[name].append(ops.reshape(out, shape=(out.shape[0], -1, count)))
        return {name: ops.concatenate(parts, axis=1) for name, parts in found.items()}

    def priors(self, height: int, width: int) -> np.ndarray:
        """(N, 4) centers and sizes of all priors, cx, cy, w, h, as fractions of the image.

        Args:
            height, width: of the input in pixels.
        """
        found = []
        for place, (own, shape) in enumerate(
            zip(self.sizes, self.map_sizes(height, width), strict=True)
        ):
            rows, columns = shape
            high, wide = shape
            if self.steps is not None:
                high, wide = height / self.steps[place], width / self.steps[place]
            y = (np.arange(rows) + 0.5) / high
            x = (np.arange(columns) + 0.5) / wide
            grid = np.stack(np.meshgrid(x, y), axis=-1)[:, :, None]
            centers = np.broadcast_to(grid, (rows, columns, len(own), 2))
            sizes = np.broadcast_to(own, centers.shape)
            found.append(np.concatenate([centers, sizes], axis=-1).reshape(-1, 4))
        return np.concatenate(found).astype(np.float32)

    def map_sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """(height, width) of each map, for an input of these sizes."""
        return self.body.map_sizes(height, width)

    def decode(self, codes, priors):
        """Boxes x1, y1, x2, y2 as fractions of the image.

        Args:
            codes: (batch, N, 4), of `forward`.
            priors: (N, 4), of `priors`.
        """
        priors = np.asarray(priors, np.float32)
        sides = priors[:, 2:]
        # as ops.decode_boxes, for any batch size in an exported network
        center = codes[..., 0:2] * (sides / CODING[0]) + priors[:, :2]
        half = ops.exp(ops.minimum(codes[..., 2:4] / CODING[2], LARGEST)) * (sides / 2)
        return ops.concatenate([center - half, center + half], axis=-1)


def ssd300_vgg16(num_classes: int = 20, *, in_channels: int = 3, scales=VGG_SCALES) -> SSD:
    """SSD300 on VGG16 with random weights. 26,285,486 parameters for 20 classes.

    Args:
        num_classes: without the background.
        in_channels: of the images.
        scales: of the priors; VGG_SCALES for Pascal VOC, COCO_SCALES.
    """
    sizes = prior_sizes(scales, VGG_RATIOS)
    return SSD(SSDVgg(in_channels), num_classes + 1, sizes, steps=VGG_STEPS)


def ssd_mobilenet(num_classes: int = 23, *, pretrained=None, in_channels: int = 3) -> SSD:
    """SSD on MobileNetV2, for images with values from -1 to 1. 4,970,780 parameters.

    Args:
        num_classes: without the background; 23 as in MediaPipe's detector of Open Images.
        pretrained: "openimages" or "ssd-mobilenet", MediaPipe's detector of 23 classes; or a path
            of its file. With another number of classes the heads of the classes keep their random
            initialization. None: random initialization.
        in_channels: of the images.
    """
    backbone = MobileNetV2(1, in_channels=in_channels, padding="same", eps=EPS)
    net = SSD(SSDMobile(backbone), num_classes + 1, mobile_prior_sizes(), kernel_size=1)
    if pretrained is not None:
        name = "ssd-mobilenet" if pretrained == "openimages" else pretrained
        weights = short_names(read_weights(fetch(name)))
        outputs = 3 * net.num_outputs  # the first map has three priors
        known = np.size(weights.get("head0.class.bias", ())) == outputs
        fresh = () if known else tuple(f"class{k + 1}" for k in range(len(net.sizes)))
        load_into(net, weights, MEDIAPIPE, but=fresh)
    return net
