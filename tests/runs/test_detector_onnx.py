"""Detectors in ONNX: the same boxes as the network's, with and without their suppression."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.models import DetectionOptions, SSDDetector, YoloDetector, yolo3_tiny
from cutaway.models.ssd import SSD, SSDBody, prior_sizes
from cutaway.nn import Conv2d
from cutaway.runs.detector_onnx import export_detector_onnx

pytestmark = pytest.mark.usefixtures("compile_quickly")

onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


class Body(SSDBody):
    in_channels, channels, smallest = 3, (4, 6), 16

    def __init__(self):
        self.a, self.b = Conv2d(3, 4, 8, stride=8), Conv2d(4, 6, 2, stride=2)

    def forward(self, x):
        first = self.a(x)
        return [first, self.b(first)]


def yolo():
    return YoloDetector(yolo3_tiny(2))


def ssd(scores):
    sizes = prior_sizes((0.2, 0.4, 0.8), ((2,), (2,)))
    return SSDDetector(SSD(Body(), 3, sizes), scores=scores)


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def sorted_rows(boxes, scores, classes):
    """Rows in an order that nearly equal scores do not change."""
    x1, y1, x2, y2 = boxes.round(1).T
    order = np.lexsort((x2, y2, y1, x1, classes))
    return boxes[order], scores[order], classes[order]


@pytest.mark.slow
@pytest.mark.parametrize("build", [yolo, lambda: ssd("softmax"), lambda: ssd("sigmoid")])
@pytest.mark.parametrize("score", [0.999, 0.4])
def test_the_file_finds_what_the_network_finds_at_none_and_at_many(tmp_path, build, score):
    ct.seed(2)
    net = build()
    net.detection = DetectionOptions(score=score, threshold=0.45, candidates=10_000, limit=5_000)
    net.eval()
    given = {"pictures": ((64, 96, 3), "float32")}
    whole = export_detector_onnx(net, tmp_path / "whole.onnx", given)
    plain = export_detector_onnx(net, tmp_path / "plain.onnx", given, suppressed=False)
    assert whole["outputs"]["boxes"]["shape"] == ["found", 4]
    assert list(plain["outputs"]) == ["boxes", "scores"] and whole["nodes"] > plain["nodes"]
    for rows in (1, 3):
        x = RNG.normal(size=(rows, 64, 96, 3)).astype(np.float32) * 2
        boxes, scores, classes, pictures = session(tmp_path / "whole.onnx").run(
            None, {"pictures": x}
        )
        own = {name: value.numpy() for name, value in net(x).items()}
        for k in range(rows):
            found = sorted_rows(*(v[pictures == k] for v in (boxes, scores, classes)))
            there = own["valid"][k]
            assert len(found[0]) == there.sum()
            expected = sorted_rows(*(own[n][k][there] for n in ("boxes", "scores", "classes")))
            for value, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(value, theirs, rtol=1e-4, atol=1e-3)
        all_boxes, all_scores = session(tmp_path / "plain.onnx").run(None, {"pictures": x})
        raw = net.candidates(net.raw(ct.Tensor(x)), (64, 96))
        np.testing.assert_allclose(all_scores, raw["scores"].numpy(), rtol=1e-4, atol=1e-5)
        clipped = np.clip(raw["boxes"].numpy(), 0, [96, 64, 96, 64])
        np.testing.assert_allclose(all_boxes, clipped, rtol=1e-4, atol=1e-3)


def test_a_detector_of_two_stages_is_refused(tmp_path):
    from cutaway.models import Detector

    with pytest.raises(OptionError, match="a detector of one stage"):
        export_detector_onnx(Detector(), tmp_path / "x.onnx", {})
    assert not (tmp_path / "x.onnx").exists()
