"""RoIAlign, RoIPool and the overlaps of boxes: values and gradients of torchvision's C++."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor, check_gradient, float64
from cutaway.errors import OptionError, ShapeError
from cutaway.export import export_onnx
from tests.oracles import oracle

# written by tests/boxes/write_torchvision_values.py
VALUES = dict(np.load(Path(__file__).parents[1] / "boxes" / "torchvision_values.npz"))
RNG = np.random.default_rng(0)


def value_and_gradient(call):
    def run(x):
        x = Tensor(x, requires_grad=True)
        out = call(x)
        (out * VALUES["weights"]).sum().backward()
        return out.data, x.grad

    return map(np.asarray, jax.jit(run)(VALUES["x"]))


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [0, 1, 2, 3])
def test_roi_align_and_its_gradient_are_torchvision_s_also_outside_of_the_map(aligned, ratio):
    # region 6 is larger than the map, so that its number of adaptive samples is cut off
    options = {"output_size": (3, 4), "scale": 1 / 8, "sampling_ratio": ratio, "aligned": aligned}
    out, gradient = value_and_gradient(lambda x: ops.roi_align(x, VALUES["regions"], **options))
    expected = VALUES[f"align_{aligned:d}_{ratio}"]
    if ratio == 0:
        assert not np.allclose(out[1, 0], expected[1, 0], atol=1e-3)
        np.testing.assert_allclose(out[0], expected[0], atol=1e-5)
        np.testing.assert_allclose(out[1, 1:], expected[1, 1:], atol=1e-5)
        gradient, expected = gradient[0], VALUES[f"align_{aligned:d}_0_gradient"][0]
    else:
        np.testing.assert_allclose(out, expected, atol=1e-5)
        expected = VALUES[f"align_{aligned:d}_{ratio}_gradient"]
    np.testing.assert_allclose(gradient, expected, atol=2e-5)


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_a_box_of_a_pyramid_is_read_from_its_map_as_from_a_single_one(ratio):
    maps = [RNG.random((2, n, n + 3, 5)).astype(np.float32) for n in (16, 8, 4)]
    boxes = np.sort(RNG.uniform(-9, 150, (2, 7, 2, 2)), axis=2).reshape(2, 7, 4).astype(np.float32)
    levels = np.array([[0, 1, 2, 0, 1, 2, 1], [2, 2, 1, 1, 0, 0, 0]])
    weights = RNG.normal(size=(2, 7, 3, 2, 5)).astype(np.float32)
    options = {"output_size": (3, 2), "sampling_ratio": ratio}
    ours, theirs = ([Tensor(own, requires_grad=True) for own in maps] for _ in range(2))
    scales = (1 / 8, 1 / 16, 1 / 32)
    out = ops.pyramid_roi_align(boxes, levels, *ours, scales=scales, **options)
    expected = 0
    for place, (own, scale) in enumerate(zip(theirs, scales, strict=True)):
        is_own = (levels == place)[..., None, None, None].astype(np.float32)
        expected = ops.roi_align(own, boxes, scale=scale, **options) * is_own + expected
    np.testing.assert_allclose(out.numpy(), expected.numpy(), atol=1e-6)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    for own, other in zip(ours, theirs, strict=True):
        assert np.abs(own.grad).max() > 0.1
        np.testing.assert_allclose(own.grad, other.grad, atol=1e-5)
    with pytest.raises(OptionError, match="sampling_ratio is 4"):
        ops.pyramid_roi_align(boxes, levels, *ours, scales=scales, output_size=2, sampling_ratio=4)


def test_roi_pool_and_its_gradient_are_torchvision_s_to_the_last_bit():
    out, gradient = value_and_gradient(
        lambda x: ops.roi_pool(x, VALUES["regions"], output_size=(3, 4), scale=1 / 8)
    )
    np.testing.assert_array_equal(out, VALUES["pool"])
    np.testing.assert_allclose(gradient, VALUES["pool_gradient"], atol=1e-6)
    eager = ops.roi_pool(VALUES["x"], VALUES["regions"], output_size=(3, 4), scale=1 / 8)
    np.testing.assert_array_equal(eager.numpy(), VALUES["pool"])


def test_the_first_of_equal_maxima_gets_the_gradient_in_the_order_of_rows():
    x = Tensor(np.zeros((1, 4, 4, 1), np.float32), requires_grad=True)
    ops.roi_pool(x, np.float32([[[0, 0, 3, 3]]]), output_size=2).sum().backward()
    expected = np.zeros((4, 4))
    expected[::2, ::2] = 1
    np.testing.assert_array_equal(np.asarray(x.grad)[0, :, :, 0], expected)


@pytest.mark.parametrize("bins", [6, 7, 14])
def test_bins_end_where_c_s_float_arithmetic_ends_them_when_compiled(bins):
    from cutaway.ops.region_pooling import _bins

    ends = np.arange(1500, dtype=np.float32)
    covered = jax.jit(lambda end: _bins(0 * end, end, 1600, bins))(ends)
    step = (ends + 1) / np.float32(bins)
    stops = np.ceil(np.arange(1, bins + 1, dtype=np.float32) * step[:, None])
    starts = np.floor(np.arange(bins, dtype=np.float32) * step[:, None])
    np.testing.assert_array_equal(np.sum(covered, axis=-1), stops - starts)
    np.testing.assert_array_equal(np.argmax(covered, axis=-1), starts)


def test_rules_of_region_operations_equal_jax_and_central_differences():
    x = RNG.permutation(np.linspace(-1, 1, 12)).reshape(1, 4, 3, 1)
    boxes = np.array([[[0.2, 0.4, 2.7, 2.1], [-1, 2, 9, 9], [1, 1, 1, 1]]])
    check_gradient(lambda x: ops.roi_align(x, boxes[:, :1], output_size=1), x)
    calls = (
        lambda x: ops.roi_align(x, boxes, output_size=2),
        lambda x: ops.roi_align(x, boxes, output_size=(1, 3), sampling_ratio=0, aligned=True),
        lambda x: ops.roi_pool(x, boxes, output_size=(3, 2)),
    )

    def ours(x):
        leaves = [Tensor(x, requires_grad=True) for _ in calls]
        for leaf, call in zip(leaves, calls, strict=True):
            (call(leaf) ** 2).sum().backward()
        return [leaf.grad for leaf in leaves]

    def theirs(x):
        return [jax.grad(lambda x, f=call: jnp.sum(f(Tensor(x)).data ** 2))(x) for call in calls]

    with float64():
        for mine, other in zip(jax.jit(ours)(x), jax.jit(theirs)(x), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_regions_of_another_shape_are_refused_by_name():
    with pytest.raises(ShapeError, match=r"roi_align: a map of shape \(1, 4, 4, 1\)"):
        ops.roi_align(np.zeros((1, 4, 4, 1)), np.zeros((3, 4)), output_size=2)
    with pytest.raises(ShapeError, match="roi_pool"):
        ops.roi_pool(np.zeros((2, 4, 4, 1)), np.zeros((1, 3, 4)), output_size=2)
    with pytest.raises(OptionError, match="scale is 0"):
        ops.roi_pool(np.zeros((1, 4, 4, 1)), np.zeros((1, 3, 4)), output_size=2, scale=0)


OVERLAPS = {
    "box_iou": "iou",
    "generalized_box_iou": "generalized",
    "complete_box_iou": "complete",
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlaps_and_their_gradients_are_torchvision_s(name):
    theirs = OVERLAPS[name]
    with float64():
        a, b = (Tensor(np.float64(VALUES[k]), requires_grad=True) for k in "ab")
        out = getattr(ops, name)(a, b)
        out.sum().backward()
        np.testing.assert_allclose(out.numpy(), VALUES[theirs], rtol=1e-9)
        for leaf, expected in zip((a, b), VALUES[f"{theirs}_gradients"], strict=True):
            np.testing.assert_allclose(leaf.grad, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", OVERLAPS)
def test_rules_of_overlaps_equal_jax(name):
    operation = getattr(ops, name)
    with float64():
        a, b = (Tensor(jnp.asarray(VALUES[k], jnp.float64), requires_grad=True) for k in "ab")
        operation(a, b).sum().backward()
        theirs = jax.grad(
            lambda a, b: jnp.sum(operation(Tensor(a), Tensor(b)).data), argnums=(0, 1)
        )(a.data, b.data)
        np.testing.assert_allclose(a.grad, theirs[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(b.grad, theirs[1], rtol=1e-9, atol=1e-12)
        if name != "complete_box_iou":  # where α is a constant for the gradient
            check_gradient(operation, VALUES["a"][:2], VALUES["b"][:2])


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlaps_are_finite_for_boxes_without_area_and_so_are_their_gradients(name):
    boxes = np.float32(
        [[1, 1, 1, 1], [1, 1, 1, 5], [1, 1, 5, 1], [0, 0, 4, 4], [3, 3, 1, 1], [0, 0, 1e-30, 1e-30]]
    )
    a, b = np.repeat(boxes, 6, axis=0), np.tile(boxes, (6, 1))
    a, b = (Tensor(v, requires_grad=True) for v in (a, b))
    out = getattr(ops, name)(a, b)
    out.sum().backward()
    assert np.isfinite(out.numpy()).all()
    assert np.isfinite(a.grad).all() and np.isfinite(b.grad).all()
    expected = 1 if name != "box_iou" else out.numpy()[0]
    assert out.numpy()[21] == 1 and out.numpy()[0] == (0 if expected != 1 else out.numpy()[0])


def test_values_of_overlaps_by_hand():
    a, b = np.float32([0, 0, 2, 2]), np.float32([3, 0, 5, 2])
    # no overlap: U = 8, C = 10; centers 3 apart, diagonal² = 25 + 4
    assert ops.box_iou(a, b).item() == 0
    assert ops.generalized_box_iou(a, b).item() == pytest.approx(-0.2)
    assert ops.complete_box_iou(a, b).item() == pytest.approx(-9 / 29)
    with pytest.raises(ShapeError, match="pairwise_iou"):
        ops.box_iou(np.zeros((2, 4)), np.zeros((3, 4)))


def test_decoded_boxes_are_torchvision_s_also_where_sides_are_clamped():
    decoded = ops.decode_boxes(VALUES["wild"], VALUES["priors"], weights=(10, 10, 5, 5))
    assert (VALUES["wild"][:, 2:] / 5 > np.log(1000 / 16)).any()
    np.testing.assert_allclose(decoded.numpy(), VALUES["decoded"], rtol=1e-5, atol=1e-4)
    with pytest.raises(OptionError, match="four positive numbers"):
        ops.decode_boxes(np.zeros((1, 4)), np.ones((1, 4)), weights=(1, 0, 1, 1))


class Regions(ct.Module):
    def __init__(self):
        self.conv = ct.Conv2d(3, 4, 3, padding=1)
        self.boxes = ct.nn.Parameter(VALUES["regions"][:1] / 8)

    def forward(self, x):
        boxes = ops.broadcast_to(self.boxes, shape=(len(x), 6, 4))
        x = self.conv(x)
        a = ops.roi_align(x, boxes, output_size=(2, 3), aligned=True)
        b = ops.roi_align(x, boxes, output_size=(2, 3), sampling_ratio=0)
        levels = ops.broadcast_to(np.int32([0, 1, 1, 0, 1, 0]), shape=(len(x), 6))
        c = ops.pyramid_roi_align(
            boxes, levels.data, x, x[:, ::2, ::2], output_size=(2, 3), scales=(1, 0.5)
        )
        return a + b + c


class Pairs(ct.Module):
    def forward(self, a, b):
        codes = ops.decode_boxes(a * 0.01, b, weights=(10, 10, 5, 5), largest=0.05)
        overlaps = [getattr(ops, name)(a, b) for name in OVERLAPS]
        return ops.concatenate([codes, ops.stack(overlaps, axis=-1)], axis=-1)


@pytest.mark.parametrize("net", [Regions, Pairs])
def test_onnxruntime_computes_the_same(net, tmp_path):
    runtime = oracle("onnxruntime")
    pair = VALUES["a"].copy(), VALUES["b"].copy()
    pair[0][0, 2:] = pair[0][0, :2]  # without area
    inputs = (VALUES["x"],) if net is Regions else pair
    net = net().eval()
    export_onnx(net, tmp_path / "net.onnx", inputs if len(inputs) > 1 else inputs[0])
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    expected = jax.jit(lambda *values: net(*values).data)(*inputs)
    for rows in (1, len(inputs[0])):
        some = [value[:rows] for value in inputs]
        fed = dict(zip([i.name for i in session.get_inputs()], some, strict=True))
        out = session.run(None, fed)[0]
        np.testing.assert_allclose(out, expected[:rows], rtol=1e-4, atol=1e-5)


class Pooled(ct.Module):
    def forward(self, x, boxes):
        return ops.roi_pool(x, boxes, output_size=(2, 3))


def test_roi_pool_is_written_as_the_node_that_onnx_has_for_it(tmp_path):
    onnx = oracle("onnx")
    export_onnx(Pooled().eval(), tmp_path / "net.onnx", (VALUES["x"], VALUES["regions"]))
    # onnxruntime 1.32 knows the node up to opset 21 only
    model = onnx.version_converter.convert_version(onnx.load(tmp_path / "net.onnx"), 21)
    session = oracle("onnxruntime").InferenceSession(model.SerializeToString())
    fed = {"input_0": VALUES["x"], "input_1": VALUES["regions"]}
    expected = ops.roi_pool(*fed.values(), output_size=(2, 3)).numpy()
    np.testing.assert_array_equal(session.run(None, fed)[0], expected)
