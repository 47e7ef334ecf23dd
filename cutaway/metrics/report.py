"""Evaluation reports in NumPy, on the host: confusion matrix, scores per class, residuals.

scikit-learn has the same, but importing it takes a second.
"""

import numpy as np

from cutaway.errors import DataError, ShapeError


def confusion_matrix(truth, prediction, num_classes: int) -> np.ndarray:
    """(classes, classes) counts: row is the true class, column the predicted one.

    Args:
        truth, prediction: (rows,) integer labels.

    Raises:
        ShapeError: unequal numbers of rows.
        DataError: a label out of range.

    Example:
        >>> from cutaway.metrics import confusion_matrix
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    truth, prediction = _same_rows(truth, prediction)
    for name, values in (("true", truth), ("predicted", prediction)):
        bad = np.flatnonzero((values < 0) | (values >= num_classes) | (values % 1 != 0))
        if len(bad):
            raise DataError(
                f"confusion_matrix: the {name} class {values[bad[0]]} in row {bad[0]}",
                expected=f"integers from 0 to {num_classes - 1}, for {num_classes} classes",
                fix="number the classes from 0, or give a larger num_classes",
            )
    cells = truth.astype(int) * num_classes + prediction.astype(int)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def classification_report(truth, prediction, classes) -> list[dict]:
    """One row per class: {"class", "precision", "recall", "f1", "support"}.

    Args:
        truth, prediction: (rows,) integer labels.
        classes: names of the classes, in the order of their labels.

    Raises: see confusion_matrix.

    Example:
        >>> from cutaway.metrics import classification_report
        >>> classification_report([0, 0, 1], [0, 1, 1], ["no", "yes"])[1]
        {'class': 'yes', 'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'support': 1}
    """
    scores = _per_class(confusion_matrix(truth, prediction, len(classes)))
    rows = zip(classes, *(values.tolist() for values in scores.values()), strict=True)
    return [dict(zip(("class", *scores), row, strict=True)) for row in rows]


def residual_summary(truth, prediction) -> dict:
    """Distribution of ŷ - y: mean, standard deviation, quartiles, and the row with the worst error.

    Args:
        truth, prediction: (rows,) numbers, at least one.

    Raises:
        ShapeError: unequal numbers of rows, or none.

    Example:
        >>> from cutaway.metrics import residual_summary
        >>> summary = residual_summary([1.0, 2.0, 3.0], [1.0, 3.0, 1.0])
        >>> summary["median"], summary["furthest_row"]
        (0.0, 2)
    """
    truth, prediction = _same_rows(truth, prediction)
    residual = prediction.astype(np.float64) - truth.astype(np.float64)
    if not len(residual):
        raise ShapeError("residual_summary: there are no rows", expected="at least one row")
    least, lower, median, upper, largest = np.quantile(residual, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return {
        "mean": float(residual.mean()),
        "standard_deviation": float(residual.std()),
        "minimum": least,
        "lower_quartile": lower,
        "median": median,
        "upper_quartile": upper,
        "maximum": largest,
        "furthest_row": int(np.abs(residual).argmax()),
    }


def classification_scores(truth, probabilities, predicted=None, *, positive: int = 1) -> dict:
    """Scores of probabilities (rows, classes) for integer labels (rows,), as Python numbers.

    precision, recall and f1 are those of the class `positive` for two classes, otherwise macro
    averages over the classes that occur; roc_auc is None where it is undefined.

    Args:
        predicted: (rows,) the predicted classes; None: the most probable ones.
    """
    truth = np.asarray(truth).astype(int)
    p = np.asarray(probabilities, np.float64)
    classes = p.shape[1]
    guess = p.argmax(axis=1) if predicted is None else predicted
    matrix = confusion_matrix(truth, guess, classes)
    per_class = _per_class(matrix)
    true = per_class.pop("support")
    occurs = (matrix.sum(axis=0) + true) > 0
    scores = {
        "accuracy": np.trace(matrix) / len(truth),
        "balanced_accuracy": per_class["recall"][true > 0].mean(),
    }
    for name, values in per_class.items():
        scores[name] = values[positive] if classes == 2 else values[occurs].mean()
    aucs = [_auc(p[:, k], truth == k) for k in ([1] if classes == 2 else range(classes))]
    defined = [auc for auc in aucs if auc is not None]
    scores["roc_auc"] = np.mean(defined) if len(defined) == len(aucs) else None
    scores["log_loss"] = -np.log(np.maximum(p[np.arange(len(p)), truth], 1e-15)).mean()
    return {name: value if value is None else float(value) for name, value in scores.items()}


def regression_scores(truth, prediction) -> dict:
    """mean_absolute_error, root_mean_squared_error and r2 of (rows,) values."""
    y, p = np.asarray(truth, np.float64), np.asarray(prediction, np.float64)
    total = ((y - y.mean()) ** 2).sum()
    return {
        "mean_absolute_error": float(np.abs(p - y).mean()),
        "root_mean_squared_error": float(np.sqrt(((p - y) ** 2).mean())),
        "r2": float(1 - ((p - y) ** 2).sum() / total) if total > 0 else None,
    }


def _per_class(matrix) -> dict:
    """{score: (classes,)} of a confusion matrix; support counts the true rows."""
    right, guessed, true = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return {
        "precision": _ratio(right, guessed),
        "recall": _ratio(right, true),
        "f1": _ratio(2 * right, guessed + true),
        "support": true,
    }


def _same_rows(truth, prediction):
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.ndim != 1 or truth.shape != prediction.shape:
        raise ShapeError(
            f"a report got targets of shape {truth.shape} and predictions of shape "
            f"{prediction.shape}",
            expected="equal shapes (rows,)",
            fix="for probabilities (rows, classes) pass their argmax(axis=1)",
        )
    return truth, prediction


def _ratio(a, b):
    return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)


def _auc(score, positive):
    """Mann-Whitney: (rank sum of the positives - its minimum) / pairs; ties get mean ranks."""
    count, rest = int(positive.sum()), int((~positive).sum())
    if not count or not rest:
        return None
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks = (ends - (sizes - 1) / 2)[group]
    return (ranks[positive].sum() - count * (count + 1) / 2) / (count * rest)
