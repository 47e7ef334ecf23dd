"""Boxes in pictures, and the files of detections."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cutaway.data import find_objects
from cutaway.data.run_lengths import run_lengths
from cutaway.runs.detection_files import coco_results, table_of, yolo_lines, yolo_names
from cutaway.runs.drawn_boxes import class_color, drawn_boxes
from cutaway.runs.found_objects import Detections

NAMES = ["cat", "dog"]
FOUND = Detections(
    np.array([[10.0, 20.5, 40.0, 60.25], [0.0, 0.0, 100.0, 80.0]]),
    np.array([0.91234, 0.5]),
    np.array([1, 0]),
)
SIZE = 80, 100
ELLIPSE = "al0?o14L4L4M2N2N2N2N2O0O2O0000000000000001N101N2N2N2N2N3L4L4LQe4"


def test_the_lines_of_a_box_have_the_color_of_its_class_and_lie_on_its_edge():
    picture = np.full((*SIZE, 3), 128, np.uint8)
    drawn = drawn_boxes(picture, [[10, 20, 40, 60]], [1], NAMES, labels=False)
    assert (drawn[20, 10:40] == class_color(1)).all() and (drawn[59, 10:40] == class_color(1)).all()
    assert (drawn[20:60, 10] == class_color(1)).all() and (drawn[20:60, 39] == class_color(1)).all()
    assert (drawn[21:59, 11:39] == 128).all() and (picture == 128).all()
    dashed = drawn_boxes(picture, [[10, 20, 40, 60]], [1], NAMES, labels=False, dashed=True)
    part = (dashed[20, 10:40] == class_color(1)).all(axis=-1).mean()
    assert 0.4 < part < 0.8


@pytest.mark.parametrize("size", [(1, 1), (12, 12), (40, 60), (900, 1200)])
def test_boxes_anywhere_are_drawn_within_a_picture_of_any_size(size):
    height, width = size
    boxes = [[0, 0, width, height], [width - 1, height - 1, width, height], [-5, -5, 3, 3],
             [width / 2, -9, width + 30, height / 2]]  # fmt: skip
    drawn = drawn_boxes(
        np.zeros((*size, 3), np.uint8), boxes, [0, 1, 0, 1], NAMES, scores=[0.9, 0.8, 0.7, 0.6]
    )
    assert drawn.shape == (*size, 3) and drawn.any()


def test_masks_are_tinted_and_have_a_contour_in_the_color_of_the_class():
    mask = np.zeros(SIZE, bool)
    mask[30:40, 30:50] = True
    mask[60:, 60:] = True  # along the edge of the picture there is a contour, too
    picture = np.full((*SIZE, 3), 100, np.uint8)
    drawn = drawn_boxes(picture, [[30, 30, 50, 40]], [0], NAMES, masks=[run_lengths(mask)],
                        labels=False)  # fmt: skip
    color = np.array(class_color(0))
    inner = np.zeros(SIZE, bool)
    inner[31:39, 31:49] = inner[61:-1, 61:-1] = True
    assert (drawn[mask & ~inner] == color).all()
    assert (drawn[inner] == np.rint(0.6 * 100 + 0.4 * color)).all()
    assert (drawn[~mask] == 100).all() and (picture == 100).all()


def test_masks_of_a_larger_picture_are_scaled_to_the_one_that_is_drawn():
    mask = np.zeros((160, 200), bool)
    mask[60:80, 60:100] = True
    arguments = [[[0, 0, 1, 1]], [0], NAMES]
    whole, half = (
        drawn_boxes(np.zeros((*SIZE, 3), np.uint8), *arguments, masks=[run_lengths(one)])
        for one in (mask, mask[::2, ::2])
    )
    np.testing.assert_array_equal(whole, half)


def test_of_two_masks_the_first_one_lies_on_top():
    masks = [run_lengths(np.ones(SIZE, bool)), run_lengths(np.eye(*SIZE, dtype=bool))]
    drawn = drawn_boxes(np.zeros((*SIZE, 3), np.uint8), np.zeros((2, 4)), [1, 0], NAMES,
                        masks=masks, labels=False)  # fmt: skip
    color = np.rint(0.4 * np.array(class_color(1)))
    over = np.rint(0.6 * np.array(class_color(0)) + 0.4 * np.array(class_color(1)))
    assert (drawn[40, 10] == color).all() and (drawn[40, 40] == over).all()


def test_the_table_has_a_line_for_each_detection():
    frame = pl.read_csv(table_of([("a.jpg", SIZE, FOUND)], NAMES))
    assert frame.rows() == [
        ("a.jpg", "dog", 0.9123, 10.0, 20.5, 40.0, 60.25),
        ("a.jpg", "cat", 0.5, 0.0, 0.0, 100.0, 80.0),
    ]
    empty = pl.read_csv(table_of([], NAMES))
    assert empty.columns == ["picture", "class", "score", "x1", "y1", "x2", "y2"]


def test_our_readers_find_the_same_boxes_in_what_was_written_for_coco_and_yolo(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_bytes(yolo_lines(FOUND, SIZE))
    (tmp_path / "data.yaml").write_bytes(yolo_names(NAMES))
    (tmp_path / "found.json").write_bytes(coco_results([("a.png", SIZE, FOUND)], NAMES))
    for form in ("coco", "yolo"):
        read = find_objects(tmp_path, form=form)
        assert read.classes == NAMES
        assert read.labels[0].tolist() == [1, 0]
        np.testing.assert_allclose(read.boxes[0], FOUND.boxes, atol=1e-3)
    results = json.loads((tmp_path / "found.json").read_text())["annotations"]
    assert results[0]["bbox"] == [10.0, 20.5, 30.0, 39.75] and results[0]["score"] == 0.9123


def test_masks_are_written_as_coco_and_pycocotools_have_them():
    # pycocotools.mask.encode of an ellipse and of all pixels, and its area
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    ellipse = ((rows - 40) / 20) ** 2 + ((columns - 25) / 15) ** 2 < 1
    found = FOUND._replace(masks=[run_lengths(ellipse), run_lengths(np.ones(SIZE))])
    one, other = json.loads(coco_results([("a.png", SIZE, found)], NAMES))["annotations"]
    assert one["segmentation"] == {"size": [80, 100], "counts": ELLIPSE} and one["area"] == 923
    assert other["segmentation"] == {"size": [80, 100], "counts": "0Pj7"} and other["area"] == 8000
    assert one["bbox"] == [10.0, 20.5, 30.0, 39.75]


def test_our_reader_finds_the_same_masks_in_what_was_written_for_coco(tmp_path):
    rng = np.random.default_rng(0)
    masks = [rng.random(SIZE) < 0.5 for _ in FOUND.boxes]
    found = FOUND._replace(masks=[run_lengths(mask) for mask in masks])
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    (tmp_path / "found.json").write_bytes(coco_results([("a.png", SIZE, found)], NAMES))
    read = find_objects(tmp_path / "found.json")
    for k, mask in enumerate(masks):
        np.testing.assert_array_equal(read.mask(0, k), mask)
