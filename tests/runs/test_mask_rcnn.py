"""Mask R-CNN: from a folder with outlines to masks of objects, on drawn disks and squares."""

import json

import numpy as np
import pytest

from cutaway.data.outlines import outline_mask
from cutaway.data.run_lengths import runs_area
from cutaway.errors import OptionError
from cutaway.runs import Run, prepare
from cutaway.runs.explain import explain_row
from tests.runs.drawn_sets import add_outlines, write_objects
from tests.runs.small_backbone import with_small_backbone

pytestmark = pytest.mark.usefixtures("compile_quickly")

OPTIONS = {
    "model": "mask-rcnn",
    "from_": "small",
    "batch_size": 4,
    "validation": 0.3,
    "augment": False,
    "lr": 1e-3,
}


@pytest.fixture(autouse=True, scope="module")
def small_body():
    with with_small_backbone():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return add_outlines(write_objects(tmp_path_factory.mktemp("objects") / "set", 8, empty=(2,)))


def test_outlines_are_taught_in_frames_of_the_boxes(folder):
    experiment = prepare(folder, **OPTIONS, epochs=1)
    x, y = next(iter(experiment.stream.blocks(0)))
    assert set(y) == set(experiment.y) == {"boxes", "classes", "valid", "crops", "frames"}
    assert y["crops"].dtype == np.uint8
    assert x.shape[1:] == (64, 96, 3)
    valid = y["valid"]
    filled = (y["crops"][valid] > 127).mean(axis=(1, 2))
    np.testing.assert_array_equal(y["frames"][valid], y["boxes"][valid])
    disks = y["classes"][valid] == 0
    content = json.loads((folder / "boxes.json").read_text())["annotations"]
    parts = {
        one["bbox"][2]: runs_area(one["segmentation"]) / one["area"]
        for one in content
        if one["category_id"] == 3
    }  # of a drawn disk of this side
    sides = y["boxes"][valid][disks]
    expected = [parts[round(float(side))] for side in sides[:, 2] - sides[:, 0]]
    np.testing.assert_allclose(filled[disks], expected, atol=0.01)
    np.testing.assert_allclose(filled[~disks], 1, atol=0.01)


def test_boxes_without_outlines_are_refused(tmp_path):
    folder = write_objects(tmp_path / "set", 4)
    with pytest.raises(OptionError, match="have a box without an outline") as caught:
        prepare(folder, **OPTIONS)
    assert "faster-rcnn" in str(caught.value)


def test_outlines_that_are_not_learned_are_mentioned(folder):
    experiment = prepare(folder, **OPTIONS | {"model": "yolo"})
    assert any("--model mask-rcnn" in note for note in experiment.notes)
    assert set(experiment.y) == {"boxes", "classes", "valid"}


@pytest.mark.slow
def test_masks_are_scored_put_back_and_explained(folder, tmp_path):
    run = prepare(folder, **OPTIONS, epochs=2).train(tmp_path / "run", progress=False)
    assert {"ap50", "mask_ap", "mask_ap50", "mask_ap75"} <= set(run.metrics["train"])
    losses = run.history["loss_masks"]
    assert np.isfinite(losses).all() and min(losses) > 0
    again = Run.open(tmp_path / "run")
    # hardly trained: any score will do
    again.net.regions = again.net.regions._replace(score=0.0)
    rows = again.preprocessing
    assert rows.masks
    frame = rows.read(folder)
    found = [one for _, _, one in rows.detected(again, frame.to_dicts()[:4])]
    for one in found:
        assert one.masks is not None
        for mask, box in zip(one.masks, one.boxes, strict=True):
            assert tuple(mask["size"]) == (64, 96)
            y, x = np.nonzero(outline_mask(mask, (64, 96)))
            if len(x):  # within a pixel of its box
                assert x.min() >= box[0] - 2
                assert x.max() <= box[2] + 2
                assert y.min() >= box[1] - 2
                assert y.max() <= box[3] + 2
    story = explain_row(again, folder, 0)
    text = story.text()
    assert "28 x 28 probabilities in the box" in text
    found = next(part for heading, part in story.parts if heading == "Its mask")
    assert found.probabilities.shape == (28, 28)
    assert found.iou is None or 0 <= found.iou <= 1
