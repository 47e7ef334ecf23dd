import json

import jax
import numpy as np
import pytest
import torch
from captum.attr import (
    InputXGradient,
    IntegratedGradients,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    Occlusion,
    Saliency,
)

import cutaway as ct
from cutaway.errors import DataError, GradientError, OptionError, ShapeError
from cutaway.explain import attribute
from cutaway.nn import named_variables

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def assign(variable, array):
    variable.data = np.asarray(array, np.float32)


def both_mlps():
    """The same MLP 5-8-3 with tanh, here and in torch."""
    net = ct.Sequential(ct.Linear(5, 8), ct.Tanh(), ct.Linear(8, 3))
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    for k in (0, 2):
        assign(net[k].weight, theirs[k].weight.detach().numpy().T)
        assign(net[k].bias, theirs[k].bias.detach().numpy())
    return net, theirs.double()


def both_cnns():
    """The same CNN for 9 x 8 images of 2 channels, here and in torch."""
    net = ct.Sequential(
        ct.Conv2d(2, 4, 3, padding=1), ct.ReLU(), ct.MaxPool(2), ct.GlobalAvgPool(), ct.Linear(4, 3)
    )
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    assign(net[0].weight, theirs[0].weight.detach().permute(2, 3, 1, 0).numpy())
    assign(net[0].bias, theirs[0].bias.detach().numpy())
    assign(net[4].weight, theirs[5].weight.detach().numpy().T)
    assign(net[4].bias, theirs[5].bias.detach().numpy())
    return net, theirs.double()


class TorchText(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 6)
        self.lstm = torch.nn.LSTM(6, 5, batch_first=True)
        self.head = torch.nn.Linear(5, 2)

    def forward(self, x):
        outputs, _ = self.lstm(self.embedding(x))
        return self.head(outputs[:, -1])


def both_texts():
    """The same embedding, LSTM and head, here and in torch."""
    net = ct.Sequential(ct.Embedding(20, 6), ct.LSTM(6, 5), ct.LastStep(), ct.Linear(5, 2))
    theirs = TorchText()
    lstm = theirs.lstm
    assign(net[0].weight, theirs.embedding.weight.detach().numpy())
    assign(net[1].layers[0].weight, lstm.weight_ih_l0.detach().numpy().T)
    assign(net[1].layers[0].hidden_weight, lstm.weight_hh_l0.detach().numpy().T)
    assign(net[1].layers[0].bias, (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().numpy())
    assign(net[3].weight, theirs.head.weight.detach().numpy().T)
    assign(net[3].bias, theirs.head.bias.detach().numpy())
    return net, theirs.double()


@pytest.fixture(autouse=True)
def seeded_torch():
    torch.manual_seed(0)


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def to_torch(images):
    return leaf(np.moveaxis(images, -1, 1).copy())


def from_torch(images):
    return np.moveaxis(images.detach().numpy(), 1, -1)


# Captum's values


def test_an_mlp_gets_captums_values_by_every_method():
    net, theirs = both_mlps()
    rng = np.random.default_rng(0)
    x, base = rng.normal(size=(4, 5)), rng.normal(size=5)
    target = [2, 0, 1, 2]
    torch_target = torch.tensor(target)
    base_row = torch.tensor(base)[None]
    expected = {
        "integrated_gradients": IntegratedGradients(theirs).attribute(
            leaf(x), base_row, target=torch_target
        ),
        "gradient_x_input": InputXGradient(theirs).attribute(leaf(x), target=torch_target),
        "saliency": Saliency(theirs).attribute(leaf(x), target=torch_target),
        "occlusion": Occlusion(theirs).attribute(
            leaf(x), (1,), baselines=base_row.expand(4, 5), target=torch_target
        ),
    }
    for method, values in expected.items():
        ours = attribute(net, x, target=target, method=method, baseline=base)
        np.testing.assert_allclose(ours.values, values.detach().numpy(), **CLOSE)


def test_a_cnn_gets_captums_values():
    net, theirs = both_cnns()
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 2))
    ours = attribute(net, x, target=1)
    steps = int(ours.steps[0])
    assert (ours.steps == steps).all()
    expected = IntegratedGradients(theirs).attribute(to_torch(x), target=1, n_steps=steps)
    np.testing.assert_allclose(ours.values, from_torch(expected), **CLOSE)

    expected = InputXGradient(theirs).attribute(to_torch(x), target=1)
    ours = attribute(net, x, target=1, method="gradient_x_input")
    np.testing.assert_allclose(ours.values, from_torch(expected), **CLOSE)


@pytest.mark.parametrize(
    "window, stride", [((3, 2), (2, 2)), ((4, 3), (3, 1)), ((2, 2, 1), (1, 2, 1))]
)
def test_windows_that_occlude_an_image_are_captums(window, stride):
    net, theirs = both_cnns()
    x = np.random.default_rng(0).normal(size=(9, 8, 2))
    ours = attribute(net, x, target=2, method="occlusion", window=window, stride=stride)
    channels, per_stride = (window[2], stride[2]) if len(window) == 3 else (2, 2)
    expected = Occlusion(theirs).attribute(
        to_torch(x[None]), (channels, *window[:2]), (per_stride, *stride[:2]), target=2
    )
    np.testing.assert_allclose(ours.values, from_torch(expected)[0], **CLOSE)


def test_tokens_get_captums_values_summed_over_the_features_of_their_vectors():
    net, theirs = both_texts()
    tokens = np.array([[3, 7, 1, 19, 4], [5, 5, 0, 2, 9]])
    ours = attribute(net, tokens, target=1, baseline=0)
    method = LayerIntegratedGradients(theirs, theirs.embedding)
    expected = method.attribute(torch.tensor(tokens), torch.zeros(2, 5, dtype=int), target=1)
    np.testing.assert_allclose(ours.values, expected.detach().numpy().sum(-1), **CLOSE)
    assert ours.kind == "tokens" and ours.is_complete()

    ours = attribute(net, tokens, target=1, method="gradient_x_input")
    method = LayerGradientXActivation(theirs, theirs.embedding)
    expected = method.attribute(torch.tensor(tokens), target=1)
    np.testing.assert_allclose(ours.values, expected.detach().numpy().sum(-1), **CLOSE)


# values known by hand


def linear():
    net = ct.Sequential(ct.Linear(3, 2))
    assign(net[0].weight, [[2.0, 0], [-1, 0], [0.5, 4]])
    return net


@pytest.mark.parametrize(
    "method, expected",
    [
        ("integrated_gradients", [2 * (1 - 3), -1 * (4 - 0), 0.5 * (6 - 2)]),
        ("occlusion", [2 * (1 - 3), -1 * (4 - 0), 0.5 * (6 - 2)]),
        ("gradient_x_input", [2 * 1, -1 * 4, 0.5 * 6]),
        ("saliency", [2, 1, 0.5]),
    ],
)
def test_the_attributions_of_a_linear_network_are_its_terms(method, expected):
    found = attribute(linear(), [1.0, 4, 6], target=0, method=method, baseline=[3.0, 0, 2])
    np.testing.assert_allclose(found.values, expected, atol=1e-12)


def test_numbers_and_codes_of_a_table_get_their_terms():
    net = ct.models.TableNetwork(2, [(5, 3), (4, 2)], (), 1)
    weight = net.mlp.parameters()[0].numpy().astype(float)[:, 0]
    first, second = (table.weight.numpy().astype(float) for table in net.embeddings)
    x = np.array([[0.5, -2, 3, 1], [1, 1, 0, 3]])
    expected = np.stack(
        [
            x[:, 0] * weight[0],
            x[:, 1] * weight[1],
            first[[3, 0]] @ weight[2:5],
            second[[1, 3]] @ weight[5:],
        ],
        axis=1,
    )
    for method in ("integrated_gradients", "gradient_x_input", "occlusion"):
        np.testing.assert_allclose(attribute(net, x, method=method).values, expected, atol=1e-12)
    # code 2 and code 0 in the place of 3 and 1
    found = attribute(net, x[0], baseline=np.array([0, 0, 2, 0.0]))
    np.testing.assert_allclose(
        found.values[2:],
        [(first[3] - first[2]) @ weight[2:5], (second[1] - second[0]) @ weight[5:]],
        atol=1e-12,
    )
    assert found.kind == "table"


def test_the_steepness_of_a_token_is_the_length_of_its_gradient():
    net = ct.Sequential(ct.Embedding(5, 3), ct.Flatten(), ct.Linear(6, 1))
    weight = net[2].weight.numpy().astype(float).reshape(2, 3)
    found = attribute(net, [4, 2], method="saliency")
    np.testing.assert_allclose(found.values, np.linalg.norm(weight, axis=1), rtol=1e-12)


# laws

NETWORKS = {
    "relu": (lambda: ct.models.mlp((4, 8, 8, 3)), (4,)),
    "batch norm": (
        lambda: ct.Sequential(ct.Linear(4, 6), ct.BatchNorm(6), ct.ReLU(), ct.Linear(6, 1)),
        (4,),
    ),
    "convolution": (lambda: ct.models.cnn(2, 3, widths=(4,), mean=1.0, std=2.0), (6, 6, 2)),
    "recurrent": (lambda: ct.Sequential(ct.GRU(2, 4), ct.LastStep(), ct.Linear(4, 2)), (7, 2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_add_up_to_the_difference_of_outputs(name):
    build, shape = NETWORKS[name]
    net = build()
    rng = np.random.default_rng(1)
    for variable in named_variables(net).values():  # running statistics and biases that count
        if variable.dtype == np.float32 and variable.ndim == 1:
            assign(variable, rng.uniform(0.5, 1.5, variable.shape))
    x, base = rng.normal(size=(3, *shape)), rng.normal(size=shape)
    found = attribute(net, x, baseline=base)
    net.eval()
    target = net(x).numpy().argmax(axis=1)
    np.testing.assert_array_equal(found.target, target)
    at_x, at_base = net(x).numpy()[range(3), target], net(base[None]).numpy()[0, target]
    np.testing.assert_allclose(found.output, at_x, rtol=1e-5)
    np.testing.assert_allclose(found.baseline_output, at_base, rtol=1e-5)
    sums = found.values.reshape(3, -1).sum(axis=1)
    assert (np.abs(sums - (at_x - at_base)) <= 0.01 * np.abs(at_x - at_base) + 1e-5).all()
    assert found.is_complete()


@pytest.mark.parametrize("model", ["bag", "lstm", "transformer"])
def test_padding_gets_no_attribution_and_the_tokens_add_up(model):
    net = ct.models.text_network(30, 1, model=model)
    tokens = np.array([4, 9, 17, 0, 0])
    found = attribute(net, tokens)
    assert (found.values[3:] == 0).all() and (found.values[:3] != 0).all()
    assert found.is_complete()
    assert found.values.sum() == pytest.approx(found.output - found.baseline_output, rel=0.01)
    assert [name for name, _, _ in found.bars()] == ["token 4", "token 9", "token 17"]


def test_a_row_of_a_batch_gets_what_it_gets_alone():
    net = ct.models.mlp((4, 6, 3))
    x = np.random.default_rng(0).normal(size=(3, 4))
    for method in ("integrated_gradients", "occlusion"):
        batch = attribute(net, x, method=method)
        assert len(batch) == 3 and batch.values.shape == (3, 4)
        for row, alone in zip(batch, x, strict=True):
            alone = attribute(net, alone, method=method)
            np.testing.assert_allclose(row.values, alone.values, rtol=1e-9, atol=1e-12)
            assert row.target == alone.target
            assert row.output == pytest.approx(alone.output)


def test_many_rows_are_processed_in_chunks_with_the_same_result(monkeypatch):
    net = ct.models.mlp((4, 6, 3))
    x = np.random.default_rng(0).normal(size=(5, 4))
    whole = {m: attribute(net, x, method=m).values for m in ("integrated_gradients", "occlusion")}
    monkeypatch.setattr("cutaway.explain.inputs.ROWS", 7)
    for method, values in whole.items():
        pieces = attribute(net, x, method=method).values
        np.testing.assert_allclose(pieces, values, rtol=1e-9, atol=1e-12)


def steep(slope):
    """sigmoid(slope · (x - 0.4123)): nearly a jump on the way from 0 to 1."""
    net = ct.Sequential(ct.Linear(1, 1), ct.Sigmoid())
    assign(net[0].weight, [[slope]])
    assign(net[0].bias, [-0.4123 * slope])
    return net


def test_more_steps_are_taken_where_the_sum_misses():
    found = attribute(steep(400.0), [1.0], steps=20)
    assert 20 < found.steps <= 320
    assert found.is_complete()
    assert found.values.sum() == pytest.approx(1, rel=0.01)


def test_an_incomplete_sum_is_reported():
    found = attribute(steep(1e6), [1.0], steps=3)
    assert found.steps == 48 and not found.is_complete()
    assert found.to_dict()["complete"] is False
    assert "The error is above 1%" in found.text()


def test_bytes_of_an_image_are_numbers():
    net = ct.Sequential(ct.Standardize(100.0, 50.0), ct.Flatten(), ct.Linear(36, 2))
    image = np.random.default_rng(0).integers(0, 256, size=(6, 6, 1)).astype(np.uint8)
    found = attribute(net, image)
    assert found.kind == "image"
    np.testing.assert_array_equal(found.values, attribute(net, image.astype(float)).values)


def test_an_output_with_several_axes_is_named_by_a_tuple():
    net = ct.Sequential(ct.Embedding(9, 4), ct.RNN(4, 5), ct.AllSteps(), ct.Linear(5, 9))
    found = attribute(net, [3, 1, 8], target=(1, 7))
    assert found.output_name() == "ŷ_28"
    assert found.values[2] == 0  # what comes later
    assert found.is_complete()
    net.eval()
    logits = net(np.array([[3, 1, 8]])).numpy()
    assert found.output == pytest.approx(logits[0, 1, 7], rel=1e-5)


class Choosy(ct.Module):
    """Reads values to decide what it does, which cannot be compiled."""

    def __init__(self):
        self.inner = ct.Linear(2, 1)

    def forward(self, x):
        return self.inner(x) if float(x.numpy().max()) > 0 else 2 * self.inner(x)


def test_a_network_that_reads_values_is_not_compiled():
    net = Choosy()
    weight = net.inner.weight.numpy()[:, 0]
    found = attribute(net, [2.0, 3.0], method="gradient_x_input")
    np.testing.assert_allclose(found.values, [2, 3] * weight, rtol=1e-6)


class Counting(ct.Module):
    """Changes its own state in a forward pass, also in evaluation."""

    def __init__(self):
        self.inner = ct.models.mlp((3, 4, 2), dropout=0.5)
        self.calls = ct.Buffer(np.zeros(()))

    def forward(self, x):
        self.calls.data = self.calls.data + 1
        return self.inner(x)


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_stays_exactly_as_it_was(fails):
    net = Counting()
    net.inner[0].eval()
    net.inner[0].weight.requires_grad = False
    ct.losses.mean_squared_error(net(np.ones((2, 3))), np.ones((2, 2))).backward()

    def state():
        variables = named_variables(net)
        return (
            {path: (id(v.data), id(v.grad), v.requires_grad) for path, v in variables.items()},
            {path: (m.training, set(vars(m))) for path, m in net.modules().items()},
            jax.config.jax_enable_x64,
        )

    before = state()
    if fails:
        with pytest.raises(ShapeError):
            attribute(net, np.ones((2, 5)))
    else:
        for method in ("integrated_gradients", "occlusion"):
            attribute(net, np.ones((2, 3)), method=method)
    assert state() == before


# what is said and shown


def test_the_text_of_a_table_sorts_columns_and_says_what_they_add_up_to():
    found = attribute(
        linear(), [1.0, 4, 6], target=0, names=["age", "fare", "class"], output_names=["yes", "no"]
    )
    assert found.text() == "\n".join(
        [
            "Attribution of yes = 1: integrated gradients, 50 steps",
            "The contribution of each input between the baseline and its value.",
            "",
            "fare   4  -4  " + "-" * 65,
            "class  6  +3  " + "+" * 49,
            "age    1  +2  " + "+" * 32,
            "",
            "sum                 1",
            "F(x) - F(baseline)  1 = 1 - 0",
            *[line for line in found.text().splitlines() if line.startswith("error")],
            "baseline            zeros",
        ]
    )


def test_columns_that_share_a_name_are_shown_as_one():
    found = attribute(linear(), [1.0, 4, 6], target=0, names=["age", "town", "town"])
    assert [(name, value) for name, value, _ in found.bars()] == [("age", 1.0), ("town", None)]
    assert found.bars()[1][2] == pytest.approx(-4 + 3)


def tokens_network():
    embedding = ct.Embedding(50, 2, padding_index=0)
    return ct.Sequential(embedding, ct.RNN(2, 2), ct.LastStep(), ct.Linear(2, 1))


def test_names_of_tokens_need_not_cover_padding():
    net = tokens_network()
    found = attribute(net, [[4, 9, 0], [5, 0, 0]], names=[["good", "film"], ["bad"]])
    assert [name for name, _, _ in found[0].bars()] == ["good", "film"]
    assert [name for name, _, _ in found[1].bars()] == ["bad"]
    with pytest.raises(ShapeError, match="1 names for a text of 2 tokens"):
        attribute(net, [4, 9, 0], names=["good"])


def stories():
    rng = np.random.default_rng(0)
    table = ct.models.mlp((30, 4, 3))
    names = [f"a column with quite a long name, number {k}" for k in range(30)]
    yield attribute(table, rng.normal(size=30), names=names)
    yield attribute(table, rng.normal(size=(4, 30)))
    yield attribute(table, rng.normal(size=30), method="saliency")
    text = tokens_network()
    yield attribute(text, rng.integers(1, 50, 40))
    yield attribute(text, rng.integers(1, 50, (5, 8)), method="occlusion")
    image = ct.models.cnn(3, 2, widths=(2,))
    yield attribute(image, rng.normal(size=(9, 7, 3)), method="gradient_x_input")
    series = ct.Sequential(ct.Flatten(), ct.Linear(25 * 30, 1))
    yield attribute(series, 1e-3 * rng.normal(size=(25, 30)))


def test_every_text_fits_a_terminal_and_every_dict_is_json():
    for story in stories():
        assert max(map(len, story.text().splitlines())) <= 80, story.text()
        assert json.loads(json.dumps(story.to_dict()))["method"] == story.method


# what goes wrong


def mlp():
    return ct.models.mlp((4, 5, 3))


@pytest.mark.parametrize(
    "x, options, error, words",
    [
        (np.ones(5), {}, ShapeError, "axis -1 of size 4"),
        (np.ones((2, 5)), {}, ShapeError, "axis -1 of size 4"),
        (np.ones((0, 4)), {}, ShapeError, "empty"),
        (1.0, {}, ShapeError, "a scalar"),
        ([1, np.nan, 0, 0], {}, DataError, r"nan at \[1\]"),
        (np.ones(4), {"target": 3}, OptionError, "target is 3"),
        (np.ones(4), {"target": -1}, OptionError, "target is -1"),
        (np.ones(4), {"target": 1.0}, OptionError, "counted from 0"),
        (np.ones(4), {"target": (0, 1)}, OptionError, "2 integers"),
        (np.ones((2, 4)), {"target": [0, 1, 2]}, ShapeError, "3 targets for a batch of 2"),
        (np.ones(4), {"method": "integrated_gradient"}, OptionError, "integrated_gradients"),
        (np.ones(4), {"steps": 0}, OptionError, "steps is 0"),
        (np.ones(4), {"window": 2}, OptionError, "occlusion"),
        (np.ones(4), {"method": "occlusion", "window": 5}, OptionError, "window is 5"),
        (np.ones(4), {"method": "occlusion", "window": 2, "stride": 3}, OptionError, "stride"),
        (np.ones(4), {"method": "occlusion", "window": (1, 1)}, ShapeError, "2 numbers"),
        (np.ones(4), {"baseline": [0, 1]}, ShapeError, "the baseline has shape"),
        (np.ones(4), {"names": ["a", "b"]}, ShapeError, "2 names for 4 columns"),
        (np.ones(4), {"output_names": ["a", "b"]}, ShapeError, "2 output_names"),
    ],
)
def test_bad_input_is_named(x, options, error, words):
    with pytest.raises(error, match=words):
        attribute(mlp(), x, **options)


def test_anything_but_a_network_is_rejected():
    net = mlp()
    with pytest.raises(OptionError, match="a Compiled"):
        attribute(ct.jit(lambda x: net(x), net), np.ones(4))


def test_of_a_network_that_also_returns_its_state_one_output_must_be_chosen():
    x, net = np.ones((4, 2)), ct.LSTM(2, 3)
    with pytest.raises(OptionError, match=r"has 3 outputs: 0, \(1, 0\), \(1, 1\)"):
        attribute(net, x)
    found = attribute(net, x, output=0, target=(3, 1))
    assert found.output == pytest.approx(net(x[None].astype("f"))[0].numpy()[0, 3, 1], rel=1e-5)


def test_outputs_of_several_axes_need_a_target():
    net = ct.models.LanguageModel(9, features=4, hidden_features=5)
    with pytest.raises(OptionError, match=r"target=\(0, 0\)"):
        attribute(net, [3, 1, 8])


def test_a_layer_whose_output_is_not_finite_is_named():
    net = mlp()
    net[2].weight.data = net[2].weight.data * np.inf
    with pytest.raises(GradientError, match="began in layer 2, Linear"):
        attribute(net, np.ones(4))


class LookedUp(ct.Module):
    def __init__(self, by):
        self.weight = ct.Parameter(np.arange(6.0).reshape(6, 1))
        self.by = by

    def forward(self, x):
        if self.by == "index":
            return ct.Tensor(self.weight.data[x.data]).sum(axis=1)
        return (
            ct.Tensor(x.data[..., None] == np.arange(6.0)).astype(float).sum(axis=1) @ self.weight
        )


def test_integers_that_no_embedding_reads_are_rejected_where_they_have_no_gradient():
    with pytest.raises(OptionError, match="not by an Embedding"):
        attribute(LookedUp("index"), [1, 2, 5])
    with pytest.raises(GradientError, match='method="occlusion"'):
        attribute(LookedUp("one hot"), [1, 2, 5])
    # without each in turn: token 0, which counts 0, in its place
    found = attribute(LookedUp("one hot"), [1, 2, 5], method="occlusion")
    np.testing.assert_allclose(found.values, [1, 2, 5])


def test_a_token_outside_the_table_is_named():
    net = tokens_network()
    with pytest.raises(DataError, match="0 to 49"):
        attribute(net, [4, 50])
    with pytest.raises(DataError, match="0 to 49"):
        attribute(net, [4, 3], baseline=50)


class Doubling(ct.Module):
    def __init__(self):
        self.embedding = ct.Embedding(30, 2)
        self.head = ct.Linear(2, 1)

    def forward(self, x):
        return self.head(self.embedding(x * 2).sum(axis=1))


def test_an_embedding_of_computed_integers_is_rejected():
    with pytest.raises(OptionError, match="reads values that are not elements of the input"):
        attribute(Doubling(), [1, 2, 3])
