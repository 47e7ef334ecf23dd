"""Trainings that are paused, looked into, led step by step and changed while they run."""

import threading

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import TrainingError
from cutaway.train.steps import EpochSteps

X = np.random.default_rng(0).normal(size=(96, 4)).astype(np.float32)
Y = (X.sum(axis=1, keepdims=True) > 0).astype(np.float32)
OPTIONS = {"epochs": 6, "batch_size": 16, "seed": 1, "validation": 0.25}  # 5 steps an epoch


def trainer():
    ct.seed(0)
    net = ct.Sequential(
        ct.Linear(4, 8), ct.ReLU(), ct.BatchNorm(8), ct.Dropout(0.2), ct.Linear(8, 1)
    )
    loss = ct.losses.binary_cross_entropy_with_logits
    return ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, 1e-2))


def expect_equal(one, other):
    found = one.program.snapshot()
    for path, value in other.program.snapshot().items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(one.history[column], other.history[column], rtol=1e-6)


def paused(led, **options):
    """A live training that waits before its first step."""
    begun, go_on = threading.Event(), threading.Event()

    class Wait(ct.train.Callback):
        def on_ready(self, trainer):
            begun.set()
            go_on.wait()

    options["callbacks"] = [Wait(), *options.get("callbacks", ())]
    live = led.start(X, Y, **{**OPTIONS, **options})
    begun.wait()
    thread = threading.Thread(target=live.pause)
    thread.start()
    while not led.control.is_used:
        pass
    go_on.set()
    thread.join()
    return live


@pytest.mark.parametrize("quick", [True, False])
def test_pauses_steps_and_looks_change_no_bit(monkeypatch, quick):
    monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: quick)
    whole = trainer()
    whole.fit(X, Y, progress=False, **OPTIONS)
    led = trainer()
    live = paused(led)
    assert live.is_paused and led.epoch == 0
    for steps in (1, 1, 4, 2):
        live.forward()
        live.backward()
        live.advance(steps)
    assert live.is_paused and led.epoch == 1  # 8 steps, of which 5 are an epoch
    assert int(led.optimizer.step_count.numpy()) == 8
    live.resume()
    live.join(60)
    expect_equal(led, whole)


def test_looks_at_a_step_are_what_it_does():
    led = trainer()
    live = paused(led)
    before = led.program.snapshot()
    x, y = live.batch()
    assert x.shape == (16, 4) and y.shape == (16, 1)
    loss, gradients = live.forward(), live.backward()
    after = led.program.snapshot()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    live.advance(1)
    moved = led.program.snapshot()
    # Adam's first step goes by η against the sign of each gradient
    for path, gradient in gradients.items():
        clear = np.abs(gradient) > 1e-5
        step = moved[f"net.{path}"] - before[f"net.{path}"]
        np.testing.assert_allclose(step[clear], -1e-2 * np.sign(gradient[clear]), rtol=2e-3)
    live.stop()
    live.join(60)
    assert set(gradients) == set(led.net.named_parameters())
    one = trainer()
    one.fit(X, Y, progress=False, **{**OPTIONS, "epochs": 1})
    assert loss["loss"] == pytest.approx(one.history["loss"][0], abs=0.5)


def test_a_learning_rate_changed_alive_holds_and_compiles_nothing():
    led = trainer()
    led.optimizer = ct.SGD(led.net, 0.1)
    led = ct.Trainer(led.net, loss=led.loss, optimizer=led.optimizer)
    live = paused(led)
    live.advance(1)
    compiled = len(led._runner.steps._quick_loop.plans)
    before, gradients = led.program.snapshot(), live.backward()
    led.optimizer.lr = 0.5
    live.advance(1)
    after = led.program.snapshot()
    for path, gradient in gradients.items():
        wanted = before[f"net.{path}"] - np.float32(0.5) * gradient
        np.testing.assert_allclose(after[f"net.{path}"], wanted, rtol=1e-4, atol=1e-6)
    assert len(led._runner.steps._quick_loop.plans) == compiled == 1
    live.stop()
    live.join(60)


def test_a_stop_ends_within_the_epoch_and_errors_are_raised_by_join():
    led = trainer()
    live = led.start(X, Y, epochs=10**6, batch_size=16)
    live.stop("enough")
    history = live.join(60)
    assert led.stopped == "enough" and len(history) == led.epoch < 10**6
    with pytest.raises(ct.errors.OptionError, match="batch_size is 1000"):
        led.start(X, Y, batch_size=1000).join(60)


def test_what_is_not_paused_or_running_says_so():
    led = trainer()
    with led.start(X, Y, epochs=10**6, batch_size=16) as live:
        with pytest.raises(TrainingError, match="not paused"):
            live.advance()
        with pytest.raises(TrainingError, match="has not ended after 0 seconds"):
            live.join(0)
        assert live.is_running
    assert not live.is_running
    with pytest.raises(TrainingError, match="is not training"):
        live.pause()
    led.fit(X, Y, epochs=1, progress=False)


def programs_compiled(trainer):
    """Number of programs of the steps of a paused training."""
    return len(trainer._runner.steps._quick_loop.plans)


def test_a_layer_is_widened_alive_with_weights_slots_and_history_kept():
    led = trainer()
    live = paused(led, callbacks=[ct.train.EarlyStopping(None)])
    live.advance(7)  # 5 are an epoch
    compiled, history = programs_compiled(led), list(led.history.rows)
    before, looked, outputs = led.program.snapshot(), live.forward(), led.predict(X)
    change = live.change(lambda net: ct.nn.widen(net, "0", 12))
    np.testing.assert_allclose(led.predict(X), outputs, rtol=1e-5, atol=1e-6)
    after = led.program.snapshot()
    assert after["net.0.weight"].shape == (4, 12) and after["net.4.weight"].shape == (12, 1)
    for path, value in before.items():  # the weights and slots that stay are the same bits
        kept = after[path][tuple(slice(size) for size in value.shape)]
        np.testing.assert_array_equal(kept, value, err_msg=path)
    for slot in ("m", "v"):
        assert (after[f"optimizer.state.{slot}.0"][:, 8:] == 0).all()
    assert looked.keys() == live.forward().keys()
    gradients = live.backward()
    assert np.abs(gradients["4.weight"][8:]).max() > 0
    live.advance(1)
    assert programs_compiled(led) == compiled + 1
    live.advance(2)
    assert programs_compiled(led) == compiled + 1 and int(led.optimizer.step_count.numpy()) == 10
    moved = led.program.snapshot()
    assert (moved["net.0.weight"][:, 8:] != after["net.0.weight"][:, 8:]).any()
    assert {id(step.variable) for step in change.resized} >= {id(led.net[0].weight)}
    live.resume()
    live.join(60)
    assert led.history.rows[: len(history)] == history and len(led.history) == 6
    led.evaluate(X, Y)


def test_a_layer_is_added_alive_and_trained():
    led = trainer()
    led.program.average = ct.optim.ExponentialAverage(led.net)
    led = ct.Trainer(led.program)
    with paused(led) as live:
        live.advance(3)
        outputs = led.predict(X)
        live.change(lambda net: ct.nn.deepen(net, "1", ct.Linear(8, 8), ct.ReLU()))
        np.testing.assert_allclose(led.predict(X), outputs, rtol=1e-6)
        live.advance(3)
        assert (led.net[2].weight.numpy() != np.eye(8)).any()
        assert len(led.optimizer.parameters) == len(led.average.parameters) == 8
        live.stop()


def test_a_change_needs_a_pause_and_no_snapshot_goes_back_behind_it():
    led = trainer()
    before = led.program.snapshot()
    with led.start(X, Y, epochs=10**6, batch_size=16) as live:
        with pytest.raises(TrainingError, match="not paused"):
            live.change(lambda net: ct.nn.widen(net, "0", 12))
        live.pause()
        with pytest.raises(ct.errors.OptionError, match="the edit of the network returned None"):
            live.change(lambda net: None)
        live.change(lambda net: ct.nn.widen(net, "0", 12))
        with pytest.raises(TrainingError, match=r"net.0.weight has shape \(4, 8\) in it and shape"):
            led.program.restore(before)
        wide = led.program.snapshot()
        live.advance(2)
        led.program.restore(wide)
        assert all((led.program.snapshot()[path] == value).all() for path, value in wide.items())
    led.change(lambda net: ct.nn.narrow(net, "0", 6))  # no fit runs
    led.fit(X, Y, epochs=1, batch_size=16, progress=False)


def test_betas_changed_alive_hold_from_the_next_step_and_compile_nothing():
    led = trainer()
    with paused(led) as live:
        live.advance(2)
        compiled, before, gradients = (
            programs_compiled(led),
            led.program.snapshot(),
            live.backward(),
        )
        live.optimizer.betas = (0.5, 0.999)
        with pytest.raises(ct.errors.OptionError, match=r"betas\[0\] is 1"):
            live.optimizer.betas = (1, 0.999)
        live.advance(1)
        after = led.program.snapshot()
        for k, path in enumerate(led.net.named_parameters()):
            m = before[f"optimizer.state.m.{k}"]
            wanted = 0.5 * m + 0.5 * gradients[path]
            np.testing.assert_allclose(
                after[f"optimizer.state.m.{k}"], wanted, rtol=1e-4, atol=1e-6, err_msg=path
            )
        assert programs_compiled(led) == compiled == 1
        live.stop()


WEIGHTS = 1.0 + np.arange(96) % 2
OTHER_X = np.random.default_rng(9).normal(size=(96, 4)).astype(np.float32)
OTHER_Y = (OTHER_X[:, :1] > 0).astype(np.float32)


def test_rows_replaced_alive_are_those_of_the_next_step_and_compile_nothing():
    led = trainer()
    with paused(led) as live:
        live.advance(2)
        x, _ = live.batch()
        place = np.flatnonzero((x[0] == X).all(axis=1))[0]
        compiled = programs_compiled(led)
        assert live.replace_data(OTHER_X, OTHER_Y)
        x, y = live.batch()  # the order stays
        np.testing.assert_array_equal(x[0], OTHER_X[place])
        np.testing.assert_array_equal(y[0], OTHER_Y[place])
        live.advance(4)
        live.stop()
    assert programs_compiled(led) == compiled == 1


def test_rows_replaced_between_two_epochs_are_those_of_a_resumed_fit(tmp_path):
    led = trainer()
    with paused(led, validation=(X, Y)) as live:
        live.advance(6)  # an epoch
        live.replace_data(OTHER_X, OTHER_Y)
        live.stop()
    options = {**OPTIONS, "validation": (X, Y), "progress": False}
    for rows, epochs in (((X, Y), 1), ((OTHER_X, OTHER_Y), 2)):
        other = trainer()
        kept = ct.train.Checkpoints(tmp_path, resume=epochs > 1)
        other.fit(*rows, callbacks=[kept], **{**options, "epochs": epochs})
    assert led.epoch == 2
    expect_equal(led, other)


def test_another_number_of_rows_begins_with_the_next_epoch():
    led = trainer()
    x, y = OTHER_X[:48], OTHER_Y[:48]
    with paused(led, validation=(X, Y)) as live:
        live.advance(2)
        assert not live.replace_data(x, y)
        assert (live.batch()[0][0] == X).all(axis=1).any()
        live.advance(4)  # an epoch has 6 steps
        assert led.epoch == 1 and (x == live.batch()[0][0]).all(axis=1).any()
        live.advance(3)
        assert led.epoch == 2  # now it has 3
        live.stop()


def test_rows_replaced_in_a_running_training_are_trained_on():
    led = trainer()
    with led.start(X, Y, epochs=10**6, batch_size=16, weights=WEIGHTS) as live:
        assert live.replace_data(X, 1 - Y, weights=WEIGHTS)
        assert not live.is_paused
        live.pause()
        assert (live.batch()[1].targets[:, 0] != (live.batch()[0].sum(axis=1) > 0)).all()
        live.stop()


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ((X[:, :3], Y), {}, r"x is float32 of shape \(rows, 3\)\n  expected: float32 of shape"),
        (((X, X), Y), {}, r"x\[0\] is float32 .* \(2 more differ\)|x is missing \(2 more"),
        ((X, np.zeros((96, 1), np.int32)), {}, r"y is int32 of shape \(rows, 1\)"),
        ((X, Y[:50]), {}, "96 inputs and 50 targets"),
        ((X[:20], Y[:20]), {}, "batch_size is 16, but the training set has 15 rows"),
        ((X, Y), {"validation": (X[:, :2], Y)}, "validation: x is float32"),
        ((X, Y), {"weights": np.ones(96)}, "y is missing"),
        ((X, 3 * Y), {}, "3"),
    ],
)
def test_rows_that_do_not_fit_are_named_and_nothing_is_replaced(rows, options, words):
    led = trainer()
    with paused(led) as live:
        before = live.batch()
        with pytest.raises(ct.errors.CutawayError, match=words):
            live.replace_data(*rows, **options)
        for old, new in zip(before, live.batch(), strict=True):
            np.testing.assert_array_equal(old, new)
        live.stop()


def test_streams_and_missing_validation_are_refused_in_words():
    led = trainer()
    stream = ct.data.ArrayStream(X, Y, block_rows=32)
    with led.start(stream, epochs=10**6, batch_size=16) as live:
        with pytest.raises(ct.errors.OptionError, match="a training on a stream"):
            live.replace_data(X, Y)
        live.stop()
    with led.start(X, Y, epochs=10**6, batch_size=16) as live:
        with pytest.raises(ct.errors.OptionError, match="validation rows in a training without"):
            live.replace_data(X, Y, validation=(X, Y))
        live.stop()
    with pytest.raises(TrainingError, match="is not training"):
        live.replace_data(X, Y)
