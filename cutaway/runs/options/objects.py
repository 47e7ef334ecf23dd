"""Training options for pictures with boxes."""

import dataclasses

from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.runs.options.dense import expect_piece
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import AUGMENT, DENSE, MODEL, SIZE, Flag, option
from cutaway.runs.options.masks import TURNS
from cutaway.runs.options.transfer import FINE_TUNE, FROM, with_commit

# networks on any backbone, and those with a body of their own
MODELS = ("faster-rcnn", "yolo", "ssd", "mask-rcnn", "fast-rcnn")  # heads on a pretrained backbone
SSD_EPOCHS = 3  # times as many: its heads are single convolutions, which learn slowly
MOSAIC = Flag(
    "For boxes, fraction of the training examples that are made of four pictures.",
    DENSE,
    metavar="FRACTION",
)
PATCHES = Flag(
    "For boxes, fraction of the training examples that are windows, as SSD is taught.",
    DENSE,
    metavar="FRACTION",
)
COLOR = Flag(
    "For boxes, how much saturation (factor e^N) and hue (100 N degrees) change in training.",
    DENSE,
    metavar="N",
)

PROPOSALS = Flag(
    "For --model fast-rcnn, a run of faster-rcnn whose first stage proposes the regions.",
    DENSE,
    metavar="RUN",
    default="a grid of regions",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectOptions(TrainingOptions):
    """Training options for pictures with boxes; None means a default that depends on the data.

    Attributes:
        model: "faster-rcnn", "yolo" or "ssd", on a pretrained backbone; "mask-rcnn" also outlines
            the objects; "fast-rcnn" looks for them in given regions.
        proposals: folder of the run of a "faster-rcnn" or "mask-rcnn" whose first stage proposes
            the regions of "fast-rcnn"; the new run gets a copy of it. None: a grid.
        from_: the pretrained backbone, see TransferOptions.
        fine_tune: whether the backbone is trained too, with a lower learning rate for all.
        size: longer side of the pictures as the network takes them, letterboxed, or (height,
            width); None: theirs, at most 320 pixels.
        augment: whether to flip, zoom and shift pictures and change their light.
        turns: whether pictures look alike in any direction, as under a microscope: they are then
            also mirrored upside down; None: gray pictures do.
        mosaic, patches: fractions of the training examples that are made of four pictures, or are
            windows, see data.Mosaic and data.RandomPatch.
        color: saturation changes by a factor of at most e^color, hue by 100 color degrees.
        others: see TrainingOptions.
    """

    MONITOR = "val_ap"
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 360, 10, 200
    LEAST_BATCH, MOST_BATCH = 8, 8
    ADAPTIVE_RATE, TUNED_RATE = 2e-3, 5e-4
    TUNED_STEPS = 600
    WARM = 0.05  # fraction of the steps in which the learning rate rises

    weight_decay: float = 0.01
    dropout: float = 0.0
    validation: float = 0.15
    model: str = option("faster-rcnn", MODEL)
    from_: str = option("efficientnet-lite0", FROM)
    fine_tune: bool = option(False, FINE_TUNE)
    size: int | tuple | None = option(None, SIZE)
    augment: bool = option(True, AUGMENT)
    mosaic: float = option(0.0, MOSAIC)
    patches: float = option(0.0, PATCHES)
    color: float = option(0.0, COLOR)
    turns: bool | None = option(None, TURNS)
    proposals: str | None = option(None, PROPOSALS)

    def __post_init__(self):
        object.__setattr__(self, "from_", with_commit(self.from_))
        super().__post_init__()
        expect_choice(self.model, MODELS, what="model")
        expect_piece(self.size, 2)
        if self.proposals is not None:
            object.__setattr__(self, "proposals", str(self.proposals))  # a Path
            if self.model != "fast-rcnn":
                raise OptionError(
                    f"proposals={self.proposals!r} with model={self.model!r}",
                    expected="model fast-rcnn, which takes its regions from elsewhere",
                    fix="add model='fast-rcnn' (--model fast-rcnn), or omit proposals "
                    "(--proposals)",
                )
        for name in ("mosaic", "patches", "color"):
            expect_range(getattr(self, name), what=name, least=0, most=1)

    @property
    def takes_dropout(self):
        return False

    def rate(self):
        return self.TUNED_RATE if self.lr is None and self.fine_tune else super().rate()

    def count_epochs(self, rows: int) -> int:
        if self.epochs is not None or not self.fine_tune:
            usual = super().count_epochs(rows)
            return usual * SSD_EPOCHS if self.model == "ssd" and self.epochs is None else usual
        steps = -(-rows // self.batch(rows))
        return min(self.MOST_EPOCHS, max(self.LEAST_EPOCHS, -(-self.TUNED_STEPS // steps)))

    def make_optimizer(self, net, rows: int):
        from cutaway.optim import OPTIMIZERS, AdamW, Cosine, Warmup

        steps = -(-rows // self.batch(rows)) * self.count_epochs(rows)
        warm = max(1, round(self.WARM * steps))
        then = Cosine(max(1, steps - warm)) if self.schedule == "cosine" else None
        kind, schedule = OPTIMIZERS[self.optimizer], Warmup(warm, then)
        if kind is AdamW:
            return AdamW(net, self.rate(), weight_decay=self.weight_decay, schedule=schedule)
        return kind(net, self.rate(), schedule=schedule)

    def respec(self, spec):
        return spec
