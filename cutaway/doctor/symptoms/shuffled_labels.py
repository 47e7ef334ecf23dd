"""The targets have nothing to do with the inputs: rows that were mixed up."""

import math

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import ask, chosen_classes, class_numbers, constant

# Below this share of chance on rows that were not trained on, something was learned.
LEARNED = 0.97
# Neighbors vote: with nothing to be learned they are right as often as with shuffled targets.
NEIGHBORS, PERMUTATIONS, LEAST_P = 10, 39, 0.05
ROWS = 1500
# Below this share of the starting loss, the network is able to learn rows by heart.
BY_HEART = 0.8


def look(evidence) -> Finding | None:
    """Loss on other rows, then whether neighbors have alike targets."""
    chance = evidence.chance_loss
    if evidence.task == "tokens" or not math.isfinite(chance) or len(evidence.program.x) < 40:
        return None
    if not evidence.final_loss < BY_HEART * chance:
        before, after = evidence.one_batch
        if not after < BY_HEART * before:
            return None  # it learns nothing at all: that is another trouble
    losses = evidence.held.losses
    if not len(losses) or not np.isfinite(losses).any():
        return None
    best = float(np.nanmin(losses))
    limit = LEARNED * _chance_on(evidence)
    if not best >= limit:
        return None
    if _is_often_right(evidence):
        return None
    p = dependence(evidence)
    if p is None or p <= LEAST_P:
        return None
    return Finding(
        "shuffled_labels",
        "the pairing of inputs and targets",
        [
            Measure("lowest L on rows that were not trained on", best, limit, "above",
                    "L of the best constant answer"),
            Measure("chance that targets without meaning fit their neighbors as well", p, LEAST_P,
                    "above", f"{PERMUTATIONS} permutations, {NEIGHBORS} nearest neighbors"),
        ],
        "On rows that it has not seen, the network does no better than a constant answer, and rows "
        "with alike inputs do not have alike targets: what it learns, it learns by heart. Inputs "
        "and targets were probably put in different orders.",
        [Prescription("look at some rows with their targets, and pair them anew from the source")],
        0.86,
    )  # fmt: skip


def _chance_on(evidence) -> float:
    """L, on the rows that were not trained on, of the best constant answer for those that were."""
    (_, y), (_, rest) = evidence.held.training, evidence.held.rest
    if evidence.wants is None:
        return evidence.chance_loss
    answer = constant(evidence.wants, y, evidence.ending.shape)[:1]
    answer = np.broadcast_to(answer, (len(rest), *answer.shape[1:]))
    return ask(evidence.program.trainer.loss, answer, rest)


def _is_often_right(evidence) -> bool:
    """Whether classes of rows that were not trained on are told, surely or not: 3 errors' worth."""
    x, y = evidence.held.rest
    true = class_numbers(y, evidence.wants)
    if true is None:
        return False
    said = chosen_classes(evidence.held.trainer.predict(x), evidence.wants)
    common = float((true == np.bincount(true).argmax()).mean())
    return float((said == true).mean()) > common + 3 * math.sqrt(0.25 / len(true))


def _ranks(y) -> np.ndarray:
    """Ranks of each column: of what is related, a few outliers cannot hide it."""
    return np.argsort(np.argsort(y, axis=0, kind="stable"), axis=0).astype(np.float64)


def dependence(evidence) -> float | None:
    """p-value of "x does not tell y", by nearest neighbors and by a line; None: not known."""
    rows = np.unique(np.linspace(0, len(evidence.program.x) - 1, ROWS).astype(int))
    x = np.asarray(evidence.program.x[rows], np.float64).reshape(len(rows), -1)
    y = np.asarray(evidence.program.y[rows])
    classes = class_numbers(y, evidence.wants)
    target = (
        np.eye(int(classes.max()) + 1)[classes] if classes is not None and len(classes) == len(y)
        else _ranks(y.reshape(len(y), -1))
    )  # fmt: skip
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    target = target - target.mean(axis=0)
    if not x.shape[1] or not target.any():
        return None
    rng = np.random.default_rng(0)
    if x.shape[1] > 256:  # distances survive a projection, Johnson & Lindenstrauss 1984
        x = x @ rng.normal(size=(x.shape[1], 256)) / 16
    squares = (x**2).sum(1)
    distances = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, min(NEIGHBORS, len(x) - 2), axis=1)[:, :NEIGHBORS]
    # leave-one-out answers of a ridge regression: e_i = (y_i - ŷ_i) / (1 - h_ii)
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    shrunk = left * (singular**2 / (singular**2 + len(x) * 0.1))
    hat = (shrunk * left).sum(1)

    def scores(t):
        votes = t[near].mean(axis=1)
        line = shrunk @ (left.T @ t)
        line = (line - hat[:, None] * t) / (1 - hat)[:, None]
        return np.array([(votes * t).sum(), (line * t).sum()])

    own = scores(target)
    others = np.array([scores(rng.permutation(target)) for _ in range(PERMUTATIONS)])
    p = (1 + (others >= own).sum(axis=0)) / (PERMUTATIONS + 1)
    return float(min(1.0, 2 * p.min()))  # two tests
