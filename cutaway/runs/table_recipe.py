"""The recipe for tables: an ensemble of networks with embeddings of numbers, and how it trains.

What is taken from whom, and what was measured, stands in docs/tables.md.
"""

import dataclasses
import math

import numpy as np

from cutaway.data import Folds, TablePreprocessing
from cutaway.data.encoders import EmbeddedCategory, Number
from cutaway.data.target import Target
from cutaway.data.text_column import TextColumn
from cutaway.nn import Ensemble, Linear, Module, initialize_on
from cutaway.optim import AdamW, CosineCycles, FlatCosine
from cutaway.runs.networks import DEFAULT_LOSSES

TINY = 100  # rows below which one plain network is trained
FOLDS, MANY = 4, 5000  # rows from which they are dealt out once, not twice
APART, MOST_APART = 0.05, 1000  # fraction, then rows, that no network trains on: see `deal`
MEMBERS = 4  # networks where rows are not dealt out
WORD_FEATURES = 16  # size of a word's vector
HIDDEN = (128, 128)
ACTIVATION = "selu"
DROPOUT, DECAY = 0.15, 0.02
CYCLES, LEAST_CYCLES = 6, 3  # of the learning rate, each twice as long as the one before
REST = 0.1  # of the highest learning rate: below it the weights of an epoch may be kept
RATE, RATE_OF_NUMBERS = 0.03, 0.06  # learning rate for classes, for numbers
BETAS = (0.9, 0.95)
EMBEDDING_WIDTH, EMBEDDING_SCALE = 8, 0.2
CLIP = 10.0  # of standardized columns with waves: keeps the effect of a far outlier bounded
FEW_VALUES = 12  # a column of numbers with as many values or fewer has no waves
LISTED = 12  # names in a sentence
BATCH = 256
STEPS, MOST_STEPS = 1200, 20_000  # wanted at least, if no cycle gets too long; allowed
LONGEST_FIRST = 4  # epochs of the first cycle at most
INITIAL_ROWS = 1024  # on which weights are drawn


def chosen(options, rows: int, *, is_bundled: bool) -> str:
    """The recipe: the given one, or the plain network where it is asked for or the table is tiny.

    Args:
        options: TableOptions.
        rows: of the table.
        is_bundled: whether it is the table that comes with Cutaway, which lessons use.
    """
    if options.recipe is not None:
        return options.recipe
    return "plain" if options.of_plain() or is_bundled or rows < TINY else "ensemble"


def deals_out(options) -> bool:
    """Whether rows may be dealt into folds: not where the split has an order, or is a list.

    Args:
        options: TableOptions.
    """
    return (options.split or "random").partition(":")[0] in ("random", "group")


def deal(y, task: str, seed: int, groups=None) -> Folds:
    """The folds of the rows: fewer networks for more rows, which vary less.

    The temperature of the mean of all networks needs rows that several have not seen. Dealt out
    twice, all rows are such; otherwise a few are left to no network, if there are classes.

    Args:
        y: (rows,) encoded targets.
        groups: (rows,) of those that stay in one fold.
    """
    repeats = 2 if len(y) < MANY else 1
    is_class = task != "regression"
    apart = min(APART, MOST_APART / len(y)) if is_class and repeats == 1 else 0.0
    return Folds.deal(
        y, FOLDS, repeats=repeats, seed=seed, stratify=is_class, groups=groups, apart=apart
    )


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
        "clip": CLIP,
        "learned_scale": True,
        "embedding_scale": EMBEDDING_SCALE,
    }


def sizes_of_texts(rows: TablePreprocessing) -> list[list[int]]:
    """[tokens, length, size of a vector] of each column of texts."""
    return [[text.tokens, text.length, WORD_FEATURES] for text in rows.texts]


def inputs_in_words(spec: dict, rows) -> str:
    """What each network does with the encoded columns, in sentences.

    Args:
        spec: from `network`.
        rows: the fitted preprocessing.
    """
    waved = [rows.features[k] for k in spec["periodic"]]
    categories = [e.name for e in rows.encoders if isinstance(e, EmbeddedCategory)]
    texts = [e.name for e in rows.encoders if isinstance(e, TextColumn)]
    parts = [
        f"Each of the {spec['members']} networks takes the columns as preprocessed (see Data)."
    ]
    if waved:
        parts.append(
            f"Numbers with more than {FEW_VALUES} distinct values ({_listed(waved)}) go through a "
            f"smooth clip at ±{spec['clip']:g} and then through waves: cosines with learned "
            "frequencies, beside the number itself (periodic embedding)."
        )
    if categories:
        parts.append(f"Categories of {_listed(categories)} become learned vectors (embedding).")
    if texts:
        parts.append(
            f"Words of {_listed(texts)} become learned vectors of {WORD_FEATURES} numbers."
        )
    return " ".join([*parts, "The outputs of all networks are averaged."])


def _listed(names: list[str]) -> str:
    """Names with commas; of many the first."""
    shown = ", ".join(names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"


def base_rate(target: Target) -> np.ndarray:
    """(outputs,) what is predicted of all rows alike: log odds, log probabilities, or the mean."""
    if target.task == "regression":
        return np.zeros(1)
    p = _frequencies(target)
    return np.log(p[1:]) - np.log(p[:1]) if target.task == "binary" else np.log(p)


def base_loss(target: Target) -> float:
    """The loss of predicting this: the entropy of the classes, or the variance, which is 1."""
    if target.task == "regression":
        return 1.0
    p = _frequencies(target)
    return float(-np.sum(p * np.log(p)))


def _frequencies(target: Target) -> np.ndarray:
    """Of the classes; one that does not occur counts as half a row."""
    p = np.maximum(np.array(target.counts, float), 0.5)
    return p / p.sum()


@dataclasses.dataclass(frozen=True)
class Cycles:
    """How long is trained: cycles of the learning rate, each twice as long as the one before.

    They end where an epoch ends, because the weights of an epoch's end are kept. Training stops
    after the first that is no better than the one before: most tables need three to five.

    Attributes:
        count: number of cycles at most.
        first: epochs of the first one.
    """

    count: int
    first: int

    @classmethod
    def of(cls, rows: int, batch_size: int) -> "Cycles":
        """Those for so many rows."""
        steps = math.ceil(rows / batch_size)
        count = CYCLES
        while count > LEAST_CYCLES and steps * (2**count - 1) > MOST_STEPS:
            count -= 1
        wanted = round(STEPS / steps / (2**count - 1))
        return cls(count, min(LONGEST_FIRST, max(1, wanted)))

    @property
    def epochs(self) -> int:
        """Of all cycles."""
        return self.first * (2**self.count - 1)


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


def optimizer(net, *, steps: int, cycles: int, rate: float) -> AdamW:
    """The optimizer of one member."""
    return AdamW(
        net,
        rate,
        betas=BETAS,
        schedule=CosineCycles(steps, cycles),
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
