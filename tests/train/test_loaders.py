"""Loaders of batches: PyTorch's DataLoader and plain iterables, in fit, evaluate and predict."""

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway import losses
from cutaway.data import ArrayStream
from cutaway.errors import DataError, OptionError
from cutaway.train.loaders import LoaderStream

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)).astype(np.float32)
Y = X @ np.array([1.5, -2.0, 0.5], np.float32) + 0.3
DATA = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))


class Batches:
    """An iterable that begins anew each time."""

    def __init__(self, size: int, *more):
        self.size, self.more, self.passes = size, more, 0

    def __iter__(self):
        self.passes += 1
        for start in range(0, len(X), self.size):
            rows = slice(start, start + self.size)
            yield (X[rows], Y[rows], *(part[rows] for part in self.more))


def trainer():
    ct.seed(0)
    net = ct.Linear(3, 1)
    return ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))


@pytest.mark.parametrize(
    "loader",
    [
        torch.utils.data.DataLoader(DATA, batch_size=7),
        torch.utils.data.DataLoader(DATA, batch_size=50),
        torch.utils.data.DataLoader(DATA, batch_size=7, shuffle=True),
        Batches(7),
        Batches(60),
    ],
    ids=["DataLoader", "one batch", "shuffled", "iterable", "larger"],
)
def test_a_loader_trains_to_the_line_that_least_squares_finds(loader):
    led = trainer()
    history = led.fit(loader, epochs=40, batch_size=10, seed=0, validation=(X, Y), progress=False)
    np.testing.assert_allclose(led.net.weight.numpy()[:, 0], [1.5, -2.0, 0.5], atol=1e-3)
    assert history["val_loss"][-1] < 1e-5 and len(history) == 40
    assert int(led.optimizer.step_count.data) == 40 * 5


@pytest.mark.parametrize("block_bytes", [1, 12 * 16, 2**26])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_blocks_hold_every_row_once_in_the_order_of_the_loader(monkeypatch, block_bytes, size):
    monkeypatch.setattr("cutaway.train.loaders.BLOCK_BYTES", block_bytes)
    stream = LoaderStream(Batches(size, np.arange(50)), 4)
    blocks = list(stream.blocks(0))
    assert stream.rows == 50 and stream.block_rows % 4 == 0
    assert all(len(x) == stream.block_rows for x, *_ in blocks[:-1])
    assert len(blocks[-1][0]) <= stream.block_rows
    np.testing.assert_array_equal(np.concatenate([x for x, *_ in blocks]), X)
    np.testing.assert_array_equal(np.concatenate([w for *_, w in blocks]), np.arange(50))


def test_rows_are_asked_of_a_data_loader_and_otherwise_counted():
    subset = torch.utils.data.SubsetRandomSampler(range(20))
    assert LoaderStream(torch.utils.data.DataLoader(DATA, 8, sampler=subset), 4).rows == 20
    counted = Batches(7)
    assert LoaderStream(counted, 4).rows == 50 and counted.passes == 1


def test_evaluate_and_predict_take_loaders_and_generators():
    led = trainer()
    expected, scores = led.predict(X), led.evaluate(X, Y)
    loader = torch.utils.data.DataLoader(DATA, batch_size=7)
    for x in (loader, Batches(7), iter(Batches(9))):
        assert led.evaluate(x) == scores if not hasattr(x, "__next__") else True
        np.testing.assert_array_equal(led.predict(x), expected)
    np.testing.assert_array_equal(led.predict(X[k : k + 9] for k in range(0, 50, 9)), expected)
    assert led.evaluate(iter(Batches(7))) == scores
    assert led.evaluate(ArrayStream(X, Y))["loss"] == pytest.approx(scores["loss"], rel=1e-6)
    weights = np.arange(50.0)
    assert led.evaluate(Batches(7, weights)) == led.evaluate(X, Y, weights=weights)


def test_weights_in_the_batches_are_those_of_the_rows():
    by_loader, by_stream = trainer(), trainer()
    weights = np.arange(50, dtype=np.float32)
    by_loader.fit(Batches(50, weights), epochs=3, batch_size=50, seed=0, progress=False)
    by_stream.fit(X, Y, weights=weights, epochs=3, batch_size=50, seed=0, progress=False)
    np.testing.assert_allclose(by_loader.net.weight, by_stream.net.weight, rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (iter(Batches(7)), OptionError, "x is a generator, which can be run through only once"),
        ([], DataError, "x"),
        (torch.utils.data.DataLoader(torch.zeros(8, 3), 4), DataError, "a batch of the DataLoader"),
        (torch.utils.data.DataLoader(DATA, 60, drop_last=True), DataError, "yields no batches"),
        (torch.utils.data.DataLoader([(X[0], "a")] * 4, 2), DataError, "y.* holds texts"),
        (Batches(7, Y, Y), DataError, "is a tuple of 4"),
        (DATA, DataError, "x is a TensorDataset\n(.|\n)*pass a DataLoader of it"),
    ],
)
def test_what_is_no_loader_of_pairs_is_refused_in_words(x, kind, words):
    with pytest.raises(kind, match=words):
        trainer().fit(x, *([[]] if x == [] or x is DATA else []), progress=False)


def test_predictions_in_a_random_order_are_refused():
    led = trainer()
    shuffled = torch.utils.data.DataLoader(DATA, 7, shuffle=True)
    with pytest.raises(OptionError, match=r"a DataLoader that shuffles(.|\n)*shuffle=False"):
        led.predict(shuffled)
    with pytest.raises(OptionError, match="predict got a stream, a ArrayStream, whose rows"):
        led.predict(ArrayStream(X, Y))
    with pytest.raises(OptionError, match="evaluate got x but no y"):
        led.evaluate(X)
    with pytest.raises(OptionError, match="a stream cannot be split"):
        led.fit(Batches(7), validation=0.2, progress=False)
