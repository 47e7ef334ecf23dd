import functools

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.studio.surface import surface
from cutaway.train import Program
from tests.studio.scenes import dense

SGD, ADAM = (functools.partial(kind, lr=lr) for kind, lr in ((ct.SGD, 0.5), (ct.Adam, 0.05)))


def test_the_ways_of_optimizers_begin_at_the_weights_and_descend():
    subject = dense()
    program = subject.program.copied()
    before = program.net.state_dict()
    found = surface(program, subject.x, subject.y, {"SGD": SGD, "Adam": ADAM}, steps=40, points=9)
    loss = subject.program.loss(program.net(subject.x), subject.y).item()
    assert found.values.shape == (9, 9)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.values[4, 4] == pytest.approx(loss, rel=1e-5)  # the middle is where it is now
    for way in found.ways.values():
        np.testing.assert_allclose(way.path[0], 0, atol=1e-7)
        assert way.losses[0] == pytest.approx(loss, rel=1e-5)
        assert way.losses[-1] < 0.5 * loss
        assert (way.steps[0], way.steps[-1]) == (0, 40)
        assert len(way.path) == len(way.losses) == len(way.steps)
    after = program.net.state_dict()
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_the_end_of_a_way_is_where_so_many_full_batch_steps_lead():
    subject = dense()
    found = surface(subject.program.copied(), subject.x, subject.y, {"SGD": SGD}, steps=3)
    program = subject.program.copied(optimizer=SGD, net=subject.program.copied().net)
    for _ in range(3):
        program.step(subject.x, subject.y)
    loss = program.loss(program.net(subject.x), subject.y).item()
    assert found.ways["SGD"].losses[-1] == pytest.approx(loss, rel=1e-5)
    assert found.ways["SGD"].steps.tolist() == [0, 1, 2, 3]


def test_an_optimizer_that_diverges_ends_where_it_was_last_finite():
    x = np.full((4, 1), 100.0, np.float32)
    program = Program(ct.Linear(1, 1), loss=ct.losses.mean_squared_error)
    wild = {"SGD": functools.partial(ct.SGD, lr=1.0), "Adam": ADAM}
    found = surface(program, x, x, wild, steps=40, points=5)
    assert found.ways["SGD"].steps[-1] < 40
    assert np.isfinite(found.ways["SGD"].path).all()
    assert found.ways["Adam"].steps[-1] == 40


def test_a_training_without_a_loss_of_predictions_has_no_surface():
    net = ct.Linear(2, 1)
    program = Program(net, objective=lambda net, x, y: ((net(x) - y) ** 2).mean())
    with pytest.raises(OptionError, match="minimizes an objective"):
        surface(program, np.ones((2, 2)), np.ones((2, 1)), {"SGD": SGD})
