"""SSD: priors, the published detector of MediaPipe, and its parts beside PyTorch."""

from pathlib import Path

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.models import ssd300_vgg16, ssd_mobilenet
from cutaway.models.ssd import (
    COCO_SCALES,
    VGG_RATIOS,
    ChannelScale,
    mobile_prior_sizes,
    prior_sizes,
)
from cutaway.nn import init
from cutaway.weights import read_weights

SHARED = Path(__file__).parents[3] / "shared"
WEIGHTS = SHARED / "weights" / "ssd_mobilenetv2_oidv4.fp16.safetensors"
RNG = np.random.default_rng(0)


@pytest.fixture
def no_weights(monkeypatch):
    """Networks of zeros, which are built at once."""
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))


def test_mediapipes_detector_gives_the_outputs_that_litert_computes():
    if not WEIGHTS.exists():
        pytest.skip("the published weights are not here")
    oracle = np.load(SHARED / "oracles" / "detection" / "ssd_mobilenetv2_chelsea.npz")
    net = ssd_mobilenet(pretrained=WEIGHTS).eval()
    predict = ct.jit(ct.no_grad()(lambda x: net(x)), net, donate=False)
    found = predict(oracle["image"][None].astype(np.float32) / 127.5 - 1)
    # theirs are y, x, h, w
    offsets = found["codes"].numpy()[..., [1, 0, 3, 2]]
    np.testing.assert_allclose(offsets, oracle["boxes"], atol=1e-3)
    np.testing.assert_allclose(found["classes"].numpy(), oracle["classes"], atol=1e-3)
    scores = 1 / (1 + np.exp(-found["classes"].numpy()[0, :, 1:]))
    best = scores.max(axis=1).argmax()
    assert scores[best].argmax() == 7  # a cat: the eighth of its 23 classes
    assert scores[best, 7] == pytest.approx(0.847, abs=1e-3)
    box = net.decode(found["codes"], net.priors(300, 300)).numpy()[0, best]
    # it fills the photograph but for an edge
    np.testing.assert_allclose(box, [0.007, 0.003, 0.939, 0.998], atol=2e-3)


def test_weights_for_other_classes_leave_the_heads_of_the_classes_as_they_were():
    if not WEIGHTS.exists():
        pytest.skip("the published weights are not here")
    ct.seed(0)
    fresh = ssd_mobilenet(2).state_dict()
    ct.seed(0)
    loaded = ssd_mobilenet(2, pretrained=WEIGHTS).state_dict()
    theirs = read_weights(WEIGHTS)
    for name in ("class1.weight", "class6.bias"):
        np.testing.assert_array_equal(loaded[name], fresh[name])
    np.testing.assert_array_equal(loaded["body.body.stem.1.bias"], theirs["stem.bias"])
    np.testing.assert_array_equal(
        loaded["box1.bias"].reshape(3, 4), theirs["head0.box.bias"].reshape(3, 4)[:, [1, 0, 3, 2]]
    )


def test_ssd300_has_the_papers_8732_priors_in_the_order_of_the_paper(no_weights):
    net = ssd300_vgg16()
    assert net.map_sizes(300, 300) == [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
    priors = net.priors(300, 300)
    assert priors.shape == (8732, 4)
    # first map: sides 30, √(30 · 60), 30 √2, 30 / √2 pixels, 8 pixels apart
    first = np.array([(30, 30), (42.426, 42.426), (42.426, 21.213), (21.213, 42.426)]) / 300
    np.testing.assert_allclose(priors[:4, 2:], first, rtol=1e-4)
    np.testing.assert_allclose(priors[:4, :2] * 300, np.full((4, 2), 4.0), rtol=1e-5)
    np.testing.assert_allclose(priors[4, :2] * 300, [12, 4], rtol=1e-5)  # one column further
    np.testing.assert_allclose(priors[38 * 4, :2] * 300, [4, 12], rtol=1e-5)  # one row further
    # last: one position in the middle of the image
    np.testing.assert_allclose(priors[-4:, :2], np.full((4, 2), 0.5))


def test_prior_sizes_are_torchvisions_for_coco():
    # torchvision 0.28, DefaultBoxGenerator of ssd300_vgg16: _wh_pairs of the second map
    expected = [
        (0.15, 0.15), (0.22249, 0.22249), (0.21213, 0.10607), (0.10607, 0.21213),
        (0.25981, 0.08660), (0.08660, 0.25981),
    ]  # fmt: skip
    np.testing.assert_allclose(prior_sizes(COCO_SCALES, VGG_RATIOS)[1], expected, atol=1e-5)


def test_prior_sizes_of_the_mobile_form():
    sizes = mobile_prior_sizes()
    assert [len(own) for own in sizes] == [3, 6, 6, 6, 6, 6]
    root = 2**0.5
    np.testing.assert_allclose(
        sizes[0], [(0.1, 0.1), (0.2 * root, 0.2 / root), (0.2 / root, 0.2 * root)], rtol=1e-6
    )
    np.testing.assert_allclose(sizes[5][0], (0.95, 0.95), rtol=1e-6)
    np.testing.assert_allclose(sizes[5][-1], (0.95**0.5, 0.95**0.5), rtol=1e-6)


def test_a_channel_scale_and_its_gradients_are_pytorchs_also_at_zero():
    x = RNG.normal(size=(2, 3, 3, 4)).astype(np.float32)
    x[0, 0, 0] = 0  # as after a ReLU
    grad = RNG.normal(size=x.shape).astype(np.float32)
    layer = ChannelScale(4, 20.0)
    ours = ct.Tensor(x, requires_grad=True)
    out = layer(ours)
    (out * grad).sum().backward()
    theirs = torch.tensor(x, requires_grad=True)
    scale = torch.full((4,), 20.0, requires_grad=True)
    expected = torch.nn.functional.normalize(theirs, dim=-1) * scale
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(out.numpy(), expected.detach(), rtol=1e-5, atol=1e-6)
    away = np.abs(x).max(axis=-1) > 0
    np.testing.assert_allclose(np.asarray(ours.grad)[away], theirs.grad[away], rtol=1e-4, atol=1e-4)
    assert np.isfinite(np.asarray(ours.grad)).all()
    np.testing.assert_allclose(np.asarray(layer.scale.grad), scale.grad, rtol=1e-5)
