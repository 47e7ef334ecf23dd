"""The numbers of an optimizer are values of the step: they can be changed while it trains."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutaway import optim
from cutaway.engine import float64
from cutaway.errors import OptionError
from cutaway.nn import Linear, Parameter, jit, named_variables
from cutaway.optim import OPTIMIZERS, hyperparameters_of

OTHERS = {"eps": 1e-3, "beta": 0.5, "rho": 0.5, "weight_decay": 0.25, "momentum_decay": 0.1}
OTHERS["betas"] = (0.5, 0.75)


def stepping(make, changes, grads, *, compiled=True):
    """(end, how often each step was traced) of steps by these gradients.

    changes: {step: {name: value}}.
    """
    w = Parameter(np.linspace(-1, 1, 6, dtype=np.float32))
    optimizer = make([w])

    traced, counts = [], []

    def step(g):
        traced.append(1)
        w.grad = g.data
        optimizer.step()

    run = jit(step, optimizer) if compiled else lambda g: step(Parameter(g))
    for k, g in enumerate(grads):
        for name, value in changes.get(k, {}).items():
            setattr(optimizer, name, value)
        run(g)
        counts.append(len(traced))
    return w.numpy(), counts


def gradients(steps=6):
    return np.random.default_rng(0).normal(size=(steps, 6)).astype(np.float32)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_numbers_of_every_optimizer_change_without_compiling(name):
    kind = OPTIMIZERS[name]
    declared = hyperparameters_of(kind)
    options = {
        option.name
        for option in inspect.signature(kind).parameters.values()
        if isinstance(option.default, float | tuple)
    }
    assert set(declared) == options - {"lr"}
    changes = {3: {option: OTHERS[option] for option in declared}}
    found, traced = stepping(lambda p: kind(p, lr=0.1), changes, gradients())
    assert traced == traced[:1] * len(traced)  # none after the first step
    eager, _ = stepping(lambda p: kind(p, lr=0.1), changes, gradients(), compiled=False)
    np.testing.assert_allclose(found, eager, rtol=1e-6, atol=1e-7)
    unchanged, _ = stepping(lambda p: kind(p, lr=0.1), {}, gradients())
    assert (found != unchanged).all() or not declared


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_value_assigned_is_the_one_of_the_constructor(name):
    kind = OPTIMIZERS[name]
    options = {option: OTHERS[option] for option in hyperparameters_of(kind)}
    constructed, _ = stepping(lambda p: kind(p, lr=0.1, **options), {}, gradients())
    assigned, _ = stepping(lambda p: kind(p, lr=0.1), {0: options}, gradients())
    np.testing.assert_array_equal(assigned, constructed)


def test_values_are_read_as_they_were_assigned_also_after_a_compiled_step():
    optimizer = optim.AdamW([Parameter(0.0)], betas=(0.9, 0.999), weight_decay=1 / 3)
    jit(lambda: None, optimizer)()
    assert optimizer.betas == (0.9, 0.999)
    assert optimizer.weight_decay == 1 / 3 and optimizer.eps == 1e-8
    optimizer.weight_decay = 0
    assert optimizer.weight_decay == 0.0 and optimizer.betas == (0.9, 0.999)


def test_one_minus_a_decay_rate_is_not_rounded_twice():
    optimizer = optim.Adam([Parameter(0.0)], betas=(0.9, 0.9999))

    def complements():
        return [jnp.asarray(1 - beta) for beta in optimizer.betas]

    found = jax.tree.map(float, [c.data for c in jit(complements, optimizer)()])
    assert found == [float(np.float32(1 - 0.9)), float(np.float32(1 - 0.9999))]
    assert 1 - np.float32(0.9999) != np.float32(1 - 0.9999)  # what it would be otherwise


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p: setattr(optim.Adam(p), "betas", (0.9, 1.0)), r"betas\[1\] is 1.0"),
        (lambda p: setattr(optim.Adam(p), "betas", 0.9), "betas is 0.9\n  expected: 2 numbers"),
        (lambda p: setattr(optim.Adam(p), "betas", (0.9, 0.9, 0.9)), "expected: 2 numbers"),
        (lambda p: setattr(optim.Adam(p), "eps", 0), "eps is 0"),
        (lambda p: setattr(optim.Adadelta(p), "rho", -1), "rho is -1"),
        (lambda p: setattr(optim.SGD(p, lr=1), "weight_decay", -1), "weight_decay is -1"),
        (lambda p: setattr(optim.ClipNorm(1), "max_norm", 0), "max_norm is 0"),
        (lambda p: setattr(optim.Adam(p), "weight_decay", 0.1), "Adam has no weight decay"),
    ],
)
def test_an_assignment_out_of_range_is_refused_as_in_the_constructor(wrong, words):
    with pytest.raises(OptionError, match=words):
        wrong([Parameter([1.0])])


def test_a_refused_assignment_leaves_all_values():
    optimizer = optim.Adam([Parameter(0.0)])
    with pytest.raises(OptionError):
        optimizer.betas = (0.5, 2)
    assert optimizer.betas == (0.9, 0.999)


@pytest.mark.parametrize(
    ("clip", "name", "other"),
    [(optim.ClipNorm(0.5), "max_norm", 0.125), (optim.ClipValue(0.5), "limit", 0.125)],
)
def test_limits_of_clipping_change_without_compiling(clip, name, other):
    w = Parameter(np.zeros(1, np.float32))
    optimizer = optim.SGD([w], lr=1.0, clip=clip)

    def step():
        w.grad = jnp.ones(1)
        optimizer.step()

    run = jit(step, optimizer)
    run()
    assert w.item() == pytest.approx(-0.5, rel=1e-5)
    setattr(clip, name, other)
    run()
    assert w.item() == pytest.approx(-0.625, rel=1e-5) and len(run.plans) == 1


def test_a_weight_decay_of_zero_can_begin_to_decay():
    w = Parameter(np.ones(1, np.float32))
    spared = Parameter(np.ones(1, np.float32))
    optimizer = optim.SGD([w, spared], lr=0.5, decays=lambda path, _: path == "0")

    def step():
        w.grad = spared.grad = jnp.zeros(1)
        optimizer.step()

    run = jit(step, optimizer)
    run()
    assert w.item() == 1
    optimizer.weight_decay = 0.5
    run()
    assert (w.item(), spared.item()) == (0.75, 1) and len(run.plans) == 1


def test_a_copy_over_other_parameters_has_values_of_its_own():
    first = optim.Adam(Linear(2, 1), betas=(0.5, 0.75))
    second = first.over(Linear(3, 1))
    second.betas = (0.1, 0.2)
    assert first.betas == (0.5, 0.75) and second.betas == (0.1, 0.2)


def test_a_float64_optimizer_keeps_float64_values():
    with float64():
        optimizer = optim.Momentum([Parameter(np.zeros(1))], lr=0.1, beta=0.9)
        values = named_variables(optimizer)["hyperparameters"]
        assert values.dtype == jnp.float64 and values.numpy()[0].tolist() == [0.9, 0, 0]
