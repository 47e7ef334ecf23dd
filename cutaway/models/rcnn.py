"""Faster R-CNN and Mask R-CNN: proposals of regions, and heads that name, place and outline them.

Girshick 2015, "Fast R-CNN", arXiv:1504.08083. Ren et al. 2015, "Faster R-CNN", arXiv:1506.01497.
He, Gkioxari, Dollár & Girshick 2017, "Mask R-CNN", arXiv:1703.06870.

    regions     7 x 7 by RoIAlign of the map that fits the size of a box: level
                ⌊4 + log2(√area / 224)⌋, of those that there are
    box head    dense 1024, ReLU, dense 1024, ReLU; K + 1 logits (0 is the background), and for each
                of the K + 1 the four numbers of its box
    mask head   14 x 14 by RoIAlign; four times 3x3 256, ReLU; 2x2 up-convolution 256, ReLU; 1x1 to
                K + 1 maps of 28 x 28
    training    proposals and truths; IoU >= 0.5 with a truth: its class, otherwise background; 512
                of each image, at most a quarter of them objects
    losses      cross-entropy, mean over the regions; smooth L1 (β 1/9) of the true class's numbers,
                divided by the number of regions; cross-entropy of the true class's mask, mean over
                the pixels of all objects
    detections  softmax, score > 0.05; suppressed at IoU 0.5 in each class; the best 100
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor, as_array
from cutaway.errors import expect_integer
from cutaway.losses import (
    binary_cross_entropy_with_logits,
    smooth_l1,
    sparse_categorical_cross_entropy_with_logits,
)
from cutaway.models.backbone import Backbone, map_scales
from cutaway.models.detector import Detector
from cutaway.models.feature_pyramid import FeaturePyramid
from cutaway.models.region_proposals import BETA, PROPOSALS, ProposalOptions, RegionProposals
from cutaway.models.resnet import resnet50
from cutaway.nn import Buffer, Conv2d, ConvTranspose2d, Linear, Module, ReLU, Sequential, init
from cutaway.nn.random import new_key

CODING = (10.0, 10.0, 5.0, 5.0)
CANONICAL = 224, 4  # a box of this side in pixels belongs to this level: that of 1/16


class RegionOptions(NamedTuple):
    """Numbers of the second stage.

    Attributes:
        positive: IoU from which a region is an object.
        sampled: regions of each image that count in the loss.
        fraction: of them, at most, that are objects.
        score: least score of a detection.
        threshold: IoU of the suppression.
        limit: detections of each image.
        least_side: of a detection, in pixels.
    """

    positive: float = 0.5
    sampled: int = 512
    fraction: float = 0.25
    score: float = 0.05
    threshold: float = 0.5
    limit: int = 100
    least_side: float = 0.01


REGIONS = RegionOptions()


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
    levels = levels_of(boxes, strides)
    found = None
    for place, (own, stride) in enumerate(zip(maps, strides, strict=True)):
        part = ops.roi_align(
            own, boxes, output_size=output_size, scale=1 / stride, sampling_ratio=sampling_ratio
        )
        part = part * (levels == place)[..., None, None, None].astype(jnp.float32)
        found = part if found is None else found + part
    assert found is not None
    return found


class BoxHead(Module):
    """Classes and boxes of regions.

    Args:
        channels, size: of the regions.
        outputs: classes, that of the background included.
        width: of the two dense layers.

    Shapes:
        x: (batch, regions, size, size, channels)
        y: (batch, regions, outputs) logits, (batch, regions, outputs, 4)
    """

    def __init__(self, channels: int, size: int, outputs: int, width: int = 1024):
        self.dense1 = Linear(channels * size * size, width, init=init.lecun_uniform)
        self.dense2 = Linear(width, width, init=init.lecun_uniform)
        self.classes = Linear(width, outputs, init=init.normal)
        self.codes = Linear(width, 4 * outputs, init=lambda shape: init.normal(shape, 0.001))
        self.outputs = outputs

    def forward(self, x):
        x = ops.reshape(x, shape=(*x.shape[:2], -1))
        x = ops.relu(self.dense2(ops.relu(self.dense1(x))))
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


class FasterRcnn(Detector):
    """Faster R-CNN on a feature pyramid over any Backbone; with a mask head Mask R-CNN.

    In training `losses` is minimized; called with images it detects.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K, without the background.
        stages: of the backbone, from the largest map to the smallest.
        channels: of the pyramid.
        sizes: of each map of the pyramid the sizes of its anchors, in pixels; one more than stages
            if there is an extra map.
        region_size: of the regions for the box head.
        width: of the box head.
        mask_size: of the regions for the mask head; None: no masks.
        mask_widths: of its convolutions.
        proposals, regions: numbers of both stages.
        inputs: Module applied to the images first; None: none.

    Shapes:
        x: (batch, height, width, channels of the backbone)
        y: {"boxes": (batch, limit, 4) x1, y1, x2, y2 in pixels, "scores", "classes" from 0, "valid"
            (batch, limit)}, and of Mask R-CNN "masks" (batch, limit, 2 · mask_size, 2 · mask_size),
            probabilities within the box

    References:
        See the top of cutaway/models/rcnn.py.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        stages: tuple[str, ...],
        channels: int = 256,
        sizes=((32,), (64,), (128,), (256,), (512,)),
        region_size: int = 7,
        width: int = 1024,
        mask_size: int | None = None,
        mask_widths: tuple[int, ...] = (256, 256, 256, 256),
        proposals: ProposalOptions = PROPOSALS,
        regions: RegionOptions = REGIONS,
        inputs: Module | None = None,
    ):
        expect_integer(num_classes, what="FasterRcnn: num_classes", least=1)
        scales = map_scales(backbone)
        self.used = tuple(stages)
        self.strides = tuple(scales[name][0] for name in self.used)
        self.inputs = inputs
        self.body = backbone.up_to(self.used[-1])
        self.pyramid = FeaturePyramid(
            [scales[name][1] for name in self.used], channels, extra=len(sizes) > len(self.used)
        )
        self.proposals = RegionProposals(channels, sizes, options=proposals)
        self.regions, self.region_size = regions, region_size
        self.num_classes = num_classes
        self.box_head = BoxHead(channels, region_size, num_classes + 1, width)
        self.mask_head = None
        if mask_size is not None:
            self.mask_head = MaskHead(channels, mask_size, num_classes + 1, mask_widths)
        self.key = Buffer(new_key())

    @property
    def backbone(self):
        return self.body

    def maps(self, x) -> list:
        """The maps of the pyramid, the largest first."""
        maps = self.body.maps(x if self.inputs is None else self.inputs(x))
        return self.pyramid(*(maps[name] for name in self.used))

    def forward(self, x):
        maps = self.maps(x)
        size = x.shape[1:3]
        objectness, codes = self.proposals(*maps)
        anchors = self.proposals.anchors(maps, size)
        found = self.proposals.propose(objectness, codes, anchors, size)
        return self.detect(maps, found, size)

    def detect(self, maps, proposals, size) -> dict[str, Tensor]:
        """Detections among proposals {"boxes", "valid"}; see Shapes."""
        options, maps = self.regions, maps[: len(self.used)]
        regions = align_regions(maps, proposals["boxes"], self.strides, self.region_size)
        logits, codes = (as_array(out) for out in self.box_head(regions))

        def of_image(boxes, valid, logits, codes):
            scores = jnp.where(valid[:, None], jax.nn.softmax(logits)[:, 1:], 0)
            codes = codes[:, 1:]
            priors = jnp.broadcast_to(boxes[:, None], codes.shape)
            decoded = ops.decode_boxes.forward(codes, priors, weights=CODING)
            return arithmetic.select_detections(
                arithmetic.clip_to_picture(decoded, size),
                scores,
                score_threshold=options.score,
                iou_threshold=options.threshold,
                limit=options.limit,
                least_side=options.least_side,
            )

        found = jax.vmap(of_image)(proposals["boxes"], proposals["valid"], logits, codes)
        if self.mask_head is not None:
            found["masks"] = self._masks(self.mask_head, maps, found["boxes"], found["classes"])
        return {name: Tensor(value) for name, value in found.items()}

    def _masks(self, head: MaskHead, maps, boxes, classes):
        regions = align_regions(maps, boxes, self.strides, head.size)
        batch, count = boxes.shape[:2]
        logits = as_array(head(ops.reshape(regions, shape=(-1, *regions.shape[2:]))))
        chosen = jnp.maximum(classes, 0).reshape(-1, 1, 1, 1) + 1
        own = jnp.take_along_axis(logits, chosen, axis=-1)[..., 0]
        return jax.nn.sigmoid(own).reshape(batch, count, *own.shape[1:])

    def losses(self, x, y) -> dict[str, Tensor]:
        """Terms of the loss of a batch, by name.

        Args:
            x: images.
            y: {"boxes": (batch, M, 4), "classes": (batch, M) from 0, "valid": (batch, M)}, and for
                Mask R-CNN "masks" (batch, M, height, width), 0 or 1.
        """
        maps, size = self.maps(x), x.shape[1:3]
        truths = {name: as_array(value) for name, value in y.items()}
        objectness, codes = self.proposals(*maps)
        anchors = self.proposals.anchors(maps, size)
        terms = self.proposals.losses(
            objectness, codes, anchors, truths, self.numbers(objectness.shape)
        )
        found = self.proposals.propose(objectness, codes, anchors, size)
        return terms | self.region_losses(maps, found, truths)

    def numbers(self, shape):
        """Random numbers, by which anchors and regions are sampled; advances the key."""
        self.key.data, drawn = jax.random.split(self.key.data)
        return jax.random.uniform(drawn, shape)

    def region_losses(self, maps, proposals, truths) -> dict[str, Tensor]:
        """Terms of the second stage, for proposals {"boxes", "valid"}."""
        options, maps = self.regions, maps[: len(self.used)]
        boxes = jnp.concatenate([proposals["boxes"], truths["boxes"]], axis=1)
        valid = jnp.concatenate([proposals["valid"], truths["valid"]], axis=1)
        most = int(options.sampled * options.fraction)

        def of_image(boxes, valid, numbers, truth_boxes, classes, truth_valid):
            overlaps = arithmetic.pairwise_iou(truth_boxes, boxes)
            matches = arithmetic.match_by_threshold(
                overlaps, truth_valid, positive=options.positive
            )
            objects, rest = arithmetic.sample_balanced(
                (matches >= 0) & valid,
                (matches < 0) & valid,
                numbers,
                count=options.sampled,
                fraction=options.fraction,
            )
            rows, there = arithmetic.indices_of(objects | rest, options.sampled)
            own = matches[rows]
            return {
                "boxes": boxes[rows],
                "there": there,
                "labels": jnp.where(own >= 0, arithmetic.matched(classes, own) + 1, 0),
                "codes": arithmetic.encode_boxes(
                    arithmetic.matched(truth_boxes, own), boxes[rows], weights=CODING
                ),
                "objects": arithmetic.indices_of(objects, most),
                "matches": matches,
            }

        numbers = self.numbers(valid.shape)
        sampled = jax.vmap(of_image)(
            boxes, valid, numbers, truths["boxes"], truths["classes"], truths["valid"]
        )
        regions = align_regions(maps, sampled["boxes"], self.strides, self.region_size)
        logits, codes = self.box_head(regions)
        share = sampled["there"] / jnp.maximum(sampled["there"].sum(), 1)
        one_hot = jax.nn.one_hot(sampled["labels"], self.num_classes + 1)
        own = ops.sum(codes * one_hot[..., None], axis=-2)
        labels = sampled["labels"]
        terms = {
            "classes": sparse_categorical_cross_entropy_with_logits(
                logits, labels, reduction="sum", row_weights=share
            ),
            "boxes": smooth_l1(
                own, sampled["codes"], beta=BETA, reduction="sum", row_weights=share * (labels > 0)
            ),
        }
        if self.mask_head is not None:
            terms["masks"] = self._mask_loss(self.mask_head, maps, boxes, sampled, truths)
        return terms

    def _mask_loss(self, head: MaskHead, maps, boxes, sampled, truths) -> Tensor:
        rows, there = sampled["objects"]
        own = jnp.take_along_axis(boxes, rows[..., None], axis=1)
        regions = align_regions(maps, own, self.strides, head.size)
        logits = head(ops.reshape(regions, shape=(-1, *regions.shape[2:])))
        side = logits.shape[1]
        match = jnp.maximum(jnp.take_along_axis(sampled["matches"], rows, axis=1), 0)
        masks = jnp.take_along_axis(truths["masks"], match[..., None, None], axis=1)
        targets = ops.roi_align.forward(
            masks.reshape(-1, *masks.shape[2:], 1).astype(jnp.float32),
            own.reshape(-1, 1, 4),
            output_size=side,
            sampling_ratio=0,
        )[:, 0]
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


RESNET_STAGES = ("stage1", "stage2", "stage3", "stage4")


def faster_rcnn_resnet50(num_classes: int = 90, **options) -> FasterRcnn:
    """Faster R-CNN on ResNet-50 with a feature pyramid. 41,808,406 parameters for 90 classes.

    Args:
        num_classes: without the background; 90 as torchvision counts those of COCO.
        options: of FasterRcnn.
    """
    return FasterRcnn(resnet50(1), num_classes, stages=RESNET_STAGES, **options)


def mask_rcnn_resnet50(num_classes: int = 90, **options) -> FasterRcnn:
    """Mask R-CNN on ResNet-50 with a feature pyramid. 44,454,513 parameters for 90 classes.

    Args: see faster_rcnn_resnet50.
    """
    return faster_rcnn_resnet50(num_classes, mask_size=14, **options)
