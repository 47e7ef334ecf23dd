"""Masks as COCO's run lengths, as pycocotools 2.0.11 writes them."""

import numpy as np
import pytest

from cutaway.data.outlines import outline_mask
from cutaway.data.run_lengths import object_runs, run_lengths, runs_area, window_runs
from cutaway.errors import DataError


def ring(height, width):
    y, x = np.mgrid[:height, :width]
    far = (y - height / 3) ** 2 + (x - width / 2) ** 2
    return (far < height**2 / 4) & (far >= height**2 / 25)


# pycocotools.mask.encode(mask)["counts"] and its area
WRITTEN = [
    (ring(12, 16), "U1742O1OI11ON31MO31MO31M011O60O2Nh0", 81),
    (ring(40, 30), "1j0=2O1O1O1O001O00ZO05OJ35MJ55KJ75IJ87GI:6FJ:6FJ:6FJ:6FJ:6FJ97GJ85IL55KL35ML15O"
                   "a0100O100O1O1O1", 756),
    (np.ones((3, 5)), "0?", 15),
    (np.zeros((3, 5)), "?", 0),
    (np.eye(4), "01400000", 4),
    (np.arange(6).reshape(2, 3) < 4, "031N0", 4),
]  # fmt: skip


@pytest.mark.parametrize(("mask", "text", "area"), WRITTEN)
def test_masks_are_written_as_by_pycocotools(mask, text, area):
    runs = run_lengths(mask)
    assert runs == {"size": list(mask.shape), "counts": text}
    assert runs_area(runs) == area


def test_what_is_written_is_read_again():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random(rng.integers(1, 40, 2)) < rng.choice([0.02, 0.5, 0.98])
        runs = run_lengths(mask)
        np.testing.assert_array_equal(outline_mask(runs, mask.shape), mask)
        assert runs_area(runs) == mask.sum()


def test_a_window_is_the_mask_that_is_empty_around_it():
    rng = np.random.default_rng(1)
    for _ in range(60):
        size = rng.integers(1, 12, 2)
        low = [rng.integers(0, n) for n in size]
        high = [rng.integers(a, n + 1) for a, n in zip(low, size, strict=True)]
        window = rng.random([b - a for a, b in zip(low, high, strict=True)]) < 0.7
        mask = np.zeros(size, bool)
        mask[low[0] : high[0], low[1] : high[1]] = window
        assert window_runs(window, low, size) == run_lengths(mask)


def test_an_object_without_an_outline_is_its_box():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:8] = True
    assert object_runs(None, [2.2, 0.9, 9.0, 4.1], (6, 8)) == run_lengths(mask)
    polygon = [[2, 1, 8, 1, 8, 4, 2, 4]]
    assert object_runs(polygon, [0, 0, 1, 1], (6, 8)) == run_lengths(mask)
    assert object_runs(run_lengths(mask), [0, 0, 1, 1], (6, 8)) == run_lengths(mask)
    with pytest.raises(DataError, match="size"):
        object_runs(run_lengths(mask), [0, 0, 1, 1], (8, 6))
