"""Geometry: against NumPy, Pillow, PyTorch and scikit-image, and its laws."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import AffineTransform, warp

from cutaway.data import Framing, Geometry, clip_boxes
from cutaway.errors import DataError, OptionError, ShapeError

SIZES = st.integers(1, 700)


def rng(seed=0):
    return np.random.default_rng(seed)


def smooth(size, channels=1):
    grid = np.meshgrid(*(np.arange(n) + 0.5 for n in size), indexing="ij")
    waves = [sum((k + 1) * g / (7 + c) for k, g in enumerate(grid)) for c in range(channels)]
    return np.stack([np.sin(w) for w in waves], -1).astype(np.float32)


def in_general(geometry):
    """The same map, computed as if it were not along the axes."""

    class General(Geometry):
        def _places_by_axis(self):
            return None

    return General(geometry.input_size, geometry.output_size, geometry.matrix)


def test_flips_turns_crops_and_pads_are_those_of_numpy():
    for shape, dtype in (((5, 7), np.uint8), ((4, 5, 6), np.int32)):
        array = rng().integers(0, 9, shape, dtype)
        start = Geometry.of(array.shape)
        for axis in range(array.ndim):
            np.testing.assert_array_equal(start.flip(axis).mask(array), np.flip(array, axis))
        for turns in range(-1, 5):
            expected = np.rot90(array, turns, axes=(0, 1))
            np.testing.assert_array_equal(start.quarter_turns(turns).mask(array), expected)
            picture = start.quarter_turns(turns).picture(array[..., None])
            np.testing.assert_array_equal(picture[..., 0], expected)
        np.testing.assert_array_equal(
            start.quarter_turns(1, axes=(1, 0)).mask(array), np.rot90(array, 1, axes=(1, 0))
        )
        padded = start.pad(2, 9)
        np.testing.assert_array_equal(
            padded.mask(array, fill=7), np.pad(array, (2, 9), constant_values=7)
        )
        for name in ("mask", "picture"):  # mirrored at the edge, as often as needed
            moved = array if name == "mask" else array[..., None]
            found = getattr(padded, name)(moved, border="mirrored")
            expected = np.pad(array, (2, 9), mode="symmetric")
            np.testing.assert_array_equal(found.reshape(expected.shape), expected)
        window = start.crop((1,) * array.ndim, (3,) * array.ndim).mask(array)
        np.testing.assert_array_equal(window, array[(slice(1, 4),) * array.ndim])


@pytest.mark.parametrize(
    "size", [(9, 31), (40, 25), (13, 20), (5, 5), (200, 3), (1, 4), (1, 1), (20, 31)]
)
def test_pictures_are_resized_as_pillow_and_pytorch_do_with_antialiasing(size):
    picture = rng().integers(0, 256, (20, 31, 3), np.uint8)
    found = Geometry.of((20, 31)).resize(size).picture(picture)
    pillow = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)
    assert np.abs(found.astype(int) - np.asarray(pillow)).max() <= 1
    floats = picture.astype(np.float32)
    tensor = torch.tensor(floats).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(tensor, size, mode="bilinear", antialias=True)
    found = Geometry.of((20, 31)).resize(size).picture(floats)
    np.testing.assert_allclose(found, expected[0].permute(1, 2, 0), atol=2e-3)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["letterbox", "stretch", "crop", "pad"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["constant", "mirrored"]),
    st.booleans(),
)
def test_bytes_and_floats_are_resized_alike(size, how, target, border, flipped):
    geometry = Framing(how, target).geometry(size)
    geometry = geometry.flip(1) if flipped else geometry
    picture = rng().integers(0, 256, (*size, 3), np.uint8)
    found = geometry.picture(picture, border=border, fill=114)
    floats = geometry.picture(picture.astype(np.float32), border=border, fill=114)
    assert np.abs(found - floats).max() <= 1.01


def test_masks_and_volumes_are_resized_as_pytorch_does():
    mask = rng().integers(0, 99, (12, 17), np.uint8)
    for size in ((5, 40), (24, 8), (12, 17), (1, 1)):
        tensor = torch.tensor(mask)[None, None].float()
        expected = torch.nn.functional.interpolate(tensor, size, mode="nearest-exact")
        found = Geometry.of((12, 17)).resize(size).mask(mask)
        np.testing.assert_array_equal(found, expected[0, 0].numpy())
    volume = rng().normal(size=(4, 5, 6, 1)).astype(np.float32)
    tensor = torch.tensor(volume[..., 0])[None, None]
    expected = torch.nn.functional.interpolate(tensor, (7, 5, 11), mode="trilinear")
    found = Geometry.of((4, 5, 6)).resize((7, 5, 11)).picture(volume)
    np.testing.assert_allclose(found[..., 0], expected[0, 0], atol=1e-5)


def test_a_rotated_zoomed_and_shifted_picture_is_that_of_scikit_image():
    picture = smooth((40, 50))
    geometry = Geometry.of((40, 50)).rotate(25).zoom(1.3).shift((3, -2))
    # skimage: x before y, pixel centers on integers, the map from output to input
    y_of, x_of = geometry.matrix
    matrix = np.array([[x_of[1], x_of[0], x_of[2]], [y_of[1], y_of[0], y_of[2]], [0, 0, 1]])
    matrix[:2, 2] += matrix[:2, :2].sum(axis=1) / 2 - 0.5
    expected = warp(picture, AffineTransform(matrix), order=1, mode="edge")
    found = geometry.picture(picture, border="constant", fill=9)
    within = found != 9
    assert 0.7 < within.mean() <= 1
    np.testing.assert_allclose(found[within], expected[within], atol=1e-4)


def test_to_rotate_is_to_turn_the_displayed_picture_counterclockwise():
    picture = rng().integers(0, 256, (6, 6, 2), np.uint8)
    for turns in range(5):
        found = Geometry.of((6, 6)).rotate(90 * turns).picture(picture)
        np.testing.assert_array_equal(found, np.rot90(picture, turns))
    left_up = Geometry.of((100, 100)).rotate(10).points([100.0, 50.0])
    assert left_up[1] < 50  # what was at the right goes up


@given(
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.floats(1, 3), st.floats(1, 3)),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(["constant", "mirrored"]),
)
def test_the_path_along_the_axes_and_the_general_one_agree(
    size, factors, offset, turns, flipped, border
):
    geometry = Geometry.of(size).zoom(factors).shift(offset).quarter_turns(turns)
    geometry = geometry.flip(1) if flipped else geometry
    picture = smooth(size, 2)
    # a place on the edge of a pixel may fall to either side in float32
    places = np.stack(in_general(geometry)._places)
    clear = (np.abs(places - np.rint(places)) > 1e-4).all(axis=0)
    found, general = (
        g.picture(picture, border=border, fill=5) for g in (geometry, in_general(geometry))
    )
    np.testing.assert_allclose(found[clear], general[clear], atol=2e-4)
    mask = rng().integers(0, 99, size, np.uint8)
    found, general = (
        g.mask(mask, border=border, fill=255) for g in (geometry, in_general(geometry))
    )
    np.testing.assert_array_equal(found[clear], general[clear])


def test_composed_steps_give_what_the_single_steps_give():
    picture = rng().integers(0, 256, (30, 20, 1), np.uint8)
    steps = [
        lambda g: g.flip(0),
        lambda g: g.quarter_turns(1),
        lambda g: g.pad((1, 2), (3, 0)),
        lambda g: g.crop((0, 1), (12, 15)),
    ]
    whole, single = Geometry.of((30, 20)), picture
    for step in steps:
        whole = step(whole)
        single = step(Geometry.of(single.shape[:2])).picture(single)
    np.testing.assert_array_equal(whole.picture(picture), single)
    # and one interpolation of two zooms, which two would blur
    there_and_back = Geometry.of((30, 20)).zoom(0.5).zoom(2)
    np.testing.assert_array_equal(there_and_back.picture(picture), picture)


def test_a_shrunken_rotated_picture_is_smoothed():
    checkers = (np.indices((64, 64)).sum(axis=0) % 2)[..., None].astype(np.float32)
    shrunk = Geometry.of((64, 64)).zoom(0.25).rotate(30).crop((26, 26), (12, 12)).picture(checkers)
    assert np.abs(shrunk - 0.5).max() < 0.1  # aliased, it would hold zeros and ones


@pytest.mark.parametrize("size", [(21, 31), (11, 13, 15)])
def test_an_elastic_deformation_reads_where_its_displacements_point(size):
    axes = len(size)
    # pictures of the coordinates themselves: what is read says where
    ramps = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in size), indexing="ij"), -1)
    grid = rng().normal(0, 1, (axes, *[3] * axes))
    for turned in (Geometry.of(size), Geometry.of(size).flip(0).quarter_turns(1)):
        deformed = turned.deform(grid)
        read = deformed.picture(ramps, border="mirrored")
        # the middle of the grid is the middle of the frame
        middle = tuple(n // 2 for n in read.shape[:axes])
        moved = turned.matrix[:, :axes] @ grid[(slice(None), *[1] * axes)]
        np.testing.assert_allclose(read[middle], np.array(size) / 2 + moved, atol=1e-4)
        # the points that are read are found again
        outputs = np.stack(np.meshgrid(*(np.arange(4, n - 3) for n in read.shape[:axes])), -1)
        outputs = outputs.reshape(-1, axes)
        places = read[tuple(outputs.T)]
        found = deformed.points(places[:, ::-1])[:, ::-1]
        within = ((places > 1) & (places < np.array(size) - 1)).all(axis=1)
        assert within.sum() > 20
        np.testing.assert_allclose(found[within], outputs[within] + 0.5, atol=1e-3)


def test_a_constant_displacement_is_a_shift_and_a_linear_one_a_zoom():
    picture = smooth((24, 24))
    plain = Geometry.of((24, 24))
    constant = np.broadcast_to(np.array([2.0, -3.0])[:, None, None], (2, 3, 4))
    np.testing.assert_allclose(
        plain.deform(constant).picture(picture), plain.shift((-2, 3)).picture(picture), atol=1e-4
    )
    ends = np.linspace(-3, 3, 3)  # displacement -3 at the beginning, 3 at the end: 24 becomes 30
    linear = np.stack(np.meshgrid(ends, ends, indexing="ij"))
    np.testing.assert_allclose(
        plain.deform(linear).picture(picture, border="mirrored"),
        in_general(plain.zoom(24 / 30)).picture(picture, border="mirrored"),
        atol=1e-4,
    )
    # a displacement of the output is turned with it, and what follows moves it along
    turned = plain.quarter_turns(1).deform(constant).rotate(30).crop((4, 4), (9, 9))
    shifted = plain.quarter_turns(1).shift((-2, 3)).rotate(30).crop((4, 4), (9, 9))
    np.testing.assert_allclose(turned.picture(picture), shifted.picture(picture), atol=1e-4)


@given(SIZES, SIZES, st.integers(0, 3), st.booleans(), st.integers(8, 90))
def test_a_box_moves_as_the_object_in_the_mask_does(height, width, turns, flipped, target):
    geometry = Geometry.of((height, width)).letterbox((target, target)).quarter_turns(turns)
    geometry = geometry.flip(0) if flipped else geometry
    box = np.array([0.0, 0.0, width, height])
    mask = geometry.mask(np.ones((height, width), np.uint8))
    rows, columns = np.nonzero(mask)
    around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(geometry.boxes(box), around, atol=1e-6)
    assert max(mask.sum(0).max(), mask.sum(1).max()) == target


@given(SIZES, SIZES, SIZES, SIZES)
def test_a_letterbox_has_darknets_sizes(height, width, target_height, target_width):
    geometry = Geometry.of((height, width)).letterbox((target_height, target_width))
    if target_width / width < target_height / height:  # letterbox_image of darknet's image.c
        new_width, new_height = target_width, height * target_width // width
    else:
        new_height, new_width = target_height, width * target_height // height
    new_height, new_width = max(new_height, 1), max(new_width, 1)
    left, top = (target_width - new_width) // 2, (target_height - new_height) // 2
    expected = [left, top, left + new_width, top + new_height]
    np.testing.assert_allclose(geometry.boxes([0.0, 0.0, width, height]), expected, atol=1e-6)


@given(
    SIZES,
    SIZES,
    st.sampled_from(
        [
            Framing("letterbox", (64, 48)),
            Framing("letterbox", (701, 702)),
            Framing("stretch", (33, 90)),
            Framing("crop", (40, 40)),
            Framing("pad", (128, 96)),
            Framing("as is", multiple=16),
        ]
    ),
)
def test_a_prediction_is_put_back_to_exactly_the_size_of_its_input(height, width, framing):
    geometry = framing.geometry((height, width))
    if framing.size is not None:
        assert geometry.output_size == framing.size
    shown = geometry.mask(np.ones((height, width), np.uint8)).astype(bool)
    back = geometry.undo_mask(np.where(shown, 3, 255).astype(np.uint8), fill=7)
    assert back.shape == (height, width) and back.dtype == np.uint8
    assert set(np.unique(back)) <= ({3} if framing.how not in ("crop", "pad") else {3, 7})
    maps = np.where(shown[..., None], np.float32([0.25, 0.75]), np.float32([9, -9]))
    restored = geometry.undo_picture(maps, fill=np.nan)
    assert restored.shape == (height, width, 2) and restored.dtype == np.float32
    inside = ~np.isnan(restored[..., 0])
    assert inside.any()
    np.testing.assert_allclose(restored[inside], [[0.25, 0.75]] * inside.sum(), atol=1e-6)
    if framing.how == "as is" or framing.size == (701, 702):  # nothing was lost: the same mask
        mask = rng().integers(0, 200, (height, width), np.uint8)
        np.testing.assert_array_equal(geometry.undo_mask(geometry.mask(mask)), mask)


def test_a_volume_is_put_back_to_its_size():
    volume = rng().integers(0, 3, (11, 30, 17), np.uint8)
    for framing in (Framing("pad", (16, 32, 32)), Framing("as is", multiple=8)):
        geometry = framing.geometry(volume.shape)
        np.testing.assert_array_equal(geometry.undo_mask(geometry.mask(volume)), volume)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, bool])
def test_the_type_of_numbers_is_kept_and_integers_are_rounded(dtype):
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    mask = Geometry.of((2, 2)).rotate(45).mask(array)
    assert mask.dtype == dtype
    if dtype is not bool:
        picture = Geometry.of((2, 2)).resize((2, 3)).picture(array[..., None] * dtype(100))
        assert picture.dtype == dtype
        np.testing.assert_allclose(picture[0, :, 0], [0, 50, 100], atol=1e-4)
    step = Geometry.of((1, 2)).resize((1, 4)).picture(np.array([[[0], [255]]], np.uint8))
    assert step.ravel().tolist() == [0, 64, 191, 255]  # 63.75 and 191.25


def test_the_result_is_an_array_of_its_own():
    picture = rng().integers(0, 256, (8, 8, 1), np.uint8)
    before = picture.copy()
    plain = Geometry.of((8, 8))
    for geometry in (plain, plain.flip(0), plain.resize((5, 5)), plain.rotate(10), plain.pad(1, 1)):
        geometry.picture(picture)[...] = 1
        geometry.mask(picture)[...] = 1
    np.testing.assert_array_equal(picture, before)


def test_a_geometry_and_a_framing_are_kept_as_json_bit_for_bit():
    picture = smooth((20, 30), 2)
    geometry = Geometry.of((20, 30)).rotate(17).deform(rng().normal(0, 3, (2, 3, 3))).zoom(1.1)
    again = Geometry.from_json(json.loads(json.dumps(geometry.to_json())))
    np.testing.assert_array_equal(again.picture(picture), geometry.picture(picture))
    assert again.output_size == geometry.output_size
    framing = Framing("letterbox", (64, 32))
    assert Framing.from_json(json.loads(json.dumps(framing.to_json()))) == framing
    for broken in ({}, {"format": 2}, geometry.to_json() | {"matrix": [[1.0]]}):
        with pytest.raises(DataError, match="not a geometry"):
            Geometry.from_json(broken)
    with pytest.raises(DataError, match="not a framing"):
        Framing.from_json({"how": "letterbox", "size": None, "multiple": 1})


def test_boxes_are_clipped_and_dropped_when_too_little_is_left():
    boxes = np.array([[-2, -2, 4, 4], [-9, 0, 1, 8], [2, 2, 2, 5], [5, 5, 30, 7.5]], float)
    clipped, kept = clip_boxes(boxes, (8, 10))
    np.testing.assert_array_equal(clipped[0], [0, 0, 4, 4])
    np.testing.assert_array_equal(clipped[3], [5, 5, 10, 7.5])
    assert kept.tolist() == [True, False, False, False]  # 16/36, 1/10, no width, 1/5


def test_what_cannot_be_is_named():
    square = Geometry.of((4, 4))
    with pytest.raises(ShapeError, match=r"has shape \(4, 5, 1\)"):
        square.picture(np.zeros((4, 5, 1)))
    with pytest.raises(ShapeError, match="has shape"):
        square.resize((8, 8)).undo_mask(np.zeros((4, 4)))
    with pytest.raises(OptionError, match=r"size is \(0, 3\)"):
        square.resize((0, 3))
    with pytest.raises(OptionError, match="factor is 0"):
        square.zoom(0)
    with pytest.raises(ShapeError, match="displacements"):
        square.deform(np.zeros((2, 1, 3)))
    with pytest.raises(OptionError, match="no inverse"):
        square.deform(np.zeros((2, 2, 2))).inverse()
    with pytest.raises(OptionError, match="deformed already"):
        square.deform(np.zeros((2, 2, 2))).deform(np.zeros((2, 2, 2)))
    with pytest.raises(OptionError, match="shows nothing"):
        square.crop((9, 9), (2, 2)).undo_mask(np.zeros((2, 2)))
    with pytest.raises(OptionError, match="unknown border"):
        square.mask(np.zeros((4, 4)), border="wrap")
