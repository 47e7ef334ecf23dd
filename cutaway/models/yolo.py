"""YOLOv3 and YOLOv3-tiny: boxes from the maps of a backbone at several scales.

Redmon & Farhadi 2018, "YOLOv3: an incremental improvement", arXiv:1804.02767.

Each position of a map has P priors, sizes of boxes; for each of them the network gives 5 + K
numbers: tx, ty, tw, th, objectness and the K classes. With σ the sigmoid, (cx, cy) the position,
(pw, ph) the prior and s the stride of the map, the box is, in pixels of the input,

    center    ((σ(tx) + cx) s, (σ(ty) + cy) s)
    size      (pw exp(tw), ph exp(th))
    score     σ(objectness) σ(class), of each class by itself

From the smallest map to the largest, with the sizes for an input of 416; u: nearest upsampling by 2

    YOLOv3          neck                                     head                      map
    1/32            512 1024 512 1024 512 (1x1 and 3x3)      3x3 1024, 1x1 3 (5 + K)   13 x 13
    1/16            1x1 256, u, joined with stage5;
                    256 512 256 512 256                      3x3 512,  1x1 3 (5 + K)   26 x 26
    1/8             1x1 128, u, joined with stage4;
                    128 256 128 256 128                      3x3 256,  1x1 3 (5 + K)   52 x 52

    YOLOv3-tiny     neck                                     head                      map
    1/32            1x1 256                                  3x3 512, 1x1 3 (5 + K)    13 x 13
    1/16            1x1 128, u, joined with stage5           3x3 256, 1x1 3 (5 + K)    26 x 26

    parameters      YOLOv3 61,949,149, YOLOv3-tiny 8,852,366 for 80 classes

The configuration published for YOLOv3-tiny gives its second head the priors 0, 1, 2; the published
weights were trained with 1, 2, 3, which are used here.
"""

from typing import NamedTuple

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError, ShapeError, expect_integer
from cutaway.losses.yolo4 import decoded
from cutaway.models.backbone import Backbone, map_scales
from cutaway.models.darknet import darknet53, darknet_layer, darknet_tiny
from cutaway.nn import Conv2d, Module, Sequential, Upsample, init

# width and height in pixels of the input
PRIORS = (
    (10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326),
)  # fmt: skip
PRIORS_TINY = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
NUMBERS = 5  # of a prior, before the classes: tx, ty, tw, th, objectness


class YoloScale(NamedTuple):
    """What YOLO has at one scale.

    Attributes:
        stage: of the backbone, whose map is read.
        rise: channels of the 1x1 convolution before the map of the scale below is upsampled; None
            at the smallest.
        neck: channels of convolutions, in turn 1x1 and 3x3.
        head: channels of the 3x3 convolution before the outputs.
        priors: which of the priors boxes of this scale begin with.
    """

    stage: str
    rise: int | None
    neck: tuple[int, ...]
    head: int
    priors: tuple[int, ...]


TABLE = (
    YoloScale("stage6", None, (512, 1024, 512, 1024, 512), 1024, (6, 7, 8)),
    YoloScale("stage5", 256, (256, 512, 256, 512, 256), 512, (3, 4, 5)),
    YoloScale("stage4", 128, (128, 256, 128, 256, 128), 256, (0, 1, 2)),
)
TABLE_TINY = (
    YoloScale("stage6", None, (256,), 512, (3, 4, 5)),
    YoloScale("stage5", 128, (), 256, (1, 2, 3)),
)


class Yolo(Module):
    """YOLOv3's neck and heads on a Backbone.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K.
        table: a YoloScale for each scale, the smallest map first.
        priors: (width, height) in pixels of the input.
        inputs: Module applied to the images first; None: none.

    Attributes:
        priors: (priors, 2).
        strides: how many times smaller than the image the map of each scale is.

    Shapes:
        x: (batch, height, width, channels of the backbone)
        y: a tuple with the output of each scale, the smallest map first:
            (batch, height / stride, width / stride, priors of the scale, 5 + num_classes)

    Example:
        >>> import numpy as np
        >>> from cutaway.models import yolo3_tiny
        >>> [y.shape for y in yolo3_tiny(2)(np.zeros((1, 64, 96, 3)))]
        [(1, 2, 3, 3, 7), (1, 4, 6, 3, 7)]
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        table: tuple[YoloScale, ...] = TABLE,
        priors=PRIORS,
        inputs: Module | None = None,
    ):
        expect_integer(num_classes, what="Yolo: num_classes", least=1)
        self.table = tuple(table)
        self.num_classes = num_classes
        self.priors = np.asarray(priors, np.float32)
        scales = map_scales(backbone)
        self.strides = tuple(scales[scale.stage][0] for scale in self.table)
        if list(self.strides) != [self.strides[0] // 2**k for k in range(len(self.strides))]:
            raise OptionError(
                f"Yolo: stages whose maps are {self.strides} times smaller than the image",
                expected="each map twice as large as the one before",
                fix="name other stages of the backbone: "
                + ", ".join(f"{name} 1/{scale}" for name, (scale, _) in scales.items()),
            )
        self.inputs = inputs
        self.body = backbone.up_to(max((s.stage for s in self.table), key=backbone.stages.index))
        self.rise = Upsample(2)
        below = 0
        for place, scale in enumerate(self.table, 1):
            channels = scales[scale.stage][1]
            if scale.rise is not None:
                setattr(self, f"rise{place}", darknet_layer(below, scale.rise, 1))
                channels += scale.rise
            neck = []
            for k, width in enumerate(scale.neck):
                neck.append(darknet_layer(channels, width, 3 if k % 2 else 1))
                channels = width
            setattr(self, f"neck{place}", Sequential(*neck))
            outputs = len(scale.priors) * (NUMBERS + num_classes)
            setattr(self, f"head{place}", Sequential(
                darknet_layer(channels, scale.head, 3),
                Conv2d(scale.head, outputs, 1, init=init.lecun_normal),
            ))  # fmt: skip
            below = channels

    def expect_size(self, x) -> None:
        """Raise ShapeError unless all maps of these images have whole sizes."""
        height, width = x.shape[1:3]
        largest = self.strides[0]
        if height % largest or width % largest or not height * width:
            high, wide = (-(-max(n, 1) // largest) * largest for n in (height, width))
            raise ShapeError(
                f"{self.label()}: images of {height} x {width}",
                expected=f"multiples of {largest}, so that maps of equal scale fit",
                fix=f"letterbox them to {high} x {wide}",
            )

    def forward(self, x):
        self.expect_size(x)
        maps = self.body.maps(x if self.inputs is None else self.inputs(x))
        found, below = [], None
        for place, scale in enumerate(self.table, 1):
            own = maps[scale.stage]
            if below is not None:
                risen = self.rise(getattr(self, f"rise{place}")(below))
                own = ops.concatenate([risen, own], axis=-1)
            below = getattr(self, f"neck{place}")(own)
            raw = getattr(self, f"head{place}")(below)
            shape = (*raw.shape[:3], len(scale.priors), NUMBERS + self.num_classes)
            found.append(ops.reshape(raw, shape=shape))
        return tuple(found)

    def decode(self, outputs) -> dict:
        """Boxes of all priors at all positions, from what `forward` returned.

        Returns:
            {"boxes": (batch, N, 4) x1, y1, x2, y2 in pixels of the input, "objectness":
            (batch, N), "classes": (batch, N, num_classes)}, both from 0 to 1; N: positions times
            priors of all scales, in the order of the outputs.
        """
        boxes, objectness, classes = [], [], []
        for raw, scale, stride in zip(outputs, self.table, self.strides, strict=True):
            batch, height, width, count, _ = raw.shape
            corners = decoded(raw, self.priors[list(scale.priors)], (stride, stride))
            n = height * width * count
            boxes.append(ops.reshape(corners, shape=(batch, n, 4)))
            objectness.append(ops.reshape(ops.sigmoid(raw[..., 4]), shape=(batch, n)))
            chance = ops.sigmoid(raw[..., NUMBERS:])
            classes.append(ops.reshape(chance, shape=(batch, n, self.num_classes)))
        return {
            "boxes": ops.concatenate(boxes, axis=1),
            "objectness": ops.concatenate(objectness, axis=1),
            "classes": ops.concatenate(classes, axis=1),
        }


def yolo3(num_classes: int = 80, *, pretrained=None, **options) -> Yolo:
    """YOLOv3 on Darknet-53, for images with values from 0 to 1. 61,949,149 parameters.

    Args:
        num_classes: 80 as in COCO.
        pretrained: a path or a URL of weights in darknet's format; None: random initialization.
        options: of darknet53: in_channels.
    """
    return _with_weights(Yolo(darknet53(1, **options), num_classes), pretrained)


def yolo3_tiny(num_classes: int = 80, *, pretrained=None, **options) -> Yolo:
    """YOLOv3-tiny, for images with values from 0 to 1. 8,852,366 parameters.

    Args:
        num_classes: 80 as in COCO.
        pretrained: a path or a URL of weights in darknet's format, or "coco": the published ones;
            None: random initialization.
        options: of darknet_tiny: in_channels.
    """
    body = darknet_tiny(1, **options)
    net = Yolo(body, num_classes, table=TABLE_TINY, priors=PRIORS_TINY)
    return _with_weights(net, "yolov3-tiny" if pretrained == "coco" else pretrained)


def _with_weights(net: Yolo, pretrained) -> Yolo:
    if pretrained is not None:
        from cutaway.weights.darknet import load_darknet

        load_darknet(net, pretrained)
    return net
