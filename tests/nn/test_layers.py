import numpy as np
import pytest
import torch

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import DataError, OptionError, RunError, ShapeError
from cutaway.models import mlp
from cutaway.nn import (
    ACTIVATIONS,
    Add,
    Dropout,
    Embedding,
    Flatten,
    HebbianNeuron,
    Linear,
    Module,
    Parameter,
    Perceptron,
    PReLU,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    seed,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 3, 4), (0, 4)])
def test_linear_equals_pytorch_forward_and_every_gradient(shape):
    x = RNG.normal(size=shape).astype(np.float32)
    ours, theirs = Linear(4, 3), torch.nn.Linear(4, 3)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.numpy().T))
        theirs.bias.copy_(torch.tensor(ours.bias.numpy()))
    a = Tensor(x, requires_grad=True)
    b = torch.tensor(x, requires_grad=True)
    out, expected = ours(a), theirs(b)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(out.numpy(), expected.detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(a.grad, b.grad, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.weight.grad.T, theirs.weight.grad, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.bias.grad, theirs.bias.grad, rtol=1e-5, atol=1e-5)


def test_weight_i_j_joins_input_i_to_neuron_j():
    layer = Linear(2, 3, bias=False)
    layer.weight.data = layer.weight.data * 0 + np.array([[0, 0, 5.0], [0, 0, 0]], np.float32)
    assert layer(np.array([[1.0, 1.0]], np.float32)).tolist() == [[0, 0, 5]]
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]


# counts of introductory texts
@pytest.mark.parametrize(
    ("sizes", "layers", "total"),
    [((4, 3, 2, 1), [15, 8, 3], 26), ((3, 3, 2, 1), [12, 8, 3], 23), ((2, 2, 1), [6, 3], 9)],
)
def test_textbook_networks_have_the_textbooks_numbers_of_parameters(sizes, layers, total):
    found = mlp(sizes).summary()
    assert [row.parameters for row in found.rows if row.parameters] == layers
    assert found.total == total


def test_the_summary_shows_shapes_and_fits_into_80_columns():
    text = str(mlp((784, 256, 128, 10), dropout=0.2).summary())
    assert max(map(len, text.splitlines())) <= 80
    assert "(batch, 256)" in text and "200,960" in text and "235,146" in text


class TwoHeads(Module):
    def __init__(self):
        self.table, self.words = Linear(3, 4), Embedding(9, 4)
        self.heads = Heads()

    def forward(self, table, text):
        return self.heads(self.table(table) + self.words(text).mean(axis=1))


class Heads(Module):
    def __init__(self):
        self.weight = Parameter(np.ones((4, 2), np.float32))

    def forward(self, x):
        return {"class": x @ self.weight, "value": x.sum(axis=-1)}


def test_the_summary_of_several_inputs_and_outputs_shows_their_shapes():
    x = {"table": np.zeros((5, 3)), "text": np.zeros((5, 7), int)}
    shapes = {row.path: row.output for row in TwoHeads().summary(x=x).rows}
    assert shapes == {
        "table": "(batch, 4)",
        "words": "(batch, 7, 4)",
        "heads": "class (batch, 2), value (batch)",
    }
    assert {row.output for row in TwoHeads().summary().rows} == {""}  # not known without x


def test_the_summary_counts_shared_parameters_once_and_frozen_ones_apart():
    shared = Linear(3, 3)
    assert Sequential(shared, Tanh(), shared).summary().total == 12
    net = Sequential(Linear(3, 3), Linear(3, 1))
    net[0].freeze()
    assert (net.summary().total, net.summary().frozen) == (4, 12)
    net[0].unfreeze()
    assert net.summary().total == 16


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_layer_computes_its_operation(name):
    layer = ACTIVATIONS[name]()
    z = RNG.normal(size=(3, 4)).astype(np.float32)
    if isinstance(layer, PReLU):
        expected = ops.leaky_relu(z, slope=0.25)
    else:
        expected = getattr(ops, {"prelu": "leaky_relu"}.get(name, name))(z)
    np.testing.assert_allclose(layer(z).numpy(), expected.numpy())
    assert layer(z).shape == z.shape


def test_prelu_learns_its_slope():
    layer = PReLU()
    layer(np.array([[-2.0, 3.0]], np.float32)).sum().backward()
    assert layer.slope.grad.tolist() == [-2.0]


def test_dropout_keeps_the_mean_and_does_nothing_in_evaluation():
    layer = Dropout(0.3)
    x = np.ones((200, 500), np.float32)
    y = layer(x).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.7)}
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)
    layer.eval()
    np.testing.assert_array_equal(layer(x).numpy(), x)


def test_dropout_draws_anew_each_time_and_repeats_with_the_seed():
    x = np.ones((4, 50), np.float32)

    def two():
        seed(5)
        layer = Dropout(0.5)
        return layer(x).numpy(), layer(x).numpy()

    (a, b), (c, d) = two(), two()
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)


def test_the_gradient_passes_only_the_kept_units():
    layer = Dropout(0.5)
    x = Tensor(np.ones((3, 20), np.float32), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.numpy())


def test_flatten_residual_and_add():
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    assert Flatten()(x).shape == (2, 12)
    inner = Linear(4, 4)
    np.testing.assert_allclose(Residual(inner)(x).numpy(), x + inner(x).numpy(), rtol=1e-6)
    other = Linear(4, 4)
    both = Add(inner, other)(x).numpy()
    np.testing.assert_allclose(both, inner(x).numpy() + other(x).numpy(), rtol=1e-5)
    with pytest.raises(ShapeError, match=r"maps shape \(2, 3, 4\) to \(2, 3, 5\)"):
        Residual(Linear(4, 5))(x)
    with pytest.raises(ShapeError, match="the branches output shapes"):
        Add(Linear(4, 4), Linear(4, 5))(x)


def test_the_gradient_of_a_residual_goes_both_ways():
    x = Tensor(np.ones((1, 2), np.float32), requires_grad=True)
    inner = Linear(2, 2)
    Residual(inner)(x).sum().backward()
    np.testing.assert_allclose(x.grad[0], 1 + inner.weight.numpy().sum(axis=1), rtol=1e-6)


def test_embedding_looks_up_and_adds_up_gradients():
    table = Embedding(4, 2)
    x = Tensor([[0.0, 3.0], [3.0, 3.0]])
    y = table(x)
    np.testing.assert_array_equal(y.numpy(), table.weight.numpy()[[[0, 3], [3, 3]]])
    y.sum().backward()
    assert table.weight.grad[:, 0].tolist() == [1, 0, 0, 3]
    with pytest.raises(DataError, match="indices from 0 to 4"):
        table(Tensor([0, 4]))


def test_the_padding_of_an_embedding_is_zero_and_gets_no_gradient():
    table = Embedding(4, 2, padding_index=1)
    y = table(Tensor([[0, 1], [3, 1]]))
    assert y.numpy()[:, 1].tolist() == [[0, 0], [0, 0]] and y.numpy()[:, 0].all()
    y.sum().backward()
    assert table.weight.grad[:, 0].tolist() == [1, 0, 0, 1]
    with pytest.raises(OptionError, match="padding_index is 4"):
        Embedding(4, 2, padding_index=4)


def test_a_layer_of_another_size_is_named_with_its_path():
    with pytest.raises(ShapeError) as caught:
        Sequential(Linear(784, 512), ReLU(), Linear(256, 10))
    assert "layer 2, Linear(256, 10), expects 256 inputs, but layer 0 has 512 outputs" in str(
        caught.value
    )
    assert "Linear(512, 10)" in str(caught.value)
    net = Sequential(Linear(4, 3), Sequential(Flatten(), Linear(5, 1)))
    with pytest.raises(ShapeError) as caught:
        net(np.ones((2, 4), np.float32))
    assert "layer 1.1, Linear: the input has shape (2, 3), so axis -1 has size 3" in str(
        caught.value
    )
    assert "axis -1 of size 5 (set by in_features=5)" in str(caught.value)
    assert "in_features=3" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Linear(0, 3), "in_features is 0"),
        (lambda: Dropout(1.0), "p is 1.0"),
        (lambda: Dropout(-0.1), "p is -0.1"),
        (lambda: Sequential(Linear(2, 2), ReLU), "layer 1 is a type"),
        (lambda: mlp((4,)), "at least two integers"),
        (lambda: Perceptron(2, lr=0), "lr is 0"),
    ],
)
def test_options_out_of_range_are_named(wrong, words):
    with pytest.raises(OptionError, match=words):
        wrong()


def test_sequential_has_paths_length_order_and_slices():
    net = Sequential(Linear(4, 3), Sigmoid(), Linear(3, 1))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(net) == 3 and [type(m).__name__ for m in net] == ["Linear", "Sigmoid", "Linear"]
    assert net[:2][0] is net[0]
    assert list(net.modules()) == ["", "0", "1", "2"]


def test_records_carry_the_path_of_their_module():
    net = Sequential(Linear(2, 2), Sequential(Sigmoid(), Linear(2, 1)))
    out = net(np.ones((1, 2), np.float32))
    assert out.record.module == "1.1"
    product = out.record.inputs[0].record  # the matrix product before the bias
    assert product.operation is ops.matmul
    assert product.inputs[0].record.operation is ops.sigmoid
    assert product.inputs[0].record.module == "1.0"


def test_state_travels_and_wrong_state_changes_nothing():
    a, b = mlp((3, 4, 2)), mlp((3, 4, 2))
    b.load_state_dict(a.state_dict())
    x = RNG.normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(a(x).numpy(), b(x).numpy())
    state = a.state_dict()
    state["0.weight"] = state["0.weight"][:, :3]
    before = b.state_dict()
    with pytest.raises(ShapeError, match=r"0.weight has shape \(3, 3\)"):
        b.load_state_dict(state)
    del state["0.weight"]
    with pytest.raises(RunError, match=r"missing 0\.weight"):
        b.load_state_dict(state)
    with pytest.raises(RunError, match=r"unexpected 9\.bias"):
        b.load_state_dict({**before, "9.bias": np.zeros(2)})
    for path, value in b.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_state_dict_is_a_copy():
    net = Linear(2, 2)
    state = net.state_dict()
    state["weight"][:] = 7
    assert not (net.weight.numpy() == 7).any()


def test_a_parameter_is_not_overwritten_by_accident():
    net = Linear(2, 2)
    with pytest.raises(TypeError, match=r"assign to `.weight.data`"):
        net.weight = np.zeros((2, 2))
    net.weight = Parameter(np.zeros((2, 2), np.float32))


def test_modes_reach_all_modules():
    net = Sequential(Dropout(0.5), Sequential(Dropout(0.5)))
    net.eval()
    assert not net[1][0].training
    net.train()
    assert net[1][0].training


def test_a_module_without_forward_says_so():
    with pytest.raises(TypeError, match="Module has no forward"):
        Module()(np.ones(2))


X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize("y", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 0, 0]])
def test_the_perceptron_learns_what_a_line_separates(y):
    neuron = Perceptron(2).fit(X, y)
    assert neuron.predict(X).tolist() == y
    assert neuron.converged and neuron.mistakes[-1] == 0


def test_the_perceptron_never_comes_to_rest_on_xor():
    neuron = Perceptron(2).fit(X, [0, 1, 1, 0], epochs=200)
    assert not neuron.converged and len(neuron.mistakes) == 200 and min(neuron.mistakes) > 0


def test_rosenblatts_first_move_is_the_textbooks():
    # w = 0, b = 0: z = 0, so ŷ = 1; the truth is 0: w ← w - η x
    neuron = Perceptron(2, lr=0.5).fit([[2, 3]], [0], epochs=1)
    assert neuron.weight.numpy()[:, 0].tolist() == [-1.0, -1.5] and neuron.bias.item() == -0.5


def test_hebb_adds_up_products():
    x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    neuron = HebbianNeuron(2).fit(x, [-1, -1, -1, 1])
    assert neuron.weight.numpy()[:, 0].tolist() == [2, 2] and neuron.bias.item() == -2
    assert neuron.predict(x).tolist() == [-1, -1, -1, 1]
    with pytest.raises(DataError, match="of -1 and 1"):
        neuron.fit(x, [0, 0, 0, 1])


@pytest.mark.parametrize("size", ["3", None, np.nan, -1, 2.5, np.ones(2)])
def test_a_size_that_is_no_number_in_range_is_named(size):
    with pytest.raises(OptionError, match=r"fix: choose in_features >= 1|in_features is") as caught:
        Linear(size, 2)
    assert caught.value.expected == "an integer >= 1"


def test_an_embedding_refuses_fractions_and_takes_integers_in_floats():
    embedding = Embedding(5, 2)
    np.testing.assert_array_equal(
        embedding(np.array([1.0, 4.0])).numpy(), embedding(np.array([1, 4])).numpy()
    )
    with pytest.raises(DataError, match=r"not integers, for example 1\.5"):
        embedding(np.array([1.0, 1.5]))


def test_a_tensor_of_text_is_refused():
    with pytest.raises(ShapeError, match="not made of numbers"):
        Tensor("abc")
