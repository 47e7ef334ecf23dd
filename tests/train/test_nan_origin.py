"""Where a NaN began: operation, layer, row and step, also in a compiled training."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.errors import TrainingError
from cutaway.train.steps import EpochSteps

RNG = np.random.default_rng(0)
MSE = ct.losses.mean_squared_error


class Root(ct.Module):
    def forward(self, x):
        return ops.sqrt(x)


def origin_of(net, x, y, *, loss=MSE, lr=0.01, quick=True, monkeypatch=None, epochs=3, **options):
    if monkeypatch is not None:
        monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: quick)
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.SGD(net, lr=lr), **options)
    with pytest.raises(TrainingError) as caught:
        trainer.fit(x, y, epochs=epochs, batch_size=8, seed=0, progress=False)
    assert all(np.isfinite(v).all() for v in net.state_dict().values())
    assert caught.value.origin.text() in str(caught.value)
    return caught.value.origin


@pytest.mark.parametrize("quick", [True, False])
def test_operation_layer_row_and_step_are_named(monkeypatch, quick):
    x = RNG.uniform(1, 2, size=(64, 3)).astype(np.float32)
    x[41] = -1
    net = ct.Sequential(ct.Identity(), Root(), ct.BatchNorm(3), ct.Linear(3, 1))
    found = origin_of(net, x, x[:, :1], quick=quick, monkeypatch=monkeypatch)
    assert (found.phase, found.operation, found.layer, found.kind) == (
        "forward", "sqrt", "1", "Root",
    )  # fmt: skip
    assert (found.row, found.rows, found.epoch) == (41, 1, 1)
    order = np.random.default_rng([0, 0]).permutation(64).reshape(8, 8)
    assert 41 in order[found.step - 1]
    assert found.largest == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("quick", [True, False])
def test_an_infinite_slope_is_found_in_the_step_before_the_loss_became_nan(monkeypatch, quick):
    # √0 is 0, but its slope is infinite: the loss of that step is still finite
    x = RNG.uniform(1, 2, size=(8, 3)).astype(np.float32)
    x[5, 1] = 0
    net = ct.Sequential(ct.Linear(3, 3), Root(), ct.Linear(3, 1))
    net[0].weight.data = ct.Tensor(np.eye(3)).data
    found = origin_of(net, x, x[:, :1], quick=quick, monkeypatch=monkeypatch)
    assert (found.phase, found.operation, found.layer) == ("gradient", "sqrt", "1")
    assert (found.row, found.rows, found.epoch, found.step) == (5, 1, 1, 1)


def test_the_row_is_named_where_the_loss_itself_is_not_finite():
    def logarithmic(prediction, target):
        return ((ops.log(prediction) - target) ** 2).mean()

    x = RNG.uniform(1, 2, size=(16, 3)).astype(np.float32)
    x[11] = 0
    net = ct.Sequential(ct.Linear(3, 1, bias=False))
    net[0].weight.data = ct.Tensor(np.ones((3, 1))).data
    found = origin_of(net, x, x[:, :1], loss=logarithmic)
    assert (found.phase, found.operation, found.layer, found.row) == ("loss", "log", "", 11)


def test_a_fused_loss_names_the_rows_too():
    x = np.ones((8, 1), np.float32)
    y = np.ones((8, 1), np.float32)
    y[3] = 1e30
    net = ct.Sequential(ct.Linear(1, 1))
    found = origin_of(net, x, y)
    assert (found.phase, found.row, found.rows) == ("loss", 3, 1)


def test_a_step_that_is_too_large_is_the_optimizers():
    x = np.full((8, 1), 1e15, np.float32)
    net = ct.Sequential(ct.Linear(1, 1, bias=False))
    found = origin_of(net, x, np.zeros((8, 1), np.float32), lr=1e38)
    assert (found.phase, found.layer, found.epoch, found.step) == ("optimizer", "0.weight", 1, 1)


def test_what_looks_for_the_nan_leaves_statistics_and_keys_alone():
    x = RNG.uniform(1, 2, size=(8, 3)).astype(np.float32)
    x[2] = -1
    net = ct.Sequential(Root(), ct.BatchNorm(3), ct.Dropout(0.5), ct.Linear(3, 1))
    before = net.state_dict()
    origin_of(net, x, x[:, :1])
    for name, value in net.state_dict().items():
        assert np.array_equal(value, before[name]), name


def test_micro_batches_are_looked_at_one_by_one():
    x = RNG.uniform(1, 2, size=(8, 3)).astype(np.float32)
    x[6] = -1
    net = ct.Sequential(Root(), ct.Linear(3, 1))
    trainer = ct.Trainer(net, loss=MSE)
    with pytest.raises(TrainingError) as caught:
        trainer.fit(x, x[:, :1], epochs=1, batch_size=8, accumulate=4, seed=0, progress=False)
    assert caught.value.origin.row == 6
