"""Networks that are made wider and deeper with the same outputs, and narrower."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.nn import deepen, narrow, widen

IMAGES = (2, 6, 6, 3)
SEQUENCES = (2, 5, 3)
WIDENED = {  # name: (network, path of the layer, units before, units after, shape of the input)
    "linear": (lambda: (ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 2)), "0", 4, 7, (5, 3)),
    "behind batch norm and dropout": (
        lambda: (ct.Linear(3, 4), ct.BatchNorm(4), ct.PReLU(4), ct.Dropout(0.5), ct.Linear(4, 2)),
        "0", 4, 7, (5, 3),
    ),
    "layer norm": (
        lambda: (ct.Linear(3, 4), ct.LayerNorm(4), ct.ReLU(), ct.Linear(4, 2)),
        "0", 4, 12, (5, 3),
    ),
    "RMS norm without weights": (
        lambda: (ct.Linear(3, 4), ct.RMSNorm(4, affine=False), ct.Linear(4, 2)),
        "0", 4, 8, (5, 3),
    ),
    "convolution before a convolution": (
        lambda: (ct.Conv2d(3, 4, 3), ct.InstanceNorm(4, affine=True), ct.ReLU(),
                 ct.Conv2d(4, 2, 3)),
        "0", 4, 6, IMAGES,
    ),
    "convolution before a flattened linear": (
        lambda: (ct.Conv2d(3, 4, 3), ct.ReLU(), ct.MaxPool(2), ct.Flatten(), ct.Linear(16, 2)),
        "0", 4, 6, IMAGES,
    ),
    "transposed convolution": (
        lambda: (ct.ConvTranspose2d(3, 4, 2, stride=2), ct.Tanh(), ct.Conv2d(4, 1, 3)),
        "0", 4, 5, IMAGES,
    ),
    "nested": (
        lambda: (ct.Sequential(ct.Linear(3, 4), ct.Tanh()), ct.Sequential(ct.Linear(4, 2))),
        "0.0", 4, 6, (5, 3),
    ),
    "RNN": (lambda: (ct.RNN(3, 4), ct.LastStep(), ct.Linear(4, 2)), "0", 4, 6, SEQUENCES),
    "two layers of LSTM, both directions": (
        lambda: (ct.LSTM(3, 4, 2, bidirectional=True), ct.LastStep(), ct.Linear(8, 2)),
        "0", 4, 6, SEQUENCES,
    ),
    "GRU before an LSTM": (
        lambda: (ct.GRU(3, 4, 2), ct.AllSteps(), ct.LSTM(4, 3), ct.LastStep()),
        "0", 4, 6, SEQUENCES,
    ),
}  # fmt: skip


def built(name):
    ct.seed(0)
    make, path, before, after, shape = WIDENED[name]
    net = ct.Sequential(*make())
    for k, parameter in enumerate(net.parameters()):  # biases and scales that are not 0 and 1
        noise = np.random.default_rng(k).normal(size=parameter.shape).astype(np.float32)
        parameter.data = parameter.data + 0.1 * noise
    return net, path, before, after, np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", WIDENED)
def test_a_wider_network_has_the_same_outputs_and_its_new_units_learn(name):
    net, path, _, after, x = built(name)
    net(x)  # moves the running statistics
    net.eval()
    old, shapes = net(x).numpy(), {p: v.shape for p, v in net.named_parameters().items()}
    parameters = net.parameters()
    optimizer = ct.SGD(net, 0.1)
    change = widen(net, path, after)
    assert net.parameters() == parameters  # the same objects
    np.testing.assert_allclose(net(x).numpy(), old, rtol=1e-5, atol=1e-6)
    assert change.resized and {p: v.shape for p, v in net.named_parameters().items()} != shapes
    optimizer.follow(change, net)
    for _ in range(3):  # at first only the weights behind the new units have a gradient
        (net(x) ** 2).mean().backward()
        grads = [p.grad for p in parameters]
        optimizer.step()
    gradients = {id(p): np.asarray(g) for p, g in zip(parameters, grads, strict=True)}
    for step in change.resized:
        if id(step.variable) in gradients:  # not a running statistic
            new = np.take(gradients[id(step.variable)], np.flatnonzero(step.kept < 0), step.axis)
            assert np.abs(new).max() > 0


@pytest.mark.parametrize(
    "name", ["linear", "behind batch norm and dropout", "two layers of LSTM, both directions"]
)
def test_entries_that_stay_are_the_same_bits_and_a_narrowed_network_has_them_again(name):
    net, path, before, after, x = built(name)
    state = net.state_dict()
    widen(net, path, after)
    narrow(net, path, range(before))
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, state[key], err_msg=key)
    assert net(x).shape[0] == len(x)


def test_copies_behind_a_layer_norm_learn_differently():
    net, path, _, after, x = built("layer norm")
    net.eval()
    optimizer = ct.SGD(net, 0.1)
    optimizer.follow(widen(net, path, after), net)
    (net(x) ** 2).sum().backward()
    optimizer.step()
    weight = net[0].weight.numpy()
    assert np.abs(weight[:, :4] - weight[:, 4:8]).max() > 1e-4


def test_units_of_one_layer_are_drawn_by_its_initializer_or_the_given_one():
    net, path, before, after, _ = built("linear")
    widen(net, path, after, init=lambda shape: np.full(shape, 0.5, np.float32))
    assert (net[0].weight.numpy()[:, before:] == 0.5).all()
    assert (net[2].weight.numpy()[before:] == 0).all() and (net[0].bias.numpy()[before:] == 0).all()


def test_narrowing_keeps_the_units_with_the_largest_weights_in_and_out():
    net = ct.Sequential(ct.Linear(2, 3), ct.ReLU(), ct.Linear(3, 1))
    net[0].weight.data = np.array([[1, 1, 1], [0, 2, 0]], np.float32)
    net[2].weight.data = np.array([[2], [0.1], [-3]], np.float32)  # 1·2, √5·0.1, 1·3
    narrow(net, "0", 2)
    assert net[2].weight.tolist() == [[2], [-3]]
    assert net[0].weight.tolist() == [[1, 1], [0, 0]]


def test_a_network_of_ones_own_class_names_the_way():
    class Two(ct.Module):
        def __init__(self):
            self.first, self.norm = ct.Linear(3, 4), ct.BatchNorm(4)
            self.left, self.right = ct.Linear(4, 2), ct.Linear(4, 2)

        def forward(self, x):
            h = self.norm(self.first(x))
            return self.left(h) * self.right(h)

    ct.seed(0)
    net, x = Two(), np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    net.eval()
    with pytest.raises(OptionError, match="what follows layer 'first' in Two is not known"):
        widen(net, "first", 6)
    old = net(x).numpy()
    widen(net, "first", 6, through=["norm", "left", "right"])
    np.testing.assert_allclose(net(x).numpy(), old, rtol=1e-6)
    assert net.right.weight.shape == (6, 2)


DEEPENED = {  # name: (network, after, layers, shape of the input)
    "linear": (lambda: (ct.Linear(3, 4), ct.Linear(4, 2)), "0", lambda: (ct.Linear(4, 4),), (5, 3)),
    "linear and ReLU": (
        lambda: (ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 2)), "1",
        lambda: (ct.Linear(4, 4), ct.ReLU(), ct.Dropout(0.1)), (5, 3),
    ),
    "ReLU after a sigmoid": (
        lambda: (ct.Linear(3, 4), ct.Sigmoid(), ct.Linear(4, 2)), "1",
        lambda: (ct.Sequential(ct.Linear(4, 4), ct.ReLU()),), (5, 3),
    ),
    "residual": (
        lambda: (ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 2)), "1",
        lambda: (ct.Residual(ct.Sequential(ct.Linear(4, 8), ct.Sigmoid(), ct.Linear(8, 4),
                                           ct.Tanh())),), (5, 3),
    ),
    "convolution": (
        lambda: (ct.Conv2d(3, 3, 3), ct.ReLU(), ct.Conv2d(3, 1, 3)), "1",
        lambda: (ct.Conv2d(3, 3, 3, padding="same", dilation=2), ct.ReLU()), (2, 6, 6, 3),
    ),
    "causal and depthwise": (
        lambda: (ct.Conv1d(3, 4, 3), ct.Conv1d(4, 1, 3)), "0",
        lambda: (ct.Conv1d(4, 4, 3, padding="causal", dilation=2), ct.Conv1d(4, 4, 3, padding=1,
                                                                             groups=2)), (2, 9, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEPENED)
def test_a_deeper_network_has_the_same_outputs_and_its_new_layers_learn(name):
    ct.seed(0)
    make, after, layers, shape = DEEPENED[name]
    net, x = ct.Sequential(*make()), np.random.default_rng(1).normal(size=shape).astype(np.float32)
    net.eval()
    optimizer = ct.Adam(net, 0.01)
    old, count = net(x).numpy(), len(net)
    change = deepen(net, after, *layers())
    np.testing.assert_allclose(net.eval()(x).numpy(), old, rtol=1e-6, atol=1e-7)
    assert len(net) == count + len(layers())
    optimizer.follow(change, net)
    assert [id(p) for p in optimizer.parameters] == [id(p) for p in net.parameters()]
    assert optimizer.paths == list(net.named_parameters())
    (net(x) ** 2).sum().backward()
    before = {path: p.numpy() for path, p in change.added.items()}
    optimizer.step()
    assert any((p.numpy() != before[path]).any() for path, p in change.added.items())


NET = (ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net: widen(net, "0", 4), "has 4 units and was to get 4"),
        (lambda net: widen(net, "0", 2), "fix: use narrow"),
        (lambda net: narrow(net, "0", 4), "has 4 units and was to keep 4"),
        (lambda net: narrow(net, "0", [0, 4]), r"units of layer '0' to keep are \[0, 4\]"),
        (lambda net: widen(net, "1", 6), "the units of layer '1', ReLU\\(\\), cannot be resized"),
        (lambda net: widen(net, "2", 6), "'2' is the last one: its units are the outputs"),
        (lambda net: widen(net, "7", 6), "unknown layer '7'"),
        (lambda net: widen(net, "0", 6, through=["1"]), r"through=\['1'\], none has weights"),
        (lambda net: deepen(net, "1", ct.Linear(4, 4), ct.Tanh()), "Tanh cannot begin as the"),
        (lambda net: deepen(net, "0", ct.Linear(4, 4), ct.ReLU()), "ReLU cannot begin as the"),
        (lambda net: deepen(net, "1", ct.BatchNorm(4)), "BatchNorm.4. cannot begin as the"),
        (lambda net: deepen(net, "", ct.Linear(4, 4)), "'' is not a layer of a Sequential"),
        (lambda net: deepen(net, "1"), "deepen was given no layers"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_refused_and_nothing_is(change, words):
    net = ct.Sequential(*NET)
    before = net.state_dict()
    with pytest.raises(OptionError, match=words):
        change(net)
    assert all((before[path] == value).all() for path, value in net.state_dict().items())


def test_layers_that_do_not_fit_are_refused_in_words():
    for layers, words in [
        ((ct.Linear(4, 5),), "Linear\\(4, 5\\) cannot begin as the identity"),
        ((ct.Linear(5, 5),), "expects 5 inputs, but layer 0 has 4"),
    ]:
        net = ct.Sequential(*NET)
        with pytest.raises(ShapeError, match=words):
            deepen(net, "1", *layers)
        assert net.layers() == list(NET)
    mixing = ct.Sequential(ct.Linear(3, 4), ct.Softmax(), ct.Linear(4, 2))
    with pytest.raises(OptionError, match="layer '1', Softmax\\(\\), which follows '0'"):
        widen(mixing, "0", 6)
    normalized = ct.Sequential(ct.Linear(3, 4), ct.LayerNorm(4), ct.Linear(4, 2))
    with pytest.raises(OptionError, match="fix: choose units=8"):
        widen(normalized, "0", 7)
    tied = ct.Sequential(ct.Linear(3, 3), ct.ReLU(), ct.Linear(3, 3), ct.Linear(3, 1))
    tied[2].weight = tied[0].weight
    with pytest.raises(OptionError, match="layers '0' and '2' share a weight"):
        widen(tied, "0", 6)
