"""Pretrained backbones by name, with the preprocessing of their inputs."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import ClassVar

from cutaway.errors import OptionError, RunError, did_you_mean
from cutaway.nn import Module, Standardize

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, of pixels 0 to 255


@dataclasses.dataclass(frozen=True)
class PretrainedBackbone:
    """A pretrained backbone; a subclass for each kind of its inputs.

    Attributes:
        builder: the function that builds it, "module:name".
        weights: name of its weights in that function's `pretrained` argument.
        about: short description.
        examples: its kind of input, as the kinds of data are named.
    """

    builder: str
    weights: str
    about: str
    examples: ClassVar[str]

    def build(self, weights=None) -> Module:
        """The Backbone with these weights; None: random initialization."""
        return self.make(pretrained=weights)

    @property
    def make(self) -> Callable:
        """The function that builds it."""
        module, _, name = self.builder.partition(":")
        return getattr(importlib.import_module(module), name)

    def first_layer(self) -> Module | None:
        """What the inputs go through before the network; None: nothing."""
        return None


@dataclasses.dataclass(frozen=True)
class ImageBackbone(PretrainedBackbone):
    """A pretrained backbone for images.

    Attributes:
        size: side of the images it was trained on, in pixels.
        crop: fraction of an image's shorter side kept by the center crop.
        mean, std: of the pixels (0 to 255): the network reads (x - mean) / std.
    """

    size: int = 224
    crop: float = 0.875
    mean: tuple = _MEAN
    std: tuple = _STD
    examples: ClassVar[str] = "images"

    def build(self, weights=None) -> Module:
        # weights with a head of any size fit: theirs is skipped, and ours will be replaced
        return self.make() if weights is None else self.make(1, pretrained=weights)

    def first_layer(self) -> Module:
        return Standardize(self.mean, self.std)


@dataclasses.dataclass(frozen=True)
class TextBackbone(PretrainedBackbone):
    """A pretrained backbone for texts, as token ids."""

    examples: ClassVar[str] = "text"


def _imagenet(builder, about, **options):
    return ImageBackbone(builder, "imagenet", f"{about}, trained on ImageNet", **options)


PRETRAINED_BACKBONES = {
    "efficientnet-lite0": _imagenet(
        "cutaway.models.efficientnet:efficientnet_lite0",
        "EfficientNet-Lite0",
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
    ),
    "efficientnet-b0": _imagenet("cutaway.models.efficientnet:efficientnet_b0", "EfficientNet-B0"),
    "mobilenet-v2": _imagenet("cutaway.models.mobilenet:mobilenet_v2", "MobileNetV2"),
    **{
        f"resnet{depth}": _imagenet(f"cutaway.models.resnet:resnet{depth}", f"ResNet-{depth}")
        for depth in (18, 34, 50, 101, 152)
    },
    "minilm": TextBackbone(
        "cutaway.models.sentences:minilm",
        "minilm",
        "MiniLM-L6, trained on pairs of sentences",
    ),
}


def pretrained_backbone(source: str, examples: str | None = None) -> tuple:
    """(PretrainedBackbone, weights) of "NAME" or "NAME:WEIGHTS"; WEIGHTS: a path or a URL.

    Args:
        examples: required kind of input, "images" or "text"; None: either.

    Raises:
        OptionError: no such name, or a backbone for another kind of input.
    """
    name, _, weights = source.partition(":")
    fitting = [k for k, body in PRETRAINED_BACKBONES.items() if examples in (None, body.examples)]
    if name not in fitting:
        other = PRETRAINED_BACKBONES.get(name)
        raise OptionError(
            f"unknown pretrained backbone {name!r}"
            if other is None
            else f"{name} is for {other.examples}, not for {examples}",
            expected="one of " + ", ".join(fitting),
            fix=did_you_mean(name, fitting)
            + "; append your own weights after a colon: resnet50:weights.pth",
        )
    return PRETRAINED_BACKBONES[name], weights or PRETRAINED_BACKBONES[name].weights


def load_backbone(source: str, examples: str | None = None):
    """The Backbone named by `source`, with its weights, in evaluation mode.

    Raises:
        OptionError: see pretrained_backbone.
        RunError: the weights are not available, or belong to another network.
    """
    backbone, weights = pretrained_backbone(source, examples)
    try:
        return backbone.build(weights).eval()
    except RunError as error:
        raise RunError(f"{source}: {error.came}", expected=error.expected, fix=error.fix) from error


def backbone_with_inputs(source: str, *, pretrained: bool = True) -> tuple:
    """(Backbone for images, the layer that its pixels from 0 to 255 go through first).

    Args:
        source: see load_backbone.
        pretrained: whether its weights are loaded; otherwise they are random.

    Raises:
        OptionError, RunError: see load_backbone.
    """
    about = pretrained_backbone(source, "images")[0]
    return load_backbone(source, "images") if pretrained else about.build(), about.first_layer()


def tokenizer_of(source: str):
    """The WordPiece tokenizer of a pretrained text backbone.

    Raises: see load_backbone.
    """
    from cutaway.data.wordpiece import WordPiece
    from cutaway.models.sentences import weights_file

    _, weights = pretrained_backbone(source, "text")
    return WordPiece.load(weights_file(weights).parent)
