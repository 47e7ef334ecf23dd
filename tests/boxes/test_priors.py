"""Priors that fit the boxes of a set."""

import numpy as np
import pytest

from cutaway.boxes import best_prior_iou, kmeans_priors
from cutaway.errors import DataError

RNG = np.random.default_rng(0)


def test_clusters_of_sizes_are_found_smallest_first():
    true = np.array([[10.0, 20.0], [60.0, 40.0], [200.0, 220.0]])
    sizes = np.concatenate([t * RNG.uniform(0.9, 1.1, (50, 2)) for t in true])
    for seed in range(5):
        np.testing.assert_allclose(kmeans_priors(sizes, 3, seed=seed), true, rtol=0.05)
    assert best_prior_iou(sizes, true).min() > 0.7


def test_more_priors_fit_better_and_the_same_seed_gives_the_same():
    sizes = np.exp(RNG.normal(3, 0.8, (300, 2)))
    fits = [best_prior_iou(sizes, kmeans_priors(sizes, n)).mean() for n in (1, 3, 9)]
    assert fits == sorted(fits) and fits[2] > fits[0] + 0.2
    np.testing.assert_array_equal(kmeans_priors(sizes, 9, seed=3), kmeans_priors(sizes, 9, seed=3))


@pytest.mark.parametrize("sizes", [[[30, 40]], [[30, 40]] * 20, [[30, 40], [50, 20]]])
def test_few_different_sizes_are_spread_around_them(sizes):
    found = kmeans_priors(sizes, 9)
    assert found.shape == (9, 2) and (found > 0).all()
    assert len(np.unique(found, axis=0)) == 9
    np.testing.assert_allclose(best_prior_iou(sizes, found), 1)
    assert (np.diff(found.prod(axis=1)) >= 0).all()


def test_boxes_without_an_area_do_not_count():
    np.testing.assert_allclose(kmeans_priors([[0, 5], [10, 10], [-3, 4]], 1), [[10, 10]])
    for wrong in ({}, {"weights": [0]}, {"weights": [-1]}):
        with pytest.raises(DataError, match="no box with an area"):
            kmeans_priors([[5, 5]] if wrong else [[0, 5]], 3, **wrong)


def test_a_rare_class_gets_priors_if_it_weighs_as_much_as_the_others():
    sizes = np.concatenate([RNG.uniform(48, 52, (300, 2)), RNG.uniform(9, 11, (3, 2))])
    weights = np.repeat([1 / 300, 1 / 3], [300, 3])
    assert (kmeans_priors(sizes, 4)[:, 0] < 20).sum() == 1
    assert (kmeans_priors(sizes, 4, weights=weights)[:, 0] < 20).sum() >= 2


def test_the_best_overlap_is_that_of_width_and_height():
    assert best_prior_iou([[10, 10], [20, 5]], [[10, 5], [40, 40]]).tolist() == [0.5, 0.5]
    assert best_prior_iou([[10, 10]], np.zeros((0, 2))).tolist() == [0]
