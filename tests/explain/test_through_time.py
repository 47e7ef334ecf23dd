"""Recurrent layers step by step, and one window of a convolution, against NumPy."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1, 4, 2))
LOSS = ct.losses.binary_cross_entropy


def explained(layer):
    net = ct.Sequential(layer, ct.nn.LastStep(), ct.Linear(3, 1), ct.Sigmoid())
    return net, ct.explain(net, X, np.ones((1, 1)), loss=LOSS)


def test_every_time_step_of_an_rnn_can_be_asked_for():
    net, why = explained(ct.RNN(2, 3))
    w, u, b = (p.numpy().astype(np.float64) for p in net[0].parameters())
    h = np.zeros(3)
    for t in range(4):
        h = np.tanh(X[0, t] @ w + h @ u + b)
        for j in range(3):
            story = why.forward("0", (t, j))
            assert story.value == pytest.approx(h[j], rel=1e-9)
            assert story.name == f"h_{j + 1}^(1)[t={t + 1}]"


@pytest.mark.parametrize("layer", [ct.RNN, ct.LSTM, ct.GRU])
def test_the_contributions_of_the_steps_add_up_to_the_gradient(layer):
    _, why = explained(layer(2, 3))
    for path in [p for p in why.trace.parameters if p.startswith("0.")]:
        gradient = why.trace.engine_gradients[path]
        for index in np.ndindex(gradient.shape):
            story = why.through_time(path, index)
            assert story.total == pytest.approx(gradient[index], rel=1e-9, abs=1e-15)
    with pytest.raises(OptionError, match="not used at time steps"):
        why.through_time("2.weight", (0, 0))


def test_the_path_through_time_of_a_recurrent_weight_by_hand():
    net, why = explained(ct.RNN(2, 3))
    w, u, b, v, c = (p.numpy().astype(np.float64) for p in net.parameters())
    states = [np.zeros(3)]
    for t in range(4):
        states.append(np.tanh(X[0, t] @ w + states[-1] @ u + b))
    y = 1 / (1 + np.exp(-(states[-1] @ v[:, 0] + c[0])))
    dh, expected = (y - 1) * v[:, 0], {}
    for t in reversed(range(4)):
        dz = dh * (1 - states[t + 1] ** 2)
        expected[t] = dz[1] * states[t][2]
        dh = dz @ u.T
    story = why.through_time("0.layers.0.hidden_weight", (2, 1))
    found = {step.time: step.contribution for step in story.steps}
    assert found == pytest.approx({t: expected[t] for t in (1, 2, 3)}, rel=1e-9)
    assert "one weight, shared by all steps" in story.text()
    assert "h_4" in story.html() and "<svg" in story.html()


def test_the_gates_of_an_lstm():
    net, why = explained(ct.LSTM(2, 3))
    w, u, b = (p.numpy().astype(np.float64) for p in net[0].parameters())
    gates, h, cell = why.gates(), np.zeros(3), np.zeros(3)
    for t in range(4):
        z = X[0, t] @ w + h @ u + b
        i, f, o = (1 / (1 + np.exp(-z[k : k + 3])) for k in (0, 3, 9))
        cell = f * cell + i * np.tanh(z[6:9])
        h = o * np.tanh(cell)
        for symbol, value in (("i", i), ("f", f), ("o", o), ("c", cell), ("h", h)):
            if symbol != "f" or t:
                assert gates.values[symbol][t] == pytest.approx(value, rel=1e-6)
    assert np.isnan(gates.values["f"][0]).all()  # there is nothing to forget
    assert "forget gate" in gates.text()
    with pytest.raises(OptionError, match="has no gates"):
        why.gates("2")


def test_one_window_of_a_convolution():
    net = ct.Sequential(ct.Conv2d(2, 3, 3, padding=1), ct.nn.Flatten(), ct.Linear(75, 1))
    x = RNG.normal(size=(1, 5, 5, 2))
    why = ct.explain(net, x)
    kernel = net[0].weight.numpy().astype(np.float64)
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    for row, column, channel in ((0, 2, 1), (2, 2, 0), (4, 4, 2)):
        found = why.window("0", (row, column, channel))
        window = padded[row : row + 3, column : column + 3]
        assert found.window == pytest.approx(window)
        assert found.kernel == pytest.approx(kernel[..., channel])
        assert found.value == pytest.approx((window * kernel[..., channel]).sum(), abs=1e-12)
        assert found.value == pytest.approx(why.forward("0", (row, column, channel)).value)
        assert found.corner == (row - 1, column - 1)
    assert "·" in found.text() and "<table" in found.html()
    with pytest.raises(OptionError, match="no convolution"):
        why.window("2", (0,))


def test_the_cell_of_an_lstm_carries_the_gradient_where_its_state_does_not():
    layer = ct.LSTM(1, 1)
    values = ([[6, 0, 2, 0]], [[0, 0, 0, 0]], [-3, 4, 0, 2])
    for parameter, value in zip(layer.parameters(), values, strict=True):
        parameter.data = np.array(value, np.float32)
    net = ct.Sequential(layer, ct.nn.LastStep())
    loss = ct.losses.mean_squared_error
    story = ct.explain(net, [[1.0], [0.0], [0.0]], [1.0], loss=loss).through_time(
        "0.layers.0.weight", (0, 0)
    )
    keep, out, cell = 1 / (1 + np.exp(-4.0)), 1 / (1 + np.exp(-2.0)), 0.0
    for x in (1.0, 0.0, 0.0):
        cell = keep * cell + np.tanh(2 * x) / (1 + np.exp(3 - 6 * x))
    last = abs(2 * (out * np.tanh(cell) - 1)) * out * (1 - np.tanh(cell) ** 2)
    expected = {0: last * keep**2, 1: last * keep, 2: last}  # ∂c_t/∂c_(t-1) is the forget gate
    assert story.cells == pytest.approx(expected, rel=1e-6)
    assert story.states[0] == story.states[1] == 0 < story.states[2]
    text = " ".join(story.text().split())
    assert (
        "No ∂L/∂h reaches t=1 from t=3. From t=3 back to t=1 ∂L/∂c is multiplied by 0.964" in text
    )
