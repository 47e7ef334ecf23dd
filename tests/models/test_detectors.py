"""Detectors: SSD beside torchvision's whole step, SSD and R-CNN on backbones, empty pictures."""

from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.models import (
    SSD,
    BasicBlock,
    DetectionOptions,
    ResNet,
    SSDBackbone,
    SSDDetector,
    YoloDetector,
    detection_objective,
    rcnn_on_backbone,
    ssd_on_backbone,
    yolo_on_backbone,
)
from cutaway.models.pretrained import PRETRAINED_BACKBONES, ImageBackbone
from cutaway.models.ssd import SSDBody, prior_sizes
from cutaway.nn import Conv2d, ReLU, Sequential, Standardize
from cutaway.weights import WeightNames, load_into

ORACLE = Path(__file__).parents[3] / "shared" / "oracles" / "detection" / "tv_ssd.npz"
RNG = np.random.default_rng(0)
PRIORS = [(8, 8), (20, 20), (50, 50)]


class Body(SSDBody):
    """The body of the stored step: strides 4, 8, 16."""

    in_channels, channels, smallest = 3, (8, 12, 16), 16

    def __init__(self):
        self.a = Sequential(Conv2d(3, 8, 4, stride=4), ReLU())
        self.b = Sequential(Conv2d(8, 12, 2, stride=2), ReLU())
        self.c = Sequential(Conv2d(12, 16, 2, stride=2), ReLU())

    def forward(self, x):
        first = self.a(x)
        second = self.b(first)
        return [first, second, self.c(second)]


def names():
    rules = [(r"backbone\.([abc])\.(.*)", r"net.body.\1.0.\2")]
    for k in range(3):
        for theirs, ours in (("classification", "class"), ("regression", "box")):
            rules.append(
                (rf"head\.{theirs}_head\.module_list\.{k}\.(.*)", rf"net.{ours}{k + 1}.\1")
            )
    return WeightNames(rules)


def part(oracle, prefix):
    return {k.removeprefix(prefix): oracle[k] for k in oracle if k.startswith(prefix)}


@pytest.mark.slow
def test_a_step_of_ssd_has_torchvisions_losses_gradients_and_detections():
    if not ORACLE.exists():
        pytest.skip("the stored step is not here")
    oracle = dict(np.load(ORACLE))
    sizes = [np.clip(one, 0, 1) for one in prior_sizes((0.15, 0.3, 0.6, 0.9), ((2,), (2, 3), (2,)))]
    net = SSDDetector(
        SSD(Body(), 3, sizes, steps=(4, 8, 16), inputs=Standardize((0.5,) * 3, (0.25,) * 3)),
        least_negatives=0,  # theirs learns nothing from an empty picture
        detection=DetectionOptions(score=0.3, threshold=0.45, limit=10),
    )
    load_into(net, part(oracle, "w."), names())
    x = np.stack([oracle[f"image{i}"].transpose(1, 2, 0) for i in range(3)])
    y = {
        "boxes": np.zeros((3, 4, 4), np.float32),
        "classes": np.zeros((3, 4), np.int32),
        "valid": np.zeros((3, 4), bool),
    }
    for i in range(3):
        count = len(oracle[f"target{i}.boxes"])
        y["boxes"][i, :count] = oracle[f"target{i}.boxes"]
        y["classes"][i, :count] = oracle[f"target{i}.labels"] - 1
        y["valid"][i, :count] = True
    terms = net.train().losses(ct.Tensor(x), y)
    assert terms["boxes"].item() == pytest.approx(float(oracle["loss.bbox_regression"]), rel=1e-4)
    assert terms["classes"].item() == pytest.approx(float(oracle["loss.classification"]), rel=1e-4)
    (terms["boxes"] + terms["classes"]).backward()
    expected = names().translate(part(oracle, "g."), net)
    for path, parameter in net.named_parameters().items():
        theirs = expected[path]
        np.testing.assert_allclose(
            parameter.grad, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max(), err_msg=path
        )
    found = {name: value.numpy() for name, value in net.eval()(ct.Tensor(x)).items()}
    for i in range(3):
        np.testing.assert_allclose(found["boxes"][i], oracle[f"out{i}.boxes"], atol=1e-3)
        np.testing.assert_allclose(found["scores"][i], oracle[f"out{i}.scores"], rtol=1e-4)
        np.testing.assert_array_equal(found["classes"][i] + 1, oracle[f"out{i}.labels"])


def small_resnet(classes=1000, *, pretrained=None):
    return ResNet(BasicBlock, (1, 1, 1, 1), num_classes=classes, widths=(4, 4, 4, 4))


@pytest.fixture
def small_body(monkeypatch):
    body = ImageBackbone(f"{__name__}:small_resnet", "drawn", "a small ResNet", size=24)
    monkeypatch.setitem(PRETRAINED_BACKBONES, "small", body)


def detectors():
    parts = np.array(PRIORS) / 64
    return {
        "yolo": YoloDetector(yolo_on_backbone("small", 2, priors=PRIORS, channels=8)),
        "ssd": SSDDetector(ssd_on_backbone("small", 2, priors=parts)),
        "rcnn": rcnn_on_backbone("small", 2, sizes=((8,), (20,), (50,)), channels=8, width=8),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolo", "ssd", "rcnn"])
def test_pictures_without_objects_boxes_without_area_and_no_target_at_all_teach_finitely(
    small_body, name
):
    net = detectors()[name]
    x = RNG.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    for boxes, valid in (
        (np.zeros((2, 3, 4)), np.zeros((2, 3), bool)),
        (np.zeros((2, 0, 4)), np.zeros((2, 0), bool)),
        (np.full((2, 3, 4), 9.0), np.ones((2, 3), bool)),
    ):
        y = {"boxes": boxes.astype(np.float32), "classes": np.zeros(valid.shape, np.int32),
             "valid": valid}  # fmt: skip
        terms = net.train().losses(ct.Tensor(x), y)
        total = sum(terms.values(), start=ct.Tensor(0.0))
        total.backward()
        assert np.isfinite(total.item()) and total.item() > 0, boxes.shape
        for path, parameter in net.named_parameters().items():
            assert parameter.grad is None or np.isfinite(parameter.grad).all(), path
        for parameter in net.parameters():
            parameter.grad = None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ssd"])
def test_an_overfitted_detector_on_a_backbone_finds_the_objects(small_body, name):
    ct.seed(3)
    net = detectors()[name]
    x = np.full((2, 64, 64, 3), 60.0, np.float32)
    boxes = np.array([[[4, 6, 24, 26], [34, 30, 62, 58]], [[30, 8, 52, 30], [0, 0, 0, 0]]])
    classes, valid = np.array([[0, 1], [1, 0]]), np.array([[True, True], [True, False]])
    for k, j in np.argwhere(valid):
        x1, y1, x2, y2 = boxes[k, j]
        x[k, y1:y2, x1:x2] = (220, 200, 40) if classes[k, j] else (40, 90, 220)
    y = {"boxes": boxes.astype(np.float32), "classes": classes, "valid": valid}
    trainer = ct.Trainer(net, objective=detection_objective, optimizer=ct.Adam(net, 3e-3))
    trainer.fit(x, y, epochs=400, batch_size=2, seed=0)
    found = trainer.predict(x)
    for k in range(2):
        kept = found["scores"][k] > 0.5
        assert kept.sum() == valid[k].sum(), found["scores"][k][:4]
        order = np.argsort(found["classes"][k][kept])
        np.testing.assert_array_equal(found["classes"][k][kept][order], classes[k][valid[k]])
        np.testing.assert_allclose(found["boxes"][k][kept][order], boxes[k][valid[k]], atol=5)


def test_priors_that_do_not_divide_among_the_maps_are_named(small_body):
    with pytest.raises(OptionError, match="use 3 priors"):
        ssd_on_backbone("small", 2, priors=np.array(PRIORS[:2]) / 64)
    assert SSDBackbone(small_resnet(), 8).channels == (8, 8, 8)


def test_the_heads_of_ssd_read_a_function_of_a_frozen_body_that_is_not_linear():
    maps = SSDBackbone(small_resnet(), 8)(RNG.normal(size=(1, 64, 64, 3)).astype(np.float32))
    values = np.concatenate([np.asarray(own.data).ravel() for own in maps])
    assert values.min() == 0 < values.max()


def test_ssd_beside_the_body_of_efficientnet_lite0_has_377760_parameters():
    priors = np.geomspace(0.05, 0.8, 12)[:, None] * np.ones(2)
    net = ssd_on_backbone("efficientnet-lite0", 3, priors=priors, pretrained=False)
    body = sum(p.size for p in net.body.body.parameters())
    assert sum(p.size for p in net.parameters()) - body == 377_760


def test_a_detector_whose_classes_are_apart_is_not_trained_as_if_they_were_not(small_body):
    net = SSDDetector(ssd_on_backbone("small", 2, priors=np.array(PRIORS) / 64), scores="sigmoid")
    with pytest.raises(OptionError, match="scores='softmax'"):
        net.losses(np.zeros((1, 64, 64, 3), np.float32), {})
