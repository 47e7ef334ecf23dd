"""fit again with more=, stop() within an epoch, and another loss or optimizer in its place."""

import functools
import math

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.data import ArrayStream
from cutaway.errors import OptionError, RunError, TrainingError
from cutaway.train import Callback, Checkpoints, EarlyStopping, Program, Trainer
from cutaway.train.steps import EpochSteps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = X @ np.array([1.5, -2.0, 0.5], np.float32) + 0.3
OPTIONS = {"batch_size": 8, "validation": 0.2, "seed": 5, "progress": False}


def trainer():
    ct.seed(0)
    net = ct.models.mlp((3, 8, 1), dropout=0.2)
    return Trainer(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.05))


def expect_same(a: Trainer, b: Trainer):
    for name, variable in a.program.variables().items():
        np.testing.assert_array_equal(variable.data, b.program.variables()[name].data, name)
    drop = [{k: v for k, v in row.items() if k != "seconds"} for row in a.history.rows]
    assert drop == [{k: v for k, v in row.items() if k != "seconds"} for row in b.history.rows]


@pytest.mark.parametrize("quick", [True, False])
def test_going_on_is_one_longer_fit_bit_for_bit(monkeypatch, quick):
    if not quick:
        monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: False)
    whole, parts = trainer(), trainer()
    whole.fit(X, Y, epochs=9, **OPTIONS)
    parts.fit(X, Y, epochs=4, **OPTIONS)
    parts.fit(X, Y, more=2, validation=0.2, progress=False)  # batch size and seed as before
    assert parts.first_epoch == 4 and parts.epoch == len(parts.history) == 6
    history = parts.fit(more=3, progress=False)  # rows as before too
    assert history["epoch"] == list(range(1, 10)) and parts.first_epoch == 6
    expect_same(whole, parts)


def test_a_stream_and_micro_batches_go_on_as_they_were():
    whole, parts = trainer(), trainer()
    stream = ArrayStream(X, Y, block_rows=32)
    options = {"batch_size": 8, "accumulate": 2, "seed": 1, "progress": False}
    whole.fit(stream, epochs=4, **options)
    parts.fit(stream, epochs=1, **options)
    parts.fit(more=3, progress=False)
    assert (parts.accumulate, parts.batch_size, parts.stream) == (2, 8, stream)
    expect_same(whole, parts)


def test_a_fit_without_more_begins_a_new_history_from_the_weights_there_are():
    led = trainer()
    led.fit(X, Y, epochs=3, **OPTIONS)
    before = led.history
    led.fit(X, Y, epochs=2, **OPTIONS)
    assert len(before) == 3 and led.history["epoch"] == [1, 2] and led.first_epoch == 0
    assert led.history["loss"][0] < before["loss"][0]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((X, Y), {"epochs": 2, "more": 3}, "fit got epochs=2 and more=3"),
        ((X, Y), {"more": 0}, "more is 0"),
        ((), {}, "fit got no x"),
        ((), {"more": 1, "validation": 0.2}, "got y, validation or weights, but no x"),
        ((None, Y), {"more": 1}, "got y, validation or weights, but no x"),
        ((ArrayStream(X, Y), Y), {}, "a stream and targets beside it"),
    ],
)
def test_what_cannot_go_on_is_refused_in_words(arguments, options, words):
    led = trainer()
    led.fit(X, Y, epochs=1, **OPTIONS)
    with pytest.raises(OptionError, match=words):
        led.fit(*arguments, progress=False, **options)
    assert len(led.history) == 1
    with pytest.raises(OptionError, match="has not trained yet"):
        trainer().fit(more=1)


def test_patience_begins_anew_and_the_best_so_far_stays():
    led = trainer()
    stopping = EarlyStopping(2, monitor="score", higher_is_better=True)

    def score(values):
        def note(trainer, row):
            row["score"] = values[trainer.epoch - 1]

        return note

    values = [1.0, 9.0, 2.0, 2.0, 3.0, 3.0, 3.0]
    led.fit(X, Y, epochs=7, callbacks=[score(values), stopping], **OPTIONS)
    assert led.epoch == 4 and stopping.best_epoch == 2
    best = led.net.state_dict()
    led.fit(more=3, callbacks=[score(values), stopping], progress=False)
    assert led.epoch == 6 and (stopping.best_epoch, stopping.best_value) == (2, 9.0)
    for path, value in led.net.state_dict().items():
        np.testing.assert_array_equal(value, best[path])


def test_checkpoints_of_the_same_training_go_on_and_those_of_another_are_kept(tmp_path):
    led = trainer()
    checkpoints = Checkpoints(tmp_path, every_seconds=0)
    led.fit(X, Y, epochs=2, callbacks=[checkpoints], **OPTIONS)
    led.fit(more=2, callbacks=[checkpoints], progress=False)
    again = trainer()
    again.fit(X, Y, epochs=6, callbacks=[Checkpoints(tmp_path, resume=True)], **OPTIONS)
    whole = trainer()
    whole.fit(X, Y, epochs=6, **OPTIONS)
    expect_same(whole, again)
    with pytest.raises(RunError, match="of an earlier training"):
        trainer().fit(X, Y, epochs=1, callbacks=[Checkpoints(tmp_path)], **OPTIONS)


class StopAt(Callback):
    def __init__(self, step: int):
        self.step, self.seen = step, []

    def on_chunk(self, trainer, done, total, loss):
        self.seen.append((trainer.epoch, done))
        if (trainer.epoch, done) >= (1, self.step):
            trainer.stop("enough")


def test_a_stop_ends_within_an_epoch_and_that_epoch_is_not_counted(monkeypatch):
    monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: False)
    monkeypatch.setattr("cutaway.train.steps.CAPACITY", 2)
    led, stop = trainer(), StopAt(4)
    led.fit(X, Y, epochs=9, batch_size=6, callbacks=[stop], seed=0, progress=False)
    assert stop.seen == [(0, 2), (0, 4), (0, 6), (0, 8), (0, 10), (1, 2), (1, 4)]
    assert led.epoch == len(led.history) == 1 and led.stopped == "enough"
    assert int(led.optimizer.step_count.data) == 14  # the steps so far stay
    led.fit(more=1, progress=False)
    assert led.history["epoch"] == [1, 2] and led.stopped is None
    last = StopAt(10)
    led.fit(X, Y, epochs=9, batch_size=6, callbacks=[last], seed=0, progress=False)
    assert led.epoch == len(led.history) == 2  # after its last step, an epoch is whole


def test_a_stop_of_another_thread_ends_a_long_epoch():
    x = np.zeros((1_000_000, 1), np.float32)
    net = ct.Linear(1, 1)
    led = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    with led.start(x, x, epochs=10**6, batch_size=1) as live:
        live.pause()
        live.advance(3)
        live.stop("enough")
        history = live.join(timeout_seconds=120)
    assert len(history) == 0 and led.epoch == 0 and led.stopped == "enough"
    assert 3 <= int(led.optimizer.step_count.data) < 1_000_000


# other parts in place of those there were


@pytest.mark.parametrize("quick", [True, False])
def test_another_optimizer_takes_effect(monkeypatch, quick):
    if not quick:
        monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: False)
    ct.seed(0)
    net = ct.Linear(3, 1)
    led = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.01))
    options = {"batch_size": 60, "seed": 0, "progress": False}
    led.fit(X, Y, epochs=1, **options)
    w, b = net.weight.numpy()[:, 0].astype(np.float64), net.bias.item()
    first = led.optimizer
    led.optimizer = ct.Momentum(net, lr=0.1, beta=0.9)
    led.fit(X, Y, more=3, **options)
    v, u = np.zeros(3), 0.0
    for _ in range(3):  # w ← w - η v, v ← β v + g, by hand
        error = X @ w + b - Y
        v, u = 0.9 * v + 2 * X.T @ error / 60, 0.9 * u + 2 * error.mean()
        w, b = w - 0.1 * v, b - 0.1 * u
    np.testing.assert_allclose(net.weight.numpy()[:, 0], w, rtol=1e-4)
    assert net.bias.item() == pytest.approx(b, rel=1e-4)
    assert int(first.step_count.data) == 1 and int(led.optimizer.step_count.data) == 3


def test_another_loss_metric_and_preparation_take_effect_in_fit_evaluate_and_predict():
    led = trainer()
    led.fit(X, Y, epochs=1, validation=(X, Y), progress=False)
    before = led.predict(X)
    led.loss = functools.partial(losses.huber, delta=0.01)
    led.metrics = [ct.metrics.mean_absolute_error]
    error = np.abs(before[:, 0] - Y)
    huber = np.where(error <= 0.01, error**2 / 2, 0.01 * (error - 0.005)).mean()
    scores = led.evaluate(X, Y)
    assert scores["loss"] == pytest.approx(huber, rel=1e-4)
    assert scores["mean_absolute_error"] == pytest.approx(error.mean(), rel=1e-4)
    led.fit(X, Y, more=1, validation=(X, Y), progress=False)
    assert led.history["loss"][1] < 0.1 * led.history["loss"][0]
    assert led.history.columns[-1] == "val_mean_absolute_error"
    led.prepare = lambda x: 0 * x
    assert np.ptp(led.predict(X)) == 0
    led.program.prepare = None  # by the program, too
    assert np.ptp(led.predict(X)) > 0


def test_a_callback_may_put_another_optimizer_in_its_place():
    led = trainer()

    def switch(trainer, row):
        if row["epoch"] == 2:
            trainer.optimizer = ct.SGD(trainer.net, lr=0.01)

    history = led.fit(X, Y, epochs=4, callbacks=[switch], **OPTIONS)
    assert [round(rate, 6) for rate in history["lr"]] == [0.05, 0.05, 0.01, 0.01]
    assert int(led.optimizer.step_count.data) == 2 * math.ceil(48 / 8)


def test_what_does_not_fit_in_its_place_is_refused_in_words():
    led = trainer()
    other = ct.models.mlp((3, 8, 1))
    for name, value, words in [
        ("optimizer", "adam", "the optimizer is 'adam'"),
        ("optimizer", ct.Adam, "the optimizer is <class"),
        ("optimizer", ct.Adam(other), "none of the network's parameters"),
        ("net", other, "none of the network's parameters"),
        ("loss", "mse", "loss is 'mse'"),
        ("loss", None, "loss is None"),
        ("precision", "float16", "unknown precision 'float16'"),
    ]:
        before = getattr(led, name)
        with pytest.raises(OptionError, match=words):
            setattr(led, name, value)
        assert getattr(led, name) is before
    with pytest.raises(OptionError, match="the optimizer is 'adam'"):
        Trainer(other, loss=losses.mean_squared_error, optimizer="adam")
    program = Program(other, objective=lambda net, x, y: losses.mean_squared_error(net(x), y))
    with pytest.raises(OptionError, match="assigned to a training that minimizes an objective"):
        Trainer(program).loss = losses.huber


def test_an_optimizer_is_not_replaced_under_a_fit_of_another_thread():
    led = trainer()
    before = led.optimizer
    with led.start(X, Y, epochs=10**6, batch_size=8) as live:
        live.pause()
        with pytest.raises(TrainingError, match="optimizer was assigned while a fit runs in anoth"):
            led.optimizer = ct.SGD(led.net, lr=0.1)
        assert led.optimizer is before
        live.stop()
    led.optimizer = ct.SGD(led.net, lr=0.1)


# NaN


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("restored", [None, math.nan])
def test_nan_is_never_the_best_value(higher, restored):
    values = [math.nan, 0.3, math.nan, 0.5, 0.1, math.nan]
    led, stopping = trainer(), EarlyStopping(None, monitor="score", higher_is_better=higher)
    stopping.load_state({"best_value": restored, "best_epoch": 0, "arrays": {}})

    def note(trainer, row):
        row["score"] = values[trainer.epoch - 1]

    led.fit(X, Y, epochs=6, callbacks=[note, stopping], **OPTIONS)
    expected = (0.5, 4) if higher else (0.1, 5)
    assert (stopping.best_value, stopping.best_epoch) == expected


def test_a_value_that_is_always_nan_stops_and_leaves_the_last_weights():
    led, stopping = trainer(), EarlyStopping(3, monitor="score")

    def note(trainer, row):
        row["score"] = math.nan

    led.fit(X, Y, epochs=9, callbacks=[note, stopping], **OPTIONS)
    assert led.epoch == 3 and stopping.best_value is None and stopping.best_weights is None


def test_a_metric_that_is_undefined_at_first_is_kept_where_it_is_best():
    def precision(p, t):  # of rows above 0.55: there are none as long as all weights are 0
        above = p[:, 0] > 0.55
        return (above * (t == 1)).sum() / above.sum()

    precision.task, precision.higher_is_better = "classification", True
    net = ct.Linear(3, 1)
    net.weight.data = net.weight.data * 0
    loss, labels = losses.binary_cross_entropy_with_logits, (Y > 0).astype(np.int32)
    led = Trainer(net, loss=loss, optimizer=ct.SGD(net, lr=0.02), metrics=[precision])
    stopping = EarlyStopping(None, monitor="val_precision", higher_is_better=True)
    led.fit(
        X, labels, epochs=20, batch_size=60, validation=(X, labels), callbacks=[stopping],
        progress=False,
    )  # fmt: skip
    values = np.array(led.history["val_precision"])
    assert np.isnan(values[0]) and not np.isnan(values[-1])
    assert stopping.best_epoch == int(np.nanargmax(values)) + 1 > 1
    assert stopping.best_value == np.nanmax(values)
