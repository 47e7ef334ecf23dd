"""Scores of predictions for a table, and the loss of each row."""

import numpy as np

from cutaway.metrics import expected_calibration_error

LEAST_PROBABILITY = 1e-7  # below which the logarithm of a probability is cut off
HIGHER_IS_BETTER = {
    "log_loss": False,
    "auc": True,
    "accuracy": True,
    "ece": False,
    "rmse": False,
    "mae": False,
}


def main_score(task: str) -> str:
    """The score by which models are compared."""
    return "rmse" if task == "regression" else "log_loss"


def scores_of(task: str, truth, outputs) -> dict[str, float | None]:
    """All scores of predictions; None for one that is not defined for these rows.

    Args:
        truth: class numbers or values (rows,).
        outputs: probabilities (rows, classes) or values (rows,).
    """
    if task == "regression":
        errors = np.asarray(outputs) - truth
        return {
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "mae": float(np.mean(np.abs(errors))),
        }
    outputs = np.asarray(outputs, np.float64)
    return {
        "log_loss": float(row_losses(task, truth, outputs).mean()),
        "auc": area_under_roc(outputs, truth),
        "accuracy": float(np.mean(outputs.argmax(axis=1) == truth)),
        "ece": expected_calibration_error(outputs, truth),
    }


def row_losses(task: str, truth, outputs) -> np.ndarray:
    """(rows,) what each row adds to the main score: -ln p of its class, or the squared error."""
    if task == "regression":
        return (np.asarray(outputs, np.float64) - truth) ** 2
    of_truth = np.asarray(outputs, np.float64)[np.arange(len(truth)), truth]
    return -np.log(np.maximum(of_truth, LEAST_PROBABILITY))


def area_under_roc(probabilities, truth) -> float | None:
    """P(probability of a row of a class > that of another row), ties count half.

    For more than two classes the mean over classes, each against the rest. As metrics.roc_auc,
    without a compilation for each number of rows; None if a class does not occur.
    """
    from scipy.stats import rankdata

    classes = probabilities.shape[1]
    areas = []
    for k in range(classes) if classes > 2 else [1]:
        positive = truth == k
        count, rest = int(positive.sum()), int((~positive).sum())
        if not count or not rest:
            return None
        ranks = float(rankdata(probabilities[:, k])[positive].sum())
        areas.append((ranks - count * (count + 1) / 2) / (count * rest))
    return float(np.mean(areas))
