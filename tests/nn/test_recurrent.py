"""Recurrent layers against PyTorch's: outputs, final states, every gradient."""

import itertools

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.engine import Tensor, float64
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.nn import GRU, LSTM, RNN, AllSteps, Buffer, Embedding, LastStep, Linear, Sequential

KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def torchs(ours, dtype=torch.float32, **options):
    """PyTorch's layer with the weights of ours, and pairs (our parameter, its transposed self)."""
    name = type(ours).__name__
    bidirectional = bool(ours.reversed_layers)
    theirs = getattr(torch.nn, name)(
        ours.in_features,
        ours.hidden_features,
        len(ours.layers),
        batch_first=True,
        bidirectional=bidirectional,
        **options,
    ).to(dtype)
    pairs = []
    stacks = [(ours.layers, "")] + ([(ours.reversed_layers, "_reverse")] if bidirectional else [])
    hidden = ours.hidden_features
    for (stack, ending), k in itertools.product(stacks, range(len(ours.layers))):
        weights = stack[k]
        w, u, b, c = (
            getattr(theirs, f"{kind}_l{k}{ending}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        with torch.no_grad():
            w.copy_(torch.tensor(weights.weight.numpy().T))
            u.copy_(torch.tensor(weights.hidden_weight.numpy().T))
            b.copy_(torch.tensor(weights.bias.numpy()))
            c.zero_()
            if name == "GRU":
                c[2 * hidden :] = torch.tensor(weights.hidden_bias.numpy())
        pairs += [
            (weights.weight, lambda w=w: w.grad.T),
            (weights.hidden_weight, lambda u=u: u.grad.T),
            (weights.bias, lambda b=b: b.grad),
        ]
        if name == "GRU":
            pairs.append((weights.hidden_bias, lambda c=c: c.grad[2 * hidden :]))
    return theirs, pairs


def expect_equal(ours, theirs, rtol):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * max(1, np.abs(theirs).max()))


def parts_of(state) -> tuple:
    return state if isinstance(state, tuple) else (state,)


def as_state(parts):
    """An LSTM's (h, c) is a tuple; the others' state is the one array."""
    return tuple(parts) if len(parts) > 1 else parts[0]


def compare(ours, batch, time, lengths=None, with_state=False, rtol=1e-5, seed=0, **options):
    """Forward, final state, and the gradients of a sum that weighs each number differently."""
    rng = np.random.default_rng(seed)
    dtype = np.float64 if rtol < 1e-6 else np.float32
    theirs, pairs = torchs(ours, torch.float64 if rtol < 1e-6 else torch.float32, **options)
    count = len(ours.layers) + len(ours.reversed_layers)
    x = rng.normal(size=(batch, time, ours.in_features)).astype(dtype)
    parts = 2 if isinstance(ours, LSTM) else 1
    state = rng.normal(size=(parts, count, batch, ours.hidden_features)).astype(dtype)
    a = Tensor(x, requires_grad=True)
    b = torch.tensor(x, requires_grad=True)
    a_state = [Tensor(part, requires_grad=True) for part in state]
    b_state = [torch.tensor(part, requires_grad=True) for part in state]

    out, final = ours(a, as_state(a_state) if with_state else None, lengths)
    given = as_state(b_state) if with_state else None
    if lengths is None:
        expected, expected_final = theirs(b, given)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            b, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
        packed, expected_final = theirs(packed, given)
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(
            packed, batch_first=True, total_length=time
        )
    ours_found, theirs_found = [out, *parts_of(final)], [expected, *parts_of(expected_final)]
    for mine, other in zip(ours_found, theirs_found, strict=True):
        expect_equal(mine.data, other, rtol)

    weights = [rng.uniform(0.5, 1.5, found.shape).astype(dtype) for found in ours_found]
    sum((found * w).sum() for found, w in zip(ours_found, weights, strict=True)).backward()
    sum(
        (found * torch.tensor(w)).sum() for found, w in zip(theirs_found, weights, strict=True)
    ).backward()
    expect_equal(a.grad, b.grad, rtol)
    if with_state:
        for mine, other in zip(a_state, b_state, strict=True):
            expect_equal(mine.grad, other.grad, rtol)
    for parameter, their_grad in pairs:
        expect_equal(parameter.grad, their_grad(), rtol)
        parameter.grad = None


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("lengths", "with_state"), [(None, False), ([2, 6, 1], True)])
def test_equal_to_pytorch_forward_and_every_gradient(name, bidirectional, lengths, with_state):
    layer = KINDS[name](3, 4, 2, bidirectional=bidirectional)
    compare(layer, 3, 6, lengths, with_state)


@pytest.mark.parametrize("name", KINDS)
def test_equal_to_pytorch_in_float64_to_ten_digits(name):
    with float64():
        layer = KINDS[name](2, 3, bidirectional=True).astype(np.float64)
        compare(layer, 3, 5, [5, 1, 3], True, rtol=1e-10)


def test_an_rnn_with_relu_equals_pytorchs():
    compare(RNN(3, 4, activation=ct.ops.relu), 2, 5, with_state=True, nonlinearity="relu")


def test_sizes_of_one_equal_pytorch():
    for kind in KINDS.values():
        compare(kind(1, 1), 1, 1, with_state=True)


def test_truncated_backpropagation_equals_pytorch_with_a_detached_state():
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    for kind in KINDS.values():
        ours = kind(3, 4)
        theirs, pairs = torchs(ours)
        state, their_state = None, None
        for start in range(0, 9, 3):
            out, state = ours(x[:, start : start + 3], state)
            (out * out).sum().backward()
            state = ct.detach(state)
            their_out, their_state = theirs(torch.tensor(x[:, start : start + 3]), their_state)
            (their_out * their_out).sum().backward()
            their_state = (
                tuple(s.detach() for s in their_state)
                if isinstance(their_state, tuple)
                else their_state.detach()
            )
        for parameter, their_grad in pairs:
            expect_equal(parameter.grad, their_grad(), 1e-5)


def test_a_state_in_a_buffer_goes_from_chunk_to_chunk_of_a_scanned_step():
    layer, head = GRU(2, 3), Linear(3, 1)
    net = Sequential(layer, head)
    start = net.state_dict()
    x = np.random.default_rng(0).normal(size=(4, 2, 5, 2)).astype(np.float32)
    results = []
    for scanned in (False, True):
        net.load_state_dict(start)
        optimizer = ct.SGD(net, lr=0.1)
        state = Buffer(np.zeros((1, 2, 3), np.float32))

        def step(chunk, optimizer=optimizer, state=state):
            outputs, new = layer(chunk, state)
            loss = (head(outputs) ** 2).mean()
            loss.backward()
            optimizer.step()
            state.data = new.data
            return loss

        if scanned:
            losses = ct.jit(step, net, optimizer, state).scan(x).numpy()
        else:
            losses = np.array([step(Tensor(chunk)).item() for chunk in x])
        results.append((losses, state.numpy(), net.state_dict()))
    for a, b in zip(*(r[:2] for r in results), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for path, value in results[0][2].items():
        np.testing.assert_allclose(value, results[1][2][path], rtol=1e-5, atol=1e-6)


def test_one_step_at_a_time_equals_the_whole_sequence():
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    for kind in KINDS.values():
        layer = kind(3, 4)
        whole, final = layer(x)
        state = None
        for t in range(4):
            out, state = layer(x[:, t : t + 1], state)
            np.testing.assert_allclose(out.data[:, 0], whole.data[:, t], rtol=1e-5, atol=1e-6)
        for part, expected in zip(parts_of(state), parts_of(final), strict=True):
            np.testing.assert_allclose(part.data, expected.data, rtol=1e-5, atol=1e-6)


def test_a_detached_state_has_the_same_values_and_no_gradient_flows_through_it():
    layer = LSTM(3, 4)
    x = Tensor(np.ones((2, 3, 3), np.float32), requires_grad=True)
    _, (h, c) = layer(x)
    cut = ct.detach({"state": (h, c), "none": None})
    for part, whole in zip(cut["state"], (h, c), strict=True):
        np.testing.assert_array_equal(part.data, whole.data)
        assert whole.requires_grad and not part.requires_grad
    assert cut["none"] is None
    outputs, _ = layer(np.ones((2, 3, 3), np.float32), cut["state"])
    outputs.sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_last_step_is_the_output_after_the_last_valid_step(name, bidirectional):
    layer = KINDS[name](3, 4, 2, bidirectional=bidirectional)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    outputs, state = layer(x, lengths=np.array([5, 2]))
    last = LastStep()((outputs, state)).numpy()
    np.testing.assert_array_equal(last[0, :4], outputs.data[0, 4, :4])
    np.testing.assert_array_equal(last[1, :4], outputs.data[1, 1, :4])
    if bidirectional:
        np.testing.assert_array_equal(last[:, 4:], outputs.data[:, 0, 4:])


@pytest.mark.parametrize(
    "layer", [Linear(2, 1), ct.ReLU(), ct.Dropout(0.5), ct.LayerNorm(2), LSTM(2, 1)]
)
def test_a_layer_after_a_recurrent_one_names_what_selects_its_steps(layer):
    for recurrent in (LSTM(1, 2), GRU(1, 2), RNN(1, 2)):
        with pytest.raises(ShapeError, match=r"layer 1, \w+: the input is a tuple") as e:
            Sequential(recurrent, layer)(np.ones((2, 3, 1)))
        assert "nn.LastStep() or nn.AllSteps()" in str(e.value)


def test_recurrent_layers_stand_in_a_sequential_and_in_its_summary():
    tokens = np.array([[1, 2, 3], [4, 0, 0]])
    one = Sequential(Embedding(5, 4), LSTM(4, 3, bidirectional=True), LastStep(), Linear(6, 1))
    each = Sequential(Embedding(5, 4), GRU(4, 3), AllSteps(), Linear(3, 5))
    assert one(tokens).shape == (2, 1) and each(tokens).shape == (2, 3, 5)
    table = one.summary((3,))
    assert table.total == 5 * 4 + 2 * (4 * 12 + 3 * 12 + 12) + 7
    row = table.rows[1]
    assert row.layer == "LSTM(4, 3, bidirectional=True)" and row.output == "(batch, 3, 6)"
    assert "1.layers.0.hidden_weight" in one.state_dict()
    assert "1.reversed_layers.0.bias" in one.state_dict()


def test_every_parameter_receives_a_gradient_and_a_frozen_one_none():
    layer = GRU(3, 4, 2, bidirectional=True)
    out, _ = layer(np.ones((2, 3, 3), np.float32))
    (out * out).sum().backward()
    assert len(layer.parameters()) == 16
    assert all(np.any(np.asarray(p.grad)) for p in layer.parameters())
    layer.freeze()
    assert not layer(np.ones((2, 3, 3), np.float32))[0].requires_grad


def test_dropout_acts_between_layers_in_training_alone():
    layer = RNN(3, 64, 2, dropout=0.5)
    x = np.ones((2, 3, 3), np.float32)
    assert not np.array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, layer(x)[0].data)
    assert "dropout=0.5" in repr(layer)
    with pytest.raises(OptionError, match="dropout acts between layers"):
        RNN(3, 4, dropout=0.5)


def test_initial_weights_lie_within_one_over_root_hidden_and_the_forget_bias_is_added():
    layer = LSTM(7, 100, forget_bias=1.0)
    for path, p in layer.named_parameters().items():
        values = p.numpy()
        if path.endswith(".bias"):
            values = np.concatenate([values[:100], values[100:200] - 1, values[200:]])
        assert 0.08 < np.abs(values).max() <= 0.1 + 1e-6, path
    assert layer.layers[0].bias.numpy()[100:200].min() >= 0.9


def test_an_lstm_learns_to_remember_the_first_number():
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], size=(40, 64, 12, 1)).astype(np.float32)
    net = Sequential(LSTM(1, 16, forget_bias=1.0), LastStep(), Linear(16, 1))
    optimizer = ct.Adam(net, lr=0.02)

    def step(x):
        loss = ct.losses.mean_squared_error(net(x), x[:, 0])
        loss.backward()
        optimizer.step()
        return loss

    run = ct.jit(step, net, optimizer)
    losses = np.concatenate([run.scan(x).numpy() for _ in range(4)])
    assert losses[0] > 0.7 and losses[-5:].mean() < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n(np.ones((2, 5, 4))), r"LSTM: the input has shape \(2, 5, 4\)"),
        (lambda n: n(np.ones((5, 3))), r"expected: \(batch, time, features\)"),
        (lambda n: n(np.ones((2, 0, 3))), "no time steps"),
        (
            lambda n: n(np.ones((2, 5, 3)), np.ones((1, 2, 4))),
            r"state has shape \(1, 2, 4\)\n  expected: h and c of shape \(1, 2, 4\), as a tuple: ",
        ),
        (
            lambda n: n(np.ones((2, 5, 3)), (np.ones((1, 2, 4)), np.ones((1, 3, 4)))),
            r"the state has shape \(1, 2, 4\) and \(1, 3, 4\)",
        ),
        (
            lambda n: GRU(3, 4)(np.ones((2, 5, 3)), np.ones((1, 3, 4))),
            r"GRU: the state has shape \(1, 3, 4\)\n  expected: h of shape \(1, 2, 4\)",
        ),
        (lambda n: n(np.ones((2, 5, 3)), lengths=np.array([1, 2, 3])), r"lengths has shape \(3,\)"),
        (lambda n: n(np.ones((2, 5, 3)), lengths=[5, 6]), "length of row 1 is 6"),
        (lambda n: n(np.ones((2, 5, 3)), lengths=[0, 5]), "length of row 0 is 0"),
        (lambda n: n(np.ones((2, 5, 3)), lengths=[2.5, 5]), "row 0 is 2.5"),
        (lambda n: LastStep()(np.ones((2, 5, 3))), "put it directly after the recurrent layer"),
        (lambda n: GRU(3, 0), "hidden_features is 0"),
        (lambda n: RNN(3, 4, activation="relu"), "activation=cutaway.ops.relu"),
    ],
)
def test_wrong_input_is_named_with_what_was_expected(call, message):
    with pytest.raises((ShapeError, DataError, OptionError), match=message):
        call(LSTM(3, 4))
