"""MediaPipe's SSD on MobileNetV2: the names of its weights, and how they become ours.

The file is a TensorFlow Lite model (Google, MediaPipe Objectron, Apache-2.0): kernels of 16 bits,
batch norm in the biases, the outputs of a box in the order ty, tx, th, tw.
"""

import re

import numpy as np

from cutaway.models.mobilenet import TABLE
from cutaway.weights import WeightNames

EPS = 1e-3  # of TensorFlow's batch norms
EXTRAS = 4  # pairs of convolutions after MobileNetV2


def _as_it_is(array):
    return np.asarray(array, np.float32)


def _depthwise(kernel):
    return _as_it_is(kernel).transpose(0, 1, 3, 2)


def _centers_first(array):
    """Outputs ty, tx, th, tw of each prior as tx, ty, tw, th."""
    parts = _as_it_is(array)
    split = parts.reshape(*parts.shape[:-1], -1, 4)
    return split[..., [1, 0, 3, 2]].reshape(parts.shape)


def _folded(theirs: str, ours: str, layout=_as_it_is) -> list:
    """Rules for a convolution whose batch norm stands in its bias.

    The norm gets that bias and running values that change nothing: in evaluation the network is
    the published one, and it can be trained further.
    """
    norm = tuple(rf"{ours}.1.{name}" for name in ("bias", "weight", "running_mean", "running_var"))
    layouts = (
        _as_it_is,
        lambda bias: np.ones(bias.shape, np.float32),
        lambda bias: np.zeros(bias.shape, np.float32),
        lambda bias: np.full(bias.shape, 1 - EPS, np.float32),
    )
    return [
        (rf"{theirs}\.weight", f"{ours}.0.weight", layout),
        (rf"{theirs}\.bias", norm, layouts),
    ]


# names in the .tflite file -> those of the rules below
_NAMES = [
    (re.compile(rf"(?:FeatureExtractor/MobilenetV2/)?{theirs}(?:/.*)?"), ours)
    for theirs, ours in (
        ("Conv", "stem"),
        ("Conv_1", "last"),
        ("expanded_conv/([a-z]+)", "block0.{0}"),
        (r"expanded_conv_(\d+)/([a-z]+)", "block{0}.{1}"),
        (r"layer_19_1_Conv2d_(\d)_\w+", "extra{extra}.reduce"),
        (r"layer_19_2_Conv2d_(\d)_\w+", "extra{extra}.conv"),
        (r"BoxPredictor_(\d)/BoxEncodingPredictor", "head{0}.box"),
        (r"BoxPredictor_(\d)/ClassPredictor", "head{0}.class"),
    )
]


def short_names(weights: dict) -> dict:
    """Weights with the names of `mediapipe_rules`, of a file with TensorFlow's names."""
    found = {}
    for name, array in weights.items():
        path, _, leaf = name.rpartition(".")
        for pattern, ours in _NAMES:
            match = pattern.fullmatch(path)
            if match:
                groups = match.groups()
                extra = int(groups[0]) - 2 if "extra" in ours else 0
                path = ours.format(*groups, extra=extra)
                if path.endswith("depthwise") and leaf == "weight":
                    array = array.transpose(0, 1, 3, 2)
        found[f"{path}.{leaf}"] = array
    return found


def mediapipe_rules(table=TABLE, extras: int = EXTRAS) -> list:
    """From the names of MediaPipe's weights: "block3.expand.weight", kernels (height, width, in,
    out), depthwise ones (height, width, channels, 1).
    """
    rules = [*_folded("stem", "body.body.stem"), *_folded("last", "body.body.top")]
    number = 0
    for stage, (_, _, count, _) in enumerate(table, 1):
        for k in range(count):
            for part in ("expand", "depthwise", "project"):
                layout = _depthwise if part == "depthwise" else _as_it_is
                ours = f"body.body.stage{stage}.{k}.{part}"
                rules += _folded(rf"block{number}\.{part}", ours, layout)
            number += 1
    for k in range(extras):
        for place, part in enumerate(("reduce", "conv")):
            rules += _folded(rf"extra{k}\.{part}", f"body.extra{k + 1}.{place}")
    for k in range(extras + 2):
        for name, layout in (("box", _centers_first), ("class", _as_it_is)):
            rules.append((rf"head{k}\.{name}\.(.*)", rf"{name}{k + 1}.\1", layout))
    return rules


MEDIAPIPE = WeightNames(mediapipe_rules())
