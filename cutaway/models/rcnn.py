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

from cutaway.engine import Tensor, as_array
from cutaway.errors import OptionError
from cutaway.models.backbone import Backbone, last_of_each_scale, map_scales
from cutaway.models.pretrained import backbone_with_inputs
from cutaway.models.region_detector import RegionDetector, RegionOptions
from cutaway.models.region_proposals import (
    PROPOSALS,
    ProposalOptions,
    RegionProposals,
    paper_anchors,
)
from cutaway.models.resnet import resnet50
from cutaway.models.vgg import VGG
from cutaway.nn import Sequential


class FasterRcnn(RegionDetector):
    """Faster R-CNN over any Backbone, mostly on a feature pyramid; with a mask head Mask R-CNN.

    In training `losses` is minimized; called with images it detects.

    Args:
        backbone: its stages are shared, not copied; its head is left out.
        num_classes: K, without the background.
        sizes: of each map the sizes of its anchors, in pixels; one more than stages if there is an
            extra map.
        base: in place of sizes, see RegionProposals.
        paired: see RegionProposals.
        proposals: numbers of the first stage.
        options: of RegionDetector: stages, channels, region_size, width, dropout, reading,
            mask_size, mask_widths, regions, inputs.

    Shapes:
        x: (batch, height, width, channels of the backbone)
        y: {"boxes": (batch, limit, 4) x1, y1, x2, y2 in pixels, "scores", "classes" from 0, "rows"
            of the proposals, "valid" (batch, limit)}, and of Mask R-CNN "masks" (batch, limit,
            2 · mask_size, 2 · mask_size), probabilities within the box

    References:
        See the top of cutaway/models/rcnn.py.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        stages: tuple[str, ...],
        sizes=((32,), (64,), (128,), (256,), (512,)),
        base=None,
        paired: bool = False,
        proposals: ProposalOptions = PROPOSALS,
        **options,
    ):
        maps = len(sizes if base is None else base)
        super().__init__(backbone, num_classes, stages=stages, extra=maps > len(stages), **options)
        self.proposals = RegionProposals(
            self.channels, sizes, options=proposals, base=base, paired=paired
        )

    def forward(self, x):
        maps, size = self.maps(x), x.shape[1:3]
        return self.detect(maps, self.propose(maps, size), size)

    def all_boxes(self, x):
        maps, size = self.maps(x), x.shape[1:3]
        return self.candidates(maps, self.propose(maps, size), size)

    def propose(self, maps, size) -> dict:
        """Proposals {"boxes", "scores", "valid"} of images of this (height, width)."""
        objectness, codes = self.proposals(*maps)
        anchors = self.proposals.anchors(maps, size)
        return self.proposals.propose(objectness, codes, anchors, size)

    def losses(self, x, y) -> dict[str, Tensor]:
        """Terms of the loss of a batch, by name.

        Args:
            x: images.
            y: {"boxes": (batch, M, 4), "classes": (batch, M) from 0, "valid": (batch, M)}, and for
                Mask R-CNN "masks" or "crops", see region_detector.mask_targets.
        """
        maps, size = self.maps(x), x.shape[1:3]
        truths = {name: as_array(value) for name, value in y.items()}
        objectness, codes = self.proposals(*maps)
        anchors = self.proposals.anchors(maps, size)
        terms = self.proposals.losses(
            objectness, codes, anchors, truths, self.numbers(objectness.shape), size
        )
        found = self.proposals.propose(objectness, codes, anchors, size)
        return terms | self.region_losses(maps, found, truths)


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


VGG_PROPOSALS = ProposalOptions(
    before=(12000, 6000), after=(2000, 300), least_side=16.0, inside=True
)
VGG_OPTIONS: dict = {
    "stages": ("stage5",),
    "channels": None,
    "width": 4096,
    "dropout": 0.5,
    "reading": "pool",
}
VGG_REGIONS = RegionOptions(sampled=128, threshold=0.3, beta=1.0)


def vgg16_maps(backbone: VGG) -> Backbone:
    """The convolutions of a VGG16 without the last pool, so that their map is 1/16 of the image.

    Args:
        backbone: its layers are shared, not copied.
    """
    body = backbone.up_to("stage5")
    last = body.stages[-1]
    setattr(body, last, Sequential(*list(getattr(body, last))[:-1]))
    return body


def faster_rcnn_vgg16(num_classes: int = 20, *, backbone: VGG | None = None) -> FasterRcnn:
    """Faster R-CNN as in the paper, on VGG16: RoIPool. 137,078,239 parameters for 20 classes.

    Args:
        num_classes: without the background.
        backbone: a VGG16, for example pretrained; its dense layers are not used. None: random.
    """
    return FasterRcnn(
        vgg16_maps(VGG(1, features=1) if backbone is None else backbone),
        num_classes,
        base=[paper_anchors()],
        paired=True,
        proposals=VGG_PROPOSALS,
        regions=VGG_REGIONS,
        **VGG_OPTIONS,
    )


SMALL_PROPOSALS = ProposalOptions(sampled=128, before=(256, 256), after=(200, 200))
SMALL_REGIONS = RegionOptions(sampled=64, fraction=0.5)


def rcnn_on_backbone(
    source: str | Backbone = "efficientnet-lite0",
    num_classes: int = 1,
    *,
    masks: bool = False,
    sizes=((24,), (48,), (96,)),
    pretrained: bool = True,
    channels: int = 96,
    width: int = 256,
    mask_widths: tuple[int, ...] = (96, 96),
    proposals: ProposalOptions = SMALL_PROPOSALS,
    regions: RegionOptions = SMALL_REGIONS,
) -> FasterRcnn:
    """A small Faster R-CNN on a pretrained backbone, with `masks` Mask R-CNN.

    The pyramid stands on the maps of 1/8, 1/16 and 1/32; two dense layers of 256, 200 proposals;
    128 anchors and 64 regions of each image in the loss, at most half of them objects.
    `freeze_backbone` trains the rest alone.

    Args:
        source: name of a backbone for images, see `models.PRETRAINED_BACKBONES`, then images are
            pixels from 0 to 255; with weights of your own: "resnet18:weights.pth". Or a Backbone.
        num_classes: K, without the background.
        masks: whether there is a mask head.
        sizes: of each map the sizes of its anchors, in pixels: about the sides of the objects.
        pretrained: whether the backbone's weights are loaded; otherwise they are random.
        channels, width, mask_widths, proposals, regions: see FasterRcnn.

    Raises:
        OptionError: no such backbone, or one whose maps are not those of the sizes.
        RunError: its weights are not available.
    """
    backbone, used, inputs = small_backbone(source, pretrained=pretrained)
    if not 0 <= len(sizes) - len(used) <= 1 or not used:
        raise OptionError(
            f"rcnn_on_backbone: anchors for {len(sizes)} maps",
            expected="sizes for each of the maps 1/8, 1/16, ..., and one more if there is an extra "
            "map; this backbone's are " + ", ".join(used),
            fix=f"give sizes with {len(used)} entries",
        )
    net = FasterRcnn(
        backbone,
        num_classes,
        stages=used,
        channels=channels,
        sizes=sizes,
        width=width,
        mask_size=14 if masks else None,
        mask_widths=mask_widths,
        proposals=proposals,
        regions=regions,
        inputs=inputs,
    )
    return net.train()


def small_backbone(source: str | Backbone, *, pretrained: bool) -> tuple:
    """(backbone, its last stages of 1/8, 1/16, ..., the layer before it or None).

    Args: see rcnn_on_backbone.
    """
    backbone, inputs = (
        (source, None)
        if isinstance(source, Backbone)
        else backbone_with_inputs(source, pretrained=pretrained)
    )
    return backbone, last_of_each_scale(map_scales(backbone), above=4), inputs
