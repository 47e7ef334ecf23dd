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
from cutaway.errors import OptionError, expect_integer
from cutaway.models.backbone import Backbone, freeze_body, last_of_each_scale, map_scales
from cutaway.models.feature_pyramid import FeaturePyramid
from cutaway.models.pretrained import load_backbone, pretrained_backbone
from cutaway.models.region_detector import REGIONS, RegionDetector, RegionOptions
from cutaway.models.region_proposals import PROPOSALS, ProposalOptions, RegionProposals
from cutaway.models.resnet import resnet50
from cutaway.nn import Module


class FasterRcnn(RegionDetector):
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
        used = tuple(stages)
        super().__init__(
            tuple(scales[name][0] for name in used),
            channels,
            num_classes,
            region_size=region_size,
            width=width,
            mask_size=mask_size,
            mask_widths=mask_widths,
            regions=regions,
        )
        self.used = used
        self.inputs = inputs
        self.body = backbone.up_to(self.used[-1])
        self.pyramid = FeaturePyramid(
            [scales[name][1] for name in self.used], channels, extra=len(sizes) > len(self.used)
        )
        self.proposals = RegionProposals(channels, sizes, options=proposals)

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

    def losses(self, x, y) -> dict[str, Tensor]:
        """Terms of the loss of a batch, by name.

        Args:
            x: images.
            y: {"boxes": (batch, M, 4), "classes": (batch, M) from 0, "valid": (batch, M)}, and for
                Mask R-CNN "masks" (batch, M, height, width), 0 or 1, or "crops" (batch, M, n, n),
                each within its box.
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

    def freeze_backbone(self, *, batch_statistics: bool = False) -> "FasterRcnn":
        """Train the pyramid and the heads alone; returns self. See models.backbone.freeze_body."""
        freeze_body(self.body, batch_statistics=batch_statistics)
        return self


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


SMALL_PROPOSALS = ProposalOptions(sampled=128, before=(256, 256), after=(200, 200))
SMALL_REGIONS = RegionOptions(sampled=128)


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

    The pyramid stands on the maps of 1/8, 1/16 and 1/32; two dense layers of 256, 200 proposals,
    128 anchors and 128 regions of each image in the loss. `freeze_backbone` trains the rest alone.

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
    inputs = None
    if isinstance(source, Backbone):
        backbone = source
    else:
        body = pretrained_backbone(source, "images")[0]
        backbone = load_backbone(source, "images") if pretrained else body.build()
        inputs = body.first_layer()
    scales = map_scales(backbone)
    used = last_of_each_scale(scales, above=4)
    if not 0 <= len(sizes) - len(used) <= 1 or not used:
        raise OptionError(
            f"rcnn_on_backbone: anchors for {len(sizes)} maps",
            expected="sizes for each of the maps 1/8, 1/16, ..., and one more if there is an extra "
            "map; this backbone's are "
            + ", ".join(f"{name} 1/{scale}" for name, (scale, _) in scales.items()),
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
