"""Robust scaling of numbers: by median and quartiles, then a smooth clip.

References:
    Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", arXiv:2407.04491, section 3.
"""

import numpy as np

LIMIT = 3.0  # which a clipped value never reaches


def center_and_spread(values) -> tuple[float, float]:
    """Median and interquartile range of finite values (rows,), in their unit.

    Where the interquartile range is 0, half the range from the smallest to the largest takes its
    place; that is 0 if all values are the same, also if there are none.

    Example:
        >>> from cutaway.data.robust_scaling import center_and_spread
        >>> center_and_spread([1.0, 2, 3, 4, 100]), center_and_spread([0.0, 0, 0, 0, 0, 8])
        ((3.0, 2.0), (0.0, 4.0))
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        return 0.0, 0.0
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    spread = high - low if high > low else (values.max() - values.min()) / 2
    return float(median), float(spread)


def smooth_clip(values) -> np.ndarray:
    """u / √(1 + (u/3)²): about u near 0, between -3 and 3.

    Example:
        >>> from cutaway.data.robust_scaling import smooth_clip
        >>> smooth_clip([0.1, 4.0, -1e9]).round(4).tolist()
        [0.0999, 2.4, -3.0]
    """
    values = np.asarray(values, np.float64)
    return values / np.sqrt(1 + (values / LIMIT) ** 2)


def smooth_unclip(clipped) -> np.ndarray:
    """The u of which `smooth_clip` is `clipped`; at most some thousands, so that it is finite.

    Example:
        >>> from cutaway.data.robust_scaling import smooth_unclip
        >>> smooth_unclip([2.4]).round(4).tolist()
        [4.0]
    """
    clipped = np.asarray(clipped, np.float64)
    rest = 1 - (clipped / LIMIT) ** 2
    # in single precision, of 3 - 1e-7 and more only 3 is left
    return clipped / np.sqrt(np.maximum(rest, 1e-7))
