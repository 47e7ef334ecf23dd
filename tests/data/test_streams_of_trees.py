"""Streams of several inputs and targets of the same rows, and of weights."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.data import ArrayStream
from cutaway.errors import DataError, OptionError

RNG = np.random.default_rng(0)
X = {
    "a": RNG.normal(size=(48, 3)).astype(np.float32),
    "b": RNG.normal(size=(48, 2)).astype(np.float32),
}
Y = (X["a"][:, 0] + X["b"][:, 1])[:, None]
TARGETS = {"sum": Y, "sign": (Y[:, 0] > 0).astype(np.int32)}
WEIGHTS = RNG.uniform(0.1, 2, 48).astype(np.float32)


class Both(ct.Module):
    def __init__(self):
        self.a, self.b = ct.Linear(3, 4), ct.Linear(2, 4)
        self.sum, self.sign = ct.Linear(4, 1), ct.Linear(4, 2)

    def forward(self, a, b):
        hidden = (self.a(a) + self.b(b)).relu()
        return {"sum": self.sum(hidden), "sign": self.sign(hidden)}


def both_losses(out, y):
    return {
        "sum": losses.mean_squared_error(out["sum"], y["sum"]),
        "sign": losses.sparse_categorical_cross_entropy_with_logits(out["sign"], y["sign"]),
    }


def fitted(*data, net=None, loss=both_losses, batch_size=48, **options):
    ct.seed(0)
    net = Both() if net is None else net()
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.SGD(net, 0.1))
    trainer.fit(*data, epochs=3, batch_size=batch_size, seed=0, progress=False, **options)
    return trainer


def expect_same(one, other):
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-5)
    for path, value in one.net.state_dict().items():
        np.testing.assert_allclose(other.net.state_dict()[path], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "x", [X, (X["a"], X["b"]), [X["a"], X["b"]]], ids=["dict", "tuple", "list"]
)
def test_blocks_hold_the_same_rows_of_all_arrays(x):
    y = {"sum": Y, "row": np.arange(48)}
    stream = ArrayStream(x, y, block_rows=20, threads=2)
    rows = []
    for inputs, targets in stream.blocks(3):
        row = targets["row"]
        assert type(inputs) is type(x) and len(row) <= 20
        for name, leaf in inputs.items() if isinstance(x, dict) else enumerate(inputs):
            np.testing.assert_array_equal(leaf, x[name][row])
        np.testing.assert_array_equal(targets["sum"], Y[row])
        rows += row.tolist()
    assert sorted(rows) == list(range(48)) != rows


def test_a_transform_gets_the_tree():
    def drop_b(x, rng):
        return {**x, "b": np.zeros_like(x["b"])}

    (x, _), *_ = ArrayStream(X, Y, transform=drop_b).blocks(0)
    assert not x["b"].any() and x["a"].any()


def test_a_stream_of_trees_trains_as_its_arrays_do():
    expect_same(fitted(X, TARGETS), fitted(ArrayStream(X, TARGETS)))


def test_a_stream_of_blocks_of_trees_repeats_with_its_seed():
    first, second = (fitted(ArrayStream(X, TARGETS, block_rows=20), batch_size=10) for _ in "ab")
    assert first.history["loss"] == second.history["loss"]
    assert first.history["loss"][-1] < first.history["loss"][0]


def one_output():
    return ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))


PLAIN = {"net": one_output, "loss": losses.mean_squared_error}


def test_a_stream_carries_the_weights_of_its_rows():
    arrays = fitted(X["a"], Y, weights=WEIGHTS, **PLAIN)
    expect_same(arrays, fitted(ArrayStream(X["a"], Y, weights=WEIGHTS), **PLAIN))
    assert arrays.history["loss"] != fitted(X["a"], Y, **PLAIN).history["loss"]


def test_micro_batches_with_weights_make_the_step_of_their_batch():
    whole = fitted(X["a"], Y, weights=WEIGHTS, batch_size=24, **PLAIN)
    expect_same(whole, fitted(X["a"], Y, weights=WEIGHTS, batch_size=24, accumulate=4, **PLAIN))


def test_validation_rows_may_have_weights():
    counts = np.arange(48) % 3
    repeated = np.repeat(np.arange(48), counts)

    by_weight = fitted(X["a"], Y, validation=(X["a"], Y, counts), **PLAIN)
    by_rows = fitted(X["a"], Y, validation=(X["a"][repeated], Y[repeated]), **PLAIN)
    np.testing.assert_allclose(by_weight.history["val_loss"], by_rows.history["val_loss"], 1e-5)
    scores = by_weight.evaluate(X["a"], Y, weights=counts)
    assert scores["loss"] == pytest.approx(by_rows.evaluate(X["a"][repeated], Y[repeated])["loss"])


def test_metrics_with_weights_get_those_of_validation_rows():
    def mean_error(prediction, target, weights):
        return ((prediction - target)[:, 0] * weights).sum() / weights.sum()

    ct.seed(0)
    net = one_output()
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, metrics=[mean_error])
    found = trainer.evaluate(X["a"], Y, weights=WEIGHTS)["mean_error"]
    expected = np.average((trainer.predict(X["a"]) - Y)[:, 0], weights=WEIGHTS)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((X, Y[:40]), {}, "48 inputs and 40 targets"),
        (({**X, "b": X["b"][:7]}, Y), {}, "the arrays of x have 48, 7 rows"),
        ((X, Y), {"weights": WEIGHTS[:3]}, r"weights of shape \(3,\) for 48 rows"),
        ((X, Y), {"weights": -WEIGHTS}, "weights of shape"),
    ],
)
def test_streams_of_trees_that_cannot_be_are_named(arguments, options, words):
    with pytest.raises(DataError, match=words):
        ArrayStream(*arguments, **options)


def test_weights_that_a_stream_or_an_objective_cannot_have_are_refused_with_a_way():
    with pytest.raises(
        OptionError, match=r"(?s)for a stream.*ArrayStream\(x, y, weights=weights\)"
    ):
        fitted(ArrayStream(X["a"], Y), weights=WEIGHTS, **PLAIN)
    trainer = ct.Trainer(one_output(), objective=lambda net, x, y: ((net(x) - y) ** 2).mean())
    for data in ((ArrayStream(X["a"], Y, weights=WEIGHTS),), (X["a"], Y)):
        options = {"weights": WEIGHTS} if len(data) == 2 else {}
        with pytest.raises(OptionError, match="weights of the rows were given for an objective"):
            trainer.fit(*data, epochs=1, progress=False, **options)
