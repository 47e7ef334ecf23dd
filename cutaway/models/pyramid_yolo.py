"""YOLO on a feature pyramid over any backbone: a small head for each of three scales.

    scales      1/8, 1/16 and 1/32: the last stage of the backbone of each
    pyramid     see feature_pyramid.py, C channels
    head        3x3 C, batch norm, leaky ReLU; 1x1 to P (5 + K), for P priors of each scale

The numbers and the boxes are those of YOLOv3 (Redmon & Farhadi 2018, arXiv:1804.02767), the pyramid
that of Lin et al. 2017 (arXiv:1612.03144). On EfficientNet-Lite0 with C = 96, 9 priors and 3
classes 551,112 parameters beside those of the body.

The biases of the objectness begin at a probability of 0.01, since nearly all positions are without
an object (Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002, section 4.1).
"""

import math

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError, expect_integer
from cutaway.models.backbone import Backbone, last_of_each_scale, map_scales
from cutaway.models.darknet import darknet_layer
from cutaway.models.feature_pyramid import FeaturePyramid
from cutaway.models.pretrained import backbone_with_inputs
from cutaway.models.yolo import NUMBERS, PRIORS, Yolo, YoloScale
from cutaway.nn import Conv2d, Module, Sequential, init

SCALES = (8, 16, 32)  # how many times smaller than the image the maps are
LIKELY = 0.01  # probability of an object at a position, before training


def detection_stages(backbone: Backbone, scales: tuple[int, ...] = SCALES) -> tuple[str, ...]:
    """The last stage of a backbone of each of these scales, the largest map first.

    Raises:
        OptionError: it has no map of one of them.
    """
    known = map_scales(backbone)
    found = tuple(name for name in last_of_each_scale(known) if known[name][0] in scales)
    if len(found) < len(scales):
        raise OptionError(
            f"a {type(backbone).__name__} with maps of "
            + ", ".join(f"{name} 1/{scale}" for name, (scale, _) in known.items()),
            expected="maps of " + ", ".join(f"1/{scale}" for scale in scales) + " of the image",
            fix="use another backbone",
        )
    return found


class PyramidYolo(Yolo):
    """YOLO's heads on a feature pyramid over a Backbone; see the top of this file.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K.
        priors: (width, height) in pixels of the input, by growing area; as many for each scale.
        channels: of the pyramid and the heads.
        inputs: Module applied to the images first; None: none.

    Shapes:
        See Yolo.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import BasicBlock, PyramidYolo, ResNet
        >>> body = ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 4, 4))
        >>> net = PyramidYolo(body, 2, priors=[(8, 8), (20, 20), (50, 50)], channels=8)
        >>> [y.shape for y in net(np.zeros((1, 64, 96, 3)))]
        [(1, 2, 3, 1, 7), (1, 4, 6, 1, 7), (1, 8, 12, 1, 7)]
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        priors=PRIORS,
        channels: int = 96,
        inputs: Module | None = None,
    ):
        expect_integer(num_classes, what="PyramidYolo: num_classes", least=1)
        self.used = detection_stages(backbone)
        self.num_classes = num_classes
        self.priors = np.asarray(priors, np.float32).reshape(-1, 2)
        each, rest = divmod(len(self.priors), len(self.used))
        if rest or not each:
            raise OptionError(
                f"PyramidYolo: {len(self.priors)} priors",
                expected=f"as many for each of {len(self.used)} scales",
                fix=f"use {max(1, each) * len(self.used)} priors",
            )
        scales = map_scales(backbone)
        self.table = tuple(
            YoloScale(name, None, (), channels, tuple(range(k * each, (k + 1) * each)))
            for k, name in reversed([*enumerate(self.used)])
        )
        self.strides = tuple(scales[scale.stage][0] for scale in self.table)
        self.inputs = inputs
        self.body = backbone.up_to(max(self.used, key=backbone.stages.index))
        self.pyramid = FeaturePyramid(
            [scales[name][1] for name in self.used], channels, extra=False
        )
        outputs = NUMBERS + num_classes
        for place in range(1, len(self.table) + 1):
            last = Conv2d(channels, each * outputs, 1, init=init.lecun_normal)
            biases = np.zeros((each, outputs), np.float32)
            biases[:, NUMBERS - 1] = math.log(LIKELY / (1 - LIKELY))
            assert last.bias is not None
            last.bias.data = last.bias.data + biases.ravel()
            setattr(self, f"head{place}", Sequential(darknet_layer(channels, channels, 3), last))

    def forward(self, x):
        self.expect_size(x)
        maps = self.body.maps(x if self.inputs is None else self.inputs(x))
        found = []
        for place, own in enumerate(reversed(self.pyramid(*(maps[n] for n in self.used))), 1):
            raw = getattr(self, f"head{place}")(own)
            count = len(self.table[place - 1].priors)
            shape = (*raw.shape[:3], count, NUMBERS + self.num_classes)
            found.append(ops.reshape(raw, shape=shape))
        return tuple(found)


def yolo_on_backbone(
    source: str = "efficientnet-lite0",
    num_classes: int = 80,
    *,
    pretrained: bool = True,
    **options,
) -> PyramidYolo:
    """YOLO on a pretrained backbone, for pixels from 0 to 255.

    Args:
        source: name of a backbone for images, see `models.PRETRAINED_BACKBONES`; with weights of
            your own: "resnet18:weights.pth".
        num_classes: K.
        pretrained: whether the backbone's weights are loaded; otherwise they are random.
        options: of PyramidYolo: priors, channels.

    Raises:
        OptionError: no such backbone.
        RunError: its weights are not available.
    """
    backbone, inputs = backbone_with_inputs(source, pretrained=pretrained)
    return PyramidYolo(backbone, num_classes, inputs=inputs, **options).train()
