"""A small convolutional network for images, and one for time-series classification.

images    stages of two 3 x 3 convolutions, each with batch norm and ReLU; between stages the
          image is halved and the channels are doubled (Simonyan & Zisserman 2015,
          arXiv:1409.1556); then global average pooling (Lin et al. 2014, arXiv:1312.4400),
          dropout and one dense layer
series    three convolutions of 8, 5 and 3 steps with 128, 256 and 128 channels, each with
          batch norm and ReLU; then global average pooling and one dense layer (Wang et al. 2017,
          "Time series classification from scratch", arXiv:1611.06455)
"""

import itertools

from cutaway.nn import (
    BatchNorm,
    Conv1d,
    Conv2d,
    Dropout,
    GlobalAvgPool,
    Linear,
    MaxPool,
    ReLU,
    Sequential,
    Standardize,
    init,
)


def cnn(
    channels: int, outputs: int, *, widths=(32, 64, 128), dropout: float = 0.2, mean=None, std=None
) -> Sequential:
    """A network for images of any size from 2^(stages - 1) pixels.

    Args:
        channels: of the images, 1 or 3.
        outputs: number of classes.
        widths: channels of each stage.
        dropout: fraction of the last features dropped.
        mean, std: of each input channel, used to standardize the inputs; None: no
            standardization.

    Shapes:
        x: (batch, height, width, channels)
        y: (batch, outputs) logits

    Example:
        >>> from cutaway.models import cnn
        >>> cnn(1, 10).summary((28, 28, 1)).total
        288170
    """
    layers = [] if mean is None else [Standardize(mean, std)]
    for i, (before, width) in enumerate(itertools.pairwise((channels, *widths))):
        layers += [MaxPool(2)] if i else []
        layers += [*_block(Conv2d, before, width, 3), *_block(Conv2d, width, width, 3)]
    return Sequential(*layers, GlobalAvgPool(), Dropout(dropout), Linear(widths[-1], outputs))


def time_series_cnn(
    channels: int,
    outputs: int,
    *,
    widths=(128, 256, 128),
    dropout: float = 0.0,
    mean=None,
    std=None,
) -> Sequential:
    """A network for time-series classification.

    Shapes:
        x: (batch, time, channels)
        y: (batch, outputs) logits

    Args: see `cnn`.
    """
    layers = [] if mean is None else [Standardize(mean, std)]
    sizes = itertools.pairwise((channels, *widths))
    for (before, width), kernel_size in zip(sizes, (8, 5, 3), strict=True):
        layers += _block(Conv1d, before, width, kernel_size)
    return Sequential(*layers, GlobalAvgPool(), Dropout(dropout), Linear(widths[-1], outputs))


def _block(layer, before, width, kernel_size):
    # batch norm subtracts the mean, and with it any bias
    convolution = layer(before, width, kernel_size, padding="same", bias=False, init=init.he_normal)
    return [convolution, BatchNorm(width), ReLU()]
