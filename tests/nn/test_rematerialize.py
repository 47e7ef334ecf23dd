"""recompute: the same gradients, with less memory."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, ops
from cutaway.engine import Tensor, check_gradient
from cutaway.errors import GradientError, OptionError
from cutaway.nn import Buffer, Module

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 6)).astype(np.float32)
Y = RNG.normal(size=(16, 1)).astype(np.float32)


class Counted(Module):
    """A layer with a running statistic."""

    def __init__(self):
        self.mean = Buffer(np.zeros(6, np.float32))
        self.seen = Buffer(np.int32(0))

    def forward(self, x):
        if self.training:
            self.mean.data = 0.9 * self.mean.data + 0.1 * x.data.mean(axis=0)
            self.seen.data = self.seen.data + 1
        return x - Tensor(self.mean.data)


def block():
    return ct.Sequential(ct.Linear(6, 6), Counted(), ct.Dropout(0.4), ct.Tanh())


def made(wrap):
    ct.seed(0)
    return ct.Sequential(wrap(block()), wrap(ct.Residual(block())), ct.Linear(6, 1))


def found(net, compiled):
    x = Tensor(X, requires_grad=True)

    def step(x_data):
        x.data = x_data.data
        loss = losses.mean_squared_error(net(x), Y)
        loss.backward()
        grad, x.grad = x.grad, None
        return loss, grad, [p.grad for p in net.parameters()]

    step = ct.jit(step, net) if compiled else step
    loss, grad, grads = step(Tensor(X))
    arrays = [getattr(a, "data", a) for a in (loss, grad, *grads)]
    return [np.asarray(a) for a in arrays], list(net.state_dict().values())


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_and_state_are_those_without_it(compiled):
    plain, plain_state = found(made(lambda b: b), compiled)
    ours, our_state = found(made(ct.recompute), compiled)
    for a, b in zip(plain, ours, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    for a, b in zip(plain_state, our_state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_statistics_and_keys_move_on_once():
    net = made(ct.recompute)
    losses.mean_squared_error(net(X), Y).backward()
    state = net.state_dict()
    assert state["0.inner.1.seen"] == 1 and state["1.inner.inner.1.seen"] == 1


def test_what_changed_between_forward_and_backward_does_not_count():
    net = made(ct.recompute)
    expected, _ = found(made(ct.recompute), False)
    x = Tensor(X, requires_grad=True)
    loss = losses.mean_squared_error(net(x), Y)
    state = net.state_dict()
    for p in net[0].parameters():
        p.data = p.data * 3
    net[0].eval()
    tripled = net[0].inner[0].weight.numpy()
    loss.backward()
    np.testing.assert_allclose(x.grad, expected[1], rtol=1e-6, atol=1e-7)
    assert not net[0].inner[2].training
    np.testing.assert_array_equal(net[0].inner[0].weight.numpy(), tripled)
    np.testing.assert_array_equal(net.state_dict()["0.inner.2.key"], state["0.inner.2.key"])


class Product(Module):
    def __init__(self):
        self.weight = ct.Parameter(RNG.normal(size=(3,)))

    def forward(self, a, b, power):
        return ops.tanh(a * b * self.weight) ** power


def test_blocks_may_have_several_inputs_and_nest():
    wrapped = ct.recompute(ct.recompute(Product()))
    a, b = RNG.normal(size=(4, 3)), RNG.normal(size=(3,))
    check_gradient(lambda a, b: wrapped(a, b, 2), a, b)


def test_frozen_parameters_get_no_gradient():
    net = made(ct.recompute)
    net[0].freeze()
    losses.mean_squared_error(net(X), Y).backward()
    grads = [p.grad is None for p in net.parameters()]
    assert grads == [True, True, False, False, False, False]


def test_memory_of_a_deep_stack_falls():
    sizes = []
    for wrap in (lambda b: b, ct.recompute):
        ct.seed(0)
        blocks = [
            wrap(
                ct.Sequential(*(part for _ in range(4) for part in (ct.Linear(64, 64), ct.Tanh())))
            )
            for _ in range(6)
        ]
        net = ct.Sequential(*blocks, ct.Linear(64, 1))
        optimizer = ct.SGD(net, lr=0.1)

        def step(x, net=net, optimizer=optimizer):
            loss = net(x).sum()
            loss.backward()
            optimizer.step()
            return loss

        lowered = ct.jit(step, net, optimizer).lower(Tensor(np.ones((4096, 64), np.float32)))
        sizes.append(lowered.compile().memory_analysis().temp_size_in_bytes)
    assert sizes[1] < 0.6 * sizes[0]


def test_evaluation_records_nothing():
    net = ct.recompute(block()).eval()
    with ct.no_grad():
        assert not net(X).requires_grad
    np.testing.assert_array_equal(net(X).numpy(), net.inner(X).numpy())


def test_what_cannot_be_recomputed_is_named():
    class Two(Module):
        def forward(self, x):
            return x, x

    class Closed(Module):
        def __init__(self, outside):
            self.read = lambda: outside

        def forward(self, x):
            return x * self.read()

    with pytest.raises(OptionError, match="Two returns a tuple"):
        ct.recompute(Two())(X)
    closed = ct.recompute(Closed(Tensor(np.ones(6), requires_grad=True)))
    with pytest.raises(GradientError, match="uses a Tensor that is neither"):
        closed(Tensor(X, requires_grad=True)).sum().backward()
