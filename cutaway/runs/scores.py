"""How good predictions are, beside what guessing would give."""

import numpy as np

from cutaway.metrics import classification_scores, regression_scores


def score(preprocessing, y, outputs) -> dict:
    """Scores of a run's outputs for encoded targets, in the target's own units.

    Args:
        preprocessing: the run's TablePreprocessing.
        y: (rows,) as it encodes the target.
        outputs: as Run.outputs gives them.

    Returns:
        {score: number}; baseline_accuracy and baseline_mean_absolute_error are those of always
        saying the commonest class, or the mean, of the table that was trained on.
    """
    if preprocessing.task == "regression":
        truth = preprocessing.untransform_target(y)
        return {
            **regression_scores(truth, outputs),
            "baseline_mean_absolute_error": float(np.abs(truth - preprocessing.target.mean).mean()),
        }
    commonest = int(np.argmax(preprocessing.target.counts))
    return {
        **classification_scores(y, outputs),
        "baseline_accuracy": float((np.asarray(y) == commonest).mean()),
    }
