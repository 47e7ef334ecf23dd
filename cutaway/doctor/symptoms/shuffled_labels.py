"""shuffled_labels: the targets are unrelated to the inputs, as if the rows had been shuffled."""

import math

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import ask, chosen_classes, class_numbers, constant

EXPLAINS = ("stuck", "overfitting")

# With a validation loss below this fraction of chance level, something was learned.
LEARNED = 0.97
# Nearest neighbors: if there is nothing to learn, they do no better than with shuffled targets.
NEIGHBORS, PERMUTATIONS, LEAST_P = 10, 39, 0.05
ROWS = 1500
# Below this fraction of the initial loss, the network is able to memorize rows.
MEMORIZED = 0.8


def look(evidence) -> Finding | None:
    """The validation loss, then whether nearest neighbors have similar targets."""
    chance = evidence.chance_loss
    if evidence.task == "tokens" or not math.isfinite(chance) or len(evidence.program.x) < 40:
        return None
    if not evidence.final_loss < MEMORIZED * chance:
        before, after = evidence.one_batch
        if not after < MEMORIZED * before:
            return None  # it learns nothing at all: that is another problem
    losses = evidence.validated.losses
    if not len(losses) or not np.isfinite(losses).any():
        return None
    best = float(np.nanmin(losses))
    limit = LEARNED * _chance_on(evidence)
    if not best >= limit:
        return None
    if _beats_the_majority(evidence):
        return None
    p = dependence(evidence)
    if p is None or p <= LEAST_P:
        return None
    return Finding(
        "shuffled_labels",
        "the pairing of inputs and targets",
        [
            Measure("lowest validation loss", best, limit, "above",
                    "loss of the best constant prediction"),
            Measure("p-value of the hypothesis that targets do not depend on inputs", p, LEAST_P,
                    "above", f"{PERMUTATIONS} permutations, {NEIGHBORS} nearest neighbors"),
        ],
        "On validation rows the network does no better than a constant prediction, and rows with "
        "similar inputs do not have similar targets: it can only memorize. Inputs and targets are "
        "probably in different orders.",
        [Prescription("inspect some rows with their targets, and pair them again from the source")],
        0.86,
    )  # fmt: skip


def _chance_on(evidence) -> float:
    """Validation loss of the constant prediction that is best for the training rows."""
    (_, y), (_, rest) = evidence.validated.training, evidence.validated.validation
    if evidence.wants is None:
        return evidence.chance_loss
    answer = constant(evidence.wants, y, evidence.ending.shape)[:1]
    answer = np.broadcast_to(answer, (len(rest), *answer.shape[1:]))
    return ask(evidence.program.trainer.loss, answer, rest)


def _beats_the_majority(evidence) -> bool:
    """Whether the accuracy on validation rows beats the majority class by 3 standard errors."""
    x, y = evidence.validated.validation
    true = class_numbers(y, evidence.wants)
    if true is None:
        return False
    predicted = chosen_classes(evidence.validated.trainer.predict(x), evidence.wants)
    common = float((true == np.bincount(true).argmax()).mean())
    return float((predicted == true).mean()) > common + 3 * math.sqrt(0.25 / len(true))


def _ranks(y) -> np.ndarray:
    """Ranks within each column, so that a few outliers cannot hide a relation."""
    return np.argsort(np.argsort(y, axis=0, kind="stable"), axis=0).astype(np.float64)


def dependence(evidence) -> float | None:
    """p-value of "y does not depend on x", by nearest neighbors and ridge regression.

    None where it cannot be computed.
    """
    rows = np.unique(np.linspace(0, len(evidence.program.x) - 1, ROWS).astype(int))
    x = np.asarray(evidence.program.x[rows], np.float64).reshape(len(rows), -1)
    y = np.asarray(evidence.program.y[rows])
    classes = class_numbers(y, evidence.wants)
    target = (
        np.eye(int(classes.max()) + 1)[classes] if classes is not None and len(classes) == len(y)
        else _ranks(y.reshape(len(y), -1))
    )  # fmt: skip
    std = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, std > 0] / std[std > 0]
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
    # leave-one-out predictions of a ridge regression: e_i = (y_i - ŷ_i) / (1 - h_ii)
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
