"""Faster and Mask R-CNN beside torchvision's: losses, gradients and detections of a whole step."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.boxes import grid_of_boxes
from cutaway.engine import as_array
from cutaway.errors import OptionError, ShapeError
from cutaway.models import (
    Backbone,
    BasicBlock,
    FasterRcnn,
    FastRcnn,
    FeaturePyramid,
    RegionProposals,
    ResNet,
    rcnn_on_backbone,
)
from cutaway.models.rcnn import faster_rcnn_resnet50, mask_rcnn_resnet50
from cutaway.models.region_detector import RegionOptions, in_blocks, mask_targets
from cutaway.models.region_heads import align_grid, align_regions, levels_of
from cutaway.models.region_proposals import ProposalOptions, base_anchors, paper_anchors
from cutaway.nn import Conv2d, ReLU, Sequential, Standardize, init
from cutaway.weights import WeightNames, channels_last, load_into

pytestmark = pytest.mark.usefixtures("compile_quickly")

ORACLES = Path(__file__).parents[3] / "shared" / "oracles" / "detection"
RNG = np.random.default_rng(0)


class Body(Backbone):
    """The body of the stored step: strides 4, 8, 16."""

    stages = ("a", "b", "c")
    in_channels = 3

    def __init__(self):
        self.a = Sequential(Conv2d(3, 8, 4, stride=4), ReLU())
        self.b = Sequential(Conv2d(8, 12, 2, stride=2), ReLU())
        self.c = Sequential(Conv2d(12, 16, 2, stride=2), ReLU())


def small(mask_size=None):
    net = FasterRcnn(
        Body(),
        2,
        stages=("a", "b", "c"),
        channels=8,
        sizes=((12,), (24,), (48,)),
        region_size=5,
        width=24,
        mask_size=mask_size,
        mask_widths=(8, 8),
        proposals=ProposalOptions(positive=0.5, sampled=32, before=(60, 60), after=(40, 20)),
        regions=RegionOptions(sampled=16, score=0.0, limit=10),
        inputs=Standardize((0.5,) * 3, (0.25,) * 3),
    )
    # the stored step samples the first ones instead of random ones
    net.numbers = lambda shape: jnp.broadcast_to(jnp.arange(shape[-1], dtype="float32"), shape)
    return net


def torchvision_names():
    rules = [(r"backbone\.([abc])\.(.*)", r"body.\1.0.\2")]
    for k in range(3):
        theirs, ours = r"backbone\.fpn\.", "pyramid."
        rules.append((rf"{theirs}inner_blocks\.{k}\.0\.(.*)", rf"{ours}lateral{k + 1}.\1"))
        rules.append((rf"{theirs}layer_blocks\.{k}\.0\.(.*)", rf"{ours}output{k + 1}.\1"))
        # their convolutions are counted, ours are layers with ReLUs between them
        theirs, ours = rf"roi_heads\.mask_head\.{k}\.0\.", f"mask_head.convs.{2 * k}."
        rules.append((f"{theirs}(.*)", rf"{ours}\1"))
    for theirs, ours in (
        (r"rpn\.head\.conv\.0\.0", "proposals.conv"),
        (r"rpn\.head\.cls_logits", "proposals.objectness"),
        (r"rpn\.head\.bbox_pred", "proposals.codes"),
        (r"roi_heads\.box_head\.fc7", "box_head.dense2"),
        (r"roi_heads\.box_predictor\.cls_score", "box_head.classes"),
        (r"roi_heads\.box_predictor\.bbox_pred", "box_head.codes"),
        (r"roi_heads\.mask_predictor\.conv5_mask", "mask_head.rise"),
        (r"roi_heads\.mask_predictor\.mask_fcn_logits", "mask_head.masks"),
    ):
        rules.append((rf"{theirs}\.(.*)", rf"{ours}.\1"))
    first = r"roi_heads\.box_head\.fc6\.", "box_head.dense1."
    rules.append((f"{first[0]}weight", f"{first[1]}weight", channels_last(8)))
    return WeightNames([*rules, (f"{first[0]}bias", f"{first[1]}bias")])


def batch_of(oracle):
    """(images, targets padded to four): the second image has no object."""
    x = np.stack([oracle[f"image{i}"].transpose(1, 2, 0) for i in range(3)])
    y = {
        "boxes": np.zeros((3, 4, 4), np.float32),
        "classes": np.zeros((3, 4), np.int32),
        "valid": np.zeros((3, 4), bool),
        "masks": np.zeros((3, 4, 64, 96), np.uint8),
    }
    for i in range(3):
        count = len(oracle[f"target{i}.boxes"])
        y["boxes"][i, :count] = oracle[f"target{i}.boxes"]
        y["classes"][i, :count] = oracle[f"target{i}.labels"] - 1
        y["masks"][i, :count] = oracle[f"target{i}.masks"]
        y["valid"][i, :count] = True
    return x, y


def part(oracle, prefix):
    return {k.removeprefix(prefix): oracle[k] for k in oracle if k.startswith(prefix)}


NAMES = {
    "objectness": "loss_objectness",
    "proposal_boxes": "loss_rpn_box_reg",
    "classes": "loss_classifier",
    "boxes": "loss_box_reg",
    "masks": "loss_mask",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind, mask_size", [("faster", None), ("mask", 6)])
def test_a_step_has_torchvisions_losses_gradients_and_detections(kind, mask_size):
    if not ORACLES.exists():
        pytest.skip("the stored steps are not here")
    oracle = dict(np.load(ORACLES / f"tv_{kind}.npz"))
    net, names = small(mask_size), torchvision_names()
    load_into(net, part(oracle, "w."), names)
    x, y = batch_of(oracle)
    terms = net.train().losses(ct.Tensor(x), y)
    theirs = part(oracle, "loss.")
    assert {NAMES[name]: float(value) for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in theirs.items()}, rel=1e-4
    )
    total = sum(terms.values(), start=ct.Tensor(0.0))
    total.backward()
    gradients = part(oracle, "g.")
    if kind == "mask":
        # both stored networks shared the modules of the box head, whose gradients were added up
        first = part(dict(np.load(ORACLES / "tv_faster.npz")), "g.roi_heads.box_")
        for name, value in first.items():
            gradients[f"roi_heads.box_{name}"] = gradients[f"roi_heads.box_{name}"] - value
    expected = names.translate(gradients, net)
    for name, parameter in net.named_parameters().items():
        error = np.linalg.norm(np.asarray(parameter.grad) - expected[name])
        assert error <= 1e-4 * np.linalg.norm(expected[name]), name
    found = net.eval()(ct.Tensor(x))
    for i in range(3):
        count = len(oracle[f"out{i}.boxes"])
        assert found["valid"].numpy()[i].sum() == count
        own = {name: found[name].numpy()[i, :count] for name in ("boxes", "scores", "classes")}
        np.testing.assert_allclose(own["boxes"], oracle[f"out{i}.boxes"], atol=2e-3)
        np.testing.assert_allclose(own["scores"], oracle[f"out{i}.scores"], atol=1e-4)
        np.testing.assert_array_equal(own["classes"] + 1, oracle[f"out{i}.labels"])


@pytest.mark.slow
def test_a_batch_without_any_object_teaches_that_there_is_none():
    ct.seed(0)
    net = small(6).train()
    y = {
        "boxes": np.zeros((1, 2, 4), np.float32),
        "classes": np.zeros((1, 2), np.int32),
        "valid": np.zeros((1, 2), bool),
        "masks": np.zeros((1, 2, 64, 96), np.uint8),
    }
    x = RNG.random((1, 64, 96, 3)).astype(np.float32)
    terms = net.losses(ct.Tensor(x), y)
    values = {name: float(value) for name, value in terms.items()}
    assert values["boxes"] == values["proposal_boxes"] == values["masks"] == 0
    assert values["objectness"] > 0 and values["classes"] > 0
    sum(terms.values(), start=ct.Tensor(0.0)).backward()
    assert np.asarray(net.box_head.classes.weight.grad).any()
    gradients = [np.asarray(p.grad) for p in net.parameters() if p.grad is not None]
    assert all(np.isfinite(g).all() for g in gradients)


def test_full_sizes_have_torchvisions_numbers_of_parameters(monkeypatch):
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    counts = [
        sum(p.size for p in build().parameters())
        for build in (faster_rcnn_resnet50, mask_rcnn_resnet50)
    ]
    assert counts == [41_808_406, 44_454_513]  # torchvision 0.28 with trainable batch norms


def test_anchors_are_torchvisions():
    # AnchorGenerator.generate_anchors((32,), (0.5, 1, 2)) of torchvision 0.28
    expected = [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    assert base_anchors((32,)).tolist() == expected
    net = small()
    maps = [ct.Tensor(np.zeros((1, *size, 8))) for size in ((16, 24), (8, 12), (4, 6))]
    anchors = net.proposals.anchors(maps, (64, 96))
    assert [len(own) for own in anchors] == [16 * 24 * 3, 8 * 12 * 3, 4 * 6 * 3]
    # position (0, 1) of the first map lies 4 pixels to the right; centers at multiples of 4
    np.testing.assert_allclose(anchors[0][3:6] - anchors[0][:3], [[4, 0, 4, 0]] * 3)
    np.testing.assert_allclose(anchors[0][72] - anchors[0][0], [0, 4, 0, 4])


def test_a_box_is_read_from_the_map_of_its_size():
    # Lin et al., equation 1: 224 pixels belong to 1/16, half of it to 1/8, twice as much to 1/32
    sides = np.array([10, 111, 113, 223, 225, 447, 449, 5000], np.float32)
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=-1)[None]
    assert levels_of(jnp.asarray(boxes), (4, 8, 16, 32)).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]


def test_a_pyramid_adds_each_map_to_what_is_below_also_at_odd_sizes():
    net = FeaturePyramid((1, 1), 1, extra=True)
    for conv in (net.lateral1, net.lateral2):
        conv.weight.data = jnp.ones((1, 1, 1, 1))
    for conv in (net.output1, net.output2):
        conv.weight.data = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    large, small_map = np.zeros((1, 3, 3, 1)), np.arange(4.0).reshape(1, 2, 2, 1)
    found = net(large, small_map)
    assert found[0][0, :, :, 0].tolist() == [[0, 0, 1], [0, 0, 1], [2, 2, 3]]
    assert found[1][0, :, :, 0].tolist() == [[0, 1], [2, 3]]
    assert found[2].tolist() == [[[[0.0]]]]


def test_anchors_of_the_paper_are_those_that_its_program_prints():
    # generate_anchors.py of py-faster-rcnn, whose last pixel is counted in: + 1
    printed = [
        [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ]  # fmt: skip
    expected = np.add(printed, [0, 0, 1, 1])
    assert paper_anchors().tolist() == expected.tolist()


def test_a_softmax_of_two_is_the_sigmoid_of_their_difference():
    net = RegionProposals(2, base=[np.zeros((2, 4), np.float32)], paired=True)
    x = RNG.normal(size=(1, 2, 1, 2)).astype(np.float32)
    pairs = (
        net.objectness(ops.relu(net.conv(x))).numpy().reshape(2, 2, 2)
    )  # position, which, anchor
    softmax = np.exp(pairs) / np.exp(pairs).sum(axis=1, keepdims=True)
    found = 1 / (1 + np.exp(-net(x)[0].numpy()))
    np.testing.assert_allclose(found[0], softmax[:, 1].ravel(), rtol=1e-5)


def test_anchors_across_the_edge_of_the_image_do_not_count_if_asked():
    base = np.array([[0, 0, 4, 4], [-2, 0, 4, 4]], np.float32)
    net = RegionProposals(1, base=[base], options=ProposalOptions(inside=True, positive=0.5))
    maps = [ct.Tensor(np.zeros((1, 2, 2, 1)))]
    anchors = net.anchors(maps, (8, 8))
    # the truth is the second anchor of the first position, which crosses the edge
    truths = {"boxes": np.array([[[-2.0, 0, 4, 4]]], np.float32), "valid": np.ones((1, 1), bool)}
    objectness = ct.Tensor(np.zeros((1, 8)), requires_grad=True)
    codes = ct.Tensor(np.zeros((1, 8, 4)))
    numbers = jnp.zeros((1, 8))
    terms = net.losses(objectness, codes, anchors, truths, numbers, (8, 8))
    terms["objectness"].backward()
    gradient = np.asarray(objectness.grad)[0]
    # positions (0, 0), (0, 1), (1, 0), (1, 1): of the first column the second anchors cross it
    assert (gradient != 0).tolist() == [True, False, True, True, True, False, True, True]
    assert gradient[0] < 0  # IoU 2/3: an object
    assert (gradient[[2, 3, 4, 6, 7]] > 0).all()


def one_map(**options):
    """A Fast R-CNN with RoIPool on the map of 1/4 of the small body."""
    ct.seed(0)
    return FastRcnn(
        Body(), 2, stages=("a",), channels=None, reading="pool", region_size=2, width=6,
        regions=RegionOptions(sampled=4, background=0.1, score=0.0, beta=1.0, limit=5), **options,
    )  # fmt: skip


@pytest.mark.slow
def test_fast_rcnn_teaches_given_regions_as_plain_loops_do():
    net = one_map().train()
    net.numbers = lambda shape: jnp.broadcast_to(jnp.arange(shape[-1], dtype="float32"), shape)
    x = RNG.random((1, 32, 32, 3)).astype(np.float32)
    # IoU with the truth: 0.6, then nothing, 0.2; the truth itself is added behind them
    regions = [[0, 0, 10, 6], [20, 20, 30, 30], [0, 0, 10, 2], [0, 0, 0, 0]]
    given = {"images": ct.Tensor(x), "proposals": np.array([regions], np.float32)}
    truth = np.array([0.0, 0, 10, 10])
    y = {"boxes": truth[None, None].astype(np.float32), "classes": [[1]], "valid": [[True]]}
    y = {name: np.asarray(value) for name, value in y.items()}
    terms = net.losses(given, y)
    # a quarter of four are objects: the first region; background: only the third
    rows = np.array([regions[0], regions[2]], np.float32)
    pooled = ops.roi_pool(net.body.a(x), rows[None], output_size=2, scale=0.25)
    logits, codes = (out.numpy()[0] for out in net.box_head(pooled))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = -(np.log(chances[0, 2]) + np.log(chances[1, 0])) / 2
    # center and size of the truth from (5, 3), 10 x 6
    target = [0, 10 * 2 / 6, 0, 5 * np.log(10 / 6)]
    boxes = 0.0
    for own, wanted in zip(codes[0, 2], target, strict=True):
        off = abs(own - wanted)
        boxes += 0.5 * off**2 if off < 1 else off - 0.5
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(
        {"classes": classes, "boxes": boxes / 2}, rel=1e-4
    )


@pytest.mark.slow
def test_fast_rcnn_says_where_its_regions_come_from_and_detects_among_them():
    x = RNG.random((1, 32, 32, 3)).astype(np.float32)
    given = one_map().eval()
    boxes = np.array([[[0, 0, 8, 8], [8, 8, 24, 24], [0, 0, 0, 0]]], np.float32)
    found = given({"images": ct.Tensor(x), "proposals": boxes})
    assert given.source == "given"
    assert set(found["rows"].numpy()[found["valid"].numpy()]) <= {0, 1}  # not the padding
    grid = one_map(shapes=((16, 16),)).eval()
    assert grid.source == "grid"
    assert grid.with_proposals(ct.Tensor(x))[1]["boxes"].shape == (1, 25, 4)
    network = small().eval()
    first = one_map(network=network).eval()
    assert first.source == "network"
    own = first.with_proposals(ct.Tensor(x))[1]["boxes"]
    theirs = network.propose(network.maps(ct.Tensor(x)), (32, 32))["boxes"]
    np.testing.assert_array_equal(own, theirs)
    assert not any(p.requires_grad for p in network.parameters())
    with pytest.raises(ShapeError, match="images alone"):
        given(ct.Tensor(x))


def on_grid():
    """A Fast R-CNN whose regions are read from three maps by RoIAlign."""
    ct.seed(0)
    return FastRcnn(
        Body(), 2, stages=("a", "b", "c"), channels=6, region_size=3, width=8,
        shapes=((10, 8), (30, 130), (300, 250)), share=2.5,
    ).eval()  # fmt: skip


@pytest.mark.slow
def test_the_regions_of_a_grid_are_those_of_its_boxes_and_so_are_their_gradients():
    net = on_grid()
    maps = [RNG.random((2, 128 // stride, 160 // stride, 6)).astype("f") for stride in (4, 8)]
    boxes = grid_of_boxes((128, 160), net.shapes, share=net.share)
    boxes = np.broadcast_to(boxes, (2, *boxes.shape))
    weights, found = RNG.random((*boxes.shape[:2], 3, 3, 6)).astype(np.float32), []
    for is_grid in (True, False):
        leaves = [ct.Tensor(own, requires_grad=True) for own in maps]
        regions = align_regions(leaves, boxes, (4, 8), 3)
        if is_grid:
            parts = align_grid(leaves, (128, 160), net.shapes, (4, 8), 3, share=net.share)
            regions = ops.concatenate(parts, axis=1)
        (regions * weights).sum().backward()
        found.append([regions.numpy(), *(leaf.grad for leaf in leaves)])
    for own, expected in zip(*found, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found[0][2]).max() > 0.1  # of both maps


@pytest.mark.slow
@pytest.mark.parametrize("source", ["grid", "given"])
def test_regions_read_in_blocks_are_those_read_at_once(source, monkeypatch):
    monkeypatch.setattr("cutaway.models.region_detector.BLOCK", 7)
    net = on_grid()
    x = ct.Tensor(RNG.random((2, 64, 96, 3)).astype(np.float32))
    boxes = net.with_proposals(x)[1]["boxes"]
    if source == "given":
        net.source, x = "given", {"images": x, "proposals": boxes}
    at_once = net.all_boxes(x)  # recorded, for its gradient
    with ct.no_grad():
        in_blocks = net.all_boxes(x)
    assert boxes.shape[1] % 7 and boxes.shape[1] > 3 * 7
    for name in ("boxes", "scores"):
        own, expected = (np.asarray(as_array(found[name])) for found in (in_blocks, at_once))
        assert own.shape[1] == boxes.shape[1]
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-5)


def test_crops_of_masks_teach_what_whole_masks_do():
    mask = np.zeros((1, 1, 16, 16), np.float32)
    mask[0, 0, 4:12, 2:6] = 1
    mask[0, 0, 10:12, 2:4] = 0
    truths = {"boxes": np.array([[[2.0, 4, 6, 12]]], np.float32)}
    crops = np.kron(mask[:, :, 4:12, 2:6], np.ones((1, 1, 2, 4)))  # 16 x 16
    match, regions = np.zeros((1, 1), int), np.array([[[2.0, 4, 6, 12]]], np.float32)
    of_crop = mask_targets(truths | {"crops": crops}, match, regions, 4)[0, :, :, 0]
    expected = np.ones((4, 4), np.float32)
    expected[3, :2] = 0
    # samples next to an edge mix both sides of it
    assert np.abs(of_crop - expected).mean() < 0.15
    assert ((of_crop > 0.5) == (expected > 0.5)).all()


def test_a_small_network_on_a_backbone_reads_its_maps_from_an_eighth_on_and_trains_the_rest():
    net = rcnn_on_backbone(ResNet(BasicBlock, (1, 1, 1), widths=(2, 4, 6)), 3, sizes=((16,), (32,)))
    assert net.strides == (8, 16)
    net.freeze_backbone().train()
    trained = {path.split(".")[0] for path, p in net.named_parameters().items() if p.requires_grad}
    assert trained == {"pyramid", "proposals", "box_head"}
    assert not any(module.training for module in net.body.modules().values())
    with pytest.raises(OptionError, match="anchors for 4 maps"):
        rcnn_on_backbone(ResNet(BasicBlock, (1, 1, 1), widths=(2, 4, 6)), 3, sizes=((16,),) * 4)


@pytest.mark.slow
def test_weights_of_classes_scale_the_cross_entropy_of_regions_of_these_classes():
    ct.seed(1)
    net = small()
    x = RNG.uniform(size=(1, 64, 96, 3)).astype(np.float32)
    y = {
        "boxes": np.array([[[8, 8, 30, 34], [50, 20, 80, 50]]], np.float32),
        "classes": np.array([[0, 1]]),
        "valid": np.ones((1, 2), bool),
    }

    def terms(weights):
        net.class_weights = weights
        return {name: term.item() for name, term in net.losses(ct.Tensor(x), y).items()}

    plain = terms(None)
    assert terms((1.0, 1.0)) == pytest.approx(plain)
    without_0, without_1, both = terms((0.0, 1.0)), terms((1.0, 0.0)), terms((5.0, 3.0))
    first, last = (plain["classes"] - one["classes"] for one in (without_0, without_1))
    assert first > 0 and last > 0
    assert both["classes"] == pytest.approx(plain["classes"] + 4 * first + 2 * last, rel=1e-5)
    assert {**both, "classes": 0} == pytest.approx({**plain, "classes": 0})


def test_regions_are_read_in_blocks_and_blocks_of_padding_are_0():
    boxes = np.zeros((2, 8, 4), np.float32)
    boxes[0, :2, 2:] = boxes[1, :4, 2:] = 3.0
    numbers = np.arange(16).reshape(2, 8) + 1

    def read(boxes, numbers):
        return {"a": boxes.sum(axis=-1) + numbers, "b": numbers[..., None] * np.ones(3)}

    whole = read(boxes, numbers)
    found = jax.jit(lambda *given: in_blocks(read, given[0], 3, given[1]))(boxes, numbers)
    for name, values in whole.items():  # of both images, the first two blocks of three have boxes
        np.testing.assert_array_equal(found[name][:, :6], values[:, :6])
        np.testing.assert_array_equal(found[name][:, 6:], 0)
    for name, values in in_blocks(read, boxes, 8, numbers).items():
        np.testing.assert_array_equal(values, whole[name])
