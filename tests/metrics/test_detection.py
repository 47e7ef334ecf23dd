"""Average precision as pycocotools computes it, and as Pascal VOC's development kit says."""

import re
import sys

import numpy as np
import pytest

from cutaway.data.run_lengths import run_lengths
from cutaway.errors import DataError, OptionError, ShapeError, install_extra
from cutaway.metrics import DetectionScores
from tests.oracles import oracle

# pycocotools 2.0.11 on `drawn()`, and the mean over its precisions of each class
TWELVE = [
    0.287232358792,
    0.636348209875,
    0.191941263091,
    0.351485148515,
    0.310559220805,
    0.2843712285,
    0.201359307359,
    0.429132034632,
    0.429132034632,
    0.35,
    0.427898550725,
    0.440509259259,
]
OF_CLASSES = {
    "class_ap": [0.281177173959, 0.268344727509, 0.312175174908],
    "class_ap50": [0.600594477887, 0.651878423136, 0.656571728601],
}


def drawn():
    """[(truth, found)] with crowds, equal scores, pictures without truths or detections."""
    rng = np.random.default_rng(0)
    for k in range(40):
        count = 0 if k % 7 == 0 else rng.integers(1, 9)
        size = rng.uniform(8, 200, (count, 2))
        corner = rng.uniform(0, 1, (count, 2)) * ([640, 480] - size)
        boxes = np.concatenate([corner, corner + size], axis=1)
        classes = rng.integers(0, 3, count)
        crowd = rng.random(count) < 0.08
        seen = rng.random(count) < 0.8
        noise = rng.normal(0, 0.1, (count, 4)) * np.tile(size, 2)
        moved = np.sort((boxes + noise).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        extra = rng.uniform(0, 300, (rng.integers(0, 3), 2))
        more = np.concatenate([extra, extra + rng.uniform(10, 200, extra.shape)], axis=1)
        found = np.concatenate([moved[seen], more])
        kinds = np.concatenate([classes[seen], rng.integers(0, 3, len(more))])
        scores = rng.integers(1, 20, len(found)) / 20
        yield (
            {"boxes": boxes, "classes": classes, "ignored": crowd},
            {"boxes": found, "classes": kinds, "scores": scores},
        )


def collected(pairs, classes=("a", "b", "c")):
    scores = DetectionScores(classes)
    for truth, found in pairs:
        scores.collect(truth, found)
    return scores


def test_the_twelve_numbers_and_those_of_each_class_are_pycocotools():
    oracle("faster_coco_eval")
    result = collected(drawn()).result()
    assert [result[name] for name in list(result)[:12]] == pytest.approx(TWELVE, abs=1e-9)
    for name, expected in OF_CLASSES.items():
        assert result[name] == pytest.approx(expected, abs=1e-9)
    assert result["ap"] == pytest.approx(np.mean(OF_CLASSES["class_ap"]))


def test_padding_counts_for_nothing():
    oracle("faster_coco_eval")

    def padded(one, room):
        more = {k: np.pad(v, [(0, room), *[(0, 0)] * (v.ndim - 1)]) for k, v in one.items()}
        return more | {"valid": np.arange(len(more["boxes"])) < len(one["boxes"])}

    plain = collected(drawn()).result()
    more = collected((padded(t, 5), padded(f, 9)) for t, f in drawn()).result()
    assert more == plain


def test_nothing_to_find_is_nan_and_nothing_found_is_0():
    oracle("faster_coco_eval")
    box, none = [[0.0, 0, 50, 50]], {"boxes": [], "classes": [], "scores": []}
    scores = collected([({"boxes": box, "classes": [1]}, none)])
    result = scores.result()
    assert result["ap"] == 0 and np.isnan(result["class_ap"][0]) and result["class_ap"][1] == 0
    assert np.isnan(result["ap_small"])
    empty = collected([(none, {"boxes": box, "classes": [0], "scores": [0.5]})])
    assert np.isnan(empty.result()["ap"]) and np.isnan(empty.voc()["mean_ap"])


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(OptionError, match=re.escape(install_extra("vision"))):
        collected(drawn()).result()


def test_precision_and_recall_by_hand():
    # one class, truths A and B in picture 1, C (difficult) in picture 2
    truths = [[0, 0, 10, 10], [20, 0, 30, 10]]
    found = {
        "boxes": [[0, 0, 10, 9], [0, 0, 10, 8], [21, 0, 31, 10], [50, 50, 60, 60]],
        "classes": [0] * 4,
        "scores": [0.9, 0.8, 0.4, 0.7],
    }
    second = {"boxes": [[0, 0, 4, 4]], "classes": [0], "ignored": [True]}
    hidden = {"boxes": [[0, 0, 4, 4], [0, 0, 4, 3]], "classes": [0, 0], "scores": [0.95, 0.6]}
    scores = collected([({"boxes": truths, "classes": [0, 0]}, found), (second, hidden)])
    recall, precision, score = scores.curve(0)
    # right, doubled, invented, right; the two of the difficult object do not count
    np.testing.assert_allclose(score, [0.9, 0.8, 0.7, 0.4])
    np.testing.assert_allclose(recall, [0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(precision, [1, 1 / 2, 1 / 3, 2 / 4])
    # under the envelope 1 up to 0.5, then 1/2; at 6 of the 11 recalls it is 1, at 5 it is 1/2
    assert scores.voc()["ap"][0] == pytest.approx(0.75)
    assert scores.voc_2007()["ap"][0] == pytest.approx((6 + 5 / 2) / 11)
    assert scores.voc(iou=0.85)["ap"][0] == pytest.approx(0.5)
    assert np.isnan(scores.voc()["ap"][1]) and scores.voc()["mean_ap"] == pytest.approx(0.75)


def test_what_does_not_fit_is_named():
    scores, none = DetectionScores(["a"]), {"boxes": [], "classes": [], "scores": []}
    with pytest.raises(DataError, match="class 1 in truth of picture 0"):
        scores.collect({"boxes": [[0, 0, 1, 1]], "classes": [1]}, none)
    with pytest.raises(ShapeError, match="found with 1 boxes"):
        scores.collect(none, {"boxes": [[0, 0, 1, 1]], "classes": [], "scores": []})
    with pytest.raises(DataError, match="scores of shape"):
        scores.collect(none, {"boxes": [[0, 0, 1, 1]], "classes": [0], "scores": [np.nan]})
    with pytest.raises(DataError, match="not finite"):
        scores.collect({"boxes": [[0, 0, np.inf, 1]], "classes": [0]}, none)
    with pytest.raises(OptionError, match="no classes"):
        DetectionScores([])


def test_masks_that_do_not_fit_are_named():
    runs, none = run_lengths(np.eye(4)), {"boxes": [], "classes": [], "scores": []}
    one = {"boxes": [[0, 0, 4, 4]], "classes": [0], "scores": [0.9]}
    scores = DetectionScores(["a"])
    with pytest.raises(ShapeError, match="truth with 1 boxes and 2 masks"):
        scores.collect({**one, "masks": [runs, runs]}, none)
    with pytest.raises(DataError, match="masks in found of picture 0 are no run lengths"):
        scores.collect(none, {**one, "masks": np.zeros((1, 28, 28))})
    with pytest.raises(ShapeError, match=r"sizes \[\(4, 4\), \(5, 4\)\]"):
        scores.collect({**one, "masks": [runs]}, {**one, "masks": [run_lengths(np.ones((5, 4)))]})
    scores.collect({**one, "masks": [runs]}, {**one, "masks": [runs]})
    scores.collect(none, none)  # neither objects nor detections: no masks are missed
    assert scores.has_masks
    scores.collect(none, one)
    with pytest.raises(OptionError, match="masks of 2 of 3 pictures"):
        scores.mask_result()


def test_masks_of_padding_count_for_nothing_and_areas_that_are_given_decide_the_size():
    oracle("faster_coco_eval")
    runs = run_lengths(np.ones((40, 40)))
    one = {"boxes": [[0, 0, 40, 40], [0, 0, 0, 0]], "classes": [0, 0], "scores": [0.9, 0.8],
           "valid": [True, False], "masks": [runs, None]}  # fmt: skip
    scores = collected([(one, one)], ["a"])
    result = scores.mask_result()
    assert result["ap"] == 1 and result["ap_medium"] == 1 and np.isnan(result["ap_small"])
    small = collected([({**one, "areas": [900, 0]}, one)], ["a"]).mask_result()
    assert small["ap_small"] == 1 and np.isnan(small["ap_medium"])


def test_curves_are_those_of_the_thresholds_of_coco_only():
    oracle("faster_coco_eval")
    scores = collected(drawn())
    for iou, name in ((0.5, "ap50"), (0.75, "ap75")):
        assert scores.interpolated_precision(iou=iou).mean() == pytest.approx(scores.result()[name])
    with pytest.raises(OptionError, match=r"iou=0\.52"):
        scores.interpolated_precision(iou=0.52)
