"""Networks for boxes, and their bodies."""

import numpy as np

from cutaway import ops
from cutaway.models import (
    SSD,
    MobileNetV2,
    MobileNetV3,
    MobileStage,
    SSDMobile,
    SSDVgg,
    Yolo,
    YoloScale,
    darknet19,
    darknet53,
    darknet_tiny,
    ssd300_vgg16,
    ssd_mobilenet,
    ssdlite_mobilenet,
    ssdlite_of,
    yolo3,
    yolo3_tiny,
)
from cutaway.nn import HardSwish, ReLU
from tests.models.case import Case
from tests.models.cases_images import images, labels, square

PRIORS = ((4, 6), (8, 8), (12, 16))


def small_yolo(body, *necks):
    table = (
        YoloScale("stage3", None, necks[0], 16, (1, 2)),
        YoloScale("stage2", 4, necks[1], 8, (0, 1)),
    )
    return Yolo(body, 2, table=table, priors=PRIORS)


def small_yolo3():
    return small_yolo(darknet53(1, blocks=(0, 1, 1), base=4), (8, 16, 8), (4, 8, 4))


def small_yolo3_tiny():
    return small_yolo(darknet_tiny(1, widths=(4, 8, 8, 8)), (8,), ())


def small_ssd_vgg():
    body = SSDVgg(table=((4,), (4,), (8,), (8,)), wide=16, extras=((16, 16, 2, 1), (16, 16, 1, 0)))
    body.smallest = 32
    return SSD(body, 3, [np.full((k, 2), 0.3) for k in (2, 3, 3, 2)])


def small_ssd_mobile():
    table = ((1, 4, 1, 1), (2, 8, 2, 2), (2, 8, 1, 2))
    backbone = MobileNetV2(1, table=table, stem_channels=4, top_channels=16, padding="same")
    body = SSDMobile(backbone, expanded="stage3", extras=((4, 8),))
    return SSD(body, 3, [np.full((k, 2), 0.3) for k in (2, 3, 3)], kernel_size=1)


def small_ssdlite():
    table = (
        MobileStage(3, (8,), 8, False, ReLU, 1),
        MobileStage(3, (16, 16), 8, True, HardSwish, 2),
    )
    backbone = MobileNetV3(1, table=table, stem_channels=4, momentum=0.1)
    return ssdlite_of(backbone, 3, expanded="stage2", extras=((8, 16),), scales=(0.2, 0.4, 0.6, 1))


def boxed(side):
    """Images with the same codes and classes for all priors of each."""

    def draw(rng):
        x = rng.normal(size=(2, side, side, 3)).astype(np.float32)
        y = {"codes": rng.normal(size=(2, 1, 4)), "classes": rng.normal(size=(2, 1, 3))}
        return x, {name: value.astype(np.float32) for name, value in y.items()}

    return draw


def squared_of_ssd(outputs, targets):
    return sum(ops.mean((outputs[name] - targets[name]) ** 2) for name in targets)


def marked(rng):
    """Images with numbers for each of the priors of both scales."""
    x = rng.normal(size=(2, 16, 16, 3)).astype(np.float32)
    return x, tuple(rng.normal(size=(2, 1, 1, 2, 7)).astype(np.float32) for _ in range(2))


def squared(outputs, targets):
    return sum(ops.mean((a - b) ** 2) for a, b in zip(outputs, targets, strict=True))


CASES = [
    Case("ssd300_vgg16", small_ssd_vgg, boxed(80), squared_of_ssd, {}, ssd300_vgg16, 26_285_486,
         lr=0.01, steps=150),
    Case("ssd_mobilenet", small_ssd_mobile, boxed(24), squared_of_ssd, {}, ssd_mobilenet, 4_970_780,
         lr=0.03, steps=100),
    Case("ssdlite_mobilenet", small_ssdlite, boxed(24), squared_of_ssd, {}, ssdlite_mobilenet,
         3_440_060, lr=0.03, steps=100),
    Case("darknet19", lambda: darknet19(3, table=((8,), (16, (8,), 16))), images, labels,
         square(stage1=(24, 8), stage2=(12, 16)), darknet19, 20_842_376, lr=0.01),
    Case("darknet53", lambda: darknet53(3, blocks=(0, 1, 2), base=4), images, labels,
         square(stage1=(24, 4), stage2=(12, 8), stage3=(6, 16)), darknet53, 41_609_928, lr=0.01),
    Case("darknet_tiny", lambda: darknet_tiny(3, widths=(8, 16, 16)), images, labels,
         square(stage1=(24, 8), stage2=(12, 16)), lr=0.01),
    Case("yolo3", small_yolo3, marked, squared, {}, yolo3, 61_949_149, lr=0.03, steps=100),
    Case("yolo3_tiny", small_yolo3_tiny, marked, squared, {}, yolo3_tiny, 8_852_366, lr=0.03,
         steps=100),
]  # fmt: skip
