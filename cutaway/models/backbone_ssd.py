"""SSD on the maps of any backbone, with priors that fit a set of boxes.

    maps        the last stage of the backbone of 1/8, 1/16 and 1/32 of the image
    pyramid     see feature_pyramid.py, C channels: the large maps get the meaning of the small
                ones. ReLU: without it all that is trained on a frozen backbone would be linear
    heads       one 3x3 convolution on each map for the boxes, one for the classes
    priors      widths and heights by k-means, the smallest third on the largest map

Liu et al. 2016, "SSD: single shot multibox detector", arXiv:1512.02325; Lin et al. 2017, "Feature
pyramid networks for object detection", arXiv:1612.03144. On EfficientNet-Lite0 with C = 96, 12
priors and 3 classes 377,760 parameters beside those of the body.
"""

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.models.backbone import Backbone, map_scales
from cutaway.models.feature_pyramid import FeaturePyramid
from cutaway.models.pretrained import backbone_with_inputs
from cutaway.models.pyramid_yolo import detection_stages
from cutaway.models.ssd import SSD, SSDBody


class SSDBackbone(SSDBody):
    """A feature pyramid over a Backbone for an SSD.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        channels: of the pyramid.
    """

    smallest = 1

    def __init__(self, backbone: Backbone, channels: int = 96):
        self.used = detection_stages(backbone)
        scales = map_scales(backbone)
        self.in_channels = getattr(backbone, "in_channels", 3)
        self.strides, widths = zip(*(scales[name] for name in self.used), strict=True)
        self.channels = (channels,) * len(self.used)
        self.pyramid = FeaturePyramid(widths, channels, extra=False)
        self.body = backbone.up_to(self.used[-1])

    def map_sizes(self, height, width):
        return [(-(-height // n), -(-width // n)) for n in self.strides]

    def forward(self, x):
        maps = self.body.maps(x)
        return [ops.relu(own) for own in self.pyramid(*(maps[name] for name in self.used))]


def ssd_on_backbone(
    source: str = "efficientnet-lite0",
    num_classes: int = 20,
    *,
    priors,
    channels: int = 96,
    pretrained: bool = True,
) -> SSD:
    """SSD on a pretrained backbone, for pixels from 0 to 255.

    Args:
        source: name of a backbone for images, see `models.PRETRAINED_BACKBONES`; with weights of
            your own: "resnet18:weights.pth".
        num_classes: without the background.
        priors: (width, height) as parts of the image, by growing area; as many for each of the
            three maps.
        channels: of the pyramid.
        pretrained: whether the backbone's weights are loaded; otherwise they are random.

    Raises:
        OptionError: no such backbone; priors that do not divide among the maps.
        RunError: its weights are not available.
    """
    backbone, inputs = backbone_with_inputs(source, pretrained=pretrained)
    body = SSDBackbone(backbone, channels)
    priors = np.asarray(priors, np.float32).reshape(-1, 2)
    count = len(body.used)
    if not len(priors) or len(priors) % count:
        raise OptionError(
            f"ssd_on_backbone: {len(priors)} priors",
            expected=f"as many for each of {count} maps",
            fix=f"use {max(1, len(priors) // count) * count} priors",
        )
    sizes = np.split(priors, count)
    return SSD(body, num_classes + 1, sizes, inputs=inputs).train()
