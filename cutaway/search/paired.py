"""Paired comparison of two predictors on the same rows, with a confidence interval."""

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
