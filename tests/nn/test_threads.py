"""What is current belongs to the thread: modes, forwards, values and seeds."""

import threading

import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.nn import random
from cutaway.nn.state import latest_change
from cutaway.nn.survey import Surveyor


def in_thread(function):
    """What the function returns in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_mode_holds_in_its_thread_and_until_the_end_of_its_context():
    net = ct.Sequential(ct.Linear(2, 2), ct.Dropout(0.5))
    with nn.in_mode(net, False):
        assert not net.training and not net[1].training
        assert in_thread(lambda: net.training and net[1].training)
        with nn.in_mode(net[1], True):
            assert net[1].training and not net[0].training
        assert not net[1].training
        net.train()  # what holds is the context's
        assert net.training and net[1].training
    assert net.training
    net.eval()
    with nn.in_mode(net, True):
        net.eval()
    assert not net.training and not net[1].training


def test_a_module_that_stays_in_evaluation_mode_stays_in_it():
    net = ct.Sequential(ct.Linear(2, 2), ct.Dropout(0.5))
    net[1].stays_in_eval = True
    with nn.in_mode(net, True):
        assert net.training and not net[1].training


def test_a_compiled_step_follows_the_mode_of_the_thread():
    net = ct.Sequential(ct.Dropout(0.5))
    step = ct.jit(lambda x: net(x), net)
    x = np.ones((1, 64), np.float32)
    assert not (step(x).numpy() == 1).any()
    with nn.in_mode(net, False):
        assert (step(x).numpy() == 1).all()
    assert not (step(x).numpy() == 1).any()
    assert len(step.plans) == 2


def test_a_module_that_cannot_be_hashed_has_modes_too():
    class Odd(ct.Module):
        def __eq__(self, other):
            return True

        __hash__ = None

        def forward(self, x):
            return x

    net = Odd()
    with nn.in_mode(net, False):
        assert not net.training


def test_a_forward_is_replaced_in_its_thread_alone():
    net = ct.Sequential(ct.Linear(2, 1), ct.ReLU())
    x = np.ones((1, 2), np.float32)
    plain = net(x).numpy()
    with nn.replacing({net[0]: lambda x: ct.Tensor(np.full((1, 1), 7.0))}):
        assert net(x).numpy().tolist() == [[7.0]]
        np.testing.assert_array_equal(in_thread(lambda: net(x).numpy()), plain)
    np.testing.assert_array_equal(net(x).numpy(), plain)


def test_a_snapshot_keeps_the_values_of_its_moment_and_drops_what_is_written():
    net = ct.Linear(2, 1)
    start = net.state_dict()
    with nn.snapshot(net):
        in_thread(lambda: net.load_state_dict({k: v + 1 for k, v in start.items()}))
        np.testing.assert_array_equal(net.weight.numpy(), start["weight"])
        net.bias.data = net.bias.data + 5
        assert in_thread(lambda: net.bias.numpy().tolist()) == [1.0]
        assert net.bias.numpy().tolist() == [5.0]
    np.testing.assert_array_equal(net.weight.numpy(), start["weight"] + 1)
    assert net.bias.numpy().tolist() == [1.0]


def test_a_snapshot_survives_steps_that_donate_the_values_it_was_taken_of():
    net = ct.Linear(2, 1)
    start = net.state_dict()

    def grow():
        net.weight.data = net.weight.data + 1

    step = ct.jit(grow, net)
    with nn.snapshot(net):
        in_thread(step)
        np.testing.assert_array_equal(net.weight.numpy(), start["weight"])
    np.testing.assert_array_equal(net.weight.numpy(), start["weight"] + 1)


def test_threads_draw_from_generators_of_their_own_that_a_seed_determines():
    def draws():
        return random.generator().normal(size=3).tolist()

    found = []
    for _ in range(2):
        ct.seed(3)
        found.append((in_thread(draws), in_thread(draws), draws()))
    assert found[0] == found[1]
    assert len({tuple(values) for values in found[0]}) == 3


def changes():
    net = ct.Sequential(ct.Linear(2, 2), ct.ReLU(), ct.Dropout(0.1))
    net.parts = [1, 2]
    net.named = {"a": 1}
    yield net, lambda: setattr(net[2], "p", 0.2)
    yield net, lambda: setattr(net, "3", ct.Linear(2, 1))
    yield net, lambda: delattr(net, "3")
    yield net, lambda: net.parts.append(3)
    yield net, lambda: net.parts.__setitem__(0, 5)
    yield net, lambda: net.named.update(a=2)
    yield net, lambda: net.named.update(b=2)
    yield net, lambda: setattr(net[0].bias, "requires_grad", False)
    yield net, lambda: net.eval()


def test_owners_are_walked_again_after_every_change_of_theirs_and_not_without_one():
    for net, change in changes():
        surveyor = Surveyor((net,))
        first = surveyor.survey()
        assert surveyor.survey() is first
        change()
        second = surveyor.survey()
        assert second is not first and second.signature != first.signature
        assert surveyor.survey() is second


def test_a_change_elsewhere_changes_no_signature():
    net = ct.Linear(2, 1)
    surveyor = Surveyor((net,))
    first = surveyor.survey().signature
    ct.Linear(3, 3)
    assert surveyor.survey().signature is first


def test_compiled_steps_change_no_attribute():
    net = ct.Sequential(ct.Linear(4, 8), ct.ReLU(), ct.BatchNorm(8), ct.Dropout(0.1))
    optimizer = ct.Adam(net, 1e-3)

    def step(x):
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    compiled = ct.jit(step, net, optimizer)
    x = np.ones((4, 4), np.float32)
    compiled(x)
    before = latest_change()
    for _ in range(3):
        compiled(x)
    assert latest_change() == before


def test_setting_an_attribute_to_what_it_is_is_no_change():
    net = ct.Dropout(0.5)
    before = latest_change()
    net.p = net.p
    net.train()
    assert latest_change() == before


def data():
    x = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def trainer():
    ct.seed(0)
    net = ct.Sequential(
        ct.Linear(4, 8), ct.ReLU(), ct.BatchNorm(8), ct.Dropout(0.2), ct.Linear(8, 1), ct.Sigmoid()
    )
    optimizer = ct.Adam(net, lr=1e-2)
    return ct.Trainer(net, loss=ct.losses.binary_cross_entropy, optimizer=optimizer)


def fit(trainer):
    trainer.fit(*data(), epochs=20, batch_size=32, seed=1, validation=0.25, progress=False)
    return trainer.net.state_dict()


def read(trainer):
    x, y = data()
    trainer.predict(x[:50], batch_size=16)
    trainer.evaluate(x[:50], y[:50])
    trainer.net.state_dict()
    trainer.net.summary((4,))
    ct.explain(trainer.net, x[0], y[0], loss=ct.losses.binary_cross_entropy)


def train_another(_):
    fit(trainer())


@pytest.mark.parametrize(
    ("other", "times"),
    [(read, 1), (train_another, 1), pytest.param(read, 16, marks=pytest.mark.slow)],
)
def test_a_training_gets_the_same_bits_while_another_thread_reads_and_trains(other, times):
    alone, errors = fit(trainer()), []
    for _ in range(times):
        shared, done = trainer(), threading.Event()

        def go_on(shared=shared, done=done):
            try:
                while not done.is_set():
                    other(shared)
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            found = fit(shared)
        finally:
            done.set()
            thread.join()
        assert not errors
        for path, value in alone.items():
            np.testing.assert_array_equal(found[path], value, err_msg=path)
        assert not shared.net.training


def test_every_prediction_during_a_training_is_that_of_one_whole_step():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    y = x @ np.ones((3, 1), np.float32)

    def make():
        ct.seed(0)
        net = ct.Linear(3, 1)
        return ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=1e-3))

    alone, after = make(), []
    after.append(alone.predict(x))
    alone.fit(
        x, y, epochs=400, batch_size=40, seed=0, progress=False,
        callbacks=[lambda trainer, row: after.append(trainer.predict(x))],
    )  # fmt: skip
    after = np.stack(after)

    shared, seen, done = make(), [], threading.Event()

    def look():
        while not done.is_set():
            seen.append(shared.predict(x, batch_size=7))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        shared.fit(x, y, epochs=400, batch_size=40, seed=0, progress=False)
    finally:
        done.set()
        thread.join()
    assert seen
    steps = np.abs(np.diff(after, axis=0)).max(axis=(1, 2)).min()  # they can be told apart
    for outputs in seen:
        assert np.abs(after - outputs).max(axis=(1, 2)).min() < min(1e-6, steps / 4)


def test_a_second_fit_of_a_trainer_at_the_same_time_is_refused():
    shared, refused = trainer(), []

    def again(trainer, row):
        with pytest.raises(ct.errors.TrainingError, match="this Trainer is training already"):
            trainer.fit(*data(), epochs=1, progress=False)
        refused.append(row["epoch"])

    shared.fit(*data(), epochs=2, seed=1, progress=False, callbacks=[again])
    assert refused == [1, 2]
    shared.fit(*data(), epochs=1, seed=1, progress=False)  # and afterwards it may
