"""data_shift: validation rows are distributed differently from training rows."""

import math

import numpy as np

from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import class_numbers
from cutaway.nn import Embedding
from cutaway.nn.trees import count_rows
from cutaway.train.blocks import leaves_by_name

EXPLAINS = ("overfitting", "train_eval_mismatch")

# Largest distance between the two distribution functions of a feature (Kolmogorov-Smirnov). A shift
# by one standard deviation gives 0.38, by half of one 0.20.
DISTANCE = 0.25
FREQUENCY = 0.25  # difference in the frequency of a class
SIGNIFICANCE = 1e-4  # over all features together, by Bonferroni
ROWS, FEATURES = 2000, 2000
# Validation loss beyond the training loss, relative to chance level; a harmless shift is no fault.
HARM = 0.05


POOL = (
    "pool all rows and split them again at random, or preprocess both parts the same way, with "
    "statistics fitted on the training rows"
)
MEANT = (
    "expect as little on new rows as on these, which the split made unlike: leave out what only "
    "tells time or group, use differences of what grows, train again as new rows come"
)


def look(evidence) -> Finding | None:
    """Whether each feature has the same distribution in validation rows as in training rows."""
    plan = evidence.plan
    if plan.validation is None or not math.isfinite(evidence.final_loss):
        return None
    x_val, y_val = plan.validation
    pairs = _pairs(evidence.sample[0], x_val)
    if any(isinstance(module, Embedding) for module in evidence.trainer.net.modules().values()):
        pairs = {name: pair for name, pair in pairs.items() if not _are_codes(pair[0])}
    if count_rows(x_val) < 8 or any(a.shape[1:] != b.shape[1:] for a, b in pairs.values()):
        return None
    harm = evidence.loss_of(evidence.trainer, x_val, y_val) - evidence.final_loss
    if not harm > HARM * evidence.scale:
        return None
    shifts = (shift(a, b, name, plan.inputs) for name, (a, b) in pairs.items())
    shifts = [found for found in shifts if found is not None]
    found = max(shifts, key=lambda found: found[1].value, default=None)
    if found is None:
        each = (_frequencies(head, y_val, plan) for head in evidence.heads)
        found = next(filter(None, each), None)
    if found is None:
        return None
    where, measure, text = found
    return Finding(
        "data_shift",
        where,
        [measure, Measure("validation loss minus training loss", harm, HARM * evidence.scale)],
        text,
        [Prescription(MEANT if plan.is_split_meant else POOL)],
        0.88,
    )  # fmt: skip


look_live = look  # it makes no experiment


def _are_codes(array) -> bool:
    """Whether these are numbers of words or categories: their mean says nothing."""
    return np.issubdtype(array.dtype, np.integer) and array.dtype != np.uint8


def _pairs(x, x_val) -> dict:
    """{name: (array of training rows, the same of validation rows)}; "" for a single array."""
    other = leaves_by_name("x", x_val)
    found = {k: (a, np.asarray(other[k])) for k, a in leaves_by_name("x", x).items() if k in other}
    return {"": found["x"]} if list(found) == ["x"] else found


def shift(x, x_val, name: str = "", inputs: tuple[str, ...] = ()):
    """(where, Measure, explanation) of the feature that differs most, or None.

    Args:
        x, x_val: (rows, ...), numbers; the mean and standard deviation of each row count as
            features too.
        name: of x, if there are several.
        inputs: names of the features.
    """
    x, x_val = (np.asarray(v[:ROWS], np.float64).reshape(min(len(v), ROWS), -1) for v in
                (x, x_val))  # fmt: skip
    columns = np.unique(np.linspace(0, x.shape[1] - 1, FEATURES).astype(int))
    a, b = x[:, columns], x_val[:, columns]
    if x.shape[1] > 64:
        a = np.column_stack([a, x.mean(1), x.std(1)])
        b = np.column_stack([b, x_val.mean(1), x_val.std(1)])
    distances = np.array([distance(p, q) for p, q in zip(a.T, b.T, strict=True)])
    worst = int(distances.argmax())
    p = min(1.0, p_value(distances[worst], len(a), len(b)) * len(distances))
    if distances[worst] < DISTANCE or p > SIGNIFICANCE:
        return None
    column = int(columns[worst]) if worst < len(columns) else 0
    name = (
        (f"{name} column {column}" if name else _input_name(column, inputs)) if worst < len(columns)
        else ("mean of a row", "standard deviation of a row")[worst - len(columns)]
    )  # fmt: skip
    return (
        f"the validation rows, {name}",
        Measure("distance between the two distributions", float(distances[worst]), DISTANCE,
                "above", f"Kolmogorov-Smirnov, p = {p:.1g} over {len(distances)} features"),
        f"Its mean is {a[:, worst].mean():.3g} in the training rows and {b[:, worst].mean():.3g} "
        f"in the validation rows; its standard deviation is {a[:, worst].std():.3g} and "
        f"{b[:, worst].std():.3g}. The network is evaluated on inputs unlike those it was "
        "trained on.",
    )  # fmt: skip


def _input_name(column: int, inputs: tuple[str, ...]) -> str:
    return f"input {inputs[column]}" if column < len(inputs) else f"input {column + 1}"


def _frequencies(head, y_val, plan):
    y, y_val = head.sample_y, head.head.of_targets(y_val)
    classes, other = (class_numbers(v, head.wants) for v in (y, y_val))
    if classes is None or other is None:
        found = shift(y, y_val) if y.shape[1:] == y_val.shape[1:] else None
        return found and (
            f"the validation targets{head.head.where}",
            found[1],
            found[2].replace("inputs", "targets"),
        )
    most = max(classes.max(), other.max()) + 1
    a, b = (np.bincount(v, minlength=most) / len(v) for v in (classes, other))
    worst = int(np.abs(a - b).argmax())
    apart = float(abs(a - b)[worst])
    error = math.sqrt(0.25 / len(classes) + 0.25 / len(other))
    if apart < max(FREQUENCY, 4 * error):
        return None
    return (
        f"the validation rows, {plan.class_name(worst, head.head.where)}",
        Measure("difference in its frequency", apart, FREQUENCY),
        f"It makes up {a[worst]:.0%} of the training rows and {b[worst]:.0%} of the "
        "validation rows.",
    )


def distance(a, b) -> float:
    """Largest difference between the two empirical distribution functions.

    Example:
        >>> import numpy as np
        >>> from cutaway.doctor.symptoms.data_shift import distance
        >>> distance(np.array([0, 1, 2, 3]), np.array([2, 3, 4, 5]))
        0.5
    """
    every = np.concatenate([a, b])
    a, b = np.sort(a), np.sort(b)
    one = np.searchsorted(a, every, side="right") / len(a)
    two = np.searchsorted(b, every, side="right") / len(b)
    return float(np.abs(one - two).max())


def p_value(d: float, n: int, m: int) -> float:
    """Probability of a distance of at least d under the null hypothesis: Kolmogorov's series."""
    t = d * math.sqrt(n * m / (n + m))
    if t < 0.2:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 20))
    return min(1.0, max(0.0, sum(terms)))
