"""Grids of boxes over a picture: where they lie, and how well they fit."""

import numpy as np
import pytest

from cutaway.boxes import best_grid_iou, grid_axes, grid_of_boxes, pairwise_iou

RNG = np.random.default_rng(0)
SHAPES = [(7, 9), (20, 11), (90, 30)]


def test_a_grid_reaches_all_edges_with_steps_of_at_most_a_part_of_each_side():
    for (x, y), (width, height) in zip(grid_axes((40, 64), SHAPES, share=3), SHAPES, strict=True):
        for spans, whole, side in ((x, 64, width), (y, 40, height)):
            assert spans[0, 0] == 0 and spans[-1, 1] == whole
            np.testing.assert_allclose(spans[:, 1] - spans[:, 0], min(side, whole), rtol=1e-6)
            assert np.diff(spans[:, 0]).max(initial=0) <= side / 3 + 1e-5
    boxes = grid_of_boxes((40, 64), SHAPES, share=3)
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert len(boxes) == sum(len(x) * len(y) for x, y in grid_axes((40, 64), SHAPES, share=3))


@pytest.mark.parametrize("share", [1, 2.5, 4])
def test_the_best_overlap_with_a_grid_is_the_largest_with_all_its_boxes(share):
    corners = np.sort(RNG.uniform(0, 1, (50, 2, 2)) * (64, 40), axis=1)
    boxes = np.concatenate([corners.reshape(-1, 4), [[5, 5, 5, 9], [0, 0, 64, 40]]])
    boxes = boxes.astype(np.float32)
    grid = grid_of_boxes((40, 64), SHAPES, share=share)
    expected = np.asarray(pairwise_iou(boxes, grid)).max(axis=1)
    found = best_grid_iou(boxes, (40, 64), SHAPES, share=share)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_boxes_of_a_shape_are_all_overlapped_by_what_the_steps_leave():
    # off by half a step of side / share along both axes: 2 (1 - 1 / (2 share))² / (1 + ...)
    sides = np.array([12.0, 18.0])
    low = RNG.uniform(0, 1, (2000, 2)) * (np.array([200, 150]) - sides)
    boxes = np.concatenate([low, low + sides], axis=1)
    for share, least in ((2, 0.5625 / 1.4375), (2.5, 0.64 / 1.36), (4, 0.765625 / 1.234375)):
        best = best_grid_iou(boxes, (150, 200), [sides], share=share)
        assert least - 1e-4 <= best.min() < least + 0.1
    none = best_grid_iou(np.zeros((0, 4)), (150, 200), [sides])
    assert none.shape == (0,)
