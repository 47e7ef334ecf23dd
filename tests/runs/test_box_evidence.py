"""What one box rests on: the same numbers as those of the network."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.explain import grad_cam
from cutaway.explain.layerwise import plain_forward, replaced
from cutaway.models import (
    BasicBlock,
    PyramidYolo,
    ResNet,
    SSDDetector,
    YoloDetector,
    rcnn_on_backbone,
    ssd_mobilenet,
    yolo3_tiny,
)
from cutaway.runs.box_arithmetic import arithmetic_of
from cutaway.runs.box_evidence import (
    OneBox,
    box_mask,
    region_reading,
    score_evidence,
)

pytestmark = pytest.mark.usefixtures("compile_quickly")

RNG = np.random.default_rng(0)
SIZE = (64, 96)


@pytest.fixture(scope="module")
def x():
    return RNG.random((*SIZE, 3)).astype(np.float32)


def body():
    return ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 6, 8))


@pytest.fixture(scope="module")
def two_stages():
    ct.nn.seed(0)
    net = rcnn_on_backbone(body(), 2, sizes=((12,), (24,), (48,)), channels=4, width=8)
    return net.eval()


@pytest.fixture(scope="module")
def found(two_stages, x):
    with ct.no_grad():
        raw = {name: value.numpy()[0] for name, value in two_stages(ct.Tensor(x[None])).items()}
    assert raw["valid"][0]
    kind, row = int(raw["classes"][0]), int(raw["rows"][0])
    return raw, row, kind, arithmetic_of(two_stages, x[None], row, kind, "cat")


@pytest.mark.slow
def test_the_region_that_is_shown_is_the_one_that_was_read(two_stages, x, found):
    made = found[3]
    reading = region_reading(two_stages, x, made)
    with ct.no_grad():
        maps = two_stages.maps(ct.Tensor(x[None]))
        region = two_stages.read(
            maps[: len(two_stages.strides)], made.prior[None, None].astype(np.float32), 7
        ).numpy()[0, 0]
    own = maps[made.level].numpy()[0]
    shown = np.einsum("ih,hwc,jw->ijc", reading.rows, own, reading.columns)
    np.testing.assert_allclose(shown, region, atol=1e-5 * np.abs(region).max())
    text = reading.text()
    middle = np.outer(reading.rows[3], reading.columns[3])
    row, column = np.unravel_index(middle.argmax(), middle.shape)
    assert f"{middle.max():.3f} · map[{row}, {column}]" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.slow
def test_the_score_that_is_explained_is_that_of_the_box(two_stages, x, found):
    raw, row, kind, made = found
    score = OneBox(two_stages, row, kind, made.prior)
    value = float(np.exp(score(ct.Tensor(x[None].astype(np.float32))).item()))
    assert value == pytest.approx(float(raw["scores"][0]), rel=1e-4)
    share, _ = score_evidence(score, x, raw["boxes"][0], made, "cat")
    assert 0 <= share.inside <= 1
    assert all(p.grad is None for p in two_stages.parameters())
    # the derivative by the pixels, by hand
    k = np.unravel_index(share.values.argmax(), share.values.shape)
    step, change = np.zeros((1, *x.shape), np.float64), 0.0
    for channel in range(3):
        step[:] = 0
        step[0, *k, channel] = 1e-3
        with ct.no_grad():
            up, down = (
                score(ct.Tensor((x[None] + s * step).astype(np.float32))).item() for s in (1, -1)
            )
        change += abs(up - down) / 2e-3
    assert change == pytest.approx(share.values[k], rel=0.05)


@pytest.mark.slow
def test_grad_cam_of_a_box_is_that_of_the_map_it_was_read_from(two_stages, x, found):
    raw, row, kind, made = found
    assert made.layer == f"pyramid.output{made.level + 1}"
    score = OneBox(two_stages, row, kind, made.prior)
    _, seen = score_evidence(score, x, raw["boxes"][0], made, "cat")
    general = grad_cam(score, x.astype(np.float32), layer="net." + made.layer)
    np.testing.assert_allclose(seen.raw, general.raw, atol=1e-4 * np.abs(general.raw).max())
    assert seen.layer == made.layer
    assert all(len(line) <= 80 for line in seen.text().splitlines())
    assert seen.map.shape == tuple(n // two_stages.strides[made.level] for n in SIZE)
    assert seen.values.shape == SIZE
    assert seen.output == pytest.approx(float(np.log(raw["scores"][0])), abs=1e-3)
    net = YoloDetector(PyramidYolo(body(), 2, priors=[(12, 12), (24, 24), (48, 48)], channels=8))
    own = net.eval().all_boxes(ct.Tensor(x[None]))["boxes"].shape[1]
    first, last = (arithmetic_of(net, x[None], k, 0, "cat") for k in (0, own - 1))
    assert (first.layer, first.level) == ("net.pyramid.output3", 2)
    assert (last.layer, last.level) == ("net.pyramid.output1", 0)


def output_of(net, path, x):
    """What the layer at a path gives in a call of the network, the first time."""
    seen = []

    def note(layer, *inputs, **named):
        seen.append(plain_forward(layer, *inputs, **named))
        return seen[-1]

    with ct.no_grad(), replaced({net.modules()[path]: note}):
        raw = net.raw(ct.Tensor(x))
    return seen[0], raw


@pytest.mark.slow
def test_the_map_of_a_prior_of_yolov3_tiny_is_the_one_its_head_reads():
    ct.nn.seed(0)
    net, x = YoloDetector(yolo3_tiny(2)).eval(), RNG.random((1, 64, 96, 3)).astype(np.float32)
    layers = {}
    for candidate in range(0, 90, 7):  # 2 x 3 and 4 x 6 cells with 3 priors each
        made = arithmetic_of(net, x, candidate, 0, "cat")
        layers[made.layer] = 0 if candidate < 18 else 1
        assert made.level == (1 if candidate < 18 else 0)
    assert len(layers) == 2
    for path, scale in layers.items():
        own, raw = output_of(net, path, x)
        with ct.no_grad():
            read = getattr(net.net, f"head{scale + 1}")[1](own).numpy()
        np.testing.assert_allclose(raw[scale].numpy().reshape(read.shape), read, atol=1e-5)


@pytest.mark.slow
def test_the_map_of_a_prior_of_an_ssd_on_mobilenet_is_the_one_its_heads_read():
    ct.nn.seed(0)
    net, x = SSDDetector(ssd_mobilenet(2)).eval(), RNG.random((1, 96, 96, 3)).astype(np.float32)
    priors = [len(own) * rows * columns for own, (rows, columns) in zip(
        net.net.sizes, net.net.map_sizes(96, 96), strict=True)]  # fmt: skip
    ends = np.cumsum(priors)
    for level, end in enumerate(ends):
        for candidate in (end - priors[level], end - 1):
            made = arithmetic_of(net, x, int(candidate), 0, "cat")
            assert made.level == level
        own, raw = output_of(net, made.layer, x)
        with ct.no_grad():
            read = getattr(net.net, f"box{level + 1}")(own).numpy().reshape(-1, 4)
        codes = raw["codes"].numpy()[0, end - priors[level] : end]
        np.testing.assert_allclose(codes, read, atol=1e-5)
    # of a map with a single position there is nothing to show
    score = OneBox(net, int(ends[-1]) - 1, 0, made.prior)
    share, seen = score_evidence(score, x[0], made.box, made, "cat")
    assert seen is None and share.values.max() > 0
    first = arithmetic_of(net, x, 0, 0, "cat")
    _, seen = score_evidence(OneBox(net, 0, 0), x[0], first.box, first, "cat")
    assert seen.map.shape == net.net.map_sizes(96, 96)[0] and np.abs(seen.raw).max() > 0


def test_a_mask_is_told_in_pixels():
    runs = {"size": [4, 4], "counts": [0, 8, 8]}
    told = box_mask(np.full((2, 2), 0.95), runs, np.array([0.0, 0, 4, 4]), runs)
    assert (told.pixels, told.part, told.iou) == (8, 0.5, 1.0)
    other = {"size": [4, 4], "counts": [4, 8, 4]}
    told = box_mask(np.full((2, 2), 0.95), runs, np.array([0.0, 0, 4, 4]), other)
    assert told.iou == pytest.approx(4 / 12)
    assert "IoU with the mask of the object that the box is for: 0.333" in told.text()
    assert box_mask(np.ones((2, 2)), runs, np.zeros(4), None).iou is None
