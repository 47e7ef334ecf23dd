"""The second stage of detectors of the R-CNN family: regions become objects, or background."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor, as_array
from cutaway.engine.tape import is_recording
from cutaway.errors import OptionError, expect_choice, expect_integer
from cutaway.losses import (
    binary_cross_entropy_with_logits,
    smooth_l1,
    sparse_categorical_cross_entropy_with_logits,
)
from cutaway.losses.single_shot import weights_of_labels
from cutaway.models.backbone import Backbone, map_scales
from cutaway.models.detector import Detector
from cutaway.models.feature_pyramid import FeaturePyramid
from cutaway.models.region_heads import BoxHead, MaskHead, align_regions
from cutaway.nn import Buffer, Module
from cutaway.nn.random import new_key

CODING = (10.0, 10.0, 5.0, 5.0)
READINGS = ("align", "pool")
BLOCK = 128  # regions of each image that are read at a time in prediction
MASK_BLOCK = 20  # detections of each image whose masks are computed at a time

CANDIDATES = 2000  # boxes of all classes, the best ones, among which detections are chosen


class RegionOptions(NamedTuple):
    """Numbers of the second stage.

    Attributes:
        positive: IoU from which a region is an object.
        background: least IoU, with any truth, of a region that counts as background.
        sampled: regions of each image that count in the loss.
        fraction: of them, at most, that are objects.
        score: least score of a detection.
        threshold: IoU of the suppression.
        limit: detections of each image.
        least_side: of a detection, in pixels.
        beta: of smooth L1.
    """

    positive: float = 0.5
    background: float = 0.0
    sampled: int = 512
    fraction: float = 0.25
    score: float = 0.05
    threshold: float = 0.5
    limit: int = 100
    least_side: float = 0.01
    beta: float = 1 / 9


REGIONS = RegionOptions()


def sample_regions(boxes, valid, truths, numbers, options: RegionOptions) -> dict:
    """The regions of one image that count in the loss, and what is taught of them.

    Args:
        boxes, valid: (regions, 4) and (regions,), those of the truths included.
        truths: {"boxes": (M, 4), "classes": (M,), "valid": (M,)}.
        numbers: (regions,); the regions with the smallest ones are sampled.

    Returns:
        {"boxes": (sampled, 4), "there": which of them are there, "labels": class + 1, 0 for the
        background, "codes": (sampled, 4), "objects": (indices among `boxes` of those that are
        objects, which are there), "matches": (regions,) truth of each, negative: none}.
    """
    overlaps = arithmetic.pairwise_iou(truths["boxes"], boxes)
    matches = arithmetic.match_by_threshold(overlaps, truths["valid"], positive=options.positive)
    nearest = jnp.where(truths["valid"][:, None], overlaps, 0).max(axis=0, initial=0)
    objects, rest = arithmetic.sample_balanced(
        (matches >= 0) & valid,
        (matches < 0) & valid & (nearest >= options.background),
        numbers,
        count=options.sampled,
        fraction=options.fraction,
    )
    rows, there = arithmetic.indices_of(objects | rest, options.sampled)
    own = matches[rows]
    codes = arithmetic.encode_boxes(
        arithmetic.matched(truths["boxes"], own), boxes[rows], weights=CODING
    )
    return {
        "boxes": boxes[rows],
        "there": there,
        "labels": jnp.where(own >= 0, arithmetic.matched(truths["classes"], own) + 1, 0),
        "codes": codes,
        "objects": arithmetic.indices_of(objects, int(options.sampled * options.fraction)),
        "matches": matches,
    }


def mask_targets(truths, match, boxes, side: int):
    """(batch · regions, side, side, 1): masks of truths within regions, from 0 to 1.

    Args:
        truths: with "masks" (batch, M, height, width) of whole images, or "crops" (batch, M, n, n),
            each within its "frames" (batch, M, 4), by default its box: of these, memory does not
            grow with the images. Values are 0 to 1, crops of bytes 0 to 255.
        match: (batch, regions) truth of each region.
        boxes: (batch, regions, 4) the regions.
        side: of the targets.
    """
    name = "crops" if "crops" in truths else "masks"
    masks = jnp.take_along_axis(truths[name], match[..., None, None], axis=1)
    if name == "crops":  # the region in pixels of the crop
        frames = truths.get("frames", truths["boxes"])
        own = jnp.take_along_axis(frames, match[..., None], axis=1)
        origin, sides = own[..., :2], jnp.maximum(own[..., 2:] - own[..., :2], 1e-3)
        scale = masks.shape[-1] / sides
        corners = ((boxes[..., :2] - origin) * scale, (boxes[..., 2:] - origin) * scale)
        boxes = jnp.concatenate(corners, axis=-1)
    most = 255 if name == "crops" and masks.dtype == jnp.uint8 else 1
    values = masks.astype(jnp.float32) / most
    return ops.roi_align.forward(
        values.reshape(-1, *masks.shape[2:], 1),
        boxes.reshape(-1, 1, 4),
        output_size=side,
        sampling_ratio=0,
    )[:, 0]


def in_blocks(read, boxes, size: int, *others):
    """read(boxes, *others), `size` regions of each image at a time; blocks without any give 0.

    Args:
        read: a function of arrays (batch, n, ...) that returns such arrays.
        boxes: (batch, regions, 4); those without area are padding.
    """
    count = boxes.shape[1]
    arrays = (boxes, *others)
    if count <= size:
        return read(*arrays)

    def blocks_of(array):
        padded = jnp.pad(array, [(0, 0), (0, -count % size)] + [(0, 0)] * (array.ndim - 2))
        return jnp.moveaxis(padded.reshape(len(array), -1, size, *array.shape[2:]), 1, 0)

    def of_block(block):
        is_there = jnp.any(block[0][..., 2:] > block[0][..., :2])
        shapes = jax.eval_shape(read, *block)
        nothing = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), shapes)
        return lax.cond(is_there, lambda: read(*block), lambda: nothing)

    def joined(part):
        return jnp.moveaxis(part, 0, 1).reshape(len(boxes), -1, *part.shape[3:])[:, :count]

    return jax.tree.map(joined, lax.map(of_block, tuple(map(blocks_of, arrays))))


class RegionDetector(Detector):
    """Base of detectors with heads for regions: reads them, teaches the heads, detects.

    A subclass says where regions come from.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K, without the background.
        stages: of the backbone, from the largest map to the smallest.
        channels: of the feature pyramid; None: no pyramid, the map of the only stage itself.
        extra: whether the pyramid has a map more, from which no region is read.
        region_size: of the regions for the box head.
        width: of the box head.
        dropout: of the box head.
        reading: "align" for RoIAlign, each box from the map of its size; "pool" for RoIPool, of one
            map.
        mask_size: of the regions for the mask head; None: no masks.
        mask_widths: of its convolutions.
        regions: see RegionOptions.
        inputs: Module applied to the images first; None: none.

    Attributes:
        strides: of the maps that regions are read from, the largest first.
        channels: of these maps.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        stages: tuple[str, ...],
        channels: int | None = 256,
        extra: bool = False,
        region_size: int = 7,
        width: int = 1024,
        dropout: float = 0.0,
        reading: str = "align",
        mask_size: int | None = None,
        mask_widths: tuple[int, ...] = (256, 256, 256, 256),
        regions: RegionOptions = REGIONS,
        inputs: Module | None = None,
    ):
        name = type(self).__name__
        expect_integer(num_classes, what=f"{name}: num_classes", least=1)
        expect_choice(reading, READINGS, what=f"{name}: reading")
        self.used, self.reading = tuple(stages), reading
        if len(self.used) != 1 and (channels is None or reading == "pool"):
            raise OptionError(
                f"{name}: {len(self.used)} stages, channels={channels}, reading={reading!r}",
                expected="one stage for RoIPool and without a pyramid",
                fix=f"use stages=({self.used[-1]!r},)" if self.used else "name a stage",
            )
        scales = map_scales(backbone)
        self.strides = tuple(scales[stage][0] for stage in self.used)
        self.multiple = self.strides[-1]
        self.inputs = inputs
        self.body = backbone.up_to(self.used[-1])
        self.pyramid = None
        widths = [scales[stage][1] for stage in self.used]
        if channels is not None:
            self.pyramid = FeaturePyramid(widths, channels, extra=extra)
        self.channels = widths[0] if channels is None else channels
        self.regions, self.region_size = regions, region_size
        self.num_classes = num_classes
        outputs = num_classes + 1
        self.box_head = BoxHead(self.channels, region_size, outputs, width, dropout=dropout)
        self.mask_head = None
        if mask_size is not None:
            self.mask_head = MaskHead(self.channels, mask_size, outputs, mask_widths)
        self.key = Buffer(new_key())

    def maps(self, x) -> list:
        """The maps that regions are read from, the largest first, and the extra one."""
        maps = self.body.maps(x if self.inputs is None else self.inputs(x))
        used = [maps[stage] for stage in self.used]
        return used if self.pyramid is None else self.pyramid(*used)

    @property
    def backbone(self):
        return self.body

    def read(self, maps, boxes, size: int) -> Tensor:
        """(batch, regions, size, size, channels)."""
        if self.reading == "pool":
            return ops.roi_pool(maps[0], boxes, output_size=size, scale=1 / self.strides[0])
        return align_regions(maps, boxes, self.strides, size)

    def answers(self, maps, boxes, size) -> tuple:
        """(logits, codes) of the box head for regions of images of this (height, width).

        Without gradients they are read in blocks: memory does not grow with their number, and
        blocks of padding alone, regions without area, cost nothing.
        """

        def of_block(boxes):
            return self.box_head(self.read(maps, boxes, self.region_size))

        if is_recording() or self.training:
            return of_block(boxes)
        found = in_blocks(lambda block: tuple(map(as_array, of_block(block))), boxes, BLOCK)
        return tuple(Tensor(part) for part in found)

    def candidates(self, maps, proposals, size) -> dict:
        """What becomes of proposals {"boxes", "valid"}: a box and a score of each class.

        Returns:
            {"boxes": (batch, proposals, num_classes, 4), "scores": a Tensor (batch, proposals,
            num_classes)}
        """
        given = proposals["boxes"]
        logits, codes = self.answers(maps[: len(self.strides)], given, size)
        own = as_array(codes)[:, :, 1:]
        decoded = ops.decode_boxes.forward(
            own, jnp.broadcast_to(given[:, :, None], own.shape), weights=CODING
        )
        scores = ops.softmax(logits, axis=-1)[..., 1:]
        return {
            "boxes": arithmetic.clip_to_picture(decoded, size),
            "scores": scores * proposals["valid"][..., None].astype(jnp.float32),
        }

    def detect(self, maps, proposals, size) -> dict[str, Tensor]:
        """Detections among proposals {"boxes", "valid"}; see Shapes."""
        options, maps = self.regions, maps[: len(self.strides)]
        found = self.candidates(maps, proposals, size)

        def of_image(boxes, scores):
            return arithmetic.select_detections(
                boxes,
                scores,
                score_threshold=options.score,
                iou_threshold=options.threshold,
                candidates=CANDIDATES,
                limit=options.limit,
                least_side=options.least_side,
                together=True,
            )

        found = jax.vmap(of_image)(found["boxes"], as_array(found["scores"]))
        if self.mask_head is not None:
            found["masks"] = in_blocks(
                functools.partial(self._masks, self.mask_head, maps),
                found["boxes"],
                MASK_BLOCK,
                found["classes"],
            )
        return {name: Tensor(value) for name, value in found.items()}

    def _masks(self, head: MaskHead, maps, boxes, classes):
        regions = self.read(maps, boxes, head.size)
        batch, count = boxes.shape[:2]
        logits = as_array(head(ops.reshape(regions, shape=(-1, *regions.shape[2:]))))
        chosen = jnp.maximum(classes, 0).reshape(-1, 1, 1, 1) + 1
        own = jnp.take_along_axis(logits, chosen, axis=-1)[..., 0]
        return jax.nn.sigmoid(own).reshape(batch, count, *own.shape[1:])

    def numbers(self, shape):
        """Random numbers, by which anchors and regions are sampled; advances the key."""
        self.key.data, drawn = jax.random.split(self.key.data)
        return jax.random.uniform(drawn, shape)

    def region_losses(self, maps, proposals, truths) -> dict[str, Tensor]:
        """Terms of the second stage, for proposals {"boxes", "valid"}, to which truths are added.

        Args:
            truths: see `losses`, as arrays.
        """
        options, maps = self.regions, maps[: len(self.strides)]
        boxes = jnp.concatenate([proposals["boxes"], truths["boxes"]], axis=1)
        valid = jnp.concatenate([proposals["valid"], truths["valid"]], axis=1)
        known = {name: truths[name] for name in ("boxes", "classes", "valid")}

        def of_image(boxes, valid, known, numbers):
            return sample_regions(boxes, valid, known, numbers, options)

        sampled = jax.vmap(of_image)(boxes, valid, known, self.numbers(valid.shape))
        logits, codes = self.box_head(self.read(maps, sampled["boxes"], self.region_size))
        share = sampled["there"] / jnp.maximum(sampled["there"].sum(), 1)
        labels = sampled["labels"]
        weights = weights_of_labels(
            type(self).__name__, self.class_weights, labels, self.num_classes
        )
        one_hot = jax.nn.one_hot(labels, self.num_classes + 1)
        own = ops.sum(codes * one_hot[..., None], axis=-2)
        terms = {
            "classes": sparse_categorical_cross_entropy_with_logits(
                logits, labels, reduction="sum", row_weights=share * weights
            ),
            "boxes": smooth_l1(
                own,
                sampled["codes"],
                beta=options.beta,
                reduction="sum",
                row_weights=share * (labels > 0),
            ),
        }
        if self.mask_head is not None:
            terms["masks"] = self._mask_loss(self.mask_head, maps, boxes, sampled, truths)
        return terms

    def _mask_loss(self, head: MaskHead, maps, boxes, sampled, truths) -> Tensor:
        rows, there = sampled["objects"]
        own = jnp.take_along_axis(boxes, rows[..., None], axis=1)
        regions = self.read(maps, own, head.size)
        logits = head(ops.reshape(regions, shape=(-1, *regions.shape[2:])))
        side = logits.shape[1]
        match = jnp.maximum(jnp.take_along_axis(sampled["matches"], rows, axis=1), 0)
        targets = mask_targets(truths, match, own, side)
        classes = jnp.take_along_axis(truths["classes"], match, axis=1).reshape(-1) + 1
        one_hot = jax.nn.one_hot(classes, self.num_classes + 1)[:, None, None]
        total = jnp.maximum(there.sum(), 1) * side * side
        weights = there.reshape(-1, 1, 1, 1) * one_hot / total
        return binary_cross_entropy_with_logits(
            logits,
            jnp.broadcast_to(targets, logits.shape),
            reduction="sum",
            row_weights=jnp.broadcast_to(weights, logits.shape),
        )
