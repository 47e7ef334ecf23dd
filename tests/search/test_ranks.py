"""Ranks of models over data sets."""

import numpy as np
import pytest

from cutaway.errors import DataError
from cutaway.search.ranks import mean_ranks


@pytest.mark.parametrize(
    ("models", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (6, 2.850), (10, 3.164)]
)
def test_the_critical_difference_is_that_of_demsars_table(models, q):
    """Table 5 (a) of the paper."""
    scores = {str(k): np.random.default_rng(k).random(30).tolist() for k in range(models)}
    found = mean_ranks(scores, higher_is_better=True)
    assert found.critical_difference == pytest.approx(
        q * np.sqrt(models * (models + 1) / (6 * 30)), rel=5e-4
    )


def test_demsars_example_of_c45_has_its_ranks_and_its_difference():
    """Table 6 of the paper: AUC of C4.5 and three variants on 14 data sets.

    0.9751: the last but one data set has 0.975 twice, of which the paper ranks this one higher.
    """
    scores = {
        "C4.5": [.763, .599, .954, .628, .882, .936, .661, .583, .775, 1., .94, .619, .972, .957],
        "m": [.768, .591, .971, .661, .888, .931, .668, .583, .838, 1., .962, .666, .981, .978],
        "cf": [.771, .59, .968, .654, .886, .916, .609, .563, .866, 1., .965, .614, .9751, .946],
        "m+cf": [.798, .569, .967, .657, .898, .931, .685, .625, .875, 1., .962, .669, .975, .97],
    }  # fmt: skip
    found = mean_ranks(scores, higher_is_better=True)
    assert {name: round(rank, 3) for name, rank in found.means.items()} == {
        "m+cf": 1.964, "m": 2.0, "cf": 2.893, "C4.5": 3.143,
    }  # fmt: skip
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.tied == ["m+cf", "m", "cf", "C4.5"]
    assert found.p_value < 0.05


def test_a_missing_score_is_an_error():
    with pytest.raises(DataError, match="1 of them missing"):
        mean_ranks({"a": [0.1, np.nan], "b": [0.2, 0.3]}, higher_is_better=True)
