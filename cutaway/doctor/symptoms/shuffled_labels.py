"""shuffled_labels: the targets are unrelated to the inputs, as if the rows had been shuffled."""

import math

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.outputs import ask, chosen_classes, class_numbers, constant
from cutaway.nn.trees import is_array, leaves

EXPLAINS = ("stuck", "overfitting")

# With a validation loss below this fraction of chance level, something was learned.
LEARNED = 0.97
# Nearest neighbors: if there is nothing to learn, they do no better than with shuffled targets.
NEIGHBORS, PERMUTATIONS, LEAST_P = 10, 39, 0.05
ROWS = 1500
# Below this fraction of the initial loss, the network is able to memorize rows.
MEMORIZED = 0.8
TOKENS = 500  # most token ids that are counted


def look(evidence) -> Finding | None:
    """The validation loss, then whether nearest neighbors have similar targets."""
    return look_at_heads(_look, evidence)


def _look(evidence, head) -> Finding | None:
    chance = head.chance_loss
    if head.task == "tokens" or not math.isfinite(chance) or evidence.plan.rows < 40:
        return None
    if not head.head.is_only and not head.head.term:
        evidence.not_checked("shuffled labels", "the loss has no term of its own for each target")
        return None
    if not head.final_loss < MEMORIZED * chance:
        before, after = evidence.one_batch
        if not after < MEMORIZED * before:
            return None  # it learns nothing at all: that is another problem
    losses = evidence.validated.losses_of("" if head.head.is_only else head.head.term)
    if not len(losses) or not np.isfinite(losses).any():
        return None
    best = float(np.nanmin(losses))
    limit = LEARNED * _chance_on(head)
    if not best >= limit:
        return None
    if _beats_the_majority(head):
        return None
    p = dependence(head)
    if p is None or p <= LEAST_P:
        return None
    return Finding(
        "shuffled_labels",
        f"the pairing of inputs and targets{head.head.where}",
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


def _chance_on(head) -> float:
    """Validation loss of the constant prediction that is best for the training rows."""
    validated, targets = head.evidence.validated, head.head.of_targets
    y, rest = targets(validated.training[1]), targets(validated.validation[1])
    if head.wants is None:
        return head.chance_loss
    answer = constant(head.wants, y, head.ending.shape)[:1]
    answer = np.broadcast_to(answer, (len(rest), *answer.shape[1:]))
    return head.head.weight * ask(head.loss, answer, rest)


def _beats_the_majority(head) -> bool:
    """Whether the accuracy on validation rows beats the majority class by 3 standard errors."""
    validated = head.evidence.validated
    x, y = validated.validation
    true = class_numbers(head.head.of_targets(y), head.wants)
    if true is None:
        return False
    predicted = chosen_classes(head.head.predict(validated.trainer, x), head.wants)
    common = float((true == np.bincount(true).argmax()).mean())
    return float((predicted == true).mean()) > common + 3 * math.sqrt(0.25 / len(true))


def _ranks(y) -> np.ndarray:
    """Ranks within each column, so that a few outliers cannot hide a relation."""
    return np.argsort(np.argsort(y, axis=0, kind="stable"), axis=0).astype(np.float64)


def features(x) -> np.ndarray:
    """(rows, features) of inputs; of a tree side by side, token ids as how often each occurs."""
    if is_array(x):
        return np.asarray(x, np.float64).reshape(len(x), -1)
    return np.concatenate([_counted(leaf).reshape(len(leaf), -1) for leaf in leaves(x)], axis=1)


def _counted(leaf) -> np.ndarray:
    if leaf.dtype.kind not in "iu" or leaf.ndim != 2 or not 0 <= leaf.min() <= leaf.max() < TOKENS:
        return leaf.astype(np.float64)
    return np.stack([(leaf == k).sum(axis=1) for k in range(leaf.max() + 1)], axis=1).astype(float)


def dependence(head) -> float | None:
    """p-value of "y does not depend on x", by nearest neighbors and ridge regression.

    None where it cannot be computed.
    """
    x, y = head.evidence.plan.spread(ROWS)
    x, y = features(x), head.head.of_targets(y)
    classes = class_numbers(y, head.wants)
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
