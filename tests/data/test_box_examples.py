"""Mosaics, windows and colors: what a detector is shown in training, with its boxes."""

import colorsys

import numpy as np
import pytest

from cutaway.data import (
    Compose,
    ExampleAugmentation,
    Mosaic,
    RandomColor,
    RandomGeometry,
    RandomLight,
    RandomPatch,
)
from cutaway.data.random_color import colored
from cutaway.errors import OptionError, ShapeError

SIZE = (48, 64)


def discs(rng, count=3, capacity=8):
    """A picture whose objects are rectangles of the values 1, 2, ..., with a target."""
    picture = np.zeros((*SIZE, 1), np.uint8)
    boxes = np.zeros((capacity, 4), np.float32)
    for k in range(count):
        x, y = 20 * k + rng.integers(4), rng.integers(8, 28)
        picture[y : y + 12, x : x + 14] = 50 * (k + 1)
        boxes[k] = x, y, x + 14, y + 12
    classes = np.where(np.arange(capacity) < count, np.arange(capacity), 0).astype(np.int32)
    return picture, {"boxes": boxes, "classes": classes, "valid": np.arange(capacity) < count}


def around(picture, value):
    rows, columns = np.nonzero(picture[..., 0] == value)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_the_boxes_of_a_mosaic_are_where_the_objects_are():
    rng, seen = np.random.default_rng(0), 0
    for _ in range(40):
        four = [discs(rng) for _ in range(4)]
        for k, (picture, _) in enumerate(four):  # one object of each class and picture
            picture[picture > 0] += 10 * k
        picture, target = Mosaic().combine(four, rng)
        assert picture.shape == (*SIZE, 1) and target["boxes"].shape == (32, 4)
        values = [50 * (c + 1) for c in target["classes"][target["valid"]]]
        for box, value in zip(target["boxes"][target["valid"]], values, strict=True):
            x1, y1, x2, y2 = box.astype(int)
            own = np.unique(picture[y1:y2, x1:x2])
            (found,) = [v for v in own if v in (value, value + 10, value + 20, value + 30)]
            np.testing.assert_array_equal(around(picture, found), box)
            seen += 1
    assert seen > 60


def test_an_object_that_a_mosaic_cuts_is_taught_if_a_quarter_of_it_is_left():
    rng = np.random.default_rng(1)
    for _ in range(60):
        four = [discs(rng, count=1) for _ in range(4)]
        for k, (picture, _) in enumerate(four):
            picture[picture > 0] = k + 1
        picture, target = Mosaic().combine(four, rng)
        areas = [(picture == k + 1).sum() for k in range(4)]
        taught = [a for a in areas if a >= 12 * 14 / 4]
        assert target["valid"].sum() == len(taught)
        boxes = target["boxes"][target["valid"]]
        sides = boxes[:, 2:] - boxes[:, :2]
        assert sorted(sides.prod(axis=1)) == sorted(taught)


def test_masks_move_with_their_frames_which_are_not_cut():
    rng, cut = np.random.default_rng(2), 0
    for _ in range(20):
        four = [discs(rng) for _ in range(4)]
        for _, target in four:
            target["frames"] = target["boxes"].copy()
            target["crops"] = np.arange(8, dtype=np.uint8)[:, None, None] + np.zeros((8, 5, 5))
        _, target = Mosaic().combine(four, rng)
        kept = target["valid"]
        assert (target["crops"][kept] == target["classes"][kept][:, None, None]).all()
        frames, boxes = target["frames"][kept], target["boxes"][kept]
        sides = frames[:, 2:] - frames[:, :2]
        assert (sides == (14, 12)).all()
        is_cut = (boxes[:, 2:] - boxes[:, :2] != sides).any(axis=1)
        np.testing.assert_array_equal(frames[~is_cut], boxes[~is_cut])
        cut += is_cut.sum()
    assert cut > 10


def test_a_single_example_keeps_its_boxes_and_all_have_one_capacity():
    example = discs(np.random.default_rng(0))
    picture, target = Mosaic(capacity=12).combine([example], np.random.default_rng(0))
    assert picture is example[0] and target["valid"].tolist() == [True] * 3 + [False] * 9
    np.testing.assert_array_equal(target["boxes"][:3], example[1]["boxes"][:3])
    # too many: the largest stay, in their order
    few = {"boxes": example[1]["boxes"].copy(), "valid": example[1]["valid"]}
    few["boxes"][1, 2:] = few["boxes"][1, :2] + 2
    _, target = Mosaic(capacity=2).combine([(picture, few)], np.random.default_rng(0))
    np.testing.assert_array_equal(target["boxes"], few["boxes"][[0, 2]])


def test_mosaics_are_as_frequent_as_asked():
    rng = np.random.default_rng(0)
    counts = [len(Mosaic(0.3).rows(5, 9, rng)) for _ in range(2000)]
    assert set(counts) == {1, 4} and 0.27 < np.mean(np.array(counts) == 4) < 0.33


def test_pictures_of_a_mosaic_have_one_size():
    one, two = discs(np.random.default_rng(0)), discs(np.random.default_rng(0))
    with pytest.raises(ShapeError, match="pictures of one size"):
        Mosaic().combine([one, (two[0][:-1], two[1]), one, two], np.random.default_rng(0))
    with pytest.raises(OptionError, match="Mosaic: share"):
        Mosaic(1.5)


def test_the_boxes_of_a_window_are_where_the_objects_are():
    augment = ExampleAugmentation(
        RandomGeometry(), y_roles={"boxes": "boxes", "classes": "other", "valid": "valid"},
        patch=RandomPatch(),
    )  # fmt: skip
    rng, seen = np.random.default_rng(0), 0
    for _ in range(60):
        picture, target = discs(rng)
        picture, target = augment.example(picture, target, rng)
        assert picture.shape == (*SIZE, 1)
        for box, number in zip(
            target["boxes"][target["valid"]], target["classes"][target["valid"]], strict=True
        ):
            x1, y1, x2, y2 = box
            rows, columns = (np.arange(n) + 0.5 for n in SIZE)
            # the inside of the box, but for a pixel of interpolation
            inside = np.ix_((rows > y1 + 1.5) & (rows < y2 - 1.5),
                            (columns > x1 + 1.5) & (columns < x2 - 1.5))  # fmt: skip
            assert (picture[inside] == 50 * (number + 1)).all()
            seen += picture[inside].size > 0
    assert seen > 60


def test_windows_are_those_of_ssd():
    boxes = np.array([[20.0, 12, 44, 36]])
    rng, factors, overlaps = np.random.default_rng(0), [], []
    patch = RandomPatch()
    for _ in range(400):
        geometry = patch.draw(SIZE, boxes, rng)
        height, width = geometry.matrix[0, 0], geometry.matrix[1, 1]
        factors.append((height, width))
        assert 1 / 2.1 < width / height < 2.1
        x1, y1, x2, y2 = geometry.boxes(boxes)[0]
        assert 0 < (x1 + x2) / 2 < SIZE[1] and 0 < (y1 + y2) / 2 < SIZE[0]
        inside = np.clip([x1, y1, x2, y2], 0, [64, 48, 64, 48])
        both = (inside[2] - inside[0]) * (inside[3] - inside[1])
        overlaps.append(both / (48 * 64 + (x2 - x1) * (y2 - y1) - both))
    factors = np.array(factors)
    assert factors.min() >= 0.29 and 2 < factors.max() <= 4  # 0.3 of it, and a canvas of 4
    # one in seven, or more where no window overlaps as much, is a whole canvas
    assert 0.03 < np.isclose(factors, 1).all(axis=1).mean() < 0.2
    assert np.quantile(overlaps, 0.9) > 0.5 > 0.1 > np.quantile(overlaps, 0.1)


def test_a_window_of_a_picture_without_boxes_and_one_that_is_not_asked_for():
    rng = np.random.default_rng(0)
    sizes = {RandomPatch().draw(SIZE, np.zeros((0, 4)), rng).output_size for _ in range(20)}
    assert sizes == {SIZE}
    geometry = RandomPatch(share=0.0).draw(SIZE, np.zeros((0, 4)), rng)
    np.testing.assert_array_equal(geometry.matrix, np.eye(2, 3))
    with pytest.raises(OptionError, match="RandomPatch: canvas"):
        RandomPatch(canvas=0.5)


def test_saturation_and_hue_leave_the_luma():
    rng = np.random.default_rng(0)
    picture = rng.uniform(0.3, 0.7, (4, 5, 3))
    np.testing.assert_allclose(colored(picture, 1.0, 0.0), picture, atol=1e-6)
    luma = picture @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(colored(picture, 0.0, 77.0), luma[..., None] + [0] * 3, atol=1e-6)
    turned = colored(picture, 1.3, 120.0)
    np.testing.assert_allclose(turned @ [0.299, 0.587, 0.114], luma, atol=1e-6)
    np.testing.assert_allclose(colored(colored(turned, 1 / 1.3, 120), 1, 120), picture, atol=1e-5)
    # against the formulas of colorsys, whose YIQ has rounder numbers
    for before, after in zip(picture.reshape(-1, 3), turned.reshape(-1, 3), strict=True):
        (_, i, q), (_, j, r) = colorsys.rgb_to_yiq(*before), colorsys.rgb_to_yiq(*after)
        assert np.hypot(j, r) == pytest.approx(1.3 * np.hypot(i, q), rel=0.06)


def test_colors_change_as_much_as_asked_and_gray_pictures_not():
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 255, (6, 6, 1), np.uint8)
    np.testing.assert_array_equal(RandomColor()(gray, rng), gray)
    equal = np.repeat(gray, 3, axis=-1)
    np.testing.assert_array_equal(RandomColor(1.0, 90)(equal, rng), equal)
    color = rng.integers(60, 190, (6, 6, 3), np.uint8)
    changed = RandomColor()(color, rng)
    assert changed.dtype == np.uint8 and (changed != color).any()


def test_color_comes_before_light_and_both_only_to_the_picture():
    augment = ExampleAugmentation(
        RandomGeometry(), light=Compose(RandomColor(0.5, 20), RandomLight()), y_roles="mask"
    )
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (8, 8, 3), np.uint8)
    mask = rng.integers(0, 5, (8, 8))
    changed, same = augment.example(x, mask, np.random.default_rng(3))
    np.testing.assert_array_equal(same, mask)
    again, _ = augment.example(x, mask, np.random.default_rng(3))
    np.testing.assert_array_equal(changed, again)
    assert (changed != x).any()
