"""Networks for images: each in its paper's size, and in one that the tests can train.

Variants of the same parts (other depths, VGG with batch norm) are counted in test_listing.py.
"""

import functools

import numpy as np

import cutaway as ct
from cutaway.models import (
    VGG,
    BasicBlock,
    Bottleneck,
    EfficientNet,
    GoogLeNet,
    MobileNetV2,
    MobileNetV3,
    MobileStage,
    ResNet,
    auxiliary_loss,
    cifar_resnet,
    efficientnet_b0,
    efficientnet_lite0,
    googlenet,
    lenet5,
    mobilenet_v2,
    mobilenet_v3_large,
    mobilenet_v3_small,
    resnet18,
    resnet50,
    vgg16,
)
from cutaway.models.efficientnet import LITE
from cutaway.nn import HardSwish, ReLU
from tests.models.case import Case

labels = ct.losses.sparse_categorical_cross_entropy_with_logits


def images(rng, side=24, channels=3):
    x = rng.normal(size=(6, side, side, channels)).astype(np.float32)
    return x, np.arange(6) % 3


def scans(rng):
    return images(rng, 32, 1)


def square(**sides_and_channels):
    return {name: (1, side, side, c) for name, (side, c) in sides_and_channels.items()}


def small_resnet(block):
    return ResNet(block, (1, 1), num_classes=3, widths=(4, 8))


def small_vgg():
    return VGG(3, table=((8,), (8,)), features=16, dropout=0.0)


def small_efficientnet(**options):
    table = ((1, 3, 1, 8, 1), (4, 5, 2, 8, 2))
    options |= {"table": table, "stem_channels": 8, "top_channels": 16, "dropout": 0.0}
    return EfficientNet(3, drop_path=0.0, **options)


def small_googlenet():
    # as many blocks as there are: two stages and both places of the auxiliary heads
    table = {name: (4, 4, 4, 4, 4, 4) for name in ("inception3a", "inception4a", "inception4d")}
    return GoogLeNet(
        3, auxiliary=True, table=table, stem_channels=(8, 8, 8), dropout=0.0,
        auxiliary_sizes=(4, 16), auxiliary_dropout=0.0,
    )  # fmt: skip


SMALL_TABLE = (
    MobileStage(3, (8,), 8, False, ReLU, 1),
    MobileStage(5, (16, 24), 8, True, HardSwish, 2),
)

CASES = [
    Case("resnet18", lambda: small_resnet(BasicBlock), images, labels,
         square(stem=(12, 4), stage1=(6, 4), stage2=(3, 8)), resnet18, 11_689_512, lr=0.01),
    Case("resnet50", lambda: small_resnet(Bottleneck), images, labels,
         square(stem=(12, 4), stage1=(6, 16), stage2=(3, 32)), resnet50, 25_557_032, lr=0.01),
    Case("cifar_resnet", lambda: cifar_resnet(8, num_classes=3, widths=(4, 8, 16)),
         functools.partial(images, side=12), labels,
         square(stem=(12, 4), stage1=(12, 4), stage2=(6, 8), stage3=(3, 16)),
         cifar_resnet, 269_722, lr=0.01),
    Case("vgg16", small_vgg, functools.partial(images, side=12), labels,
         square(stage1=(6, 8), stage2=(3, 8)) | {"dense": (1, 16)}, vgg16, 138_357_544, lr=0.01),
    Case("googlenet_auxiliary", small_googlenet, images, auxiliary_loss(labels),
         square(stem=(3, 8), inception3a=(3, 16), inception4a=(1, 16), inception4d=(1, 16)),
         lambda: googlenet(auxiliary=True), 13_004_888, lr=0.01),
    Case("mobilenet_v2", lambda: MobileNetV2(3, table=((1, 8, 1, 1), (4, 8, 2, 2)),
         stem_channels=8, top_channels=16, dropout=0.0), images, labels,
         square(stem=(12, 8), stage1=(12, 8), stage2=(6, 8), top=(6, 16)),
         mobilenet_v2, 3_504_872, lr=0.01),
    Case("mobilenet_v3_large", lambda: MobileNetV3(3, table=SMALL_TABLE, stem_channels=8,
         features=16, dropout=0.0), images, labels,
         square(stem=(12, 8), stage1=(12, 8), stage2=(6, 8), top=(6, 48)),
         mobilenet_v3_large, 5_483_032, lr=0.01),
    Case("mobilenet_v3_small", lambda: MobileNetV3(3, table=SMALL_TABLE[1:], stem_channels=8,
         features=16, dropout=0.0), images, labels,
         square(stem=(12, 8), stage1=(6, 8), top=(6, 48)),
         mobilenet_v3_small, 2_542_856, lr=0.01),
    Case("efficientnet_b0", small_efficientnet, images, labels,
         square(stem=(12, 8), stage1=(12, 8), stage2=(6, 8), top=(6, 16)),
         efficientnet_b0, 5_288_548, lr=0.01),
    Case("efficientnet_lite0", lambda: small_efficientnet(kind=LITE), images, labels,
         square(stem=(12, 8), stage1=(12, 8), stage2=(6, 8), top=(6, 16)),
         efficientnet_lite0, 4_652_008, lr=0.01),
    Case("lenet5", lambda: lenet5(3), scans, labels,
         square(c1=(14, 6), c3=(5, 16), c5=(1, 120)) | {"f6": (1, 84)}, lenet5, 60_850, lr=0.003),
]  # fmt: skip
