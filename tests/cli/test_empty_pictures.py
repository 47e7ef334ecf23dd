"""Pictures without boxes teach that there is nothing, and never crash or give NaN."""

import csv

import numpy as np
import pytest

from tests.cli.in_process import cutaway
from tests.runs.drawn_sets import write_objects
from tests.runs.small_backbone import with_small_backbone

pytestmark = pytest.mark.usefixtures("compile_quickly")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["yolo", "ssd", "faster-rcnn"])
def test_batches_of_empty_pictures_give_finite_losses_and_the_same_boxes_again(tmp_path, model):
    folder = write_objects(tmp_path / "set", 8, empty=(0, 2, 3, 5, 6))
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "val.txt").write_text("04\n05\n")  # with boxes, and without
    found = []
    with with_small_backbone():
        # of the others tests/runs/test_objects.py compares a resumed run with an uninterrupted one
        for name in ("a", "b") if model == "yolo" else ("a",):
            code, out, err = cutaway(
                "train", folder, "--model", model, "--from", "small", "--epochs", "2",
                "--batch-size", "2", "--split", tmp_path / "split", "--class-weights", "balanced",
                "--no-preflight", "--out", tmp_path / name,
            )  # fmt: skip
            assert code == 0, err
            assert "5 of 8 pictures have no boxes" in out + err
            history = (tmp_path / name / "history.csv").read_text()
            rows = list(csv.DictReader(history.splitlines()))
            losses = [float(v) for row in rows for k, v in row.items() if "loss" in k]
            assert len(rows) == 2 and np.isfinite(losses).all()
            path = tmp_path / name
            code, _, err = cutaway("evaluate", path, folder)
            assert code == 0, err
            code, _, err = cutaway("predict", path, folder, "--out", tmp_path / f"{name}-drawn")
            assert code == 0, err
            boxes = (tmp_path / f"{name}-drawn" / "detections.csv").read_bytes()
            weights = next(path.glob("*.safetensors")).read_bytes()
            found.append((boxes, weights, [row | {"seconds": ""} for row in rows]))
    assert model != "yolo" or found[0] == found[1]
