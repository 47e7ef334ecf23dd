"""What is told of pictures with boxes, and of detectors trained on them."""

import numpy as np
import pytest

from cutaway.runs.object_checks import (
    misread_boxes,
    nothing_found,
    shifted_classes,
    unfitted_boxes,
)

RNG = np.random.default_rng(3)


def drawn(count=20, size=(120, 160)):
    """(picture, boxes) with bright rectangles on noise."""
    for _ in range(count):
        picture = RNG.normal(80, 12, (*size, 3))
        boxes = []
        for _ in range(4):
            w, h = RNG.integers(10, 40, 2)
            x, y = RNG.integers(0, size[1] - w), RNG.integers(0, size[0] - h)
            picture[y : y + h, x : x + w] += 60
            boxes.append([x, y, x + w, y + h])
        yield np.clip(picture, 0, 255).astype(np.uint8), np.array(boxes, float)


def centered(boxes):
    """What comes of cx, cy, w, h that are read as x, y, w, h."""
    return boxes + np.tile((boxes[:, 2:] - boxes[:, :2]) / 2, 2)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (lambda b: b, None),
        (centered, "the first two numbers are the center"),
        (lambda b: b[:, [1, 0, 3, 2]], "x and y are swapped"),
    ],
)
def test_boxes_in_another_convention_are_told_by_the_edges_of_the_pictures(written, words):
    found = misread_boxes([(picture, written(boxes)) for picture, boxes in drawn()])
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert found.code == "misread_boxes" and words in str(found)


def test_few_boxes_or_flat_pictures_say_nothing():
    few = [(picture, centered(boxes)) for picture, boxes in drawn(3)]
    assert misread_boxes(few) is None
    flat = [(np.zeros_like(picture), boxes) for picture, boxes in drawn()]
    assert misread_boxes(flat) is None
    assert misread_boxes([(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4)))]) is None


def test_boxes_that_no_prior_fits_are_counted_and_the_worst_class_is_named():
    best = np.array([0.9] * 8 + [0.2] * 4)
    found = unfitted_boxes(best, ["cell", "dot"], [0] * 8 + [1] * 4)
    assert found is not None
    assert found.measures["below 0.5"] == pytest.approx(1 / 3)
    assert "33%" in str(found) and "dot: 100%" in str(found)
    assert unfitted_boxes([0.9, 0.8, 0.6]) is None
    assert unfitted_boxes([]) is None


def test_a_detector_that_finds_nothing_is_told_from_one_that_finds_elsewhere():
    truth, none = np.array([[0.0, 0, 10, 10]]), np.zeros((0, 4))
    assert "no box at all" in str(nothing_found([(truth, none)]))
    assert "none where an object is" in str(nothing_found([(truth, truth + 40)]))
    assert nothing_found([(truth, truth), (none, none)]) is None
    assert nothing_found([(none, none)]) is None


def test_classes_that_are_off_by_one_are_told():
    names = ["a", "b", "c"]
    counts = np.zeros((4, 4), int)
    counts[0, 1], counts[1, 2], counts[2, 2], counts[3, 0] = 9, 8, 2, 5
    found = shifted_classes(counts, names)
    assert found is not None and "next class" in str(found)
    assert "previous" in str(shifted_classes(counts.T, names))
    assert shifted_classes(np.diag([5, 5, 5, 0]), names) is None
    assert shifted_classes(np.zeros((4, 4)), names) is None
