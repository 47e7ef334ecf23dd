"""Calibration of classifiers: how far probabilities can be taken at their word, on the host."""

import dataclasses
import math

import numpy as np

from cutaway.errors import DataError, ShapeError, expect_integer, expect_range

BINS = 15
SPREAD = math.log(100)  # temperatures from 1/100 to 100 are tried
HALVINGS = 45  # of the interval of log T, to 13 digits
MOST_GAIN = 0.75  # see EnsembleTemperature


def expected_calibration_error(probabilities, labels, *, bins: int = BINS) -> float:
    """How far the probability of the predicted class is from the accuracy, on average.

    Σ_b n_b / n |accuracy_b - mean confidence_b| over bins of equal width of the confidence, which
    is the largest probability of a row. A bin holds its upper edge.

    Args:
        probabilities: (rows, classes), or (rows,) of class 1 of two.
        labels: (rows,) integers.
        bins: their number.

    Raises:
        ShapeError, DataError: shapes that do not fit, no rows, or values out of range.

    References:
        Naeini, Cooper & Hauskrecht 2015; Guo, Pleiss, Sun & Weinberger 2017, "On calibration of
        modern neural networks", arXiv:1706.04599, eq. 3.

    Example:
        >>> from cutaway.metrics import expected_calibration_error
        >>> round(expected_calibration_error([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], [0, 1, 1]), 3)
        0.4
    """
    found, labels = _checked(probabilities, labels, "expected_calibration_error")
    p = _as_probabilities(found)
    confidence, places = _binned(p, bins)
    return _error(confidence, p.argmax(axis=1) == labels, places, bins)


def calibrated_error_range(
    probabilities, *, bins: int = BINS, fraction: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The expected calibration errors of a perfectly calibrated predictor of these rows.

    Of few rows the error is above 0 by chance, even if every probability is true. Whether each row
    is right is drawn with the probability of its predicted class, `draws` times.

    Args:
        probabilities: see expected_calibration_error.
        bins: their number.
        fraction: of the draws that are inside.
        draws: how often all rows are drawn.
        seed: random seed.

    Returns:
        (low, high): an error within them gives no reason to doubt the calibration.

    Raises: see expected_calibration_error.

    Example:
        >>> from cutaway.metrics import calibrated_error_range
        >>> low, high = calibrated_error_range([0.7] * 100)
        >>> round(low, 2), round(high, 2)
        (0.0, 0.1)
    """
    expect_range(fraction, what="fraction", above=0, below=1)
    expect_integer(draws, what="draws", least=1)
    p, _ = _checked(probabilities, None, "calibrated_error_range")
    confidence, places = _binned(_as_probabilities(p), bins)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        right = rng.random(len(confidence)) < confidence
        found.append(_error(confidence, right, places, bins))
    outside = (1 - fraction) / 2
    low, high = np.quantile(found, (outside, 1 - outside))
    return float(low), float(high)


def fit_temperature(logits, labels) -> float:
    """The temperature T > 0 with which softmax(logits / T) has the lowest log loss.

    One number, found on rows that were not trained on, corrects the confidence of a network
    and leaves its classes. The log loss is convex in 1/T: its slope, mean of E_p[z] - z_label, is 0
    at one place at most, which is found by halving an interval of log T, in float64.

    Args:
        logits: (rows, classes), or (rows,) or (rows, 1) of class 1 of two, for σ(logit / T).
        labels: (rows,) integers.

    Returns:
        T, at most 100; 1 if no T has a lower log loss, or if every smaller one has a lower one, as
        for rows that are all right: they say nothing about how sure to be.

    Raises: see expected_calibration_error.

    References:
        Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599, section 4.2.

    Example:
        >>> from cutaway.metrics import fit_temperature
        >>> round(fit_temperature([4.0] * 10, [1] * 8 + [0] * 2), 4)  # 4 / ln(0.8 / 0.2)
        2.8854
    """
    z, labels = _checked(logits, labels, "fit_temperature", probabilities=False)
    z = np.stack([np.zeros(len(z)), z], axis=1) if z.ndim == 1 else z
    own = z[np.arange(len(z)), labels]

    def slope(log_t):
        p = _softmax(z * math.exp(-log_t))
        return float(((p * z).sum(axis=1) - own).mean())

    def loss(log_t):
        scaled = z * math.exp(-log_t)
        most = scaled.max(axis=1)
        total = np.log(np.exp(scaled - most[:, None]).sum(axis=1)) + most
        return float((total - own * math.exp(-log_t)).mean())

    low, high = -SPREAD, SPREAD
    if slope(low) <= 0:  # a smaller T is always better
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if slope(middle) > 0:  # too sure: T is larger
            low = middle
        else:
            high = middle
    best = (low + high) / 2
    return math.exp(best) if loss(best) < loss(0.0) else 1.0


@dataclasses.dataclass(frozen=True)
class EnsembleTemperature:
    """The temperature of the mean output of several networks, by how many they are.

    Networks that are trained alike err partly each for itself, which makes each too sure; in the
    mean of k this falls as 1/k, and so does the temperature that corrects it:
    T(k) = T(1) (1 - g (1 - 1/k)). So the mean of all needs another temperature than the
    predictions "out of fold", each by the few networks that were not trained on the row.

    Attributes:
        single: T(1), of one network.
        gain: g, the fraction that falls away with many networks.

    Example:
        >>> from cutaway.metrics import EnsembleTemperature
        >>> found = EnsembleTemperature(single=1.2, gain=0.2)
        >>> [round(found.of(k), 3) for k in (1, 2, 8)]
        [1.2, 1.08, 0.99]
    """

    single: float
    gain: float

    def of(self, networks):
        """T of the mean of so many networks: a number, or an array of numbers."""
        return self.single * (1 - self.gain * (1 - 1 / networks))

    @classmethod
    def fit(cls, logits, labels, unseen) -> "EnsembleTemperature":
        """By the networks that have not seen a row.

        T(1) is that of their single predictions; g compares, on the rows that several have not
        seen, the temperature of their mean with that of their single predictions.

        Args:
            logits: (networks, rows, classes), or (networks, rows) or (networks, rows, 1) of class 1
                of two.
            labels: (rows,) integers.
            unseen: (rows, networks), above 0 where a network was not trained on a row.

        Returns:
            With g from 0 to 3/4; 0 if no row was left out by two networks.

        Raises: see expected_calibration_error.
        """
        logits, labels, unseen = np.asarray(logits), np.asarray(labels), np.asarray(unseen) > 0
        if logits.ndim < 2 or unseen.shape != (logits.shape[1], logits.shape[0]):
            raise ShapeError(
                f"logits {logits.shape} and unseen {unseen.shape}",
                expected="(networks, rows, classes) and (rows, networks)",
            )
        rows, networks = np.nonzero(unseen)
        single = fit_temperature(logits[networks, rows], labels[rows])
        counts = unseen.sum(axis=1)
        several = counts > 1
        if not several.any():
            return cls(single, 0.0)
        among = several[rows]
        alone = fit_temperature(logits[networks[among], rows[among]], labels[rows[among]])
        together = fit_temperature(mean_of_unseen(logits, unseen)[several], labels[several])
        gain = (1 - together / alone) / float((1 - 1 / counts[several]).mean())
        return cls(single, min(max(gain, 0.0), MOST_GAIN))


def mean_of_unseen(outputs, unseen) -> np.ndarray:
    """(rows, ...) the mean output for each row of the networks that have not seen it.

    Args:
        outputs: (networks, rows, ...).
        unseen: (rows, networks), above 0 where a network was not trained on a row; every row needs
            one.
    """
    weights = (np.asarray(unseen) > 0).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("rn,nr...->r...", weights, np.asarray(outputs, float))


def _softmax(z):
    raised = np.exp(z - z.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _as_probabilities(p):
    return np.stack([1 - p, p], axis=1) if p.ndim == 1 else p


def _binned(p, bins):
    """(confidence of each row, number of its bin)."""
    expect_integer(bins, what="bins", least=1)
    confidence = p.max(axis=1)
    return confidence, np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def _error(confidence, right, places, bins) -> float:
    """Σ_b |Σ confidence - Σ right| / rows."""
    too_sure = np.bincount(places, confidence - right, minlength=bins)
    return float(np.abs(too_sure).sum() / len(confidence))


def _checked(values, labels, where, *, probabilities: bool = True):
    """Values (rows, classes) or (rows,) in float64, and labels as integers."""
    values = np.asarray(values, np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or not len(values):
        raise ShapeError(
            f"{where}: the predictions have shape {values.shape}",
            expected="(rows, classes), or (rows,) for two classes, with at least one row",
        )
    what = "probabilities" if probabilities else "logits"
    inside = np.isfinite(values) & ((values >= 0) & (values <= 1) if probabilities else True)
    if not inside.all():
        row = int(np.argwhere(~inside)[0][0])
        raise DataError(
            f"{where}: {what} {values[row]} in row {row}",
            expected="numbers from 0 to 1" if probabilities else "finite numbers",
            fix="pass what softmax or sigmoid returned" if probabilities else None,
        )
    if labels is None:
        return values, np.zeros(len(values), int)
    labels, classes = np.asarray(labels), 2 if values.ndim == 1 else values.shape[1]
    if labels.shape != (len(values),):
        raise ShapeError(
            f"{where}: {len(values)} rows of {what} and labels of shape {labels.shape}",
            expected=f"labels ({len(values)},)",
            fix="pass the numbers of the classes, not one-hot rows",
        )
    bad = np.flatnonzero((labels < 0) | (labels >= classes) | (labels % 1 != 0))
    if len(bad):
        raise DataError(
            f"{where}: the class {labels[bad[0]]} in row {bad[0]}",
            expected=f"integers from 0 to {classes - 1}, for {classes} classes",
            fix="number the classes from 0",
        )
    return values, labels.astype(int)
