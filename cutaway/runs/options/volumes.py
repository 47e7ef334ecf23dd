"""Training options for volumes with labels."""

import dataclasses

from cutaway.errors import OptionError, expect_range
from cutaway.runs.options.dense import WIDTH
from cutaway.runs.options.flags import DENSE, MODEL, Flag, option, parse_numbers
from cutaway.runs.options.segmentation import SegmentationOptions


def parse_spacing(text: str) -> tuple[float, ...]:
    """(1.0, 1.0, 2.5) of "1,1,2.5", (1.0,) of "1".

    Raises:
        OptionError: not numbers separated by commas.
    """
    return parse_numbers(
        text,
        what="the spacing",
        expected="millimeters, one number or three separated by commas",
        fix="write for example --spacing 1,1,2.5",
    )


SPACING = Flag(
    "Size of a voxel in millimeters, to which volumes are resampled; predictions are put back.",
    DENSE,
    metavar="MM,MM,MM",
    default="as they are",
    parse=parse_spacing,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VolumeOptions(SegmentationOptions):
    """Training options for volumes with labels; None means a default that depends on the data.

    Attributes:
        model: "vnet", see models.normalized_vnet, or "unet", a U-Net in three dimensions.
        levels: number of scales of the network.
        spacing: size of a voxel in millimeters, to the right, anterior and superior, to which
            volumes are resampled for the network; predictions and scores are those of the volumes
            as they are. One number for all axes, or None: they are not resampled.
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
    spacing: float | tuple[float, ...] | None = option(None, SPACING)

    @property
    def takes_dropout(self):
        return self.model != "vnet"

    def __post_init__(self):
        super().__post_init__()
        expect_range(self.levels, what="levels", least=2)
        if self.spacing is not None:
            given = self.spacing
            values = (given,) if isinstance(given, int | float) else tuple(given)
            if len(values) not in (1, 3):
                raise OptionError(f"spacing={self.spacing}", expected="one number, or three")
            for value in values:
                expect_range(value, what="spacing", above=0, most=1000)
