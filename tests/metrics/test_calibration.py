"""Calibration: errors counted by hand, and the temperature that scipy finds too."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from cutaway import metrics
from cutaway.errors import DataError, ShapeError
from cutaway.metrics.calibration import mean_of_unseen


def drawn(rows, classes, temperature, seed=0):
    """Logits, and labels of the classes' probabilities softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(rows, classes))
    cut = softmax(logits / temperature, axis=1).cumsum(axis=1)
    return logits, (rng.random((rows, 1)) > cut[:, :-1]).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_the_temperature_of_drawn_labels_is_found_and_is_scipys(temperature):
    logits, labels = drawn(4000, 3, temperature)

    def loss(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(4000), labels].mean()

    found = metrics.fit_temperature(logits, labels)
    theirs = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    assert found == pytest.approx(np.exp(theirs.x), rel=1e-6)
    assert found == pytest.approx(temperature, rel=0.05)


def networks_of(rows, networks, noise, seed=0):
    """Logits of networks that each err by themselves, and labels of their common part."""
    signal, labels = drawn(rows, 3, 1.0, seed)
    errors = np.random.default_rng(seed + 1).normal(size=(networks, *signal.shape))
    return signal + noise * errors, labels


@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_the_temperature_of_the_mean_of_eight_is_found_from_two_for_each_row(noise):
    logits, labels = networks_of(20_000, 8, noise)
    unseen = np.zeros((20_000, 8))
    for k in (0, 4):  # a network of the first four and one of the last four
        unseen[np.arange(20_000), k + np.random.default_rng(k).integers(0, 4, 20_000)] = 1
    found = metrics.EnsembleTemperature.fit(logits, labels, unseen)
    for networks in (1, 2, 4, 8):
        own = metrics.fit_temperature(logits[:networks].mean(axis=0), labels)
        assert found.of(networks) == pytest.approx(own, rel=0.03)
    wrong = metrics.fit_temperature(mean_of_unseen(logits, unseen), labels)
    assert wrong > found.of(8) * (1.03 if noise == 0.5 else 1.2)  # what was used otherwise


def test_rows_that_no_network_has_seen_give_the_temperature_of_the_mean_itself():
    logits, labels = networks_of(4000, 4, 1.5)
    unseen = np.arange(4000)[:, None] % 4 == np.arange(4)
    unseen[:500] = True
    found = metrics.EnsembleTemperature.fit(logits, labels, unseen)
    apart, own = slice(0, 500), labels[:500]
    together = metrics.fit_temperature(logits[:, apart].mean(axis=0), own)
    alone = metrics.fit_temperature(np.concatenate(list(logits[:, apart])), np.tile(own, 4))
    assert found.of(4) == pytest.approx(found.single * together / alone, rel=1e-9)
    pairs = np.concatenate([logits[k][unseen[:, k]] for k in range(4)])
    theirs = np.concatenate([labels[unseen[:, k]] for k in range(4)])
    assert found.single == pytest.approx(metrics.fit_temperature(pairs, theirs), rel=1e-9)


def test_one_network_for_each_row_gives_one_temperature_and_its_columns_may_be_one():
    logits, labels = networks_of(900, 3, 1.0)
    two, labels = logits[..., :2] - logits[..., :1], np.minimum(labels, 1)
    unseen = np.arange(900)[:, None] % 3 == np.arange(3)
    found = metrics.EnsembleTemperature.fit(two[..., 1:], labels, unseen)
    own = mean_of_unseen(two[..., 1], unseen)
    assert found.gain == 0 and found.of(3) == metrics.fit_temperature(own, labels)


def test_the_gain_is_bounded():
    """A mean that is right everywhere says nothing, and one that is worse is not believed."""
    labels = np.array([0, 1] * 20)
    sure = np.where(labels == 1, 5.0, -5.0)
    wrong = np.where(np.arange(40) < 3, -1, 1)
    logits = np.stack([sure * wrong, sure * wrong[::-1] * 1.5])
    found = metrics.EnsembleTemperature.fit(logits, labels, np.ones((40, 2)))
    assert found.gain == 0.75  # the mean is right everywhere, its temperature 1
    same = metrics.EnsembleTemperature.fit(np.stack([sure * wrong] * 2), labels, np.ones((40, 2)))
    assert same.gain == 0


def test_the_mean_of_what_was_not_seen_is_the_one_by_hand():
    found = mean_of_unseen([[[1.0], [2.0]], [[3.0], [9.0]]], [[1, 1], [1, 0]])
    np.testing.assert_array_equal(found, [[2.0], [2.0]])


def test_two_classes_may_be_one_logit_and_shifts_change_nothing():
    logits, labels = drawn(500, 2, 2.0)
    both = metrics.fit_temperature(logits, labels)
    one = metrics.fit_temperature(logits[:, 1] - logits[:, 0], labels)
    assert one == pytest.approx(both, rel=1e-9)
    assert metrics.fit_temperature(logits + 1e4, labels) == pytest.approx(both, rel=1e-6)


def test_rows_that_are_all_right_or_say_nothing_leave_the_temperature_1():
    assert metrics.fit_temperature([[5.0, 0.0], [0.0, 1.0]], [0, 1]) == 1.0
    assert metrics.fit_temperature([[2.0, 2.0], [2.0, 2.0]], [0, 1]) == 1.0
    wrong = metrics.fit_temperature([[5.0, 0.0], [0.0, 1.0]], [1, 0])  # as unsure as may be
    assert wrong == pytest.approx(100)


def test_the_calibration_error_is_the_one_counted_by_hand():
    # bins of a half: (0, 0.5] holds 0.5; (0.5, 1] the rest, 2 of 3 right at a mean of 0.8
    p = [[0.5, 0.5], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]]
    error = metrics.expected_calibration_error(p, [0, 0, 1, 0], bins=2)
    assert error == pytest.approx((1 * abs(0.5 - 1) + 3 * abs(0.8 - 2 / 3)) / 4)
    one_column = metrics.expected_calibration_error([0.3, 0.8, 0.9], [0, 1, 0], bins=2)
    assert one_column == pytest.approx(0.8 - 2 / 3)


def test_a_calibrated_predictor_is_within_its_range_and_one_too_sure_is_above():
    logits, labels = drawn(2000, 3, 1.0, seed=4)
    for temperature, inside in ((1.0, True), (0.5, False)):
        p = softmax(logits / temperature, axis=1)
        low, high = metrics.calibrated_error_range(p, draws=400)
        error = metrics.expected_calibration_error(p, labels)
        assert 0 < low < high < 0.05
        assert (low <= error <= high) == inside


def test_the_range_is_that_of_binomial_counts():
    # 100 rows of one bin: the error is |right - 70| / 100, right of Binomial(100, 0.7)
    low, high = metrics.calibrated_error_range([0.7] * 100, draws=4000, fraction=0.9)
    from scipy.stats import binom

    counts = np.arange(101)
    order = np.argsort(np.abs(counts - 70), kind="stable")
    reached = np.cumsum(binom.pmf(counts, 100, 0.7)[order])
    exact = np.abs(counts[order[np.searchsorted(reached, 0.95)]] - 70) / 100
    assert high == pytest.approx(exact, abs=0.0101) and low <= 0.01


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: metrics.fit_temperature([[1.0, 2.0]], [2]), DataError, "the class 2 in row 0"),
        (lambda: metrics.fit_temperature([[np.nan, 2.0]], [1]), DataError, "in row 0"),
        (lambda: metrics.fit_temperature([[1.0, 2.0]], [[0, 1]]), ShapeError, "not one-hot"),
        (lambda: metrics.expected_calibration_error([1.2], [1]), DataError, "from 0 to 1"),
        (lambda: metrics.calibrated_error_range([]), ShapeError, "at least one row"),
        (
            lambda: metrics.EnsembleTemperature.fit(np.zeros((2, 3)), [0, 1, 0], np.ones((2, 3))),
            ShapeError,
            r"logits \(2, 3\) and unseen \(2, 3\)",
        ),
    ],
)
def test_bad_input_is_named(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
