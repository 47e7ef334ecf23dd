"""Epochs that run several in one program give what they give one by one."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import metrics
from cutaway.errors import TrainingError
from cutaway.optim import Cosine, ExponentialAverage
from cutaway.train import Callback, Checkpoints, EarlyStopping
from cutaway.train.epoch_groups import GroupedEpochs


def data(rows=96):
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    return x, (x.sum(axis=1, keepdims=True) > 0).astype(np.float32)


def trainer(*, average=False, dropout=0.2):
    ct.seed(0)
    net = ct.Sequential(
        ct.Linear(4, 8), ct.ReLU(), ct.BatchNorm(8), ct.Dropout(dropout), ct.Linear(8, 1)
    )
    return ct.Trainer(
        net,
        loss=ct.losses.binary_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=1e-2, schedule=Cosine(120)),
        metrics=[metrics.accuracy],
        average=ExponentialAverage(net.parameters(), 0.9) if average else None,
    )


def fit(trainer, *callbacks, epochs=40, **options):
    options = {"validation": 0.25, "batch_size": 16, "seed": 3, "progress": False, **options}
    trainer.fit(*data(), epochs=epochs, callbacks=callbacks, **options)
    return trainer


def apart(monkeypatch):
    """From here on, each epoch is a group of its own."""
    monkeypatch.setattr(GroupedEpochs, "size", lambda *_: 1)


def groups_of(monkeypatch):
    """A list that gets the sizes of the groups that are run."""
    sizes, run = [], GroupedEpochs.run

    def noted(self, *args):
        found = run(self, *args)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(GroupedEpochs, "run", noted)
    return sizes


def expect_equal(one, other):
    for (path, found), wanted in zip(
        one.net.state_dict().items(), other.net.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(found, wanted, err_msg=path)
    assert (one.epoch, one.stopped) == (other.epoch, other.stopped)
    assert one.history.columns == other.history.columns
    for column in one.history.columns:
        if column != "seconds":
            np.testing.assert_array_equal(one.history[column], other.history[column], column)


@pytest.mark.parametrize(
    ("options", "average"),
    [
        ({}, True),
        ({"validation": None}, False),
        ({"accumulate": 4}, False),
        ({"batch_size": 7}, False),
    ],
    ids=["averaged", "without validation", "micro-batches", "padded batches"],
)
def test_weights_and_history_are_those_of_single_epochs(monkeypatch, options, average):
    sizes = groups_of(monkeypatch)
    grouped = fit(trainer(average=average), **options)
    assert sum(sizes) == 40 and max(sizes) > 1
    apart(monkeypatch)
    expect_equal(grouped, fit(trainer(average=average), **options))


def test_weights_are_those_of_a_program_for_each_epoch(monkeypatch):
    grouped = fit(trainer())
    monkeypatch.setattr(GroupedEpochs, "size", lambda *_: 0)
    single = fit(trainer())
    for path, value in single.net.state_dict().items():
        np.testing.assert_array_equal(grouped.net.state_dict()[path], value)
    assert grouped.history["loss"] == single.history["loss"]
    # validated in another program, which may add up in another order
    np.testing.assert_allclose(grouped.history["val_loss"], single.history["val_loss"], rtol=1e-6)


@pytest.mark.parametrize("average", [False, True])
def test_early_stopping_stops_where_it_would_and_keeps_the_same_weights(monkeypatch, average):
    def stopping():
        return EarlyStopping(4, monitor="val_accuracy", higher_is_better=True)

    sizes, grouped_stopping = groups_of(monkeypatch), stopping()
    grouped = fit(trainer(average=average), grouped_stopping, epochs=100)
    assert grouped.stopped is not None and sum(sizes) > grouped.epoch  # within a group
    apart(monkeypatch)
    single_stopping = stopping()
    expect_equal(grouped, fit(trainer(average=average), single_stopping, epochs=100))
    assert grouped_stopping.best_epoch == single_stopping.best_epoch


def test_a_function_sees_the_network_after_every_epoch(monkeypatch):
    def seen():
        found = []
        fit(trainer(), lambda t, row: found.append((row["epoch"], t.net.state_dict())), epochs=6)
        return found

    sizes = groups_of(monkeypatch)
    found = seen()
    assert max(sizes, default=1) == 1
    apart(monkeypatch)
    for (epoch, state), (other, wanted) in zip(found, seen(), strict=True):
        assert epoch == other
        for path in state:
            np.testing.assert_array_equal(state[path], wanted[path])


def test_a_callback_that_looks_every_tenth_epoch_sees_those(monkeypatch):
    class Tenth(Callback):
        def __init__(self):
            self.seen, self.told = {}, []

        def next_look(self, trainer):
            return (trainer.epoch // 10 + 1) * 10

        def on_epoch(self, trainer, row):
            self.told.append((row["epoch"], trainer.epoch, trainer.weights()["0.weight"]))
            if trainer.epoch % 10 == 0:
                self.seen[trainer.epoch] = trainer.net.state_dict()["0.weight"]

    sizes, grouped = groups_of(monkeypatch), Tenth()
    fit(trainer(), grouped)
    assert max(sizes) > 1
    apart(monkeypatch)
    single = Tenth()
    fit(trainer(), single)
    assert list(grouped.seen) == [10, 20, 30, 40]
    for epoch, weight in single.seen.items():
        np.testing.assert_array_equal(grouped.seen[epoch], weight)
    for one, other in zip(grouped.told, single.told, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])


def test_a_resumed_training_of_groups_ends_with_the_same_bits(monkeypatch, tmp_path):
    whole = fit(trainer())
    first = fit(trainer(), Checkpoints(tmp_path), epochs=33)
    assert first.epoch == 33
    resumed = fit(trainer(), Checkpoints(tmp_path, resume=True))
    expect_equal(resumed, whole)


def test_a_loss_that_becomes_nan_within_a_group_is_found_as_in_single_epochs(monkeypatch):
    def failed():
        net = trainer(dropout=0.0).net
        diverging = ct.Trainer(
            net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=2.0)
        )
        with pytest.raises(TrainingError) as error:
            fit(diverging, epochs=400, batch_size=48)
        return diverging, str(error.value), error.value.origin

    sizes = groups_of(monkeypatch)
    grouped = failed()
    assert max(sizes) > 1
    apart(monkeypatch)
    single = failed()
    assert grouped[1:] == single[1:]
    expect_equal(grouped[0], single[0])


def test_after_an_error_of_a_callback_the_state_is_that_of_the_epoch_it_was_told_of(monkeypatch):
    class Failing(Callback):
        def next_look(self, trainer):
            return float("inf")

        def on_epoch(self, trainer, row):
            if row["epoch"] == 25:
                raise ValueError("stop")

    sizes = groups_of(monkeypatch)
    failed, whole = trainer(), fit(trainer(), epochs=25)
    sizes.clear()
    with pytest.raises(ValueError, match="stop"):
        fit(failed, Failing())
    assert sum(sizes) > 25  # in the middle of a group
    expect_equal(failed, whole)
    for path, value in whole.complete.items():
        np.testing.assert_array_equal(failed.complete[path], value, err_msg=path)
