"""Dropout on a schedule: its rate follows the number of the step, compiled once."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.doctor.changes.length import stretch_schedule
from cutaway.errors import OptionError
from cutaway.nn.drop_rates import scaled_dropout
from cutaway.optim import FlatCosine

X = np.ones((500, 40), np.float32)
P = 0.5
EPOCHS = 12  # of one step; the schedule ends after 8


class Noisy(ct.Module):
    """Ones with dropout, and a weight to train."""

    def __init__(self, layer):
        self.layer = layer
        self.weight = ct.Parameter(np.ones(1, np.float32))

    def forward(self, x):
        return self.layer(x) * self.weight


def objective(net, x, y):
    # E[y²] of a one that survives with 1 - rate, scaled by 1 / (1 - rate), is 1 / (1 - rate)
    return {"square": ops.mean(net(x) ** 2)}


def trainer(layer, schedule):
    ct.seed(0)
    net = Noisy(layer())
    optimizer = ct.SGD(net, lr=1e-9)
    return ct.Trainer(net, objective=objective, optimizer=optimizer, dropout_schedule=schedule)


def squares(layer=lambda: ct.Dropout(P), schedule=None, **options):
    fitted = trainer(layer, schedule)
    history = fitted.fit(X, X, epochs=EPOCHS, batch_size=len(X), progress=False, **options)
    return np.array(history["loss"])


def expected():
    factors = np.asarray(FlatCosine(8)(np.arange(1.0, EPOCHS + 1)))
    return 1 / (1 - P * factors)


@pytest.mark.parametrize("layer", [lambda: ct.Dropout(P), lambda: ct.nn.SpatialDropout(P)])
def test_the_rate_of_dropout_follows_the_schedule_step_by_step(layer):
    found = squares(layer, FlatCosine(8))
    np.testing.assert_allclose(found, expected(), rtol=0.03)
    np.testing.assert_allclose(found[8:], 1, rtol=1e-6)
    np.testing.assert_allclose(squares(layer)[8:], 2, rtol=0.03)  # without one the rate stays


def test_epochs_in_one_program_eager_steps_and_micro_batches_have_the_same_rates():
    found = squares(schedule=FlatCosine(8))
    eager = trainer(lambda: ct.Dropout(P), FlatCosine(8)).program
    x = ct.Tensor(X)
    with eager.in_mode(True):
        steps = [eager.step(x, x)["loss"].item() for _ in range(EPOCHS)]
    np.testing.assert_allclose(steps, found, rtol=1e-5)
    np.testing.assert_allclose(squares(schedule=FlatCosine(8), accumulate=2), expected(), rtol=0.03)


def test_what_is_recomputed_on_the_way_back_is_dropped_at_the_same_rate():
    # ∂/∂w mean (w d)² = 2 mean d² at w = 1: of the d of the forward pass
    def gradient(wrapped):
        ct.seed(0)
        layer = Noisy(ct.Dropout(P))
        net = ct.nn.Recompute(layer) if wrapped else layer
        program = ct.train.Program(
            net, objective=objective, optimizer=ct.SGD(net, 0.1), dropout_schedule=FlatCosine(8)
        )
        program.optimizer.step_count.data = program.optimizer.step_count.data + 5
        with program.in_mode(True):
            [found] = program.gradients(ct.Tensor(X), ct.Tensor(X)).values()
        return found.item()

    assert gradient(True) == pytest.approx(gradient(False), rel=1e-5)


def test_the_schedule_is_said_stretched_and_copied_and_must_be_one():
    fitted = trainer(lambda: ct.Dropout(P), FlatCosine(8))
    assert "with dropout_schedule" in repr(fitted.program)
    copied = fitted.program.copied()
    stretch_schedule(copied, 2)
    assert copied.dropout_schedule.total_steps == 16
    assert fitted.dropout_schedule.total_steps == 8
    with pytest.raises(OptionError, match=r"dropout_schedule is 0\.5"):
        trainer(lambda: ct.Dropout(P), 0.5)
    with pytest.raises(OptionError, match="expected: a Schedule"):
        fitted.dropout_schedule = "cosine"


def test_the_factor_holds_only_inside_of_its_context():
    layer = ct.Dropout(P).train()
    with pytest.raises(ZeroDivisionError), scaled_dropout(0.0):
        raise ZeroDivisionError
    assert (layer(X).numpy() == 0).any()
