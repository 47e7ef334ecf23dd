"""Scores of predictions for a table, and the loss of each row."""

import numpy as np

BINS = 15
DRAWS = 1000
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
        "ece": calibration_error(outputs, truth),
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


def calibration_error(probabilities, truth, bins: int = BINS) -> float:
    """Expected calibration error: Σ over bins (rows / all rows) |accuracy - mean confidence|.

    The confidence is the probability of the predicted class; bins are equally wide. Guo et al.
    2017, "On calibration of modern neural networks", eq. 3.

    Example:
        >>> from cutaway.search.table_scores import calibration_error
        >>> round(calibration_error([[0.9, 0.1], [0.8, 0.2]], [0, 1]), 3)
        0.45
    """
    confidence, right = _confidence(probabilities, truth)
    place = _bins(confidence, bins)
    gaps = np.bincount(place, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def calibrated_range(probabilities, bins: int = BINS, *, draws: int = DRAWS) -> tuple[float, float]:
    """The 95% range of the calibration error of a perfectly calibrated predictor.

    It predicts these very probabilities, and each row's prediction is right with the probability
    that it states; what is left is the noise of so many rows.

    Args:
        draws: number of such sets of right and wrong predictions.
    """
    confidence, _ = _confidence(probabilities, np.zeros(len(probabilities), int))
    place, rng = _bins(confidence, bins), np.random.default_rng(0)
    found = np.empty(draws)
    for k in range(draws):
        right = rng.random(len(confidence)) < confidence
        gaps = np.bincount(place, right - confidence, minlength=bins)
        found[k] = np.abs(gaps).sum() / len(confidence)
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def _confidence(probabilities, truth):
    probabilities = np.asarray(probabilities, np.float64)
    right = probabilities.argmax(axis=1) == np.asarray(truth)
    return probabilities.max(axis=1), right.astype(np.float64)


def _bins(confidence, bins: int):
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
