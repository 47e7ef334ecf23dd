"""Checks of masks and of what was trained on them."""

import numpy as np

from cutaway.runs.dense_checks import (
    best_shift,
    one_class_predicted,
    shifted_masks,
    winning_discriminator,
)
from cutaway.train import History
from tests.runs.drawn_sets import disk


def examples(moved):
    rng = np.random.default_rng(0)
    for _ in range(6):
        picture, mask = disk((64, 80), rng)
        yield picture[..., None], np.roll(mask, moved, (0, 1)).astype(int)


def test_masks_that_were_moved_are_noticed_with_the_way_back():
    assert shifted_masks(examples((0, 0))) is None
    found = shifted_masks(examples((-4, 3)))
    assert found is not None and found.where == "6 of 6 examples"
    assert found.measures == {"shift in rows": 4, "in columns": -3}
    assert "moved 4 pixels down and 3 pixels to the left" in str(found)


def test_pictures_without_edges_or_too_small_say_nothing():
    assert best_shift(np.zeros((64, 64, 1)), np.zeros((64, 64), int)) is None
    assert best_shift(np.ones((20, 20, 1)), np.eye(20, dtype=int)) is None


def test_a_network_that_predicts_one_class_is_named():
    found = one_class_predicted(np.array([[0, 5], [0, 7]]), ["a", "b"])
    assert found is not None and str(found).startswith("The network predicts 'b' everywhere.")
    assert found.measures["fraction of b, true"] == 7 / 12
    assert one_class_predicted(np.array([[1, 5], [0, 7]]), ["a", "b"]) is None
    nearly = one_class_predicted(np.array([[2, 298], [0, 700]]), ["a", "b"])
    assert nearly is not None and "predicts 'b' for 99.8% of all pixels" in str(nearly)
    assert one_class_predicted(np.array([[2, 8], [0, 990]]), ["a", "b"]) is None  # b is usual
    assert one_class_predicted(np.array([[0, 0], [0, 7]]), ["a", "b"]) is None


def test_a_discriminator_that_wins_is_named():
    def history(losses):
        return History([{"epoch": k, "loss_discriminator": v} for k, v in enumerate(losses)])

    assert winning_discriminator(history([0.7, 0.3, 0.05, 0.02])) is not None
    assert winning_discriminator(history([0.01, 0.3, 0.6, 0.6])) is None
    assert winning_discriminator(History([{"epoch": 1, "loss": 0.0}])) is None
