"""Trainer(precision="bfloat16"): learns as well, and its state stays float32."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.errors import OptionError, RunError
from cutaway.runtime import on_gpu
from cutaway.train.resuming import load_training_state, training_state

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype(np.float32)
Y = (np.sin(X[:, 0]) + X[:, 1]).astype(np.float32)


def trained(precision, epochs=30):
    ct.seed(0)
    net = ct.models.mlp((4, 32, 1))
    optimizer = ct.Adam(net, lr=0.01)
    trainer = ct.Trainer(
        net, loss=losses.mean_squared_error, optimizer=optimizer, precision=precision
    )
    trainer.fit(X, Y, epochs=epochs, batch_size=32, validation=(X, Y), seed=0)
    return trainer


def test_training_in_bfloat16_learns_and_keeps_float32_state():
    fine, coarse = trained(None), trained("bfloat16")
    first = fine.history["loss"][0]
    assert coarse.history["loss"][-1] < 0.1 * first
    np.testing.assert_allclose(coarse.history["loss"][0], first, rtol=1e-2)
    assert coarse.history["loss"] != fine.history["loss"]
    for variable in coarse.program.variables().values():
        assert variable.dtype.name in ("float32", "int32", "uint32")
    with ct.matmul_precision("bfloat16"):
        eager = coarse.net(X).numpy()
    atol = 1e-2 if on_gpu() else 1e-6  # rounded in other places there, eagerly and compiled
    np.testing.assert_allclose(coarse.predict(X), eager, atol=atol)
    assert not np.array_equal(coarse.predict(X), coarse.net(X).numpy())
    scored = coarse.evaluate(X, Y)["loss"]
    assert scored == pytest.approx(coarse.history["val_loss"][-1], rel=1e-6)
    rel = 0.1 if on_gpu() else 1e-5
    assert scored == pytest.approx(np.mean((eager[:, 0] - Y) ** 2), rel=rel)


def test_a_trainer_without_a_precision_takes_the_one_around_it():
    with ct.matmul_precision("bfloat16"):
        inherited = trained(None, epochs=2)
    assert inherited.history["loss"] == trained("bfloat16", epochs=2).history["loss"]


def test_an_unknown_precision_is_named():
    with pytest.raises(OptionError, match="unknown precision 'half'"):
        trained("half")


def test_a_checkpoint_that_does_not_say_its_precision_is_resumed_in_any():
    begun = trained("bfloat16", epochs=2)
    arrays, notes = training_state(begun)
    other = trained("float32", epochs=1)
    with pytest.raises(RunError, match="started with precision=bfloat16, not float32"):
        load_training_state(other, arrays, notes)
    del notes["precision"]  # as versions before wrote them
    load_training_state(other, arrays, notes)
    assert other.epoch == 2
