"""A small ResNet in place of a pretrained backbone, without a file of weights."""

import unittest.mock

import cutaway as ct
from cutaway.models import BasicBlock, ResNet
from cutaway.models.pretrained import PRETRAINED_BACKBONES, ImageBackbone


def small_resnet(classes=1000, *, pretrained=None):
    """Its "pretrained" weights are those of seed 7."""
    if pretrained is not None:
        ct.seed(7)
    return ResNet(BasicBlock, (1, 1, 1, 1), num_classes=classes, widths=(4, 8, 8, 8))


SMALL = ImageBackbone(f"{__name__}:small_resnet", "drawn", "a small ResNet", size=24)


def with_small_backbone():
    """Context in which the backbone "small" is known."""
    return unittest.mock.patch.dict(PRETRAINED_BACKBONES, {"small": SMALL})
