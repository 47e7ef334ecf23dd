"""Training options for any kind of data: optimizer, epochs, validation and test sets."""

import dataclasses
import math

from cutaway.errors import OptionError, expect_choice, expect_integer, expect_range
from cutaway.runs.options.flags import SPLIT, TRAINING, Flag, option
from cutaway.runs.space import Choice, Real

SCHEDULES = ("cosine", "constant")
DATA = "depends on the data"
MOST_STEPS = 2**31 - 1  # steps are counted in 32 bits
CLASS_WEIGHTS = Flag(
    "Weights of the classes in the loss: balanced, or NAME=WEIGHT,NAME=WEIGHT; names with commas "
    "in double quotes: '\"a,b\"=2'.",
    TRAINING,
    metavar="WEIGHTS",
    default="1 each",
)
SEARCHED_OPTIMIZERS = ("adamw", "adam", "rmsprop", "nesterov")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Training options for any kind of data; None means a default that depends on the data.

    Attributes:
        epochs: maximum number of epochs; None: enough for a good number of steps, so more for
            small data sets.
        batch_size: rows per batch.
        class_weights: how much examples of each class weigh in the loss: "balanced", so that all
            classes weigh the same, or "name=weight,name=weight"; None: 1 each.
        optimizer: name of the optimizer.
        lr: learning rate η.
        schedule: learning-rate schedule: "cosine" (down to 0 over all epochs) or "constant".
        weight_decay: λ of AdamW; ignored by other optimizers.
        dropout: fraction of hidden units dropped in training.
        patience: epochs without a better validation loss after which training stops; None: train
            for all epochs. The best weights are kept either way.
        validation: fraction of the rows used for validation, of those that the test set leaves;
            0: all rows train, and the scores are those of the training rows.
        test: fraction of the rows kept as a test set, which is used for the final scores only; 0
            for none. Ignored if the data come with a test set.
        split: "random", "time:COLUMN" or "group:COLUMN" (tables and texts), a text file that lists
            the test examples, or a folder of such lists; None: the sets that the data come with,
            or random ones. See runs.split.
        seed: random seed.
        precision: of matrix products and convolutions: "float32", "tensorfloat32" (differs from
            float32 on GPUs only) or "bfloat16"; see cutaway.matmul_precision.
    """

    MONITOR = "val_loss"  # column of the history that decides which weights are kept
    ADAPTIVE_RATE = 1e-3
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1500, 50, 500
    LEAST_BATCH, MOST_BATCH, STEPS_PER_EPOCH = 32, 512, 50

    epochs: int | None = option(None, Flag("Maximum number of epochs.", TRAINING, default=DATA))
    batch_size: int | None = option(None, Flag("Batch size.", TRAINING, default=DATA))
    class_weights: str | None = option(None, CLASS_WEIGHTS)
    optimizer: str = option("adamw", Flag("Optimizer.", TRAINING))
    lr: float | None = option(
        None, Flag("Learning rate.", TRAINING, default="depends on the optimizer")
    )
    schedule: str = option(
        "cosine", Flag("Learning-rate schedule: cosine (down to 0) or constant.", TRAINING)
    )
    weight_decay: float = option(1.0, Flag("Weight decay, for adamw.", TRAINING, default=DATA))
    dropout: float = option(0.2, Flag("Dropout rate.", TRAINING, metavar="P", default=DATA))
    patience: int | None = option(
        None,
        Flag("Stop after this many epochs without improvement.", TRAINING, default="never"),
    )
    validation: float = option(
        0.2, Flag("Fraction of the rows used for validation; 0 for none.", TRAINING)
    )
    test: float = 0.0
    split: str | None = option(None, SPLIT)
    seed: int = option(0, Flag("Random seed.", TRAINING))
    precision: str = option(
        "float32",
        Flag(
            "Precision of matrix products and convolutions: float32, tensorfloat32 (11 "
            "significant bits, GPU only) or bfloat16 (8 bits).",
            TRAINING,
            metavar="NAME",
        ),
    )

    def __post_init__(self):
        from cutaway.ops.precision import PRECISIONS
        from cutaway.optim import OPTIMIZERS

        expect_choice(self.optimizer, OPTIMIZERS, what="optimizer")
        expect_choice(self.schedule, SCHEDULES, what="schedule")
        if self.weight_decay is not None:
            expect_range(self.weight_decay, what="weight decay", least=0, below=math.inf)
        if self.lr is not None:
            expect_range(self.lr, what="learning rate lr", above=0, below=math.inf)
        if self.batch_size is not None:
            expect_integer(self.batch_size, what="batch size", least=1)
        if self.epochs is not None:
            expect_integer(self.epochs, what="epochs", least=1, most=MOST_STEPS)
        expect_range(self.dropout, what="dropout", least=0, below=1)
        if self.dropout and not self.takes_dropout:
            raise OptionError(
                f"dropout={self.dropout}",
                expected="0: this network has no dropout",
                fix="omit it, or choose another network",
            )
        expect_range(self.validation, what="validation", least=0, below=1)
        expect_range(self.test, what="test", least=0, below=1)
        if self.split is not None:
            object.__setattr__(self, "split", str(self.split))  # a Path
        if self.patience is not None:
            expect_integer(self.patience, what="patience", least=1)
        expect_integer(self.seed, what="seed", least=0)
        expect_choice(self.precision, PRECISIONS, what="precision")

    @property
    def takes_dropout(self) -> bool:
        """Whether the network has dropout."""
        return True

    def rate(self) -> float:
        """The learning rate; by default the usual one of the optimizer."""
        from cutaway.optim import OPTIMIZERS

        if self.lr is not None:
            return self.lr
        return OPTIMIZERS[self.optimizer].usual_lr or self.ADAPTIVE_RATE

    def count_epochs(self, rows: int) -> int:
        """Epochs for a training set of `rows` rows."""
        if self.epochs is not None:
            return self.epochs
        steps = math.ceil(rows / self.batch(rows))
        return min(self.MOST_EPOCHS, max(self.LEAST_EPOCHS, math.ceil(self.LEAST_STEPS / steps)))

    def batch(self, rows: int) -> int:
        """Batch size for a training set of `rows` rows: a power of two."""
        if self.batch_size is not None:
            return self.batch_size
        wanted = 2 ** round(math.log2(max(1, rows / self.STEPS_PER_EPOCH)))
        return min(rows, max(self.LEAST_BATCH, min(self.MOST_BATCH, wanted)))

    def make_optimizer(self, net, rows: int):
        """The optimizer for `net` on a training set of `rows` rows, with its schedule."""
        from cutaway.optim import OPTIMIZERS, AdamW, Cosine

        steps = math.ceil(rows / self.batch(rows)) * self.count_epochs(rows)
        expect_range(steps, what="number of steps of all epochs", least=1, most=MOST_STEPS)
        schedule = Cosine(steps) if self.schedule == "cosine" else None
        kind = OPTIMIZERS[self.optimizer]
        if kind is AdamW:
            return AdamW(net, self.rate(), weight_decay=self.weight_decay, schedule=schedule)
        return kind(net, self.rate(), schedule=schedule)

    def space(self, rows: int) -> dict:
        """The search space for this kind of data: {name: Choice, Real or Integer}.

        It contains the default values. Sampled values are passed to `drawn`.

        Args:
            rows: number of training examples.
        """
        usual = self.batch(rows)
        sizes = {max(2, usual // 4), max(2, usual // 2), usual, usual * 2, usual * 4}
        dropout = Real(0.0, max(0.6, self.dropout), start=self.dropout)
        return {
            "optimizer": Choice(tuple(dict.fromkeys((self.optimizer, *SEARCHED_OPTIMIZERS)))),
            "rate_factor": Real(1 / 30, 30, start=1.0, log=True),
            "batch_size": Choice(tuple(sorted(n for n in sizes if n <= rows)), start=usual),
            "weight_decay": Real(
                min(1e-3, self.weight_decay or 1e-3),
                max(3.0, self.weight_decay),
                start=self.weight_decay or 1e-3,
                log=True,
            ),
            **({"dropout": dropout} if self.takes_dropout else {}),
        }

    def drawn(self, values: dict) -> "TrainingOptions":
        """These options with values sampled from `space`.

        The learning rate is sampled as a multiple of the optimizer's usual one, which makes the
        values comparable across optimizers.
        """
        values = dict(values)
        factor = values.pop("rate_factor", None)
        options = dataclasses.replace(self, **values)
        if factor in (None, 1.0):
            return options
        return dataclasses.replace(options, lr=options.rate() * factor)

    def respec(self, spec: dict) -> dict:
        """The spec of a network for the same data as `spec`, with these options."""
        return {**spec, "dropout": self.dropout}
