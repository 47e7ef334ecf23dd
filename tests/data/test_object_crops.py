"""Masks of objects within frames of their own: what they hold, and how they move."""

import numpy as np
import pytest
from PIL import Image

from cutaway.data import ExampleAugmentation, Geometry, RandomGeometry, find_objects
from cutaway.data.object_crops import moved_crops, object_crops
from cutaway.errors import OptionError
from cutaway.models.region_detector import mask_targets
from tests.runs.drawn_sets import write_objects

TRIANGLE = [[10.0, 6.0, 40.0, 12.0, 18.0, 34.0]]
BOX = np.array([[10.0, 6.0, 40.0, 34.0]])
SIZE = (48, 60)


def whole(crop, frame, size):
    """The mask of a crop, drawn into a picture of this size."""
    x1, y1, x2, y2 = frame
    side = len(crop)
    rows = (np.arange(size[0])[:, None] + 0.5 - y1) / (y2 - y1) * side
    columns = (np.arange(size[1]) + 0.5 - x1) / (x2 - x1) * side
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    at = (np.clip(one.astype(int), 0, side - 1) for one in (rows, columns))
    return inside & (crop[tuple(at)] > 127)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_crop_holds_the_part_of_each_cell_that_is_the_object():
    runs = {"counts": [0, 4, 12], "size": [4, 4]}  # the first column
    crops = object_crops([runs, None], [[0.0, 0.0, 4.0, 4.0]] * 2, (4, 4), side=4)
    assert crops.dtype == np.uint8
    assert crops[0].tolist() == [[255, 0, 0, 0]] * 4
    assert (crops[1] == 255).all()  # without an outline the object fills its box
    half = object_crops([runs], [[0.0, 0.0, 2.0, 4.0]], (4, 4), side=2)[0]
    assert (half[:, 0] > 127).all()
    assert (half[:, 1] < 127).all()


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry.of(SIZE).flip(1),
        Geometry.of(SIZE).flip(0).zoom(1.3).shift((3, -4)),
        Geometry.of(SIZE).quarter_turns(1),
        Geometry.of(SIZE).quarter_turns(3).flip(0),
        Geometry.of(SIZE).rotate(25),
        Geometry.of(SIZE).resize((96, 60)).rotate(-10),
        Geometry.of(SIZE).deform(np.random.default_rng(0).normal(0, 2, (2, 3, 3))),
    ],
    ids=["flip", "zoom", "turn", "turn and flip", "rotate", "stretch and rotate", "elastic"],
)
def test_crops_move_with_the_picture(geometry):
    crops = object_crops([TRIANGLE], BOX, SIZE)
    mask = whole(crops[0], BOX[0], SIZE)
    found, frames = moved_crops(crops, BOX, geometry)
    moved = whole(found[0], frames[0], geometry.output_size)
    assert overlap(moved, geometry.mask(mask).astype(bool)) > 0.93
    np.testing.assert_allclose(frames, geometry.boxes(BOX), rtol=1e-5)


def test_an_object_that_is_cut_off_keeps_its_frame_and_is_taught_what_is_left():
    crops = object_crops([TRIANGLE], BOX, SIZE)
    roles = {"boxes": "boxes", "valid": "valid", "crops": "crops", "frames": "frames"}
    augment = ExampleAugmentation(RandomGeometry(shift=15), y_roles=roles)
    mask = whole(crops[0], BOX[0], SIZE)
    y = {"boxes": BOX, "valid": np.ones(1, bool), "crops": crops, "frames": BOX}
    cut = 0
    for seed in range(8):
        x = np.repeat(mask[..., None], 3, axis=-1).astype(np.uint8) * 255
        picture, moved = augment.example(x, y, np.random.default_rng(seed))
        if not moved["valid"][0]:
            continue
        cut += not np.array_equal(moved["frames"], moved["boxes"])
        truths = {"masks": (picture[None, None, ..., 0] > 127).astype(np.float32),
                  "boxes": moved["boxes"][None]}  # fmt: skip
        regions, match = moved["boxes"][None].astype(np.float32), np.zeros((1, 1), int)
        expected = mask_targets(truths, match, regions, 14)
        of_crops = {name: moved[name][None].astype(np.float32) for name in ("boxes", "frames")}
        found = mask_targets(of_crops | {"crops": moved["crops"][None]}, match, regions, 14)
        assert np.abs(np.asarray(found) - np.asarray(expected)).mean() < 0.05
    assert cut >= 2


def test_a_folder_gives_crops_of_what_is_taught(tmp_path):
    write_objects(tmp_path)
    folder = find_objects(tmp_path).with_crops(16)
    folder.ignored[0][:1] = True
    target = folder.target(0)
    count = int(target["valid"].sum())
    assert count == len(folder.boxes[0]) - 1
    assert target["crops"].shape == (folder.capacity, 16, 16)
    assert (target["crops"][:count] == 255).all()  # boxes without outlines
    assert not target["crops"][count:].any()
    np.testing.assert_array_equal(target["frames"], target["boxes"])
    size = int(np.prod(folder.sizes[0])) * folder.channels
    per_object = folder.bytes_of_arrays() - len(folder) * size
    assert per_object == len(folder) * sum(value.nbytes for value in target.values())


def test_roles_of_crops_and_frames_come_together():
    with pytest.raises(OptionError, match='one array "crops" with one "frames"'):
        ExampleAugmentation(RandomGeometry(), y_roles={"crops": "crops", "boxes": "boxes"})


def test_large_objects_are_shrunk_without_aliasing():
    stripes = np.zeros((224, 224), np.uint8)
    stripes[:, ::2] = 1
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, stripes.T.ravel(), 2])))
    outline = {"counts": [0, *runs.tolist()], "size": [224, 224]}
    crop = object_crops([outline], [[0.0, 0.0, 224.0, 224.0]], (224, 224))[0]
    assert np.abs(crop[:, 2:-2].astype(int) - 127).max() <= 2
    assert Image.fromarray(crop).size == (112, 112)
