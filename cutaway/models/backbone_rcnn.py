"""Faster R-CNN and Mask R-CNN in a small form on any pretrained backbone.

    maps        the last stage of the backbone of 1/8, 1/16 and 1/32 of the image
    pyramid     C channels, one more map for large anchors is left out
    box head    7 x 7 regions, two dense layers of 256
    mask head   14 x 14 regions, two 3x3 convolutions of C channels, 2x2 up-convolution, 1x1
    training    128 anchors and 64 regions of each image, 200 proposals

See rcnn.py for the papers and the form that torchvision has.
"""

from cutaway.models.pretrained import load_backbone, pretrained_backbone
from cutaway.models.pyramid_yolo import detection_stages
from cutaway.models.rcnn import REGIONS, FasterRcnn
from cutaway.models.region_proposals import PROPOSALS

SMALL_PROPOSALS = PROPOSALS._replace(sampled=128, before=(400, 300), after=(200, 200))
SMALL_REGIONS = REGIONS._replace(sampled=64, score=0.01, fraction=0.5)
CHANNELS, WIDTH = 96, 256


def rcnn_on_backbone(
    source: str = "efficientnet-lite0",
    num_classes: int = 20,
    *,
    sizes=((32,), (64,), (128,)),
    masks: bool = False,
    pretrained: bool = True,
    **options,
) -> FasterRcnn:
    """Faster R-CNN on a pretrained backbone, for pixels from 0 to 255.

    Args:
        source: name of a backbone for images, see `models.PRETRAINED_BACKBONES`; with weights of
            your own: "resnet18:weights.pth".
        num_classes: K, without the background.
        sizes: sizes of the anchors of each map in pixels, the largest map first.
        masks: whether there is a mask head: Mask R-CNN.
        pretrained: whether the backbone's weights are loaded; otherwise they are random.
        options: of FasterRcnn.

    Raises:
        OptionError: no such backbone.
        RunError: its weights are not available.
    """
    body = pretrained_backbone(source, "images")[0]
    backbone = load_backbone(source, "images") if pretrained else body.build()
    given = {
        "stages": detection_stages(backbone),
        "channels": CHANNELS,
        "width": WIDTH,
        "proposals": SMALL_PROPOSALS,
        "regions": SMALL_REGIONS,
        "mask_size": 14 if masks else None,
        "mask_widths": (CHANNELS, CHANNELS),
        **options,
    }
    return FasterRcnn(
        backbone, num_classes, sizes=sizes, inputs=body.first_layer(), **given
    ).train()
