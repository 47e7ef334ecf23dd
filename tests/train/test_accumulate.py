"""accumulate=k: the step of the whole batch, with the memory of a k-th of it."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.nn import accumulate_over
from cutaway.train.steps import EpochSteps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(72, 5)).astype(np.float32)
Y = (X[:, :2] ** 2).sum(axis=1).astype(np.float32)


def trained(accumulate, **options):
    ct.seed(0)
    net = ct.models.mlp((5, 16, 1))
    trainer = ct.Trainer(
        net,
        loss=losses.mean_squared_error,
        optimizer=ct.SGD(net, lr=0.05),
        penalty=lambda net: losses.l2_penalty(net.parameters(), 1e-2),
        **options,
    )
    trainer.fit(X, Y, epochs=4, batch_size=24, accumulate=accumulate, seed=0)
    return trainer


@pytest.mark.parametrize("quick", [True, False])
def test_several_micro_batches_make_the_step_of_their_batch(monkeypatch, quick):
    monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: quick)
    whole, parts = trained(1), trained(4)
    np.testing.assert_allclose(parts.history["loss"], whole.history["loss"], rtol=1e-5)
    for path, value in whole.net.state_dict().items():
        np.testing.assert_allclose(parts.net.state_dict()[path], value, atol=1e-6)


def test_one_trainer_may_change_between_ways():
    trainer = trained(4)
    before = trainer.net.state_dict()
    found = []
    for accumulate in (1, 3, 4, 24):
        trainer.net.load_state_dict(before)
        history = trainer.fit(X, Y, epochs=1, batch_size=24, accumulate=accumulate, seed=0)
        found.append(history["loss"][0])
    np.testing.assert_allclose(found, found[0], rtol=1e-5)


def test_memory_is_that_of_a_micro_batch():
    net = ct.models.mlp((5, *[64] * 8, 1))
    trainer = ct.Trainer(net, loss=losses.mean_squared_error)
    x, y = Tensor(np.ones((4096, 5), np.float32)), Tensor(np.ones(4096, np.float32))
    steps = trainer._runner.steps
    sizes = []
    for accumulate in (1, 16):
        steps.accumulate = accumulate
        order = steps.parts(np.arange(4096).reshape(1, -1))
        program = steps._once.lower(order[0], x, y).compile()
        sizes.append(program.memory_analysis().temp_size_in_bytes)
    assert sizes[1] < sizes[0] / 6


def test_gradients_of_items_in_turn_add_up_and_state_moves_on():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(5, 3), ct.Dropout(0.5))
    unused = ct.Linear(2, 2)
    items = X.reshape(3, 24, 5)

    def part(x):
        out = net(x).sum()
        out.backward()
        return out

    key = net[1].key.numpy()
    one_by_one = [part(Tensor(x)).item() for x in items]
    expected = net[0].weight.grad
    moved = net[1].key.numpy()
    net[1].key.data = key
    net[0].weight.grad = net[0].bias.grad = None
    outs = ct.jit(lambda items: accumulate_over(part, items, net, unused), net, unused)(items)
    np.testing.assert_allclose(outs.numpy(), one_by_one, rtol=1e-5)
    np.testing.assert_allclose(net[0].weight.grad, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(net[1].key.numpy(), moved)
    assert unused.weight.grad is None


@pytest.mark.parametrize(("accumulate", "words"), [(5, "accumulate is 5, which does not divide"),
                                                   (0, "accumulate is 0")])  # fmt: skip
def test_parts_that_are_not_equal_are_named(accumulate, words):
    with pytest.raises(OptionError, match=words):
        trained(accumulate)
