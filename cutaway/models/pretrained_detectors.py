"""Published detectors by name, ready to use."""

import dataclasses
import importlib
from collections.abc import Callable

from cutaway.errors import OptionError, did_you_mean
from cutaway.models.detector import DetectionOptions, Detector, SSDDetector, YoloDetector
from cutaway.nn import Standardize

COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports
ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine
glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book,
clock, vase, scissors, teddy bear, hair drier, toothbrush
"""
OPEN_IMAGES = """
Bicycle, Boot, Laptop, Person, Chair, Cattle, Desk, Cat, Computer mouse, Computer monitor, Box,
Mug, Coffee cup, Stationary bicycle, Table, Bottle, High heels, Vehicle, Footwear, Dog, Book,
Camera, Car
"""


@dataclasses.dataclass(frozen=True)
class PretrainedDetector:
    """A published detector.

    Attributes:
        builder: the function that builds its network, "module:name".
        weights: name of its weights in that function's `pretrained` argument.
        wrap: function of the network that makes a Detector of it.
        names: of the classes, separated by commas.
        size: (height, width) of its images.
        how: "letterbox" or "stretch": how it was trained to see pictures.
        pixels: (mean, deviation): the network reads (x - mean) / deviation of pixels 0 to 255.
        threshold: score from which on its detections are shown.
        source: where it comes from, and its license.
    """

    builder: str
    weights: str
    wrap: Callable[..., Detector]
    names: str
    size: tuple[int, int]
    how: str
    pixels: tuple[float, float]
    threshold: float
    source: str

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [" ".join(name.split()) for name in self.names.split(",")]

    def build(self, weights=None) -> Detector:
        """The detector, for pictures with values from 0 to 255.

        Args:
            weights: a path or a URL; None: the published ones.

        Raises:
            RunError: the weights are not available.
        """
        module, _, name = self.builder.partition(":")
        net = getattr(importlib.import_module(module), name)(pretrained=weights or self.weights)
        mean, deviation = self.pixels
        net.inputs = Standardize((mean,) * 3, (deviation,) * 3)
        return self.wrap(net).eval()


PRETRAINED_DETECTORS = {
    "yolov3-tiny": PretrainedDetector(
        "cutaway.models.yolo:yolo3_tiny",
        "coco",
        # darknet's own threshold where average precision is measured
        lambda net: YoloDetector(net, detection=DetectionOptions(score=0.005)),
        COCO,
        (416, 416),
        "letterbox",
        (0.0, 255.0),
        0.3,
        "YOLOv3-tiny of the program darknet (J. Redmon), trained on COCO; public domain",
    ),
    "ssd-mobilenet": PretrainedDetector(
        "cutaway.models.ssd:ssd_mobilenet",
        "openimages",
        lambda net: SSDDetector(
            net, scores="sigmoid", detection=DetectionOptions(score=0.01, threshold=0.5)
        ),
        OPEN_IMAGES,
        (300, 300),
        "stretch",
        (127.5, 127.5),
        0.3,
        "SSD on MobileNetV2 of MediaPipe Objectron (Google), trained on Open Images; Apache-2.0",
    ),
}


def pretrained_detector(source: str) -> tuple[PretrainedDetector, str | None]:
    """(PretrainedDetector, weights or None) of "NAME" or "NAME:WEIGHTS"; WEIGHTS: a path or a URL.

    Raises:
        OptionError: no such name.
    """
    name, _, weights = str(source).partition(":")
    if name not in PRETRAINED_DETECTORS:
        raise OptionError(
            f"there is no published detector {name!r}",
            expected="one of " + ", ".join(PRETRAINED_DETECTORS),
            fix=did_you_mean(name, PRETRAINED_DETECTORS),
        )
    return PRETRAINED_DETECTORS[name], weights or None
