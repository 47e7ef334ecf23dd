"""YOLO on a feature pyramid over any backbone, and what detectors have in common."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.losses import yolo4_loss
from cutaway.models import (
    BasicBlock,
    PyramidYolo,
    ResNet,
    YoloDetector,
    detection_objective,
    yolo_on_backbone,
)

pytestmark = pytest.mark.usefixtures("compile_quickly")

RNG = np.random.default_rng(0)
PRIORS = [(8, 8), (20, 20), (50, 50)]


def small(**options):
    body = ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 4, 4))
    return PyramidYolo(body, 2, priors=PRIORS, channels=8, **options)


def target():
    return {
        "boxes": np.array([[[4, 6, 14, 15], [30, 20, 80, 62]], [[0, 0, 0, 0]] * 2], np.float32),
        "classes": np.array([[0, 1], [0, 0]]),
        "valid": np.array([[True, True], [False, False]]),
    }


def test_beside_the_body_of_efficientnet_lite0_are_551112_parameters():
    net = yolo_on_backbone("efficientnet-lite0", 3, pretrained=False)
    body = sum(p.size for p in net.body.parameters())
    assert sum(p.size for p in net.parameters()) - body == 551_112
    assert net.strides == (32, 16, 8)


def test_objects_are_unlikely_before_training():
    net = small().eval()
    found = net.decode(net(np.zeros((1, 64, 96, 3), np.float32)))
    assert np.median(found["objectness"].numpy()) == pytest.approx(0.01, abs=0.001)


@pytest.mark.slow
def test_a_frozen_body_gets_no_gradient_and_keeps_its_statistics():
    detector = YoloDetector(small(), loss=yolo4_loss).freeze_backbone().train()
    before = {k: v.copy() for k, v in detector.net.body.state_dict().items()}
    x = RNG.normal(size=(2, 64, 96, 3)).astype(np.float32)
    trainer = ct.Trainer(detector, objective=detection_objective, optimizer=ct.Adam(detector, 1e-2))
    history = trainer.fit(x, target(), epochs=20, batch_size=2, seed=0)
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    for path, value in detector.net.body.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


@pytest.mark.slow
def test_an_overfitted_detector_finds_the_boxes_and_nothing_in_the_empty_picture():
    ct.seed(1)
    detector = YoloDetector(small(), loss=yolo4_loss)
    x = RNG.normal(size=(2, 64, 96, 3)).astype(np.float32)
    optimizer = ct.Adam(detector, 1e-2, schedule=ct.optim.Cosine(250))
    trainer = ct.Trainer(detector, objective=detection_objective, optimizer=optimizer)
    trainer.fit(x, target(), epochs=250, batch_size=2, seed=0)
    found = trainer.predict(x)
    sure = found["scores"] > 0.5
    assert sure.sum(axis=1).tolist() == [2, 0]
    order = np.argsort(found["classes"][0][:2])
    np.testing.assert_array_equal(found["classes"][0][:2][order], [0, 1])
    np.testing.assert_allclose(found["boxes"][0][:2][order], target()["boxes"][0], atol=2)


def test_sizes_and_priors_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match="letterbox them to 64 x 64"):
        small()(np.zeros((1, 60, 64, 3), np.float32))
    body = ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 4, 4))
    with pytest.raises(OptionError, match="use 3 priors"):
        PyramidYolo(body, 2, priors=PRIORS[:2])
    with pytest.raises(OptionError, match="use another backbone"):
        PyramidYolo(ResNet(BasicBlock, (1, 1), widths=(4, 4)), 2, priors=PRIORS)
