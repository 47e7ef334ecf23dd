"""What an objective compares is told by shapes: where nothing fits, the network does not run."""

import jax
import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.heads import heads_of
from cutaway.doctor.training_plan import TrainingPlan

pytestmark = pytest.mark.usefixtures("compile_quickly")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)).astype(np.float32), RNG.normal(size=(12, 2)).astype(np.float32)


class Noted(ct.Module):
    """A layer that notes whether it is computed or only traced."""

    def __init__(self):
        self.own = ct.Linear(3, 2)
        self.calls = []

    def forward(self, x):
        self.calls.append("traced" if isinstance(x.data, jax.core.Tracer) else "computed")
        return self.own(x)


def sampled(net, x, y):
    """A term on targets that it makes itself, as a detector does."""
    out = net(x)
    return {"first": ct.losses.mean_squared_error(out[:5], np.zeros((5, 2), np.float32))}


def whole(net, x, y):
    return {"second": ct.losses.mean_squared_error(net(x), y)}


def test_a_network_whose_terms_compare_no_target_is_traced_and_not_computed():
    net = Noted()
    trainer = ct.Trainer(net, objective=sampled)
    assert heads_of(trainer.program, X, Y) == ([], ["first"])
    assert set(net.calls) == {"traced"}


def test_a_term_of_an_objective_that_compares_a_target_is_a_head():
    net = Noted()
    (head,), unknown = heads_of(ct.Trainer(net, objective=whole).program, X, Y)
    assert not unknown and head.term == "second" and head.loss is ct.losses.mean_squared_error
    assert "computed" in net.calls

    def both(net, x, y):
        return sampled(net, x, y) | whole(net, x, y)

    found, unknown = heads_of(ct.Trainer(net, objective=both).program, X, Y)
    assert [one.term for one in found] == ["second"] and unknown == ["first"]


def test_the_loss_at_the_start_is_that_of_the_first_weights_and_the_trained_ones_stay():
    ct.seed(0)
    net = ct.Linear(3, 2)
    before = float(np.mean((X @ net.weight.numpy() + net.bias.numpy() - Y) ** 2))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    evidence = Evidence.gather(TrainingPlan.of(trainer, X, Y, epochs=3, batch_size=4))
    trained = evidence.net.weight.numpy()
    assert evidence.initial_loss == pytest.approx(before, rel=1e-5)
    assert evidence.final_loss < before
    np.testing.assert_array_equal(evidence.net.weight.numpy(), trained)
    with evidence.at_start() as begun:
        np.testing.assert_array_equal(begun.net.weight.numpy(), net.weight.numpy())
    np.testing.assert_array_equal(evidence.net.weight.numpy(), trained)


@pytest.mark.slow
def test_the_training_loss_of_a_network_of_many_layers_is_compiled_and_changes_nothing():
    ct.seed(0)
    layers = [part for _ in range(51) for part in (ct.Linear(3, 3), ct.BatchNorm(3))]
    net = ct.Sequential(*layers, ct.Linear(3, 2))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=1e-3))
    evidence = Evidence.gather(TrainingPlan.of(trainer, X, Y, epochs=1, batch_size=12))
    before = {path: np.array(value) for path, value in evidence.net.state_dict().items()}
    found = [evidence.loss_of(evidence.trainer, X, Y, training=True) for _ in range(2)]
    for path, value in evidence.net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
    own = evidence.net.train()
    with ct.no_grad():
        eager = ct.losses.mean_squared_error(own(ct.Tensor(X)), ct.Tensor(Y)).item()
    assert found == pytest.approx([eager, eager], rel=1e-3)
