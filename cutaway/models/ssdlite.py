"""SSDLite: SSD with depthwise separable convolutions, on MobileNetV3-Large for 320 px.

SSDLite: Sandler et al. 2018, arXiv:1801.04381, section 6.2; on MobileNetV3: Howard et al. 2019,
arXiv:1905.02244, section 6.3. Scales of the priors and channels as torchvision has them:

    map   from                                        size   channels
    1     expansion of stage6                         20     672
    2     top                                         10     480
    3     1x1 256, depthwise 3x3/2, 1x1               5      512
    4     1x1 128, depthwise 3x3/2, 1x1               3      256
    5     1x1 128, depthwise 3x3/2, 1x1               2      256
    6     1x1 64, depthwise 3x3/2, 1x1                1      128

The body's channels are halved from the second block of stage6 on. A head is a depthwise 3x3, batch
norm, ReLU6 and a 1x1; each position has six priors, 3,234 in all. 3,440,060 parameters for 90
classes and the background.
"""

import functools

import numpy as np

from cutaway.models.image_parts import conv_norm, load_pretrained
from cutaway.models.mobilenet_v3 import EPS, LARGE_HALVED, UNUSED, MobileNetV3, block_rules
from cutaway.models.ssd import MOBILE_EXTRAS, MOBILE_SCALES, SSD, SSDMobile, prior_sizes
from cutaway.nn import Conv2d, Module, ReLU6, Sequential, init
from cutaway.weights import WeightNames

MOMENTUM = 0.03  # of all batch norms
RATIOS = ((2, 3),) * len(MOBILE_SCALES[1:])
REST: dict = {"activation": ReLU6, "eps": EPS, "momentum": MOMENTUM}


def separable_halving(in_channels: int, narrow: int, width: int) -> Sequential:
    """A further map: 1x1 to `narrow` channels, depthwise 3x3 of stride 2, 1x1 to `width`."""
    return Sequential(
        conv_norm(in_channels, narrow, 1, **REST),
        conv_norm(narrow, narrow, 3, stride=2, groups=narrow, **REST),
        conv_norm(narrow, width, 1, **REST),
    )


def separable_head(channels: int, outputs: int) -> Sequential:
    """A head: depthwise 3x3, batch norm, ReLU6, 1x1."""
    last = Conv2d(channels, outputs, 1, init=functools.partial(init.normal, std=0.03))
    return Sequential(conv_norm(channels, channels, 3, groups=channels, **REST), last)


def ssdlite_of(
    backbone: MobileNetV3,
    num_outputs: int,
    *,
    expanded: str = "stage6",
    extras=MOBILE_EXTRAS,
    scales=MOBILE_SCALES,
    inputs: Module | None = None,
) -> SSD:
    """SSDLite on a MobileNetV3.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_outputs: numbers for the classes of each prior, that of the background included.
        expanded: the stage whose first expansion is the first map.
        extras: (channels within, channels) of each further map.
        scales: of the priors of each map, and one more, as fractions of the image.
        inputs: Module applied to the images first; None: none.
    """
    body = SSDMobile(backbone, expanded=expanded, extras=extras, extra=separable_halving)
    sizes = [np.minimum(own, 1) for own in prior_sizes(scales, RATIOS)]
    return SSD(body, num_outputs, sizes, head=separable_head, inputs=inputs)


def torchvision_names(table=LARGE_HALVED, extras: int = len(MOBILE_EXTRAS)) -> WeightNames:
    """torchvision's names for an SSDLite on a MobileNetV3 with this table.

    Theirs cuts the body in two at the expansion of its last stage, the first map.
    """
    before = sum(len(stage.inner) for stage in table[:-1])
    last = len(table[-1].inner)
    stage = f"stage{len(table)}"
    first, second = r"backbone\.features\.0\.", r"backbone\.features\.1\."
    norm = r"([01])\.(.*)"
    rules = [
        (rf"{first}0\.{norm}", r"body.body.stem.\1.\2"),
        *block_rules(table[:-1], first + r"{number}\.block\.", "body.body."),
        (rf"{first}{before + 1}\.{norm}", rf"body.body.{stage}.0.expand.\1.\2"),
    ]
    for k in range(last):
        block = rf"{second}{k}\.block\." if k else rf"{second}0\."
        own = f"body.body.{stage}.{k}."
        for place, name in ((0, "expand"), (1, "depthwise"), (3, "project")):
            rules.append((rf"{block}{place}\.{norm}", rf"{own}{name}.\1.\2"))
        for fc, name in ((1, "reduce"), (2, "expand")):
            rules.append((rf"{block}2\.fc{fc}\.(.*)", rf"{own}squeeze.{name}.\1"))
    rules.append((rf"{second}{last}\.{norm}", r"body.body.top.\1.\2"))
    for k in range(extras):
        rules.append((rf"backbone\.extra\.{k}\.(\d)\.{norm}", rf"body.extra{k + 1}.\1.\2.\3"))
    for k in range(extras + 2):
        for theirs, name in (("classification", "class"), ("regression", "box")):
            head, own = rf"head\.{theirs}_head\.module_list\.{k}\.", f"{name}{k + 1}."
            rules.append((rf"{head}0\.{norm}", rf"{own}0.\1.\2"))
            rules.append((rf"{head}1\.(.*)", rf"{own}1.\1"))
    return WeightNames(rules, unused=UNUSED)


def ssdlite_mobilenet(num_classes: int = 90, *, pretrained=None, in_channels: int = 3) -> SSD:
    """SSDLite on MobileNetV3-Large, for images with values from -1 to 1. 3,440,060 parameters.

    Args:
        num_classes: without the background.
        pretrained: a path or a URL of weights with torchvision's names
            (ssdlite320_mobilenet_v3_large), for as many classes; None: random initialization.
        in_channels: of the images.
    """
    backbone = MobileNetV3(1, in_channels=in_channels, table=LARGE_HALVED, momentum=MOMENTUM)
    net = ssdlite_of(backbone, num_classes + 1)
    if pretrained is not None:
        load_pretrained(net, pretrained, torchvision_names())
    return net
