"""Training options for volumes with labels."""

import dataclasses

from cutaway.errors import expect_range
from cutaway.runs.options.dense import WIDTH
from cutaway.runs.options.flags import MODEL, option
from cutaway.runs.options.segmentation import SegmentationOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class VolumeOptions(SegmentationOptions):
    """Training options for volumes with labels; None means a default that depends on the data.

    Attributes:
        model: "vnet", see models.normalized_vnet, or "unet", a U-Net in three dimensions.
        levels: number of scales of the network.
        others: see SegmentationOptions. `size` is that of the crops, by default as large as the
            volumes, at most 64 voxels along each axis.
    """

    AXES = 3
    USUAL_LOSS = "soft_dice_with_logits"
    MODELS = ("vnet", "unet")
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 450, 8, 300
    LEAST_BATCH, MOST_BATCH = 2, 2
    ADAPTIVE_RATE = 3e-3

    width: int = option(8, WIDTH)
    levels: int = 4
    model: str = option("vnet", MODEL)

    def __post_init__(self):
        super().__post_init__()
        expect_range(self.levels, what="levels", least=2)
