"""Fast R-CNN: regions that something else proposes are named and placed.

Girshick 2015, "Fast R-CNN", arXiv:1504.08083. The paper takes about 2,000 regions of selective
search from outside. Here they come from one of

    given       an array, with the images
    grid        boxes of a few shapes, side by side over the image, see boxes.grid_of_boxes: several
                thousands, most of them background
    network     a trained Faster R-CNN, whose first stage proposes

    on VGG16    13 convolutions; RoIPool 7 x 7 of the map of 1/16; dense 4096, 4096, each with ReLU
                and dropout 0.5; K + 1 logits, 4 (K + 1) numbers: 134,690,729 parameters for 20
                classes
    training    128 regions of each two images, at most a quarter objects, IoU >= 0.5 with a truth;
                background from 0.1 to below 0.5; smooth L1, β 1
    detections  score > 0.05; suppressed at IoU 0.3 in each class
    small form  RoIAlign 5 x 5 of a pyramid's maps; dense 256, 256; in training 64 regions of a grid
                in each image, background from 0; smooth L1, β 1/9; the rest as Faster R-CNN
"""

import jax.numpy as jnp
from jax import lax

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor, as_array, no_grad
from cutaway.engine.tape import is_recording
from cutaway.errors import OptionError, ShapeError
from cutaway.models.backbone import Backbone
from cutaway.models.rcnn import (
    VGG_OPTIONS,
    VGG_REGIONS,
    FasterRcnn,
    small_backbone,
    vgg16_maps,
)
from cutaway.models.region_detector import RegionDetector, RegionOptions
from cutaway.models.region_heads import align_grid
from cutaway.models.vgg import VGG


class FastRcnn(RegionDetector):
    """Fast R-CNN over any Backbone.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K, without the background.
        shapes: widths and heights of the boxes of a grid, see boxes.grid_of_boxes; None: no grid.
        share: of the grid.
        network: a trained Faster R-CNN that proposes, on images of the same form; None: none. It is
            frozen. With neither grid nor network, proposals are given with the images.
        options: of RegionDetector: stages, channels, region_size, width, dropout, reading,
            mask_size, mask_widths, regions, inputs.

    Attributes:
        source: where proposals come from: "given", "grid" or "network".

    Shapes:
        x: (batch, height, width, channels); with source "given" {"images": these, "proposals":
            (batch, R, 4) x1, y1, x2, y2 in pixels, those without area are padding}
        y: see FasterRcnn

    References:
        See the top of cutaway/models/fast_rcnn.py.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        shapes=None,
        share: float = arithmetic.SHARE,
        network: FasterRcnn | None = None,
        **options,
    ):
        if shapes is not None and network is not None:
            raise OptionError(
                "FastRcnn: proposals from a grid and from a network",
                expected="one of both",
                fix="leave out `shapes` or `network`",
            )
        super().__init__(backbone, num_classes, **options)
        self.source = "grid" if shapes is not None else "given" if network is None else "network"
        self.shapes = None if shapes is None else [tuple(map(float, one)) for one in shapes]
        self.share = share
        self.network = network
        if network is not None:
            network.freeze()
            for module in network.modules().values():
                module.stays_in_eval, module.training = True, False

    def forward(self, x):
        images, proposals = self.with_proposals(x)
        return self.detect(self.maps(images), proposals, images.shape[1:3])

    def all_boxes(self, x):
        images, proposals = self.with_proposals(x)
        return self.candidates(self.maps(images), proposals, images.shape[1:3])

    def answers(self, maps, boxes, size):
        if self.source != "grid" or self.reading != "align":
            return super().answers(maps, boxes, size)

        def of_maps(maps) -> tuple:
            regions = align_grid(
                maps, size, self.shapes, self.strides, self.region_size, share=self.share
            )
            found = zip(*(self.box_head(own) for own in regions), strict=True)
            return tuple(ops.concatenate(parts, axis=1) for parts in found)

        if is_recording() or self.training:
            return of_maps(maps)

        def of_image(maps):
            found = of_maps([Tensor(own[None]) for own in maps])
            return tuple(as_array(part)[0] for part in found)

        found = lax.map(of_image, [as_array(own) for own in maps])  # one image's regions at a time
        return tuple(Tensor(part) for part in found)

    def losses(self, x, y) -> dict[str, Tensor]:
        images, proposals = self.with_proposals(x)
        truths = {name: as_array(value) for name, value in y.items()}
        return self.region_losses(self.maps(images), proposals, truths)

    def with_proposals(self, x) -> tuple:
        """(images, {"boxes": (batch, R, 4), "valid": (batch, R)})."""
        is_given = isinstance(x, dict)
        if is_given != (self.source == "given"):
            raise ShapeError(
                f"FastRcnn: {'proposals with the images' if is_given else 'images alone'}, where "
                f"the source of proposals is {self.source!r}",
                expected='{"images", "proposals"}' if self.source == "given" else "images",
                fix="see FastRcnn's shapes and network",
            )
        if is_given:
            boxes = as_array(x["proposals"])
            valid = jnp.all(boxes[..., 2:] > boxes[..., :2], axis=-1)
            return x["images"], {"boxes": boxes, "valid": valid}
        size = x.shape[1:3]
        if self.network is not None:
            with no_grad():
                return x, self.network.propose(self.network.maps(x), size)
        boxes = jnp.asarray(arithmetic.grid_of_boxes(size, self.shapes, share=self.share))
        boxes = jnp.broadcast_to(boxes, (x.shape[0], *boxes.shape))
        return x, {"boxes": boxes, "valid": jnp.ones(boxes.shape[:2], bool)}


def fast_rcnn_vgg16(num_classes: int = 20, *, backbone: VGG | None = None, **options) -> FastRcnn:
    """Fast R-CNN as in the paper, on VGG16: RoIPool. 134,690,729 parameters for 20 classes.

    Args:
        num_classes: without the background.
        backbone: a VGG16, for example pretrained; its dense layers are not used. None: random.
        options: of FastRcnn: shapes, share, network.
    """
    return FastRcnn(
        vgg16_maps(VGG(1, features=1) if backbone is None else backbone),
        num_classes,
        regions=VGG_REGIONS._replace(sampled=64, background=0.1),
        **VGG_OPTIONS,
        **options,
    )


GRID_REGIONS = RegionOptions(sampled=64)


def fast_rcnn_on_backbone(
    source: str | Backbone = "efficientnet-lite0",
    num_classes: int = 1,
    *,
    shapes=((24, 24), (48, 48), (96, 96)),
    share: float = arithmetic.SHARE,
    network: FasterRcnn | None = None,
    pretrained: bool = True,
    channels: int = 96,
    width: int = 256,
    region_size: int = 5,
    regions: RegionOptions = GRID_REGIONS,
) -> FastRcnn:
    """A small Fast R-CNN on a pretrained backbone; see rcnn_on_backbone.

    Args:
        source, num_classes, pretrained, channels, width: see rcnn_on_backbone.
        shapes, share: of the grid of boxes, about those of the objects; see boxes.grid_of_boxes.
        network: a trained Faster R-CNN that proposes, in place of the grid.
        region_size, regions: see RegionDetector.
    """
    backbone, used, inputs = small_backbone(source, pretrained=pretrained)
    return FastRcnn(
        backbone,
        num_classes,
        shapes=None if network is not None else shapes,
        share=share,
        network=network,
        stages=used,
        channels=channels,
        width=width,
        region_size=region_size,
        regions=regions,
        inputs=inputs,
    ).train()
