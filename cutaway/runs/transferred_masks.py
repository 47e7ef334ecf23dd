"""Pictures with masks, by a U-Net on a pretrained backbone."""

from cutaway.models import pretrained_backbone
from cutaway.nn import seed
from cutaway.runs.dense_networks import backbone_unet_of
from cutaway.runs.masks import augmentation, read_masks
from cutaway.runs.options.masks import MaskTransferOptions
from cutaway.runs.segmentation import pixel_loss
from cutaway.runs.segmentation_training import segmentation_experiment

LARGEST = 224  # size of crops by default
MULTIPLE = 32  # of a backbone's sizes: its last stage has 1/32 of the picture


def prepare_transferred_masks(path, options: MaskTransferOptions, *, why: str = ""):
    """Read and split pictures with masks, and put a U-Net on a pretrained backbone.

    Raises:
        OptionError: an unknown backbone.
        RunError: its weights are not available.
        DataError: see data.find_masks.
    """
    backbone, _ = pretrained_backbone(options.from_, "images")
    data = read_masks(path, options, MULTIPLE, LARGEST, channels=3)
    rows = data.rows
    spec = {
        "model": "unet-on-backbone",
        "from": options.from_.partition(":")[0],
        "unfrozen": options.fine_tune,
        **pixel_loss(options, rows.ignore),
        "channels": rows.channels,
        "outputs": len(rows.names),
    }
    seed(options.seed)
    net = backbone_unet_of(spec, options.from_)
    about = f"The network is a U-Net on {backbone.about}"
    about += "." if options.fine_tune else ", whose weights stay as they are."
    return segmentation_experiment(
        "masks",
        path,
        options,
        data,
        spec,
        augmentation(rows, options),
        unit="pixel",
        net=net,
        why=f"{why} {about}".strip(),
    )
