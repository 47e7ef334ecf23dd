"""Regions read from maps of several scales, and the heads that name, place and outline them."""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor
from cutaway.nn import Conv2d, ConvTranspose2d, Dropout, Linear, Module, ReLU, Sequential, init
from cutaway.ops.region_alignment import align_weights

CANONICAL = 224, 4  # a box of this side in pixels belongs to this level: that of 1/16


def levels_of(boxes, strides):
    """(batch, regions) index of the map that each box is read from, by its size.

    Args:
        boxes: (batch, regions, 4) in pixels.
        strides: of the maps, powers of 2.
    """
    first = int(np.log2(strides[0]))
    side = jnp.sqrt(arithmetic.areas(boxes))
    level = jnp.floor(CANONICAL[1] + jnp.log2(side / CANONICAL[0] + 1e-12) + 1e-6)
    return (jnp.clip(level, first, first + len(strides) - 1) - first).astype(jnp.int32)


def align_regions(maps, boxes, strides, output_size: int, *, sampling_ratio: int = 2) -> Tensor:
    """(batch, regions, output_size, output_size, channels), each from the map of its level."""
    if len(maps) == 1:
        return ops.roi_align(
            maps[0], boxes, output_size=output_size, scale=1 / strides[0],
            sampling_ratio=sampling_ratio,
        )  # fmt: skip
    return ops.pyramid_roi_align(
        boxes, levels_of(boxes, strides), *maps, output_size=output_size,
        scales=tuple(1 / stride for stride in strides), sampling_ratio=sampling_ratio,
    )  # fmt: skip


def align_grid(maps, size, shapes, strides, output_size: int, *, share: float) -> list[Tensor]:
    """The regions of boxes.grid_of_boxes, for each shape (batch, boxes, n, n, channels).

    Equal to `align_regions`, but what a row of boxes shares is computed once: instead of two matrix
    products for each box, two for each shape. That takes a tenth of the time.

    Args:
        maps, strides: see align_regions.
        size: (height, width) of the images.
        shapes, share: of the grid.
        output_size: n.
    """
    found = []
    for x, y in arithmetic.grid_axes(size, shapes, share=share):
        with jax.ensure_compile_time_eval():
            box = jnp.array([[[x[0, 0], y[0, 0], x[0, 1], y[0, 1]]]])
            level = int(levels_of(box, strides)[0, 0])
        found.append(_align_axes(maps[level], x, y, strides[level], output_size))
    return found


def _align_axes(own, x, y, stride: int, n: int, *, sampling_ratio: int = 2) -> Tensor:
    """(batch, rows · columns, n, n, channels) of boxes with these columns x and rows y."""
    batch, height, width, channels = own.shape

    def weights(spans, length):
        spans = jnp.asarray(spans) / stride
        sides = jnp.maximum(spans[:, 1] - spans[:, 0], 1)
        found = align_weights(spans[:, 0], sides, length, n, sampling_ratio)
        return found.reshape(-1, length).astype(own.dtype)

    part = ops.matmul(weights(y, height), ops.reshape(own, shape=(batch, height, -1)))
    part = ops.reshape(part, shape=(batch, len(y) * n, width, channels))
    found = ops.matmul(weights(x, width), part)  # (batch, rows · n, columns · n, channels)
    found = ops.reshape(found, shape=(batch, len(y), n, len(x), n, channels))
    found = ops.transpose(found, axes=(0, 1, 3, 2, 4, 5))
    return ops.reshape(found, shape=(batch, -1, n, n, channels))


class BoxHead(Module):
    """Classes and boxes of regions.

    Args:
        channels, size: of the regions.
        outputs: classes, that of the background included.
        width: of the two dense layers.
        dropout: fraction of the outputs of each of them that is dropped.

    Shapes:
        x: (batch, regions, size, size, channels)
        y: (batch, regions, outputs) logits, (batch, regions, outputs, 4)
    """

    def __init__(
        self, channels: int, size: int, outputs: int, width: int = 1024, *, dropout: float = 0.0
    ):
        self.dense1 = Linear(channels * size * size, width, init=init.lecun_uniform)
        self.dense2 = Linear(width, width, init=init.lecun_uniform)
        self.classes = Linear(width, outputs, init=init.normal)
        self.codes = Linear(width, 4 * outputs, init=lambda shape: init.normal(shape, 0.001))
        self.outputs = outputs
        self.dropout = Dropout(dropout) if dropout else None

    def forward(self, x):
        x = ops.reshape(x, shape=(*x.shape[:2], -1))
        for dense in (self.dense1, self.dense2):
            x = ops.relu(dense(x))
            x = x if self.dropout is None else self.dropout(x)
        codes = ops.reshape(self.codes(x), shape=(*x.shape[:2], self.outputs, 4))
        return self.classes(x), codes


class MaskHead(Module):
    """Masks of regions, one for each class.

    Args:
        channels, size: of the regions.
        outputs: classes, that of the background included.
        widths: of the 3x3 convolutions.

    Shapes:
        x: (regions, size, size, channels)
        y: (regions, 2 · size, 2 · size, outputs) logits
    """

    def __init__(self, channels: int, size: int, outputs: int, widths=(256, 256, 256, 256)):
        self.size = size
        layers, own = [], channels
        for width in widths:
            layers += [Conv2d(own, width, 3, padding=1, init=init.he_normal), ReLU()]
            own = width
        self.convs = Sequential(*layers)
        self.rise = ConvTranspose2d(own, own, 2, stride=2, init=init.he_normal)
        self.masks = Conv2d(own, outputs, 1, init=init.he_normal)

    def forward(self, x):
        return self.masks(ops.relu(self.rise(self.convs(x))))
