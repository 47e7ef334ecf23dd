"""The recipe for tables: an ensemble of networks with embeddings of numbers, and how it trains.

What is taken from whom, and what was measured, stands in docs/tables.md.
"""

import math

import numpy as np

from cutaway.data import Folds, TablePreprocessing
from cutaway.data.encoders import Number
from cutaway.data.target import Target
from cutaway.nn import Ensemble, Linear, Module, initialize_on
from cutaway.optim import AdamW, CosineCycles, FlatCosine
from cutaway.runs.networks import DEFAULT_LOSSES

FOLDS, MANY = 4, 20_000  # rows from which they are dealt out once, not twice
MEMBERS = 4  # networks where rows are not dealt out
WORD_FEATURES = 16  # size of a word's vector
HIDDEN = (128, 128)
ACTIVATION = "selu"
DROPOUT, DECAY = 0.15, 0.02
CYCLES = 6  # of the learning rate, each twice as long as the one before
REST = 0.1  # of the highest learning rate: below it the weights of an epoch may be kept
RATE, RATE_OF_NUMBERS = 0.015, 0.03  # learning rate for classes, for numbers
BETAS = (0.9, 0.95)
EMBEDDING_WIDTH, EMBEDDING_SCALE = 8, 0.2
FEW_VALUES = 12  # a column of numbers with as many values or fewer has no waves
BATCH = 256
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 2500, 40, 256
INITIAL_ROWS = 1024  # on which weights are drawn


def deals_out(options) -> bool:
    """Whether rows may be dealt into folds: not where the split has an order, or is a list.

    Args:
        options: TableOptions.
    """
    return (options.split or "random").partition(":")[0] in ("random", "group")


def deal(y, task: str, seed: int, groups=None) -> Folds:
    """The folds of the rows: fewer networks for more rows, which vary less.

    Args:
        y: (rows,) encoded targets.
        groups: (rows,) of those that stay in one fold.
    """
    repeats = 2 if len(y) < MANY else 1
    is_class = task != "regression"
    return Folds.deal(y, FOLDS, repeats=repeats, seed=seed, stratify=is_class, groups=groups)


def network(rows: TablePreprocessing, x: np.ndarray, members: int) -> dict:
    """The spec of the network, for `build_network`.

    Args:
        rows: the fitted preprocessing.
        x: (rows, features) encoded training rows.
        members: number of networks.
    """
    embeddings = [[levels, min(width, EMBEDDING_WIDTH)] for _, levels, width in rows.embeddings]
    places = {name: k for k, name in enumerate(rows.features)}
    numbers = [places[e.names[0]] for e in rows.encoders if isinstance(e, Number)]
    return {
        "model": "table_ensemble",
        "members": members,
        "loss": DEFAULT_LOSSES[rows.task],
        "num_features": len(rows.features) - len(embeddings) - sum(t.length for t in rows.texts),
        "embeddings": embeddings,
        "texts": sizes_of_texts(rows),
        "layers": list(HIDDEN),
        "outputs": len(rows.classes or []) if rows.task == "multiclass" else 1,
        "activation": ACTIVATION,
        "dropout": DROPOUT,
        "periodic": sorted(k for k in numbers if len(np.unique(x[:, k])) > FEW_VALUES),
        "learned_scale": True,
        "embedding_scale": EMBEDDING_SCALE,
    }


def sizes_of_texts(rows: TablePreprocessing) -> list[list[int]]:
    """[tokens, length, size of a vector] of each column of texts."""
    return [[text.tokens, text.length, WORD_FEATURES] for text in rows.texts]


def base_rate(target: Target) -> np.ndarray:
    """(outputs,) what is predicted of all rows alike: log odds, log probabilities, or the mean."""
    if target.task == "regression":
        return np.zeros(1)
    p = np.maximum(np.array(target.counts, float), 0.5)
    p /= p.sum()
    return np.log(p[1:]) - np.log(p[:1]) if target.task == "binary" else np.log(p)


def count_epochs(rows: int, batch_size: int) -> int:
    """Epochs for so many rows."""
    steps = math.ceil(rows / batch_size)
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS / steps)))


def initialize(net: Ensemble, x: np.ndarray, rows: TablePreprocessing) -> None:
    """Draw the weights of all members by training rows, and let them begin at the base rate.

    Args:
        x: (rows, features) encoded training rows.
        rows: the fitted preprocessing.
    """
    bias = base_rate(rows.target).astype(np.float32)
    sample = x[np.linspace(0, len(x) - 1, min(len(x), INITIAL_ROWS)).astype(int)]
    for member in net.members:
        initialize_on(member, sample, zero_last=True)
        last = last_layer(member)
        assert last.bias is not None  # an MLP has them
        last.bias.data = last.bias.data + bias


def last_layer(net: Module) -> Linear:
    """The last Linear of a member, which gives its outputs."""
    return [m for m in net.modules().values() if isinstance(m, Linear)][-1]


def rate(task: str) -> float:
    """The learning rate."""
    return RATE_OF_NUMBERS if task == "regression" else RATE


def optimizer(net, *, steps: int, rate: float) -> AdamW:
    """The optimizer of one member."""
    return AdamW(
        net,
        rate,
        betas=BETAS,
        schedule=CosineCycles(steps, CYCLES),
        weight_decay=DECAY,
        decays=decay_of,
        decay_schedule=FlatCosine(steps),
        groups=rate_of,
    )


def rate_of(path: str, parameter) -> float:
    """The factor on the learning rate of a parameter of a TableNetwork.

    With 1/√inputs a step changes what a unit sums up as much in a wide layer as in a narrow one.
    """
    part = path.partition(".")[0]
    by_part = {"waves": 0.1, "scale": 6.0, "embeddings": 0.3, "words": 0.3}
    if part in by_part:
        return by_part[part]
    return 0.1 if parameter.ndim == 1 else parameter.shape[0] ** -0.5


def decay_of(path: str, parameter) -> float:
    """The factor on the weight decay: 0 for biases, phases and learned scales.

    The weights of the MLP decay by λ η, without the factor on their rate.
    """
    part, _, rest = path.partition(".")
    if part == "scale" or rest.endswith(("bias", "phase")):
        return 0.0
    return 1.0 if part != "mlp" else parameter.shape[0] ** 0.5
