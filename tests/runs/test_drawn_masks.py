"""Masks drawn over pictures can be seen, also where the classes are black and white."""

import numpy as np

from cutaway.runs.drawn_masks import blended, visible_colors


def test_a_white_class_is_seen_on_a_white_picture():
    picture = np.full((2, 2, 3), 255, np.uint8)
    ids = np.array([[0, 1], [1, 255]])
    shown = blended(picture, ids, [(0, 0, 0), (255, 255, 255)], ignore=255)
    assert (shown[ids != 1] == 255).all()
    # 0.55 of white and 0.45 of (230, 25, 75)
    np.testing.assert_array_equal(shown[0, 1], [244, 152, 174])


def test_grays_become_colors_that_no_other_class_has():
    given = [(10, 10, 10), (230, 25, 75), (90, 90, 90), (0, 0, 0)]
    shown = visible_colors(given)
    assert shown[:2] == given[:2] and len({*shown}) == 4
    assert all(len(set(color)) > 1 for color in shown[1:])
