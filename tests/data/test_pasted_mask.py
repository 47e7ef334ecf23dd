"""Masks of boxes, put into pictures by torchvision's rule."""

import tracemalloc

import numpy as np
import pytest

from cutaway.data import Framing
from cutaway.data.outlines import outline_mask
from cutaway.data.pasted_mask import pasted_mask
from cutaway.data.run_lengths import runs_area
from cutaway.errors import DataError, ShapeError
from tests.oracles import oracle


def drawn_cases():
    """(probabilities, box, size): small, sub-pixel and large boxes, also beyond the picture."""
    rng = np.random.default_rng(0)
    for k in range(150):
        size = tuple(int(n) for n in rng.integers(1, 120, 2))
        cells = (14, 28, 5)[k % 3]
        center = rng.uniform(0, 1, 2) * size[::-1]
        sides = rng.uniform(0.02, [1.0, 20.0, 1.4 * max(size)][k % 3], 2)
        box = np.concatenate([center - sides / 2, center + sides / 2])
        if k % 10 == 0:
            box = np.array([0, 0, *size[::-1]])
        yield rng.random((cells, cells), np.float32), box.astype(np.float32), size


def test_pixels_are_those_of_torchvision():
    heads = oracle("torchvision.models.detection.roi_heads")
    torch = oracle("torch")
    compared = 0
    for probabilities, box, size in drawn_cases():
        theirs = heads.paste_masks_in_image(
            torch.tensor(probabilities)[None, None], torch.tensor(box)[None], size
        )[0, 0].numpy()
        own = outline_mask(pasted_mask(probabilities, box, size), size)
        clear = np.abs(theirs - 0.5) > 1e-6
        np.testing.assert_array_equal(own[clear], (theirs >= 0.5)[clear])
        compared += own.any() and not own.all()
    assert compared > 80


def test_by_hand():
    # 2 cells of 1 pixel grow to 4 cells of 5 pixels, from 1 to 5, whose middles lie at
    # -0.1, 0.7, 1.5, 2.3, 3.1 of 0, a, b, 0
    runs = pasted_mask([[1, 0.5], [1, 0.5]], [2, 2, 4, 4], (8, 8))
    mask = outline_mask(runs, (8, 8))
    across = [0, 0.7, 0.75, 0.35, 0]
    down = [0, 0.7, 1, 0.7, 0]
    expected = np.zeros((8, 8), bool)
    expected[1:6, 1:6] = np.outer(down, across) >= 0.5
    np.testing.assert_array_equal(mask, expected)
    more = pasted_mask([[1, 0.5], [1, 0.5]], [2, 2, 4, 4], (8, 8), threshold=0.72)
    assert runs_area(more) == (np.outer(down, across) >= 0.72).sum() < runs_area(runs)


def test_beyond_the_picture_there_is_nothing():
    for box in ([-30, 2, -10, 9], [2, -30, 9, -12], [40, 2, 50, 9], [2, 40, 9, 50]):
        runs = pasted_mask(np.ones((28, 28)), box, (20, 30))
        assert runs == {"size": [20, 30], "counts": runs["counts"]} and runs_area(runs) == 0


@pytest.mark.parametrize("size", [(97, 211), (211, 97), (64, 64), (333, 500)])
def test_masks_of_letterboxed_pictures_lie_in_their_boxes_at_the_size_of_the_picture(size):
    framing = Framing("letterbox", (64, 96))
    height, width = size
    box = np.array([0.2 * width, 0.3 * height, 0.9 * width, 0.8 * height])
    framed = framing.geometry(size).boxes(box)
    mask = outline_mask(
        pasted_mask(np.ones((28, 28)), framing.undo_boxes(framed, size), size), size
    )
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(found, box, atol=1.5)


def test_many_masks_of_a_large_picture_do_not_fill_the_memory():
    size, rng = (2000, 3000), np.random.default_rng(0)
    probabilities = np.clip(rng.normal(0.8, 0.3, (28, 28)), 0, 1)
    tracemalloc.start()
    try:
        corners = rng.uniform(0, 1, (100, 2)) * (2600, 1600)
        found = [pasted_mask(probabilities, [x, y, x + 300, y + 300], size) for x, y in corners]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 100 and all(runs_area(one) > 50_000 for one in found)
    assert peak < 6e6  # bytes: less than one mask of the picture


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"\(28, 14\)"):
        pasted_mask(np.ones((28, 14)), [0, 0, 1, 1], (4, 4))
    with pytest.raises(ShapeError, match="box"):
        pasted_mask(np.ones((28, 28)), [0, 0, 1], (4, 4))
    with pytest.raises(DataError, match="nan"):
        pasted_mask(np.ones((28, 28)), [0, 0, np.nan, 1], (4, 4))
