"""Final reports, in NumPy on the host: which class is taken for which, and how far off numbers are.

scikit-learn has the same, but its import alone takes a second.
"""

import numpy as np


def confusion_matrix(truth, prediction, num_classes: int) -> np.ndarray:
    """(classes, classes) counts: row is the true class, column the predicted one.

    Args:
        truth, prediction: (rows,) class numbers.
    """
    cells = np.asarray(truth) * num_classes + np.asarray(prediction)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def classification_scores(truth, probabilities) -> dict:
    """Scores of probabilities (rows, classes) for class numbers (rows,), as Python numbers.

    precision, recall and f1 are those of class 1 for two classes, else means over the classes
    that occur; roc_auc is None where it is not defined.
    """
    truth = np.asarray(truth).astype(int)
    p = np.asarray(probabilities, np.float64)
    classes = p.shape[1]
    matrix = confusion_matrix(truth, p.argmax(axis=1), classes)
    right, guessed, true = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    per_class = {
        "precision": _ratio(right, guessed),
        "recall": _ratio(right, true),
        "f1": _ratio(2 * right, guessed + true),
    }
    occurs = (guessed + true) > 0
    scores = {
        "accuracy": right.sum() / len(truth),
        "balanced_accuracy": per_class["recall"][true > 0].mean(),
    }
    for name, values in per_class.items():
        scores[name] = values[1] if classes == 2 else values[occurs].mean()
    aucs = [_auc(p[:, k], truth == k) for k in ([1] if classes == 2 else range(classes))]
    scores["roc_auc"] = None if any(a is None for a in aucs) else np.mean(aucs)
    scores["log_loss"] = -np.log(np.maximum(p[np.arange(len(p)), truth], 1e-15)).mean()
    return {name: value if value is None else float(value) for name, value in scores.items()}


def regression_scores(truth, prediction) -> dict:
    """mean_absolute_error, root_mean_squared_error and r2 of (rows,) values."""
    y, p = np.asarray(truth, np.float64), np.asarray(prediction, np.float64)
    spread = ((y - y.mean()) ** 2).sum()
    return {
        "mean_absolute_error": float(np.abs(p - y).mean()),
        "root_mean_squared_error": float(np.sqrt(((p - y) ** 2).mean())),
        "r2": float(1 - ((p - y) ** 2).sum() / spread) if spread > 0 else None,
    }


def _ratio(a, b):
    return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)


def _auc(score, positive):
    """Mann-Whitney: (rank sum of the positives - its least) / pairs; ties get mean ranks."""
    count, rest = int(positive.sum()), int((~positive).sum())
    if not count or not rest:
        return None
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks = (ends - (sizes - 1) / 2)[group]
    return (ranks[positive].sum() - count * (count + 1) / 2) / (count * rest)
