"""What a training on a table was asked to do, and the network that follows from it."""

import dataclasses
import math

from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.losses import LOSSES, expects
from cutaway.models import TableNetwork, mlp
from cutaway.nn import ACTIVATIONS, INITIALIZERS, Sigmoid, Softmax
from cutaway.optim import OPTIMIZERS, AdamW, Cosine

DEFAULT_LOSSES = {
    "binary": "binary_cross_entropy_with_logits",
    "multiclass": "sparse_categorical_cross_entropy_with_logits",
    "regression": "mean_squared_error",
}
# plain gradient steps are as long as the gradient is large; adaptive ones are about lr long
DEFAULT_RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "averaged_momentum": 0.1,
    "nesterov": 0.02,
    "adagrad": 0.02,
    "adadelta": 1.0,
}
ADAPTIVE_RATE = 1e-3
LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1500, 50, 500
SCHEDULES = ("cosine", "constant")


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """Options of a training on a table; None lets the data decide.

    The defaults are those with which small and middle-sized tables came out best
    (benchmarks/tables.py): enough steps, and enough that holds the weights back.

    Attributes:
        layers: sizes of the hidden layers.
        activation: name of the activation after each hidden layer.
        optimizer: name of the optimizer.
        lr: learning rate η.
        schedule: how η changes: "cosine" (down to 0 over all epochs) or "constant".
        weight_decay: λ of AdamW; no other optimizer has it.
        epochs: most epochs; None: 50, and more for few rows, so that there are 1,500 steps.
        batch_size: rows a step.
        loss: name of the loss.
        dropout: share of hidden units dropped in training.
        init: name of the initializer of the weights.
        seed: of everything random.
        validation: share of the rows held out.
        patience: epochs without a better loss on the held-out rows after which training ends;
            None goes through all epochs. The best weights are kept either way.
        task: "binary", "multiclass" or "regression".
        ignore: columns to leave out.
        kinds: {column: kind} to overrule what was found.
    """

    layers: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    optimizer: str = "adamw"
    lr: float | None = None
    schedule: str = "cosine"
    weight_decay: float = 1.0
    epochs: int | None = None
    batch_size: int | None = None
    loss: str | None = None
    dropout: float = 0.2
    init: str = "glorot_uniform"
    seed: int = 0
    validation: float = 0.2
    patience: int | None = None
    task: str | None = None
    ignore: tuple[str, ...] = ()
    kinds: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for n in self.layers:
            expect_range(n, what="a layer size", least=1)
        expect_choice(self.activation, ACTIVATIONS, what="activation")
        expect_choice(self.optimizer, OPTIMIZERS, what="optimizer")
        if self.loss is not None:
            expect_choice(self.loss, LOSSES, what="loss")
        expect_choice(self.init, INITIALIZERS, what="init")
        expect_choice(self.schedule, SCHEDULES, what="schedule")
        expect_range(self.weight_decay, what="weight decay", least=0)
        if self.task is not None:
            expect_choice(self.task, DEFAULT_LOSSES, what="task")
        if self.lr is not None:
            expect_range(self.lr, what="learning rate lr", above=0, below=math.inf)
        if self.batch_size is not None:
            expect_range(self.batch_size, what="batch size", least=1)
        if self.epochs is not None:
            expect_range(self.epochs, what="epochs", least=1)
        expect_range(self.dropout, what="dropout", least=0, below=1)
        expect_range(self.validation, what="validation", above=0, below=1)
        if self.patience is not None:
            expect_range(self.patience, what="patience", least=1)
        expect_range(self.seed, what="seed", least=0)

    def rate(self) -> float:
        """The learning rate, chosen for the optimizer where none was given."""
        if self.lr is not None:
            return self.lr
        return DEFAULT_RATES.get(self.optimizer, ADAPTIVE_RATE)

    def count_epochs(self, rows: int) -> int:
        """Epochs for a training set of `rows` rows."""
        if self.epochs is not None:
            return self.epochs
        steps = math.ceil(rows / self.batch(rows))
        return min(MOST_EPOCHS, max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / steps)))

    def make_optimizer(self, net, rows: int):
        """The optimizer for `net` on a training set of `rows` rows, with its schedule."""
        steps = math.ceil(rows / self.batch(rows)) * self.count_epochs(rows)
        schedule = Cosine(steps) if self.schedule == "cosine" else None
        kind = OPTIMIZERS[self.optimizer]
        if kind is AdamW:
            return AdamW(net, self.rate(), weight_decay=self.weight_decay, schedule=schedule)
        return kind(net, self.rate(), schedule=schedule)

    def batch(self, rows: int) -> int:
        """Rows a step for a training set of `rows` rows: about 50 steps an epoch, 32 to 512."""
        if self.batch_size is not None:
            return self.batch_size
        return min(rows, max(32, min(512, 2 ** round(math.log2(max(1, rows / 50))))))


def network_spec(options: TableOptions, preprocessing) -> dict:
    """The network for a table, as JSON-safe values from which `build_network` makes it."""
    task = preprocessing.task
    loss = options.loss or DEFAULT_LOSSES[task]
    outputs = len(preprocessing.classes) if task == "multiclass" else 1
    return {
        "loss": loss,
        "num_features": len(preprocessing.features) - len(preprocessing.embeddings),
        "embeddings": [[levels, width] for _, levels, width in preprocessing.embeddings],
        "layers": list(options.layers),
        "outputs": outputs,
        "activation": options.activation,
        "output": _output_activation(task, loss),
        "dropout": options.dropout,
        "init": options.init,
    }


def _output_activation(task: str, loss: str) -> str | None:
    """Name of the activation after the last layer, so that the loss gets what it expects."""
    wants = expects(LOSSES[loss])
    fits = {
        "binary": wants.target != "labels" and wants.target != "one_hot",
        "multiclass": wants.target in ("labels", "one_hot", "real"),
        "regression": wants.target == "real",
    }
    if not fits[task]:
        raise OptionError(
            f"the loss {loss} does not fit the target: it is for "
            f"{'classes' if task == 'regression' else wants.target + ' targets'}, and this is a "
            f"{task} task",
            expected=f"a loss for {task}, by default {DEFAULT_LOSSES[task]}",
            mend="leave out the loss, or give task to say what the target is",
        )
    if task == "regression" or wants.output in ("logit", "score"):
        return None
    return "sigmoid" if task == "binary" else "softmax"


def build_network(spec: dict):
    """The network that `spec` describes, with new random weights."""
    named = {
        "activation": ACTIVATIONS[spec["activation"]],
        "output": {"sigmoid": Sigmoid, "softmax": Softmax, None: None}[spec["output"]],
        "dropout": spec["dropout"],
        "weights": INITIALIZERS[spec["init"]],
    }
    if spec["embeddings"]:
        return TableNetwork(
            spec["num_features"], spec["embeddings"], spec["layers"], spec["outputs"], **named
        )
    return mlp((spec["num_features"], *spec["layers"], spec["outputs"]), **named)
