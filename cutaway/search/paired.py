"""Paired comparison of two predictors on the same rows, with a confidence interval."""

import math

import numpy as np

DRAWS = 4000


def paired_interval(a, b, *, seed: int = 0) -> tuple[float, float, float]:
    """(mean of b - a, low, high): 95% confidence interval, by the bootstrap over rows.

    Efron 1979, "Bootstrap methods: another look at the jackknife": rows are sampled with
    replacement, the same ones for both predictors.

    Args:
        a, b: (rows,) one number per row, such as 1 for correct and 0 for wrong.
    """
    difference = np.asarray(b, float) - np.asarray(a, float)
    rng = np.random.default_rng(seed)
    rows = len(difference)
    means = [difference[rng.integers(0, rows, rows)].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(difference.mean()), float(low), float(high)


def resampled_interval(values, *, test_over_training: float) -> tuple[np.ndarray, np.ndarray]:
    """(means, half widths) over the last axis, the splits: 95% intervals by Student's t.

    Random splits of the same rows overlap, so the variance of the mean of J values is

        s² (1/J + test rows / training rows)

    instead of s²/J. Nadeau & Bengio 2003, "Inference for the generalization error", eq. 7. Of a
    single value the half width is NaN.

    Args:
        values: (..., splits) scores, or their differences.
        test_over_training: test rows / training rows; 0 if the splits do not overlap.

    Example:
        >>> from cutaway.search.paired import resampled_interval
        >>> mean, half = resampled_interval([0.1, 0.2, 0.3], test_over_training=0.25)
        >>> round(float(mean), 3), round(float(half), 3)
        (0.2, 0.329)
    """
    values = np.asarray(values, float)
    splits = values.shape[-1]
    means = values.mean(axis=-1)
    if splits < 2:
        return means, np.full(values.shape[:-1], np.nan)
    from scipy.stats import t

    error = values.std(axis=-1, ddof=1) * math.sqrt(1 / splits + test_over_training)
    return means, t.ppf(0.975, splits - 1) * error
