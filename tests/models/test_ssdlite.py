"""MobileNetV3 and SSDLite beside torchvision's, with the same weights."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.models import (
    DetectionOptions,
    MobileNetV3,
    MobileStage,
    SSDDetector,
    mobilenet_v3,
    mobilenet_v3_large,
    mobilenet_v3_small,
    ssdlite,
    ssdlite_mobilenet,
)
from cutaway.nn import HardSwish, ReLU, Standardize, init
from cutaway.weights import load_into
from tests.models.twins import QUICKLY, disturb, expect_twins, near, renamed
from tests.oracles import oracle

RNG = np.random.default_rng(0)


def image(side):
    return RNG.normal(size=(2, side, side, 3)).astype(np.float32)


@pytest.mark.slow
def test_mobilenet_v3_has_torchvisions_outputs_and_gradients_with_the_same_weights():
    tv = oracle("torchvision.models.mobilenetv3")
    # with and without expansion, squeeze, residual, in both activations and kernels
    table = (
        MobileStage(3, (16,), 16, True, ReLU, 1),
        MobileStage(5, (40, 56), 24, True, HardSwish, 2),
        MobileStage(3, (72, 48), 32, False, HardSwish, 2),
    )
    rows, before = [], 16
    for stage in table:
        for k, inner in enumerate(stage.inner):
            rows.append(tv.InvertedResidualConfig(
                before, stage.kernel_size, inner, stage.channels, stage.squeezes,
                "HS" if stage.activation is HardSwish else "RE", 1 if k else stage.stride, 1, 1.0,
            ))  # fmt: skip
            before = stage.channels
    theirs = disturb(tv.MobileNetV3(rows, 20, num_classes=7))
    net = MobileNetV3(7, table=table, features=20)
    expect_twins(net, theirs, mobilenet_v3.torchvision_names(table), image(21))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["large", "small"])
def test_all_of_torchvisions_mobilenet_v3_loads(size):
    theirs = getattr(oracle("torchvision.models"), f"mobilenet_v3_{size}")(weights=None)
    weights = {name: value.numpy() for name, value in theirs.state_dict().items()}
    build = {"large": mobilenet_v3_large, "small": mobilenet_v3_small}[size]
    net = build(pretrained=weights)
    assert sum(p.size for p in net.parameters()) == sum(p.numel() for p in theirs.parameters())
    other = build(3, pretrained=weights)
    np.testing.assert_array_equal(other.pool[1].weight.data, net.pool[1].weight.data)
    assert other.head.bias.shape == (3,)


def greedy(boxes, scores, threshold):
    """Suppression as torchvision's compiled operator has it, which is not here: a plain loop."""
    torch, ops = oracle("torch"), oracle("torchvision.ops.boxes")
    left, kept = torch.argsort(scores, descending=True, stable=True), []
    while len(left):
        kept.append(left[0])
        overlaps = ops.box_iou(boxes[left[:1]], boxes[left[1:]])[0]
        left = left[1:][~(overlaps > threshold)]  # of two boxes without area it is NaN
    return torch.stack(kept) if kept else left


def same_networks(*, wide: bool):
    """(ours, torchvision's), with the same weights.

    As they are drawn, signals die out in the body and all scores are nearly equal; with `wide` ones
    they do not, but then a rounding may switch a ReLU6 on or off, and with it gradients.
    """
    torch, tv = oracle("torch"), oracle("torchvision.models.detection")
    torch.manual_seed(0)
    build = tv.ssdlite320_mobilenet_v3_large
    theirs = disturb(build(weights=None, weights_backbone=None, num_classes=4))
    for module in theirs.modules():
        if wide and isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    if wide:
        for head in theirs.head.classification_head.module_list:
            head[1].weight.detach().mul_(0.2)
        for head in theirs.head.regression_head.module_list:  # codes near 1, as a trained one's
            head[1].weight.detach().mul_(0.1)
    net = ssdlite_mobilenet(3)
    weights = {name: value.numpy() for name, value in theirs.state_dict().items()}
    load_into(net, weights, ssdlite.torchvision_names())
    return net.eval(), theirs


@pytest.mark.slow
def test_ssdlite_has_torchvisions_outputs_and_gradients_with_the_same_weights():
    torch = oracle("torch")
    net, theirs = same_networks(wide=False)
    x = image(64)
    images = torch.tensor(x.transpose(0, 3, 1, 2).copy())
    expected = theirs.head(list(theirs.backbone(images).values()))
    pairs = (("codes", "bbox_regression"), ("classes", "cls_logits"))
    targets = {ours: RNG.normal(size=expected[name].shape).astype("f4") for ours, name in pairs}
    sum((expected[name] * torch.tensor(targets[ours])).sum() for ours, name in pairs).backward()

    def step(x, targets):
        out = net(x)
        sum((out[name] * targets[name]).sum() for name in targets).backward()
        found = {path: p.grad for path, p in net.named_parameters().items()}
        for p in net.parameters():
            p.grad = None
        return out, found

    out, found = ct.jit(step, net, compiler_options=QUICKLY)(x, targets)
    for ours, name in pairs:
        near(out[ours].numpy(), expected[name].detach().numpy(), 1e-4, name)
    gradients = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    for path, value in renamed(gradients, ssdlite.torchvision_names(), net, ()).items():
        near(found[path].numpy(), value, 1e-4, path)


@pytest.mark.slow
def test_ssdlite_has_torchvisions_detections_in_a_drawn_picture(monkeypatch):
    torch = oracle("torch")
    net, theirs = same_networks(wide=True)
    pixels = RNG.uniform(0, 1, (320, 320, 3)).astype(np.float32)
    pixels[60:200, 90:260] *= (0.2, 0.9, 0.4)
    monkeypatch.setattr(oracle("torchvision.ops.boxes"), "nms", greedy)
    theirs.score_thresh, theirs.topk_candidates = 0.3, 3234
    theirs.detections_per_img = limit = 20
    heads = []
    theirs.head.register_forward_hook(lambda module, inputs, outputs: heads.append(outputs))
    with torch.no_grad():
        (expected,) = theirs([torch.tensor(pixels.transpose(2, 0, 1).copy())])
    scores = expected["scores"].numpy()
    assert len(scores) == limit and scores.max() - scores.min() > 0.005
    net.inputs = Standardize((0.5,) * 3, (0.5,) * 3)
    options = DetectionOptions(score=0.3, threshold=0.55, candidates=9702, limit=limit)
    detector = SSDDetector(net, detection=options).eval()
    detect = ct.jit(lambda x: detector(x), detector, donate=False, compiler_options=QUICKLY)
    own = {name: value.numpy()[0] for name, value in detect(pixels[None]).items()}
    there = own["valid"]
    assert there.sum() == len(scores)
    np.testing.assert_allclose(own["scores"][there], scores, rtol=1e-4)
    np.testing.assert_array_equal(own["classes"][there] + 1, expected["labels"].numpy())
    # both round their own sums, and a code of 1 is a tenth of a large prior
    np.testing.assert_allclose(own["boxes"][there], expected["boxes"].numpy(), atol=0.1)
    codes, classes = (heads[0][name].numpy() for name in ("bbox_regression", "cls_logits"))
    monkeypatch.setattr(detector, "raw", lambda x: {
        "codes": ct.Tensor(codes), "classes": ct.Tensor(classes)
    })  # fmt: skip
    own = {name: value.numpy()[0] for name, value in detector(ct.Tensor(pixels[None])).items()}
    np.testing.assert_allclose(own["boxes"][there], expected["boxes"].numpy(), atol=2e-3)
    np.testing.assert_allclose(own["scores"][there], scores, rtol=1e-5)


def test_ssdlite_has_3234_priors_of_torchvisions_sizes(monkeypatch):
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    net = ssdlite_mobilenet()
    assert net.map_sizes(320, 320) == [(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
    priors = net.priors(320, 320)
    assert priors.shape == (3234, 4)
    # torchvision 0.28, DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
    first = [(0.2, 0.2), (0.26458, 0.26458), (0.28284, 0.14142), (0.14142, 0.28284),
             (0.34641, 0.11547), (0.11547, 0.34641)]  # fmt: skip
    np.testing.assert_allclose(priors[:6, 2:], first, atol=1e-5)
    last = [(0.95, 0.95), (0.97468, 0.97468), (1, 0.67175), (0.67175, 1), (1, 0.54848),
            (0.54848, 1)]  # fmt: skip
    np.testing.assert_allclose(priors[-6:, 2:], last, atol=1e-5)
