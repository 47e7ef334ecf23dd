"""The mean over turns of a prediction: what turns, and what it is the mean of."""

import numpy as np
import pytest

from cutaway.data import averaged_over_turns, predict_tiles


def lopsided(tiles):
    """Maps of two classes that depend on the direction: differences down and to the right."""
    down = np.diff(tiles[..., 0], axis=1, append=0)
    right = np.diff(tiles[..., 0], axis=2, append=0)
    return np.stack([down, 3 * right], axis=-1).astype(np.float32)


def test_square_tiles_are_predicted_in_four_turns():
    tiles = np.random.default_rng(0).normal(size=(2, 5, 5, 1)).astype(np.float32)
    found = averaged_over_turns(lopsided)(tiles)
    views = [tiles]
    for _ in range(3):  # a turn to the left: the last column becomes the first row
        views.append(views[-1].transpose(0, 2, 1, 3)[:, ::-1])
    maps = [lopsided(view) for view in views]
    for k in range(1, 4):
        for _ in range(k):  # and back to the right
            maps[k] = maps[k][:, ::-1].transpose(0, 2, 1, 3)
    np.testing.assert_allclose(found, sum(maps) / 4, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 6), (4, 6)])
def test_a_prediction_turns_with_its_tile(size):
    tiles = np.random.default_rng(1).normal(size=(1, *size, 1)).astype(np.float32)
    predict = averaged_over_turns(lopsided)
    found = predict(tiles)
    np.testing.assert_allclose(predict(tiles[:, ::-1, ::-1]), found[:, ::-1, ::-1], atol=1e-6)
    if size[0] == size[1]:
        turned = predict(np.rot90(tiles, 1, (1, 2)))
        np.testing.assert_allclose(turned, np.rot90(found, 1, (1, 2)), atol=1e-6)
    else:
        np.testing.assert_allclose(predict(tiles[:, ::-1]), found[:, ::-1], atol=1e-6)
    assert not np.allclose(lopsided(tiles[:, ::-1, ::-1]), lopsided(tiles)[:, ::-1, ::-1])


def test_a_map_without_a_direction_stays_as_it_is_in_tiles():
    picture = np.random.default_rng(2).normal(size=(9, 13, 1)).astype(np.float32)
    predict = averaged_over_turns(lambda tiles: 2 * tiles)
    np.testing.assert_allclose(predict_tiles(predict, picture, (4, 4)), 2 * picture, rtol=1e-5)
