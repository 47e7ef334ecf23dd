"""Random geometry and light: one draw for picture, mask and boxes; seeds repeat."""

import dataclasses

import numpy as np
import pytest

from cutaway.data import (
    ArrayStream,
    ExampleAugmentation,
    ExampleStream,
    RandomGeometry,
    RandomLight,
)
from cutaway.errors import DataError, OptionError, ShapeError

STRONG = RandomGeometry(
    (24, 24),
    flips=(0, 1),
    quarter_turns=True,
    rotation=30,
    zoom=(0.8, 1.25),
    shift=4,
    elastic=2,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def objects(rows=6, size=48):
    """Pictures that are bright where the mask is 1: a rectangle each, and its box."""
    x = np.zeros((rows, size, size, 1), np.float32)
    mask = np.zeros((rows, size, size), np.int32)
    boxes = np.zeros((rows, 2, 4), np.float32)
    for k in range(rows):
        top, left, height, width = rng(k).integers((8, 8, 12, 12), (16, 16, 20, 20))
        mask[k, top : top + height, left : left + width] = 1
        boxes[k, 0] = left, top, left + width, top + height
    x[..., 0] = mask
    return x, {"mask": mask, "boxes": boxes, "valid": np.array([[True, False]] * rows)}


def test_picture_mask_and_boxes_move_together():
    x, y = objects(40)
    roles = {"mask": "mask", "boxes": "boxes", "valid": "valid"}
    augment = ExampleAugmentation(dataclasses.replace(STRONG, size=(48, 48)), y_roles=roles)
    moved_x, moved_y = augment(x, y, rng())
    mask, boxes, valid = (moved_y[k] for k in ("mask", "boxes", "valid"))
    assert mask.dtype == np.int32 and boxes.dtype == np.float32
    assert ((moved_x[..., 0] > 0.5) == (mask == 1)).mean() > 0.995
    assert not np.array_equal(mask, y["mask"])
    assert not valid[:, 1].any() and valid[:, 0].sum() > 30
    tight = 0
    for k in np.flatnonzero(valid[:, 0]):
        rows, columns = np.nonzero(mask[k])
        around = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        outside = np.minimum(around[:2] - boxes[k, 0, :2], boxes[k, 0, 2:] - around[2:])
        assert (outside > -1.5).all()  # the box holds the object
        tight += np.abs(around - boxes[k, 0]).max() < 1.5
    assert tight >= 3  # and is tight where the object was not rotated much


def test_without_interpolation_the_box_is_exactly_around_the_object():
    x, y = objects(30)
    roles = {"mask": "mask", "boxes": "boxes", "valid": "valid"}
    geometry = RandomGeometry((32, 32), flips=(0, 1), quarter_turns=True, shift=5)
    _, moved = ExampleAugmentation(geometry, y_roles=roles)(x, y, rng())
    assert moved["valid"][:, 0].sum() > 15
    for k in np.flatnonzero(moved["valid"][:, 0]):
        rows, columns = np.nonzero(moved["mask"][k])
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(moved["boxes"][k, 0], around, atol=1e-5)


def test_every_flip_turn_and_window_is_drawn():
    array = np.arange(16)
    geometry = RandomGeometry((3, 3), flips=(0, 1), quarter_turns=True)
    seen = {
        geometry.draw((4, 4), rng(seed)).mask(array.reshape(4, 4)).tobytes() for seed in range(400)
    }
    assert len(seen) == 4 * 8  # windows, times the symmetries of a square
    small = RandomGeometry((6, 8)).draw((4, 4), rng()).mask(np.ones((4, 4)))
    np.testing.assert_array_equal(np.flatnonzero(small.any(axis=1)), [1, 2, 3, 4])
    np.testing.assert_array_equal(np.flatnonzero(small.any(axis=0)), [2, 3, 4, 5])


def test_one_option_does_not_change_what_the_others_draw():
    plain = RandomGeometry((8, 8), flips=(0, 1))
    zoomed = dataclasses.replace(plain, zoom=(0.9, 1.1), rotation=5)
    for seed in range(20):
        a, b = (g.draw((20, 20), rng(seed)).matrix for g in (plain, zoomed))
        np.testing.assert_array_equal(np.sign(np.diag(a)), np.sign(np.diag(b)))


def test_displacements_have_the_standard_deviation_that_was_asked_for():
    geometry = RandomGeometry(elastic=10)
    drawn = [geometry.draw((64, 64), rng(seed)).elastic.grid for seed in range(200)]
    assert np.std(drawn) == pytest.approx(10, rel=0.03)
    assert np.mean(drawn) == pytest.approx(0, abs=0.5)


def test_volumes_are_turned_in_their_slices():
    volume = rng().normal(size=(8, 16, 16, 2)).astype(np.float32)
    geometry = RandomGeometry((8, 12, 12), flips=(0,), quarter_turns=True, rotation=10)
    moved = geometry.draw((8, 16, 16), rng()).picture(volume)
    assert moved.shape == (8, 12, 12, 2)
    angles = geometry.draw((8, 16, 16), rng()).matrix
    assert np.abs(angles[0, :3]).tolist() == [1, 0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_light_changes_mean_contrast_and_gamma_as_its_formula_says(dtype):
    picture = rng().integers(60, 160, (9, 9, 2)).astype(dtype)
    light = RandomLight(0.5, 0.3, 0.4)
    found = light(picture, rng(5))
    b, c, g = rng(5).uniform(-1, 1, 3) * (0.5, 0.3, 0.4)
    x = picture.astype(float)
    low, high = x.min(), x.max()
    x = low + (high - low) * ((x - low) / (high - low)) ** np.exp(g)
    expected = np.exp(c) * (x - x.mean()) + x.mean() + b * x.std()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=0.51 if dtype != np.float32 else 1e-3)
    np.testing.assert_array_equal(RandomLight(0, 0, 0)(picture, rng()), picture)
    flat = np.full((3, 3, 1), 7, dtype)
    np.testing.assert_array_equal(light(flat, rng()), flat)


def test_light_falls_on_pictures_of_x_alone():
    x, _ = objects(3)
    augment = ExampleAugmentation(RandomGeometry(), y_roles="picture", light=RandomLight(0.5))
    lit, target = augment(x, x, rng())
    np.testing.assert_array_equal(target, x)
    assert not np.allclose(lit, x)


def test_streams_give_the_same_pairs_with_any_number_of_threads():
    x, y = objects(70)
    augment = ExampleAugmentation(STRONG)
    blocks = []
    for threads in (1, 3):
        stream = ArrayStream(x, y["mask"], pair_transform=augment, block_rows=40, threads=threads)
        blocks.append(list(stream.blocks(3)))
    for (xa, ya), (xb, yb) in zip(*blocks, strict=True):
        np.testing.assert_array_equal(xa, xb)
        np.testing.assert_array_equal(ya, yb)
        assert xa.shape[1:] == (24, 24, 1) and ((xa[..., 0] > 0.5) == ya).mean() > 0.99

    def example(row, part):
        return augment.example(x[row % 7], y["mask"][row % 7], part)

    blocks = [list(ExampleStream(21, example, threads=n).blocks(0)) for n in (1, 3)]
    np.testing.assert_array_equal(blocks[0][0][0], blocks[1][0][0])
    assert blocks[0][0][1].shape == (21, 24, 24)


def test_what_cannot_be_augmented_is_named():
    with pytest.raises(OptionError, match="quarter turns of an output of size"):
        RandomGeometry((4, 5), quarter_turns=True).draw((9, 9), rng())
    with pytest.raises(OptionError, match="unknown role of an array 'image'"):
        ExampleAugmentation(RandomGeometry(), x_roles="image")
    with pytest.raises(ShapeError, match="3 arrays"):
        ExampleAugmentation(RandomGeometry()).example(
            np.ones((3, 3, 1)), (np.ones((3, 3)), np.ones(3)), rng()
        )
    sizes = iter([(2, 2, 1), (2, 2, 1), (3, 2, 1), (2, 2, 1)])
    stream = ExampleStream(3, lambda row, part: (np.ones(next(sizes)), np.int32(row)), threads=1)
    with pytest.raises(DataError, match="examples of different shapes"):
        list(stream.blocks(0))
