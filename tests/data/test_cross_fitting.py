"""Each row is held out once in each repeat, and classes and groups are kept."""

import numpy as np
import pytest

from cutaway.data import Folds
from cutaway.errors import DataError, OptionError

LABELS = np.repeat([0, 1, 2], [50, 31, 7])


def test_each_row_is_held_out_once_in_each_repeat():
    folds = Folds.deal(LABELS, 4, repeats=3, seed=5)
    assert folds.held_out.shape == (88, 12)
    np.testing.assert_array_equal(folds.held_out.sum(axis=1), 3)
    np.testing.assert_array_equal(folds.held_out + folds.trained_on, 1)
    assert set(folds.held_out.sum(axis=0)) == {22}
    assert not np.array_equal(folds.numbers[0], folds.numbers[1])


def test_each_fold_has_the_same_fraction_of_every_class():
    folds = Folds.deal(LABELS, 4, seed=1)
    for label in range(3):
        counts = folds.held_out[label == LABELS].sum(axis=0)
        assert counts.max() - counts.min() <= 1


def test_rows_of_a_group_stay_together_and_folds_have_about_as_many_rows():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    folds = Folds.deal(np.zeros(210), 5, repeats=2, seed=0, groups=groups)
    for numbers in folds.numbers:
        assert all(len(set(numbers[groups == group])) == 1 for group in range(20))
        assert np.bincount(numbers).max() - np.bincount(numbers).min() <= 5


def test_rows_apart_are_seen_by_no_network_and_the_others_are_dealt_out():
    folds = Folds.deal(np.repeat([0, 1], [900, 300]), 4, seed=3, apart=0.05)
    apart = folds.numbers[0] < 0
    assert (apart[:900].sum(), apart[900:].sum()) == (45, 15)
    np.testing.assert_array_equal(folds.held_out.sum(axis=1), np.where(apart, 4, 1))
    assert set(folds.trained_on.sum(axis=0)) == {1140 * 3 / 4}
    groups = np.arange(1200) // 6
    numbers = Folds.deal(np.zeros(1200), 4, groups=groups, apart=0.1).numbers[0]
    assert all(len(set(numbers[groups == group])) == 1 for group in range(200))
    assert (numbers < 0).sum() == 120
    with pytest.raises(OptionError, match="apart"):
        Folds.deal(LABELS, 4, apart=0.6)


def test_the_seed_decides():
    first, again, other = (Folds.deal(LABELS, 4, seed=s).numbers for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_folds_than_rows_or_groups_are_refused():
    with pytest.raises(DataError, match="3 rows cannot be dealt out into 4 folds"):
        Folds.deal(np.zeros(3), 4)
    with pytest.raises(DataError, match="2 groups"):
        Folds.deal(np.zeros(8), 4, groups=np.arange(8) % 2)


def test_groups_of_one_class_are_stratified():
    y = np.array([1] * 41 + [0] * 360)
    groups = np.arange(401)
    groups[[1, 61, 81]] = groups[[0, 60, 80]]  # three rows that repeat another one
    folds = Folds.deal(y, count=4, repeats=5, seed=1, groups=groups)
    for numbers in folds.numbers:
        assert numbers[1] == numbers[0] and numbers[61] == numbers[60]
        assert sorted(np.bincount(numbers[y == 1])) == [10, 10, 10, 11]
        assert sorted(np.bincount(numbers)) == [100, 100, 100, 101]


def test_groups_of_several_classes_are_not_stratified_but_stay_together():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 300)
    folds = Folds.deal(rng.integers(0, 2, 300), count=5, groups=groups)
    for group in range(30):
        assert len(np.unique(folds.numbers[0][groups == group])) == 1
