"""Published detectors on photographs: what their own programs find, by name and without a run."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import OptionError
from cutaway.models import PRETRAINED_DETECTORS, pretrained_detector
from cutaway.runs.published_detector import PublishedDetector, is_published

SHARED = Path(__file__).parents[3] / "shared"
WEIGHTS = {
    "yolov3-tiny": SHARED / "weights" / "yolov3-tiny.weights",
    "ssd-mobilenet": SHARED / "weights" / "ssd_mobilenetv2_oidv4.fp16.safetensors",
}


def published(name):
    if not WEIGHTS[name].exists():
        pytest.skip("the published weights are not here")
    return PublishedDetector(f"{name}:{WEIGHTS[name]}")


def detections(detector, picture):
    rows = detector.preprocessing
    found = rows.predict_whole(detector, np.asarray(picture.convert("RGB")))
    return [
        (rows.names[k], score, box)
        for box, score, k in zip(found.boxes, found.scores, found.classes, strict=True)
    ]


@pytest.mark.slow
def test_yolov3_tiny_finds_what_darknet_printed():
    detector = published("yolov3-tiny")
    lines = (SHARED / "oracles" / "detection" / "darknet_yolov3tiny_416.txt").read_text()
    for name, printed in re.findall(r"(\w+416\.png) (\[.*\])", lines):
        with Image.open(SHARED / "oracles" / "detection" / name) as picture:
            found = detections(detector, picture)
        for score, kind, box in ast.literal_eval(printed):
            theirs = min(found, key=lambda one: np.abs(one[2] - box).max())
            assert theirs[0] == kind
            assert theirs[1] == pytest.approx(score, abs=1e-3)
            np.testing.assert_allclose(theirs[2], box, atol=0.06)  # printed to one digit


@pytest.mark.slow
def test_mediapipes_detector_finds_a_cat_in_a_photograph_of_any_size(tmp_path):
    data = pytest.importorskip("skimage.data")
    detector = published("ssd-mobilenet")
    photograph = Image.fromarray(data.chelsea())
    for picture in (photograph, photograph.resize((200, 133))):
        kind, score, _ = detections(detector, picture)[0]
        assert kind == "Cat" and score > 0.8
    photograph.save(tmp_path / "chelsea.png")
    found = detector.predict_files(tmp_path / "chelsea.png")
    (one,) = found.each
    assert [row["class"] for row in one.rows] == ["Cat"]
    assert set(found.last()) == {"detections.csv", "detections.json", "data.yaml"}


def test_names_are_known_and_a_folder_of_that_name_is_a_run(tmp_path, monkeypatch):
    assert len(PRETRAINED_DETECTORS["yolov3-tiny"].classes) == 80
    assert len(PRETRAINED_DETECTORS["ssd-mobilenet"].classes) == 23
    assert "fire hydrant" in PRETRAINED_DETECTORS["yolov3-tiny"].classes
    assert is_published("ssd-mobilenet") and is_published("yolov3-tiny:weights.bin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ssd-mobilenet").mkdir()
    assert not is_published("ssd-mobilenet") and not is_published("runs/x")
    with pytest.raises(OptionError, match='did you mean "yolov3-tiny"'):
        pretrained_detector("yolov3-tini")
