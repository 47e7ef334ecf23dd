"""Training options for pictures with masks."""

import dataclasses

from cutaway.errors import expect_range
from cutaway.runs.options.dense import expect_piece
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import DENSE, MODEL, Flag, option, required_option
from cutaway.runs.options.segmentation import SegmentationOptions, expect_pixel_loss
from cutaway.runs.options.transfer import FINE_TUNE, FROM, with_commit

TURNS = Flag(
    "Whether pictures look alike in any direction, as under a microscope: those with masks are "
    "turned and deformed in training, and predicted as the mean over four turns; those with boxes "
    "are mirrored upside down too.",
    DENSE,
    names=("--turns/--no-turns",),
    default="yes for gray pictures",
)
THRESHOLD = Flag(
    "Gray value of masks above which pixels are the second of two classes.",
    DENSE,
    metavar="VALUE",
    default="values are classes",
)
IGNORE_VALUE = Flag(
    "Value of masks whose pixels do not count.",
    DENSE,
    metavar="VALUE",
    default="255 beside smaller values",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskOptions(SegmentationOptions):
    """Training options for pictures with masks; None means a default that depends on the data.

    Attributes:
        model: "unet", see models.padded_unet.
        turns: whether pictures look alike in any direction: they are then also turned by quarters,
            mirrored in both directions and deformed, and predictions are the mean over four turns;
            None: gray pictures do.
        threshold: gray value of masks above which pixels are class 1; None: values are classes.
        ignore_value: value of masks whose pixels do not count.
        levels: number of scales of the U-Net.
        others: see SegmentationOptions. `size` is that of the crops.
    """

    MODELS = ("unet",)
    MONITOR = "val_mean_iou"
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 700, 8, 200
    ADAPTIVE_RATE = 2e-3

    model: str = option("unet", MODEL)
    turns: bool | None = option(None, TURNS)
    threshold: int | None = option(None, THRESHOLD)
    ignore_value: int | None = option(None, IGNORE_VALUE)
    levels: int = 5

    def __post_init__(self):
        super().__post_init__()
        expect_range(self.levels, what="levels", least=2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskTransferOptions(TrainingOptions):
    """Options for a U-Net on a pretrained backbone.

    Attributes:
        from_: the backbone, see TransferOptions.
        fine_tune: whether the backbone is trained too, with a lower learning rate for all.
        loss, border_weight, size, augment, split, turns, threshold, ignore_value: see MaskOptions.
        others: see TrainingOptions.
    """

    MONITOR = "val_mean_iou"
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 300, 8, 200
    LEAST_BATCH, MOST_BATCH = 4, 4
    ADAPTIVE_RATE, TUNED_RATE = 2e-3, 5e-4
    USUAL_LOSS = SegmentationOptions.USUAL_LOSS

    from_: str = required_option(FROM)
    fine_tune: bool = option(False, FINE_TUNE)
    weight_decay: float = 0.01
    dropout: float = 0.0
    validation: float = 0.15
    size: int | tuple | None = None
    loss: str | None = None
    border_weight: float = 0.0
    augment: bool = True
    split: str | None = None
    turns: bool | None = None
    threshold: int | None = None
    ignore_value: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "from_", with_commit(self.from_))
        super().__post_init__()
        expect_piece(self.size, 2)
        expect_pixel_loss(self)

    @property
    def takes_dropout(self):
        return False

    def rate(self):
        return self.TUNED_RATE if self.lr is None and self.fine_tune else super().rate()
