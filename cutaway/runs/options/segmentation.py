"""Training options that masks and volumes share: the loss, and U-Net's weights of borders."""

import dataclasses
import math

from cutaway.errors import OptionError, expect_range
from cutaway.runs.options.dense import DenseOptions
from cutaway.runs.options.flags import DENSE, LOSS, Flag, option

PIXEL_LOSSES = (
    "sparse_categorical_cross_entropy_with_logits",
    "soft_dice_with_logits",
    "dice_cross_entropy_with_logits",
    "focal_with_logits",
)
BORDER_WEIGHT = Flag(
    "Additional weight in the loss of pixels of class 0 between objects that nearly touch, as "
    "for the first U-Net, which had 10.",
    DENSE,
    metavar="W0",
    default="none",
)


def expect_pixel_loss(options) -> None:
    """Raise OptionError unless `loss` is one of labels, and `border_weight` a number >= 0."""
    if options.loss not in (None, *PIXEL_LOSSES):
        raise OptionError(
            f"the loss {options.loss} is none of integer labels and logits",
            expected="cross-entropy, dice, dice-cross-entropy or focal: " + ", ".join(PIXEL_LOSSES),
            fix="omit the loss, or take one of these",
        )
    expect_range(options.border_weight, what="border weight", least=0, below=math.inf)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentationOptions(DenseOptions):
    """Training options where each pixel or voxel has a class; None: depends on the data.

    Attributes:
        loss: name of the loss, one of PIXEL_LOSSES. Dice has the background in its mean: without
            it the other classes begin by claiming the background.
        border_weight: w0 of data.border_weights; 0: all pixels count equally. The pieces that
            validate are not weighted.
        others: see DenseOptions.
    """

    USUAL_LOSS = "sparse_categorical_cross_entropy_with_logits"

    loss: str | None = option(None, LOSS)
    border_weight: float = option(0.0, BORDER_WEIGHT)

    def __post_init__(self):
        super().__post_init__()
        expect_pixel_loss(self)
