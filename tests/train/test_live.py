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

    live = led.start(X, Y, callbacks=[Wait()], **{**OPTIONS, **options})
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
    compiled = len(led._steps._quick_loop.plans)
    before, gradients = led.program.snapshot(), live.backward()
    led.optimizer.lr = 0.5
    live.advance(1)
    after = led.program.snapshot()
    for path, gradient in gradients.items():
        wanted = before[f"net.{path}"] - np.float32(0.5) * gradient
        np.testing.assert_allclose(after[f"net.{path}"], wanted, rtol=1e-4, atol=1e-6)
    assert len(led._steps._quick_loop.plans) == compiled == 1
    live.stop()
    live.join(60)


def test_a_stop_ends_after_the_epoch_and_errors_are_raised_by_join():
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
