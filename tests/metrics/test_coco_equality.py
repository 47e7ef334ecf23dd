"""COCO's numbers of boxes and of masks are pycocotools', on drawn sets of all kinds."""

import contextlib
import io

import numpy as np
import pytest

from cutaway.data.run_lengths import runs_area, window_runs
from cutaway.metrics import DetectionScores
from cutaway.metrics.coco_scores import COCO_SCORES
from tests.oracles import oracle

FEW, MANY = range(30), range(30, 230)
SIZE = 260, 320


def ellipse(box, rng):
    """The run lengths of an ellipse in a box; one in twenty is empty."""
    height, width = SIZE
    x1, y1, x2, y2 = np.rint(np.clip(box, 0, [width, height, width, height])).astype(int)
    rows, columns = np.mgrid[y1:y2, x1:x2] + 0.5
    far = ((rows - (y1 + y2) / 2) * 2 / max(y2 - y1, 1)) ** 2
    far += ((columns - (x1 + x2) / 2) * 2 / max(x2 - x1, 1)) ** 2
    return window_runs((far < 1) & (rng.random() > 0.05), (y1, x1), SIZE)


def drawn_boxes(rng, count):
    sides = rng.uniform(4, 1.3 ** rng.uniform(5, 18, (count, 1)) + 5, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * np.maximum(np.array(SIZE[::-1]) - sides, 1)
    return np.concatenate([corner, np.minimum(corner + sides, SIZE[::-1])], axis=1)


def drawn_set(seed):
    """[(truth, found)] and the number of classes.

    Crowds, pictures without truth or detections, few different scores, classes without truth, in
    some sets more than 100 detections of a class, areas that are given.
    """
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(1, 6))
    taught = rng.choice(classes, int(rng.integers(1, classes + 1)), replace=False)
    levels = int(rng.choice([2, 10, 1000]))
    crowds, gives_areas = rng.choice([0, 0.1, 0.5]), rng.random() < 0.4
    pictures = []
    for _ in range(rng.integers(1, 12)):
        count = 0 if rng.random() < 0.2 else int(rng.integers(1, 12))
        boxes, kinds = drawn_boxes(rng, count), rng.choice(taught, count)
        truth = {"boxes": boxes, "classes": kinds, "ignored": rng.random(count) < crowds,
                 "masks": [ellipse(box, rng) for box in boxes]}  # fmt: skip
        if gives_areas:
            truth["areas"] = np.round(rng.uniform(100, 15_000, count))
        times = 30 if rng.random() < 0.08 else int(rng.integers(0, 4))
        moved = np.repeat(boxes, times, axis=0)
        noise = rng.normal(0, 1, moved.shape) * rng.choice([0, 0.03, 0.15], (len(moved), 1))
        moved = moved + noise * np.tile(moved[:, 2:] - moved[:, :2], 2)
        moved = np.sort(moved.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        others = drawn_boxes(rng, int(rng.integers(0, 5)))
        found = np.concatenate([moved, others])
        kinds = np.concatenate([np.repeat(kinds, times), rng.integers(0, classes, len(others))])
        swapped = rng.random(len(kinds)) < 0.1
        kinds[swapped] = rng.integers(0, classes, swapped.sum())
        scores = rng.integers(0, levels, len(found)) / levels
        if rng.random() < 0.1:
            found, kinds, scores = found[:0], kinds[:0], scores[:0]
        masks = [ellipse(box, rng) for box in found]
        pictures.append(
            (truth, {"boxes": found, "classes": kinds, "scores": scores, "masks": masks})
        )
    return pictures, classes


def theirs(pictures, classes, kind):
    """(the twelve numbers, AP and AP50 of each class) of pycocotools; ids have gaps."""
    coco, evaluation = oracle("pycocotools.coco"), oracle("pycocotools.cocoeval")
    images = [{"id": 7 + 5 * k, "height": SIZE[0], "width": SIZE[1]} for k in range(len(pictures))]
    truths, found = [], []
    for image, (truth, own) in zip(images, pictures, strict=True):
        for given, into in ((truth, truths), (own, found)):
            for k, (x1, y1, x2, y2) in enumerate(given["boxes"].tolist()):
                one = {"image_id": image["id"], "category_id": 2 + 3 * int(given["classes"][k])}
                one |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": given["masks"][k]}
                if given is truth:
                    area = runs_area(one["segmentation"])
                    area = (x2 - x1) * (y2 - y1) if kind == "bbox" else area
                    area = truth["areas"][k] if "areas" in truth else area
                    one |= {"id": len(truths) + 1, "area": area}
                    one["iscrowd"] = int(truth["ignored"][k])
                else:
                    del one["segmentation" if kind == "bbox" else "bbox"]
                    one["score"] = own["scores"][k]
                into.append(one)
    categories = [{"id": 2 + 3 * k, "name": str(k)} for k in range(classes)]
    with contextlib.redirect_stdout(io.StringIO()):
        sets = [coco.COCO(), coco.COCO()]
        for one, part in zip(sets, (truths, []), strict=True):
            one.dataset = {"images": images, "categories": categories, "annotations": part}
            one.createIndex()
        if found:
            sets[1] = sets[0].loadRes(found)
        made = evaluation.COCOeval(*sets, kind)
        made.evaluate()
        made.accumulate()
        made.summarize()
    precision = made.eval["precision"][:, :, :, 0, -1]

    def means(values):
        return [v[v > -1].mean() if (v > -1).any() else -1 for v in np.moveaxis(values, -1, 0)]

    return np.concatenate([made.stats, means(precision), means(precision[:1])])


def largest_difference(seed):
    oracle("faster_coco_eval")
    pictures, classes = drawn_set(seed)
    scores = DetectionScores([str(k) for k in range(classes)])
    for truth, found in pictures:
        scores.collect(truth, found)
    worst = 0.0
    for kind, own in (("bbox", scores.result()), ("segm", scores.mask_result())):
        values = [*(own[name] for name in COCO_SCORES), *own["class_ap"], *own["class_ap50"]]
        values = np.nan_to_num(np.array(values), nan=-1)
        worst = max(worst, np.abs(values - theirs(pictures, classes, kind)).max())
    return worst


def test_the_drawn_sets_have_what_is_hard():
    sets = [drawn_set(seed) for seed in FEW]
    every = [one for pictures, _ in sets for one in pictures]
    assert any(truth["ignored"].any() for truth, _ in every)
    assert any(not len(truth["boxes"]) and len(found["boxes"]) for truth, found in every)
    assert any(len(truth["boxes"]) and not len(found["boxes"]) for truth, found in every)
    most = [np.bincount(found["classes"], minlength=1).max() for _, found in every]
    assert max(most) > 100
    assert any(len(np.unique(f["scores"])) < len(f["scores"]) for _, f in every)
    assert any(len(np.unique(np.concatenate([t["classes"] for t, _ in p]))) < n for p, n in sets)


@pytest.mark.parametrize("seed", FEW)
def test_boxes_and_masks_are_scored_as_by_pycocotools(seed):
    oracle("pycocotools")
    assert largest_difference(seed) < 1e-12


@pytest.mark.slow
def test_many_more_sets_are_scored_as_by_pycocotools():
    oracle("pycocotools")
    assert max(largest_difference(seed) for seed in MANY) < 1e-12
