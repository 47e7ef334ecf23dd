"""The validation rows come from elsewhere than the training rows."""

import math

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import class_numbers

# Largest distance of the two distribution functions of a feature (Kolmogorov-Smirnov). A shift of
# one spread gives 0.38, of half a one 0.20.
DISTANCE = 0.25
# Of the share of a class.
SHARE = 0.25
SIGNIFICANCE = 1e-4  # over all features together, by Bonferroni
ROWS, FEATURES = 2000, 2000
# How much worse the validation rows fare, as a share of chance; a shift without harm is none.
HARM = 0.05


def look(evidence) -> Finding | None:
    """Feature by feature, whether validation rows are distributed as training rows are."""
    program = evidence.program
    if program.validation is None or not math.isfinite(evidence.final_loss):
        return None
    x_held, y_held = (np.asarray(part) for part in program.validation)
    x, y = evidence.sample
    if len(x_held) < 8 or x.shape[1:] != x_held.shape[1:]:
        return None
    harm = evidence.loss_of(evidence.trainer, x_held, y_held) - evidence.final_loss
    if not harm > HARM * evidence.scale:
        return None
    found = shift(x, x_held) or _shares(evidence, y, y_held)
    if found is None:
        return None
    where, measure, text = found
    return Finding(
        "data_shift",
        where,
        [measure, Measure("L on validation rows beyond that on training rows", harm,
                          HARM * evidence.scale)],
        text,
        [Prescription("put all rows together and split them anew at random, or prepare both parts "
                      "in the same way, with the numbers of the training rows")],
        0.88,
    )  # fmt: skip


def shift(x, x_held):
    """(where, Measure, explanation) of the feature that differs most, or None.

    Args:
        x, x_held: (rows, ...), numbers; whole rows' means and spreads count as features too.
    """
    x, x_held = (np.asarray(v[:ROWS], np.float64).reshape(min(len(v), ROWS), -1) for v in
                 (x, x_held))  # fmt: skip
    columns = np.unique(np.linspace(0, x.shape[1] - 1, FEATURES).astype(int))
    a, b = x[:, columns], x_held[:, columns]
    if x.shape[1] > 64:
        a = np.column_stack([a, x.mean(1), x.std(1)])
        b = np.column_stack([b, x_held.mean(1), x_held.std(1)])
    distances = np.array([distance(p, q) for p, q in zip(a.T, b.T, strict=True)])
    worst = int(distances.argmax())
    p = min(1.0, p_value(distances[worst], len(a), len(b)) * len(distances))
    if distances[worst] < DISTANCE or p > SIGNIFICANCE:
        return None
    name = (
        f"input {int(columns[worst]) + 1}" if worst < len(columns)
        else ("mean of a row", "spread of a row")[worst - len(columns)]
    )  # fmt: skip
    return (
        f"the validation rows, {name}",
        Measure("distance of the two distributions", float(distances[worst]), DISTANCE, "above",
                f"Kolmogorov-Smirnov, p = {p:.1g} over {len(distances)} features"),
        f"Its mean is {a[:, worst].mean():.3g} in training rows and {b[:, worst].mean():.3g} in "
        f"validation rows, its spread {a[:, worst].std():.3g} and {b[:, worst].std():.3g}: the "
        "network is asked about inputs that it was not trained for.",
    )  # fmt: skip


def _shares(evidence, y, y_held):
    classes, other = (class_numbers(v, evidence.wants) for v in (y, y_held))
    if classes is None:
        found = shift(y, y_held) if y.shape[1:] == y_held.shape[1:] else None
        return found and ("the validation targets", found[1], found[2].replace("inputs", "targets"))
    most = max(classes.max(), other.max()) + 1
    a, b = (np.bincount(v, minlength=most) / len(v) for v in (classes, other))
    worst = int(np.abs(a - b).argmax())
    apart = float(abs(a - b)[worst])
    error = math.sqrt(0.25 / len(classes) + 0.25 / len(other))
    if apart < max(SHARE, 4 * error):
        return None
    return (
        f"the validation rows, class {worst}",
        Measure("difference of its share", apart, SHARE),
        f"Class {worst} has {a[worst]:.0%} of the training rows and {b[worst]:.0%} of the "
        "validation rows.",
    )


def distance(a, b) -> float:
    """Largest difference of the two empirical distribution functions.

    Example:
        >>> distance(np.array([0, 1, 2, 3]), np.array([2, 3, 4, 5]))
        0.5
    """
    every = np.concatenate([a, b])
    a, b = np.sort(a), np.sort(b)
    one = np.searchsorted(a, every, side="right") / len(a)
    two = np.searchsorted(b, every, side="right") / len(b)
    return float(np.abs(one - two).max())


def p_value(d: float, n: int, m: int) -> float:
    """Probability of a distance of at least d by chance: Kolmogorov's series."""
    t = d * math.sqrt(n * m / (n + m))
    if t < 0.2:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 20))
    return min(1.0, max(0.0, sum(terms)))
