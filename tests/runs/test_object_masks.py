"""Masks of detections: their scores, and what the report shows of them."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from cutaway.data.outlines import outline_mask
from cutaway.data.run_lengths import run_lengths
from cutaway.errors import DataError
from cutaway.runs.found_objects import DetectedPicture, Detections, Truth
from cutaway.runs.object_scores import classes_table, precision_curves
from cutaway.runs.object_training import EpochPrecision
from cutaway.runs.objects import ObjectRows
from tests.oracles import oracle
from tests.runs.drawn_sets import add_outlines, write_objects

SIZE = 64, 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Disks and squares with outlines: run lengths and polygons; a crowd without an outline."""
    folder = write_objects(tmp_path_factory.mktemp("objects") / "set", 6, SIZE, empty=(2,))
    add_outlines(folder)
    content = json.loads((folder / "boxes.json").read_text())
    crowd = {"id": 99, "image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 5], "area": 45}
    content["annotations"].append({**crowd, "iscrowd": 1})
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def rows():
    return ObjectRows(SIZE, 3, ["disk", "square"], [5, 5])


def of_height(runs, part):
    """The upper part of a mask."""
    mask = outline_mask(runs, SIZE)
    inside = np.flatnonzero(mask.any(axis=1))
    mask[inside[0] + round(part * len(inside)) :] = False
    return run_lengths(mask)


def compared(rows, folder, part, *, with_masks=True):
    """All objects, found with their boxes and with the upper part of their masks."""
    pictures = []
    for row in rows.read(folder).to_dicts():
        truth = row["target"]
        masks = [of_height(runs, part) for runs in truth.masks(SIZE)] if with_masks else None
        found = Detections(truth.boxes, np.linspace(0.9, 0.6, len(truth.boxes)), truth.classes)
        pictures.append(DetectedPicture(row, truth, found._replace(masks=masks)))
    return pictures


def test_the_masks_of_a_set_are_its_outlines_and_of_a_crowd_without_one_its_box(rows, folder):
    truth = rows.read(folder).to_dicts()[0]["target"]
    masks = [outline_mask(runs, SIZE) for runs in truth.masks(SIZE)]
    crowd = int(np.flatnonzero(truth.ignored)[0])
    assert masks[crowd].sum() == masks[crowd][:5, :9].sum() == 45
    for k, (x1, y1, x2, y2) in enumerate(truth.boxes.astype(int)):
        if k != crowd and truth.classes[k] == 1:
            assert masks[k].sum() == masks[k][y1:y2, x1:x2].sum() == (x2 - x1) * (y2 - y1)
        elif k != crowd:
            assert masks[k].sum() == pytest.approx(np.pi / 4 * (x2 - x1) ** 2, rel=0.05)
    assert Truth(*truth[:3]).masks(SIZE) is None


def test_masks_are_scored_by_their_own_overlap(rows, folder):
    oracle("faster_coco_eval")
    whole = rows.score_compared(compared(rows, folder, 1.0))
    assert [whole[n] for n in ("ap", "mask_ap", "mask_ap50", "mask_ap75")] == [1.0] * 4
    upper = rows.score_compared(compared(rows, folder, 0.65))
    # the upper 65 % of a square, and some more of a disk, overlap it by 0.6 to 0.7
    assert (upper["ap"], upper["mask_ap50"], upper["mask_ap75"]) == (1.0, 1.0, 0.0)
    assert 0.3 <= upper["mask_ap"] <= 0.5
    assert list(upper).index("mask_ap") == 12  # behind COCO's numbers of the boxes


def test_without_masks_or_outlines_there_are_no_scores_of_masks(rows, folder):
    oracle("faster_coco_eval")
    plain = compared(rows, folder, 1.0, with_masks=False)
    assert not [name for name in rows.score_compared(plain) if "mask" in name]
    assert (
        "mask AP" not in classes_table(rows, plain, rows.collected(plain), "the pictures").headings
    )
    bare = [p._replace(truth=Truth(*p.truth[:3])) for p in compared(rows, folder, 1.0)]
    assert not rows.collected(bare).has_masks


def test_after_an_epoch_boxes_are_scored_though_the_network_gives_probabilities_of_masks(
    rows, folder
):
    oracle("faster_coco_eval")
    row = rows.read(folder).to_dicts()[0]
    truth = rows.framed_truth(row)

    class Trained:
        def predict(self, x):
            found = {name: truth[name][None] for name in ("boxes", "classes")}
            count = found["classes"].shape[1]
            scores, valid = np.full((1, count), 0.9), np.ones((1, count), bool)
            return {**found, "scores": scores, "valid": valid,
                    "masks": np.ones((1, count, 28, 28))}  # fmt: skip

    history: dict = {}
    EpochPrecision(np.zeros((1, *SIZE, 3)), [truth], rows.names).on_epoch(Trained(), history)
    assert history["val_ap"] == 1


def test_an_outline_of_another_size_is_named_with_its_picture(rows, folder, tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "other.png")
    one = compared(rows, folder, 1.0)[0]
    moved = one._replace(row={**one.row, "input": str(tmp_path / "other.png")})
    with pytest.raises(DataError, match=r"other\.png"):
        rows.collected([moved])


def test_the_headline_has_the_scores_of_the_masks(rows):
    scores = {"ap": 0.5, "ap50": 0.8, "mask_ap": 0.4, "mask_ap50": 0.7}
    headline = rows.headline(scores, "objects", 6)
    assert headline.score == "0.800" and "(AP 0.500; masks: AP50 0.700, AP 0.400)" in headline.after
    del scores["mask_ap"]
    assert rows.headline(scores, "objects", 6).after.endswith("(AP 0.500)")


def test_the_table_has_columns_of_masks(rows, folder):
    oracle("faster_coco_eval")
    pictures = compared(rows, folder, 0.65)
    scores = rows.collected(pictures)
    page = classes_table(rows, pictures, scores, "the pictures").html()
    cells = [re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", row) for row in page.split("<tr>")[1:]]
    assert cells[0] == ["class", "objects", "AP", "AP50", "mask AP", "mask AP50",
                        "precision", "recall"]  # fmt: skip
    own = scores.mask_result()
    for k, row in enumerate(cells[1:]):
        assert row[2:6] == ["1.000", "1.000", f"{own['class_ap'][k]:.3f}", "1.000"]


def points(svg, color):
    return [
        np.array([pair.split(",") for pair in line.split()], float)
        for line in re.findall(rf'points="([^"]*)" fill="none" stroke="{color}"', svg)
    ]


def test_the_curves_are_those_whose_mean_is_the_average_precision(rows, folder):
    oracle("faster_coco_eval")
    pictures = compared(rows, folder, 1.0)
    # the square of the last picture is not found
    last = pictures[-1]
    kept = np.flatnonzero(last.truth.classes == 0)
    pictures[-1] = last._replace(found=last.found.taken(kept))
    scores = rows.collected(pictures)
    for masks, result in ((False, scores.result()), (True, scores.mask_result())):
        curves = scores.interpolated_precision(iou=0.5, masks=masks)
        assert curves.shape == (2, 101)
        np.testing.assert_allclose(curves.mean(axis=1), result["class_ap50"])
        assert (np.diff(curves, axis=1) <= 0).all()
    page = precision_curves(rows, pictures, scores)
    assert page.count("<svg") == 4  # boxes and masks, each at two thresholds
    for text in ("boxes, IoU 0.5<", "boxes, IoU 0.75<", "masks, IoU 0.75<", "recall", "precision"):
        assert text in page
    square = [line for line in points(page, "#3cb44b") if len(line) == 101]
    assert len(square) == 4
    # one of two squares: a precision of 1 up to a recall of 0.5, then 0
    down = square[0][:, 1]
    assert len(set(down[:51])) == len(set(down[51:])) == 1 and down[50] < down[51] - 100
    assert 'rgb(60, 180, 75)"></span>square' in page


def test_of_many_classes_the_curves_of_the_most_frequent_ones_are_shown(folder):
    oracle("faster_coco_eval")
    rows = ObjectRows(SIZE, 3, [f"class {k}" for k in range(20)], [1] * 20)
    truth = Truth(np.tile([[0.0, 0, 20, 20]], (21, 1)), np.array([*range(20), 19]),
                  np.zeros(21, bool))  # fmt: skip
    found = Detections(truth.boxes, np.full(21, 0.5), truth.classes)
    pictures = [DetectedPicture({}, truth, found)]
    page = precision_curves(rows, pictures, rows.collected(pictures))
    assert "Shown are the 12 classes with the most objects" in page
    assert ">class 19<" in page and ">class 0<" in page and ">class 18<" not in page
    assert len({line for line in re.findall(r'stroke="(#\w{6})"', page)}) >= 12
    assert precision_curves(rows, [], rows.collected([])) == ""
