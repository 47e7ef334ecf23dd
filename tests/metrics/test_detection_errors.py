"""What a detector did wrong, counted by hand."""

import numpy as np

from cutaway.metrics.detection_errors import (
    DOUBLED,
    INVENTED,
    RIGHT,
    UNCOUNTED,
    WRONG_CLASS,
    confusion_with_background,
    iou_matrix,
    judge,
)


def found_of(*detections):
    """{boxes, classes, scores} of (box, class, score)."""
    boxes, classes, scores = zip(*detections, strict=True)
    return {"boxes": boxes, "classes": classes, "scores": scores}


LEFT, RIGHTMOST = [0, 0, 10, 10], [20, 0, 30, 10]
TRUTH = {"boxes": [LEFT, RIGHTMOST], "classes": [0, 1]}


def test_the_best_score_has_the_object_and_others_are_doubled():
    judged = judge(TRUTH, found_of((LEFT, 0, 0.5), (LEFT, 0, 0.9), (RIGHTMOST, 1, 0.2)))
    assert judged.verdicts.tolist() == [DOUBLED, RIGHT, RIGHT]
    assert judged.partners.tolist() == [-1, 0, 1]
    assert judged.missed.tolist() == [] and judged.mistakes == 1


def test_a_box_of_another_class_takes_an_object_that_none_of_its_class_finds():
    judged = judge(TRUTH, found_of((RIGHTMOST, 0, 0.9), ([50, 0, 60, 10], 1, 0.8)))
    assert judged.verdicts.tolist() == [WRONG_CLASS, INVENTED]
    assert judged.missed.tolist() == [0] and judged.mistakes == 3


def test_ignored_objects_are_neither_missed_nor_held_against_a_detector():
    truth = {**TRUTH, "ignored": [True, False]}
    judged = judge(truth, found_of((LEFT, 0, 0.9), (LEFT, 1, 0.8)))
    assert judged.verdicts.tolist() == [UNCOUNTED, INVENTED]
    assert judged.missed.tolist() == [1]


def test_nothing_found_and_nothing_there():
    none = {"boxes": np.zeros((0, 4)), "classes": [], "scores": []}
    assert judge(TRUTH, none).missed.tolist() == [0, 1]
    assert judge({"boxes": [], "classes": []}, none).mistakes == 0
    judged = judge({"boxes": [], "classes": []}, found_of((LEFT, 0, 0.9)))
    assert judged.verdicts.tolist() == [INVENTED]


def test_the_confusion_matrix_has_what_is_missed_and_invented_in_its_background():
    found = found_of((LEFT, 0, 0.9), (LEFT, 0, 0.8), (RIGHTMOST, 0, 0.7), ([70, 0, 80, 10], 1, 0.6))
    first = TRUTH, found, judge(TRUTH, found)
    none = {"boxes": np.zeros((0, 4)), "classes": [], "scores": []}
    second = TRUTH, none, judge(TRUTH, none)
    counts = confusion_with_background([first, second], 2)
    # true class in rows: 0, 1, background
    assert counts.tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 0]]
    assert counts[:2].sum() == 4  # each object once


def test_overlaps_are_those_of_areas():
    a = np.array([[0.0, 0, 10, 10], [5, 5, 5, 5]])
    b = np.array([[5.0, 0, 15, 10], [0, 0, 10, 10]])
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 3, 1], [0, 0]])
