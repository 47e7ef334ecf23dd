"""ExponentialAverage: its formula, and where a Trainer uses the averaged weights."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.errors import OptionError
from cutaway.nn import Parameter
from cutaway.train import Checkpoints, EarlyStopping

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype(np.float32)
Y = X.sum(axis=1) + RNG.normal(size=48).astype(np.float32)


def test_the_mean_is_that_of_the_formula():
    w = Parameter(np.zeros(2, np.float32))
    average = ct.ExponentialAverage([w], decay=0.6)
    expected = np.zeros(2)
    for t in range(12):
        w.data = w.data + np.float32([1, t])
        average.update()
        d = min(0.6, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * w.numpy()
    with average.applied():
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5)
    assert w.numpy()[0] == 12
    average.apply()
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5)


def made(decay=0.9):
    ct.seed(0)
    net = ct.models.mlp((3, 8, 1), dropout=0.1)
    average = None if decay is None else ct.ExponentialAverage(net, decay)
    return ct.Trainer(
        net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.02), average=average
    )


def test_training_is_the_same_and_the_weights_after_it_are_the_mean():
    plain, averaged = made(None), made()
    moving = []  # what a mean over the plain training's epochs must give; one step an epoch
    plain.fit(X, Y, epochs=8, batch_size=48, seed=0,
              callbacks=[lambda t, row: moving.append(t.net.state_dict())])  # fmt: skip
    averaged.fit(X, Y, epochs=8, batch_size=48, seed=0)
    np.testing.assert_allclose(plain.history["loss"], averaged.history["loss"], rtol=1e-5)
    start = made().net.state_dict()
    for path, value in averaged.net.state_dict().items():
        if "weight" not in path and "bias" not in path:
            continue
        expected = start[path].astype(np.float64)
        for t, state in enumerate(moving):
            d = min(0.9, (1 + t) / (10 + t))
            expected = d * expected + (1 - d) * state[path]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_validation_callbacks_and_best_weights_are_of_the_mean():
    trainer = made()
    stopping = EarlyStopping(None)
    seen = []

    def look(trainer, row):
        seen.append(trainer.evaluate(X, Y)["loss"])

    history = trainer.fit(
        X, Y, epochs=6, batch_size=16, validation=(X, Y), callbacks=[stopping, look]
    )
    assert seen == pytest.approx(history["val_loss"], rel=1e-6)
    assert trainer.evaluate(X, Y)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)


def test_resuming_gives_the_same_bits_as_never_stopping(tmp_path):
    def fit(folder, epochs, resume=False):
        trainer = made()
        callbacks = [EarlyStopping(None), Checkpoints(tmp_path / folder, resume=resume)]
        trainer.fit(
            X, Y, epochs=epochs, batch_size=16, validation=0.25, callbacks=callbacks, seed=3
        )
        return trainer

    whole = fit("whole", 7)
    fit("parts", 3)
    resumed = fit("parts", 7, resume=True)
    for name, variable in whole.program.variables().items():
        np.testing.assert_array_equal(
            variable.numpy(), resumed.program.variables()[name].numpy(), name
        )
    assert whole.history["val_loss"] == resumed.history["val_loss"]
    assert any(name.startswith("average.values") for name in whole.complete)


def test_a_decay_outside_its_range_is_named():
    with pytest.raises(OptionError, match="decay is 1"):
        ct.ExponentialAverage([Parameter(1.0)], decay=1)
