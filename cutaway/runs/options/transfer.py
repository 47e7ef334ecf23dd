"""Options for transfer learning."""

import dataclasses
import math

from cutaway.errors import OptionError, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import PRETRAINED, Flag, option, required_option

FROM = Flag(
    "Train a new head on a pretrained backbone: efficientnet-lite0 or resnet50 for images, minilm "
    "for texts; NAME:FILE or NAME:hf://org/name for other weights.",
    PRETRAINED,
    metavar="NAME",
    names=("--from",),
)
FINE_TUNE = Flag(
    "Then fine-tune the last stages of the backbone as well.", PRETRAINED, names=("--fine-tune",)
)
WARM = 0.1  # fraction of the fine-tuning steps used for warmup


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferOptions(TrainingOptions):
    """Options for transfer learning from a pretrained backbone.

    Attributes:
        from_: the backbone: "efficientnet-lite0", "minilm", ... (models.PRETRAINED_BACKBONES), or
            "NAME:WEIGHTS" with a path or URL of weights; of hf://org/name the commit is kept.
        fine_tune: whether to fine-tune stages of the backbone after training the head.
        unfreeze: first stage to fine-tune; None: the last third of the stages.
        layer_decay: in fine-tuning, the learning rate of each stage is this times that of the
            next one.
        optimizer: "": nesterov for the head, whose loss is convex; adamw for fine-tuning.
        lr: of the head; in fine-tuning, of all stages, before layer_decay. None: from a bound on
            the curvature of the head's loss.
        weight_decay: λ of the head; None: the best of a few by validation loss. The backbone's
            weights do not decay.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 600, 20, 100
    LEAST_BATCH, MOST_BATCH = 32, 64
    TUNED_EPOCHS, TUNED_BATCH, TUNED_RATE = 3, 32, 5e-5

    optimizer: str = ""
    from_: str = required_option(FROM)
    fine_tune: bool = option(False, FINE_TUNE)
    unfreeze: str | None = option(
        None,
        Flag("First stage to fine-tune.", PRETRAINED, metavar="STAGE", default="the last third"),
    )
    layer_decay: float = 0.7
    weight_decay: float | None = None
    dropout: float = 0.0

    def __post_init__(self):
        if not self.optimizer:
            object.__setattr__(self, "optimizer", "adamw" if self.fine_tune else "nesterov")
        object.__setattr__(self, "from_", with_commit(self.from_))
        super().__post_init__()
        expect_range(self.layer_decay, what="layer decay", above=0, most=1)
        if self.unfreeze is not None and not self.fine_tune:
            raise OptionError(
                f"unfreeze={self.unfreeze!r} without fine_tune",
                expected="unfreeze together with fine_tune",
                fix="add fine_tune=True (--fine-tune), or omit unfreeze (--unfreeze)",
            )

    def count_epochs(self, rows: int) -> int:
        if self.fine_tune and self.epochs is None:
            return self.TUNED_EPOCHS
        return super().count_epochs(rows)

    def batch(self, rows: int) -> int:
        if self.fine_tune and self.batch_size is None:
            return min(rows, self.TUNED_BATCH)
        return super().batch(rows)

    def for_head(self) -> "TransferOptions":
        """The options for training the head, before those that depend on the features."""
        if not self.fine_tune:
            return self
        return dataclasses.replace(
            self,
            fine_tune=False,
            unfreeze=None,
            optimizer="",
            lr=None,
            epochs=None,
            batch_size=None,
            patience=None,
        )

    def make_optimizer(self, net, rows: int):
        from cutaway.optim import OPTIMIZERS, Cosine, Warmup

        steps = math.ceil(rows / self.batch(rows)) * self.count_epochs(rows)
        kind = OPTIMIZERS[self.optimizer]
        decay = {}
        if kind.takes_decay:
            decay = {"weight_decay": self.weight_decay or 0.0, "decays": _is_head}
        if not self.fine_tune:
            schedule = Cosine(steps) if self.schedule == "cosine" else None
            return kind(net, self.rate(), schedule=schedule, **decay)
        warm = max(1, round(WARM * steps))
        then = Cosine(max(1, steps - warm)) if self.schedule == "cosine" else None
        rates = net.rates(self.layer_decay)
        return kind(net, self.rate(), schedule=Warmup(warm, then), groups=rates, **decay)


def with_commit(source: str) -> str:
    """ "NAME:hf://org/name" with the commit that it means now; another source as it is.

    Raises:
        OptionError, RunError: see weights.fetch_from_hub.
    """
    from cutaway.weights.hub import is_on_hub, pinned

    name, _, weights = source.partition(":")
    return f"{name}:{pinned(weights)}" if is_on_hub(weights) else source


def _is_head(path, parameter) -> bool:
    """Whether it is the weight of the head's last layer (2.weight in the head alone)."""
    return parameter.ndim > 1 and not path.startswith("body.")
