"""Published detectors on photographs: what their own programs find, by name and without a run."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import OptionError
from cutaway.models import PRETRAINED_DETECTORS, pretrained_detector
from cutaway.runs.published_detector import PublishedDetector, is_published
from tests.cli.in_process import cutaway

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


@pytest.mark.slow
def test_a_photograph_is_explained_by_command_and_by_the_priors_own_arithmetic(tmp_path):
    data = pytest.importorskip("skimage.data")
    detector = published("ssd-mobilenet")
    photograph = tmp_path / "chelsea.png"
    Image.fromarray(data.chelsea()).save(photograph)
    code, out, err = cutaway("explain", detector.path, photograph, "--box", 0, "--json")
    assert not code, err
    told = json.loads(out)
    headings = [part["heading"] for part in told["parts"]]
    assert headings[0] == "Boxes" and headings[2] == "Boxes that it left out"
    assert headings[3:] == ["Pixels on which its score rests"]  # its map has a single position
    listed, made, left_out, pixels = told["parts"]
    assert told["truth"] is None and told["prediction"].startswith("1 Cat")
    prior = np.array(made["prior"])
    t = [made["values"][name] for name in ("tx", "ty", "tw", "th")]
    center, sides = (prior[:2] + prior[2:]) / 2, prior[2:] - prior[:2]
    center = center + sides * np.array(t[:2]) / 10
    sides = sides * np.exp(np.array(t[2:]) / 5)
    np.testing.assert_allclose(made["box"][:2], center - sides / 2, atol=1e-3)
    np.testing.assert_allclose(made["box"][2:], center + sides / 2, atol=1e-3)
    height, width = data.chelsea().shape[:2]
    own = np.array(made["box"]) * np.tile([width, height], 2) / 300
    shown = listed["boxes"][0]["box"]
    np.testing.assert_allclose(shown, own.clip(0, [width, height] * 2), atol=0.01)
    assert made["score"] == pytest.approx(1 / (1 + np.exp(-made["values"]["Cat"])), abs=1e-6)
    assert left_out["overlaps"] and min(left_out["overlaps"]) > 0.5
    assert 0.5 < pixels["inside"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_the_exported_file_finds_the_same_in_a_photograph(name, tmp_path):
    data = pytest.importorskip("skimage.data")
    runtime = pytest.importorskip("onnxruntime")
    detector = published(name)
    path = tmp_path / "net.onnx"
    code, out, err = cutaway("export", detector.path, "--onnx", path)
    assert not code, err
    assert PRETRAINED_DETECTORS[name].source in out
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["source"] in out
    x = detector.preprocessing.framed(data.chelsea())[None]
    names = ["boxes", "scores", "classes"]
    theirs = dict(zip(names, session.run(names, {"pictures": x}), strict=True))
    own = detector.outputs(x)
    shown = np.flatnonzero(own["valid"][0])[:5]
    assert len(shown)
    for box, score, kind in zip(*(own[n][0][shown] for n in names), strict=True):
        of_class = theirs["classes"] == kind
        boxes, scores = theirs["boxes"][of_class], theirs["scores"][of_class]
        k = np.abs(boxes - box).max(axis=1).argmin()
        np.testing.assert_allclose(boxes[k], box, atol=0.02)
        assert scores[k] == pytest.approx(score, abs=1e-4)


@pytest.mark.slow
def test_an_explanation_without_a_photograph_says_that_one_is_needed(tmp_path):
    code, _, err = cutaway("explain", published("ssd-mobilenet").path)
    assert code == 2 and "cutaway explain ssd-mobilenet" in err and "photo.jpg" in err
    code, _, err = cutaway("explain", "ssd-mobilenet", "a.png", "--input", "b.png")
    assert code == 2 and "given twice: a.png and --input b.png" in err


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
