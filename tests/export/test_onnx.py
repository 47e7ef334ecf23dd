"""onnxruntime computes from the exported file what the network computes, for any number of rows."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import nn, ops
from cutaway.engine.operation import operation
from cutaway.errors import OptionError
from cutaway.export import export_onnx
from cutaway.models import (
    Forecaster,
    LanguageModel,
    TableNetwork,
    cnn,
    mlp,
    text_network,
    time_series_cnn,
)

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def check(net, inputs, tmp_path, *, rows=(3,), fixed=None, rtol=1e-4):
    """inputs: {name: (shape of a row, type, function size -> array)}; returns what was written."""
    path = tmp_path / "net.onnx"
    net.eval()
    about = export_onnx(net, path, {k: (s, d) for k, (s, d, _) in inputs.items()}, rows=fixed)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in rows if fixed is None else (fixed,):
        arrays = {k: make((count, *s)).astype(d) for k, (s, d, make) in inputs.items()}
        expected = net(*arrays.values())
        expected = expected if isinstance(expected, tuple) else (expected,)
        for ours, theirs in zip(expected, session.run(None, arrays), strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(theirs, ours.numpy(), rtol=rtol, atol=1e-5)
    return about


def normal(shape):
    return RNG.normal(size=shape)


def tokens(below, padded=True):
    def make(shape):
        made = RNG.integers(1, below, shape)
        if padded:
            for row, n in zip(made, RNG.integers(0, shape[1], shape[0]), strict=True):
                row[n:] = 0
        return made

    return make


def kinds_of_nodes(path):
    import onnx

    return [node.op_type for node in onnx.load(path).graph.node]


def trained_norms(net):
    """Running statistics and scales that are not the initial ones."""
    for module in net.modules().values():
        if isinstance(module, nn.BatchNorm):
            size = module.running_mean.shape
            module.running_mean.data = RNG.normal(size=size).astype(np.float32)
            module.running_var.data = RNG.uniform(0.5, 2, size).astype(np.float32)
            module.weight.data = RNG.uniform(0.5, 2, size).astype(np.float32)
    return net


def test_embeddings_of_numbers_and_members_of_an_ensemble(tmp_path):
    class Columns(ct.Module):
        def __init__(self):
            edges = [[-1, 0, 2], [-0.5, 0.5], [3]]
            self.front = ct.Sequential(nn.SmoothClip(), nn.LearnedScale(3))
            self.embeddings = [
                nn.PeriodicEmbedding(3, sigma=1.0),
                nn.SineCosineEmbedding(3, 4, 2, sigma=1.0),
                nn.PiecewiseLinearEmbedding(edges, 2, keeps_input=True),
            ]
            widths = sum(e.out_features for e in self.embeddings)
            self.body = ct.Sequential(
                nn.BatchEnsembleLinear(widths, 8, 4, random_signs=True),
                nn.Blend(nn.Mish(), 8),
                nn.BatchEnsembleLinear(8, 1, 4),
            )

        def forward(self, x):
            x = self.front(x)
            return self.body(ops.concatenate([e(x) for e in self.embeddings], axis=1))

    check(Columns(), {"x": ((3,), "float32", lambda s: 10 * normal(s))}, tmp_path, rows=(1, 5))
    huge = lambda shape: np.resize([1e25, -1e25, 0.0], shape)  # noqa: E731
    check(nn.SmoothClip(2.0), {"x": ((3,), "float32", huge)}, tmp_path)


def test_networks_for_tables(tmp_path):
    about = check(mlp((4, 16, 3), output=nn.Softmax), {"x": ((4,), "float32", normal)}, tmp_path)
    assert about["rows"] is None and about["parameters"] == 4 * 16 + 16 + 16 * 3 + 3
    net = TableNetwork(3, [[5, 2], [7, 3]], (8,), 1, activation=nn.ReLU)
    levels = lambda shape: np.concatenate(  # noqa: E731
        [RNG.normal(size=(shape[0], 3)), RNG.integers(0, 5, (shape[0], 2))], 1
    )
    check(net, {"x": ((5,), "float32", levels)}, tmp_path)
    waves = {"periodic": (0, 2), "clip": 3.0, "learned_scale": True, "activation": nn.SELU}
    members = [TableNetwork(3, [[5, 2], [7, 3]], (8,), 1, **waves) for _ in range(2)]
    check(nn.Ensemble(members), {"x": ((5,), "float32", levels)}, tmp_path)


def test_a_convolutional_network_moves_its_axes_at_its_edges_only(tmp_path):
    net = trained_norms(cnn(3, 5, widths=(8, 16), mean=[0.4, 0.5, 0.6], std=[0.2, 0.2, 0.3]))
    check(net, {"image": ((12, 12, 3), "float32", normal)}, tmp_path)
    assert kinds_of_nodes(tmp_path / "net.onnx").count("Transpose") == 1
    bytes_ = lambda shape: RNG.integers(0, 255, shape)  # noqa: E731
    check(net, {"image": ((12, 12, 3), "uint8", bytes_)}, tmp_path)


def test_a_network_for_series(tmp_path):
    net = trained_norms(time_series_cnn(2, 3, widths=(8, 12, 8)))
    check(net, {"x": ((20, 2), "float32", normal)}, tmp_path)
    check(Forecaster(2, 4, hidden=8, target=0), {"x": ((10, 2), "float32", normal)}, tmp_path)


@pytest.mark.parametrize("model", ("bag", "lstm", "transformer"))
def test_networks_for_texts_with_padding(model, tmp_path):
    net = text_network(30, 2, model=model)
    about = check(net, {"tokens": ((9,), "int32", tokens(30))}, tmp_path, rows=(1, 4))
    assert about["rows"] is None


@pytest.mark.parametrize("recurrent", (nn.LSTM, nn.GRU))
def test_language_models(recurrent, tmp_path):
    net = LanguageModel(20, hidden_features=16, num_layers=2, recurrent=recurrent)
    check(net, {"tokens": ((6,), "int32", tokens(20, padded=False))}, tmp_path)


@pytest.mark.parametrize("kind", ("RNN", "LSTM", "GRU"))
def test_recurrent_layers_in_both_directions(kind, tmp_path):
    net = nn.Sequential(getattr(nn, kind)(3, 5, 2, bidirectional=True), nn.LastStep())
    check(net, {"x": ((7, 3), "float32", normal)}, tmp_path)


class Everything(nn.Module):
    """f(x) as a module."""

    def __init__(self, f, **parts):
        self.f = f
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.f(self, x)


IMAGE = ((8, 6, 4), "float32", normal)
LAYERS = {
    "grouped": (nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding="same"), IMAGE),
    "depthwise, same": (nn.Conv2d(4, 4, 3, groups=4, stride=2, padding="same"), IMAGE),
    "reflect": (nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), IMAGE),
    "causal": (nn.Conv1d(3, 4, 2, dilation=4, padding="causal"), ((9, 3), "float32", normal)),
    "3d": (nn.Conv3d(2, 3, 2), ((4, 5, 3, 2), "float32", normal)),
    "transposed": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), IMAGE),
    "max, ceil": (nn.MaxPool(3, stride=2, padding=1, ceil_mode=True), IMAGE),
    "average, ceil": (nn.AvgPool(3, stride=2, padding=1, ceil_mode=True), IMAGE),
    "adaptive": (nn.AdaptiveAvgPool((4, 3)), IMAGE),
    "adaptive, unequal": (nn.AdaptiveAvgPool((5, 7)), IMAGE),
    "upsample": (nn.Upsample(2), IMAGE),
    "group norm": (nn.GroupNorm(2, 4), IMAGE),
    "instance norm": (nn.InstanceNorm(4), IMAGE),
    "layer norm": (nn.LayerNorm(4), IMAGE),
    "rms norm": (nn.RMSNorm(4), IMAGE),
    "local response": (nn.LocalResponseNorm(3), IMAGE),
    "batch norm of rows": (trained_norms(nn.BatchNorm(4)), ((4,), "float32", normal)),
    "rotary, causal": (
        nn.MultiHeadAttention(8, 2, rotary=True, causal=True), ((5, 8), "float32", normal)),
    "norm last": (
        nn.TransformerEncoder(8, 2, num_layers=2, norm_first=False), ((5, 8), "float32", normal)),
    "squeeze and excite": (
        Everything(
            lambda net, x: net.c(x) * ops.sigmoid(net.s(net.c(x).mean(axis=(1, 2), keepdims=True))),
            c=nn.Conv2d(4, 4, 1), s=nn.Conv2d(4, 4, 1)), IMAGE),
    "side by side": (
        Everything(
            lambda net, x: ops.concatenate([ops.relu(net.a(x)), net.b(x)], axis=-1)[:, 1:, ::2],
            a=nn.Conv2d(4, 2, 1), b=nn.Conv2d(4, 3, 1)), IMAGE),
    "cut": (Everything(lambda net, x: x[:, -1, None, 1:3] + x[:, 0, :2].mean()), IMAGE),
    "elementwise": (
        Everything(
            lambda net, x: ops.silu(x) + ops.clip(x, low=0.0, high=6.0) * ops.gelu_tanh(x)
            - ops.elu(x) / (1 + ops.square(x)) + ops.leaky_relu(x) + ops.selu(x)
            + ops.softplus(x)), IMAGE),
    "compared": (
        Everything(
            lambda net, x: ops.where(net.c(x) > 0, x, 0.5),
            c=nn.Conv2d(4, 4, 1)), IMAGE),
    "reductions": (
        Everything(
            lambda net, x: x.sum(axis=(1, 2)) + x.max(axis=(1, 2)) + x.var(axis=(1, 2))
            + ops.logsumexp(x, axis=(1, 2)) + x.reshape(len(x), -1)[:, :4]), IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, tmp_path):
    net, given = LAYERS[name]
    about = check(net, {"x": given}, tmp_path)
    assert about["rows"] is None


def test_a_network_that_asks_for_its_batch_is_written_for_a_fixed_one(tmp_path):
    net = Everything(lambda net, x: x / x.shape[0])
    about = export_onnx(net, tmp_path / "n.onnx", {"x": ((4,), "float32")})
    assert about["rows"] == 1
    check(net, {"x": ((4,), "float32", normal)}, tmp_path, fixed=3)


def test_dropout_is_left_out_and_the_mode_is_as_before(tmp_path):
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    export_onnx(net, tmp_path / "n.onnx", {"x": ((4,), "float32")}, metadata={"classes": "a, b"})
    assert net.training
    assert kinds_of_nodes(tmp_path / "n.onnx") == ["MatMul", "Add", "Identity"]
    import onnx

    model = onnx.load(tmp_path / "n.onnx")
    assert {p.key: p.value for p in model.metadata_props}["classes"] == "a, b"
    assert {i.name for i in model.graph.initializer} == {"0.weight", "0.bias"}


def test_an_operation_without_a_form_says_how_to_write_one(tmp_path):
    @operation
    def cube(x):
        return x**3

    net = Everything(lambda net, x: cube(x))
    with pytest.raises(OptionError, match=r"'cube' has no ONNX form[\s\S]*@cube\.onnx"):
        export_onnx(net, tmp_path / "n.onnx", {"x": ((4,), "float32")})
    assert not (tmp_path / "n.onnx").exists()

    @cube.onnx
    def cube_onnx(g, x):
        return g.out("Pow", x, 3)

    check(net, {"x": ((4,), "float32", normal)}, tmp_path)


def test_every_operation_has_a_form_or_is_known_to_have_none():
    from cutaway.engine import Operation

    # batch statistics are those of training
    missing = {
        name
        for name in dir(ops)
        if isinstance(getattr(ops, name), Operation) and getattr(ops, name).written is None
    }
    assert missing == {"batch_norm"}


def test_the_state_of_the_network_is_not_touched(tmp_path):
    net = ct.models.mlp((3, 2))
    before = net.state_dict()
    export_onnx(net, tmp_path / "n.onnx", {"x": ((3,), "float32")})
    for path, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
    assert type(net.parameters()[0].data).__name__ == "ArrayImpl"


def test_sizes_are_free_where_the_network_does_the_same_to_others(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    given, also = {"x": ((8, 6, 2), "float32")}, {"x": ((12, 15, 2), "float32")}
    free = ct.Sequential(ct.Conv2d(2, 3, 3, padding=1), ct.ReLU(), ct.Conv2d(3, 1, 3, padding=1))
    about = export_onnx(free, tmp_path / "free.onnx", given, also=also)
    assert about["inputs"]["x"]["shape"] == ["batch", "size_1", "size_2", 2]
    assert about["outputs"]["output"]["shape"] == ["batch", "size_1", "size_2", 1]
    x = np.random.default_rng(0).normal(size=(1, 5, 9, 2)).astype(np.float32)
    (found,) = runtime.InferenceSession(tmp_path / "free.onnx").run(None, {"x": x})
    np.testing.assert_allclose(found, free.eval()(x).numpy(), atol=1e-5)


def test_sizes_stay_fixed_where_the_network_depends_on_them(tmp_path):
    class Rows(ct.Module):
        def forward(self, x):
            return x * float(x.shape[1])

    given, also = {"x": ((8, 2), "float32")}, {"x": ((12, 2), "float32")}
    about = export_onnx(Rows(), tmp_path / "fixed.onnx", given, also=also)
    assert about["inputs"]["x"]["shape"] == ["batch", 8, 2]
