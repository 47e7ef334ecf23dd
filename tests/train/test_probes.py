"""Probes: their numbers are those one computes by hand, and training does not notice them."""

import math
from concurrent.futures import Future

import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import TrainingError
from cutaway.train import probe_step
from cutaway.train.probe_step import ProbeProgram
from cutaway.train.probes import LEAST_ROWS, MOST_ROWS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True).astype(np.float32)
MSE = ct.losses.mean_squared_error


def mlp(activation=ct.Tanh):
    ct.seed(1)
    return ct.Sequential(ct.Linear(3, 5), activation(), ct.Linear(5, 1))


def probed(net, x=X, y=Y, *, loss=MSE, optimizer=None, epochs=2, **options):
    trainer = ct.Trainer(net, loss=loss, optimizer=optimizer, **options)
    probes = ct.Probes(x, y)
    trainer.fit(x, y, epochs=epochs, batch_size=16, seed=0, callbacks=[probes], progress=False)
    return trainer, probes


def at_start(net, *args, **options):
    """The rows of the first moment, by layer."""
    _, probes = probed(net, *args, **options)
    return {row["layer"]: row for row in probes.at(0)}


def test_the_numbers_of_a_layer_are_those_computed_by_hand():
    net = mlp()
    w = [p.numpy().astype(float) for p in net.parameters()]
    found = at_start(net, optimizer=ct.SGD(net, lr=0.1))

    z = X @ w[0] + w[1]
    out = np.tanh(z)
    error = out @ w[2] + w[3] - Y
    dy = 2 * error / len(X)
    dout = dy @ w[2].T
    dz = dout * (1 - out**2)
    dw = X.T @ dz
    expected = {
        "loss": (error**2).mean(),
        "mean": z.mean(),
        "std": z.std(),
        "low": np.quantile(z, 0.01),
        "high": np.quantile(z, 0.99),
        "grad": np.sqrt((dz**2).mean()),
        "growth": np.sqrt((dz**2).mean() / (dy**2).mean()),
        "weight": np.linalg.norm(w[0]),
        "weight_grad": np.linalg.norm(dw),
        "update": 0.1 * np.linalg.norm(dw) / np.linalg.norm(w[0]),
        "step_size": 0.1,
        "off": 0.0,
    }
    for name, value in expected.items():
        assert found["0"][name] == pytest.approx(value, rel=1e-4, abs=1e-7), name
    assert found["1"]["grad"] == pytest.approx(np.sqrt((dout**2).mean()), rel=1e-4)
    assert found["1"]["saturated"] == pytest.approx((1 - out**2 < 0.05).mean(), abs=1e-6)
    assert [row["number"] for row in found.values()] == [1, 1, 2]
    assert found["2"]["growth"] is None


@pytest.mark.slow
def test_training_under_probes_gives_the_same_bits():
    def build():
        ct.seed(3)
        norm = ct.BatchNorm(5)
        return ct.Sequential(ct.Linear(3, 5), norm, ct.ReLU(), ct.Dropout(0.3), ct.Linear(5, 1))

    states = []
    for watched in (False, True):
        net = build()
        optimizer = ct.Adam(net, schedule=ct.optim.Cosine(100), clip=ct.optim.ClipNorm(0.5))
        trainer = ct.Trainer(net, loss=MSE, optimizer=optimizer, mix=ct.Mixup(0.2))
        callbacks = [ct.Probes(X, Y, fraction=1e9)] if watched else []
        trainer.fit(X, Y, epochs=3, batch_size=16, seed=0, callbacks=callbacks, progress=False)
        if watched:
            assert len(callbacks[0].steps) >= 3
        states.append(
            (trainer, {k: np.asarray(v.data) for k, v in trainer.program.variables().items()})
        )
    (_, plain), (trainer, watched) = states
    assert plain.keys() == watched.keys()
    for name, value in plain.items():
        assert np.array_equal(value, watched[name]), name
    assert all(p.grad is None for p in trainer.net.parameters())


def test_statistics_taken_inside_the_program_are_the_same(monkeypatch):
    _, outside = probed(mlp(), epochs=1)
    monkeypatch.setattr(probe_step, "HOST_NUMBERS", 0)
    _, inside = probed(mlp(), epochs=1)
    for a, b in zip(outside.at(0), inside.at(0), strict=True):
        for name in a.keys() - {"layer", "kind", "role"}:
            expected = pytest.approx(b[name] or 0, rel=1e-4, abs=1e-7, nan_ok=True)
            assert (a[name] or 0) == expected, name


@pytest.mark.parametrize("most, first", [(0, "steps"), (2**20, "compile")])
def test_a_large_program_is_compiled_after_the_first_steps(monkeypatch, most, first):
    monkeypatch.setattr(probe_step, "HOST_NUMBERS", most)
    order = []
    monkeypatch.setattr(ProbeProgram, "compile", _noting(order, "compile", ProbeProgram.compile))
    monkeypatch.setattr(ct.Probes, "on_chunk", _noting(order, "steps", ct.Probes.on_chunk))
    monkeypatch.setattr("cutaway.train.probes.ThreadPoolExecutor", AtOnce)
    assert probed(mlp())[1].rows
    assert order[0] == first


def _noting(order, name, function):
    def noted(*args):
        order.append(name)
        return function(*args)

    return noted


class AtOnce:
    """A ThreadPoolExecutor that works before it returns, so that the order is known."""

    def __init__(self, workers):
        pass

    def submit(self, function):
        future = Future()
        future.set_result(function())
        return future

    def shutdown(self, *, wait):
        pass


def test_dead_units_are_those_that_are_0_on_every_row():
    net = mlp(ct.ReLU)
    bias = np.zeros(5, np.float32)
    bias[:2] = -100
    net[0].bias.data = Tensor(bias).data
    row = at_start(net)["1"]
    assert row["dead"] == pytest.approx(0.4)
    assert 0.4 < row["off"] < 1
    assert row["saturated"] == 0


@pytest.mark.parametrize("activation", [ct.Sigmoid, ct.Tanh])
def test_units_far_out_are_saturated_and_not_off(activation):
    net = mlp(activation)
    net[0].weight.data = net[0].weight.data * 1000
    row = at_start(net)["1"]
    assert row["saturated"] > 0.95
    assert row["dead"] == 0


def test_same_weights_of_all_units_are_seen():
    net = mlp()
    net[0].weight.data = net[0].weight.data * 0 + 0.1
    found = at_start(net)
    assert found["0"]["units_apart"] == 0
    assert at_start(mlp())["0"]["units_apart"] > 0.1
    assert math.isnan(found["2"]["units_apart"])  # one unit


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda net: ct.SGD(net, lr=0.3), lambda g: 0.3),
        (lambda net: ct.Adam(net, lr=0.3), lambda g: np.median(0.3 / (np.abs(g) + 1e-8))),
        (lambda net: ct.Adagrad(net, lr=0.3), lambda g: np.median(0.3 / (np.abs(g) + 1e-10))),
        (
            lambda net: ct.RMSprop(net, lr=0.3, beta=0.9),
            lambda g: np.median(0.3 / (np.sqrt(0.1) * np.abs(g) + 1e-8)),
        ),
    ],
)
def test_the_step_size_is_what_multiplies_the_gradient(build, expected):
    net = mlp()
    MSE(net(X), Tensor(Y)).backward()
    grad = net[0].weight.grad
    grad = np.asarray(grad)
    for p in net.parameters():
        p.grad = None
    row = at_start(net, optimizer=build(net))["0"]
    assert row["step_size"] == pytest.approx(expected(grad), rel=1e-3)


def test_weights_whose_gradients_are_below_epsilon_are_counted():
    net = mlp()
    MSE(net(X), Tensor(Y)).backward()
    size = np.abs(np.asarray(net[0].weight.grad))
    eps = float(np.sort(size.ravel())[size.size // 2 - 1 : size.size // 2 + 1].mean())
    for p in net.parameters():
        p.grad = None
    rows = at_start(net, optimizer=ct.Adam(net, lr=0.1, eps=eps))
    assert rows["0"]["damped"] == pytest.approx((size < eps).mean(), abs=1e-6)
    assert 0.3 < rows["0"]["damped"] < 0.7
    plain = mlp()
    assert math.isnan(at_start(plain, optimizer=ct.SGD(plain, lr=0.1))["0"]["damped"])


def test_the_class_that_is_predicted_most_often_has_its_share():
    net = ct.Sequential(ct.Linear(3, 4))
    chosen = net(X).numpy().argmax(axis=1)
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    found = at_start(net, X, np.arange(len(X)) % 4, loss=loss)
    assert found["0"]["top_class"] == pytest.approx(np.bincount(chosen).max() / len(X))
    assert math.isnan(at_start(mlp())["0"]["top_class"])


class Functional(ct.Module):
    """Activations without modules, one layer used twice, a layer by the way of a sum."""

    def __init__(self):
        self.first = ct.Linear(3, 4)
        self.again = ct.Linear(4, 4)
        self.last = ct.Linear(4, 1)

    def forward(self, x):
        h = ops.relu(self.first(x))
        h = h + ops.tanh(self.again(self.again(h)))
        return self.last(h)


def test_layers_and_functions_of_any_module_are_found_in_the_order_of_their_calls():
    ct.seed(0)
    trainer, probes = probed(Functional())
    assert [(row["layer"], row["kind"], row["number"]) for row in probes.at(0)] == [
        ("first", "Linear", 1),
        ("relu", "ReLU", 1),
        ("again", "Linear", 2),
        ("again#2", "Linear", 3),
        ("tanh", "Tanh", 3),
        ("last", "Linear", 4),
    ]
    layers = probes.layers(trainer)
    assert [(layer.path, layer.activation, layer.is_last) for layer in layers] == [
        ("first", "ReLU", False),
        ("again", "", False),
        ("last", "", True),
    ]


TOKENS = RNG.integers(0, 9, (48, 6))
CLASSES = RNG.integers(0, 3, 48)
PICTURES = RNG.normal(size=(48, 6, 6, 2)).astype(np.float32)


def recurrent(layer, **options):
    width = 8 if options.get("bidirectional") else 4
    layer = layer(4, 4, num_layers=2, **options)
    return ct.Sequential(ct.Embedding(9, 4), layer, ct.LastStep(), ct.Linear(width, 3))


def cnn():
    inner = ct.Sequential(ct.Conv2d(4, 4, 3, padding=1), ct.ReLU())
    stem = ct.Conv2d(2, 4, 3), ct.BatchNorm(4), ct.ReLU()
    return ct.Sequential(*stem, ct.Residual(inner), ct.Flatten(), ct.Linear(64, 3))


def transformer():
    block = ct.recompute(ct.TransformerEncoderLayer(4, 2))
    return ct.Sequential(ct.Embedding(9, 4), block, ct.Flatten(), ct.Linear(24, 3))


NETWORKS = {
    "cnn": (PICTURES, cnn),
    "rnn": (TOKENS, lambda: recurrent(ct.RNN)),
    "lstm": (TOKENS, lambda: recurrent(ct.LSTM)),
    "gru": (TOKENS, lambda: recurrent(ct.GRU, bidirectional=True)),
    "transformer": (TOKENS, transformer),
}


def test_the_vectors_of_a_table_are_no_units_whatever_its_class_is_called():
    class Words(ct.Embedding):
        pass

    net = ct.Sequential(Words(9, 4), ct.LearnedPositions(6, 4), ct.Flatten(), ct.Linear(24, 3))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    _, probes = probed(net, TOKENS, CLASSES, loss=loss, epochs=1)
    apart = {row["kind"]: row["units_apart"] for row in probes.at(0)}
    assert math.isnan(apart["Words"]) and math.isnan(apart["LearnedPositions"])
    assert apart["Linear"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_with_weights_has_all_its_numbers(name):
    x, build = NETWORKS[name]
    net = build()
    trainer, probes = probed(
        net, x, CLASSES, loss=ct.losses.sparse_categorical_cross_entropy_with_logits, epochs=1
    )
    with_weights = {
        path.rpartition(".")[0]
        for path, p in net.named_parameters().items()
        if p.ndim > 1 and "layers" not in path
    }
    rows = [row for row in probes.at(0) if row["role"] == "weights"]
    layers = {row["layer"] for row in rows}
    assert with_weights <= layers
    assert {layer.path for layer in probes.layers(trainer)} == layers
    for row in rows:
        for key in ("mean", "std", "grad", "weight", "weight_grad", "update", "step_size"):
            assert np.isfinite(row[key]), (row["layer"], key)
        assert row["grad"] > 0
        assert row["update"] > 0
    assert [layer.path for layer in probes.layers(trainer) if layer.is_last] == [rows[-1]["layer"]]


def test_frozen_layers_are_still_described():
    net = mlp()
    net[0].freeze()
    found = at_start(net)
    assert math.isnan(found["0"]["grad"])
    assert found["0"]["update"] == 0
    assert found["0"]["std"] > 0
    assert found["2"]["update"] > 0


def test_it_measures_at_the_start_and_at_the_end():
    _, probes = probed(mlp(), epochs=3)
    assert probes.steps[0] == 0
    assert probes.steps[-1] == 18
    assert probes.at(-1)[0]["epoch"] == 3
    assert probes.table.height == len(probes.rows)
    assert probes.at(-1)[0]["loss"] < probes.at(0)[0]["loss"]


def test_a_second_training_begins_a_new_table():
    trainer, probes = probed(mlp(), epochs=1)
    trainer.fit(X, Y, epochs=1, batch_size=48, seed=0, callbacks=[probes], progress=False)
    assert probes.steps == sorted(probes.steps)
    assert probes.steps[0] == 6


def test_a_training_that_breaks_has_its_probes_up_to_there():
    net = mlp(ct.Identity)
    probes = ct.Probes(X, Y)
    trainer = ct.Trainer(net, loss=MSE, optimizer=ct.SGD(net, lr=1e3))
    with pytest.raises(TrainingError):
        trainer.fit(X, Y, epochs=50, batch_size=16, seed=0, callbacks=[probes], progress=False)
    assert probes.at(0)[0]["loss"] < 100
    assert probes.at(-1)[0]["step"] > 0


def test_long_arrays_give_a_window_spread_over_all_rows():
    x = np.arange(10_000, dtype=np.float32)[:, None]
    probes = ct.Probes(x, x)
    assert len(probes.x) == MOST_ROWS
    assert (float(probes.x[0, 0]), float(probes.x[-1, 0])) == (0, 9999)
    pictures = np.zeros((300, 64, 64, 3), np.uint8)
    assert len(ct.Probes(pictures, np.zeros(300)).x) == LEAST_ROWS


def test_a_resumed_training_keeps_the_rows_from_before(tmp_path):
    def fit(epochs, resume):
        net = mlp()
        trainer = ct.Trainer(net, loss=MSE)
        probes = ct.Probes(X, Y)
        trainer.fit(
            X, Y, epochs=epochs, batch_size=16, seed=0, progress=False,
            callbacks=[probes, ct.Checkpoints(tmp_path, resume=resume)],
        )  # fmt: skip
        return probes

    before = fit(1, resume=False)
    after = fit(2, resume=True)
    kept = after.rows[: len(before.rows)]
    assert [r["layer"] for r in kept] == [r["layer"] for r in before.rows]
    assert [r["growth"] for r in kept] == [r["growth"] for r in before.rows]
    assert after.steps[0] == 0
    assert after.steps[-1] == 12
    measured = [(row["step"], row["layer"]) for row in after.rows]
    assert len(measured) == len(set(measured))  # the step it was resumed at, too, only once
    assert len(after.layers(ct.Trainer(mlp(), loss=MSE))) == 2
    done = fit(2, resume=True)
    assert done.table.equals(after.table) and len(done.layers(ct.Trainer(mlp(), loss=MSE))) == 2
