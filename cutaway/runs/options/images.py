"""Training options for images."""

import dataclasses

from cutaway.errors import expect_choice, expect_integer, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import AUGMENT, MODEL, SIZE, SKIP_UNREADABLE, option
from cutaway.runs.options.transfer import TransferOptions
from cutaway.runs.space import Choice


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageOptions(TrainingOptions):
    """Training options for images; None means a default that depends on the data.

    Attributes:
        model: "cnn", see models.cnn.
        size: image size in pixels, or (height, width); None: the common size if it is at most 96,
            otherwise 96.
        width: channels of the first stage; each further stage has twice as many, at most 256.
        augment: whether to augment with random shifts of up to an eighth and, for color images,
            horizontal flips.
        skip_unreadable: the most images that are skipped if they cannot be read, in all sets
            together; see data.SkippedFiles.
        others: see TrainingOptions.
    """

    # late in training the loss on a few wrong images grows while accuracy still improves
    MONITOR = "val_accuracy"
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 3000, 15, 100
    MOST_BATCH = 128
    ADAPTIVE_RATE = 3e-3

    weight_decay: float = 0.05
    model: str = option("cnn", MODEL)
    size: int | tuple | None = option(None, SIZE)
    width: int = 32
    augment: bool = option(True, AUGMENT)
    skip_unreadable: int = option(0, SKIP_UNREADABLE)

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("cnn",), what="model for images")
        expect_range(self.width, what="width", least=1)
        expect_integer(self.skip_unreadable, what="skip_unreadable", least=0)

    def space(self, rows):
        widths = tuple(sorted({16, 32, 64, self.width}))
        return super().space(rows) | {"width": Choice(widths, start=self.width)}

    def respec(self, spec):
        stages = len(spec["widths"])
        return super().respec(spec) | {"widths": stage_widths(self.width, stages)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTransferOptions(TransferOptions):
    """Options for transfer learning on images.

    Attributes:
        size: image size in pixels, or (height, width); None: the size that the backbone was
            pretrained on.
        augment: whether to augment in fine-tuning, with random shifts of up to an eighth and
            horizontal flips. A frozen backbone sees every image once, unaugmented.
        skip_unreadable: the most images that are skipped if they cannot be read, in all sets
            together; see data.SkippedFiles.
        others: see TransferOptions.
    """

    size: int | tuple | None = None
    augment: bool = True
    skip_unreadable: int = 0

    def __post_init__(self):
        super().__post_init__()
        expect_integer(self.skip_unreadable, what="skip_unreadable", least=0)


def stage_widths(width: int, count: int) -> list[int]:
    """Channels of each stage of a network for images: twice as many as before, at most 256."""
    return [min(width * 2**k, max(256, width)) for k in range(count)]
