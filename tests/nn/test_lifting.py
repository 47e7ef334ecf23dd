"""Invariants 2 and 5: eager equals compiled, scanned equals stepped; state survives exceptions."""

import copy
import gc
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, ops
from cutaway.engine import Tensor
from cutaway.errors import OptionError, ShapeError, TrainingError
from cutaway.nn import (
    Dropout,
    Linear,
    Sequential,
    Tanh,
    accumulate_over,
    jit,
    lifting,
    named_variables,
    seed,
)
from cutaway.nn.state import Held
from cutaway.nn.survey import signature
from cutaway.optim import SGD, Adam, Cosine

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4, 3)).astype(np.float32)  # six batches of four
Y = RNG.normal(size=(6, 4, 1)).astype(np.float32)


def made(**options):
    seed(1)
    net = Sequential(Linear(3, 5), Tanh(), Dropout(0.3), Linear(5, 1))
    optimizer = Adam(net, lr=0.01, **options)

    def step(x, y):
        loss = losses.mean_squared_error(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return net, optimizer, step


def values(*owners):
    return {
        f"{k}.{path}": v.numpy()
        for k, owner in enumerate(owners)
        for path, v in named_variables(owner).items()
    }


def expect_equal(a, b, rtol=1e-6):
    assert a.keys() == b.keys()
    for path in a:
        np.testing.assert_allclose(a[path], b[path], rtol=rtol, atol=1e-7, err_msg=path)


@pytest.mark.parametrize("schedule", [None, Cosine(10)])
def test_eager_compiled_scanned_and_looped_steps_give_the_same(schedule):
    results = []
    for form in ("eager", "compiled", "scanned", "looped"):
        net, optimizer, step = made(schedule=schedule)
        if form == "eager":
            found = [step(x, y).item() for x, y in zip(X, Y, strict=True)]
        elif form == "compiled":
            compiled = jit(step, net, optimizer)
            found = [compiled(x, y).item() for x, y in zip(X, Y, strict=True)]
        elif form == "scanned":
            compiled = jit(lambda batch, step=step: step(*batch), net, optimizer)
            found = compiled.scan((X, Y)).tolist()
        else:
            compiled = jit(
                lambda i, x, y, step=step: step(Tensor(x.data[i.data]), Tensor(y.data[i.data])),
                net,
                optimizer,
            )
            first = compiled.loop(0, 2, X, Y, capacity=8).tolist()
            second = compiled.loop(2, 6, X, Y, capacity=8).tolist()
            assert first[2:] == [0] * 6
            found = first[:2] + second[:4]
        results.append((found, values(net, optimizer)))
    for found, state in results[1:]:
        np.testing.assert_allclose(found, results[0][0], rtol=1e-5)
        expect_equal(state, results[0][1], rtol=2e-5)


def test_a_change_of_values_compiles_nothing_and_a_change_of_mode_does():
    net, optimizer, step = made()
    traces = []

    def counted(x, y):
        traces.append(1)
        return step(x, y)

    compiled = jit(counted, net, optimizer)
    compiled(X[0], Y[0])
    optimizer.lr = 0.5
    compiled(X[1], Y[1])
    net.load_state_dict(net.state_dict())
    compiled(X[1], Y[1])
    assert len(traces) == 1
    net.eval()
    compiled(X[0], Y[0])
    assert len(traces) == 2
    net.train()
    compiled(X[0], Y[0])
    assert len(traces) == 2
    net[2].p = 0.9
    compiled(X[0], Y[0])
    assert len(traces) == 3
    compiled(X[0][:2], Y[0][:2])
    assert len(traces) == 4


def test_the_learning_rate_counts_in_compiled_steps():
    net = Linear(1, 1, bias=False)
    optimizer = SGD(net, lr=1.0)

    def step():
        net.weight.sum().backward()
        optimizer.step()

    compiled = jit(step, net, optimizer)
    start = net.weight.item()
    compiled()
    optimizer.lr = 0.25
    compiled()
    assert net.weight.item() == pytest.approx(start - 1.25)


@pytest.mark.parametrize("when", ["first", "later"])
def test_after_an_exception_the_old_arrays_are_back(when):
    net, optimizer, step = made()
    fail = []

    def fragile(x, y):
        loss = step(x, y)  # has assigned parameters, slots and keys
        if fail:
            raise ValueError("on purpose")
        return loss

    compiled = jit(fragile, net, optimizer)
    if when == "later":
        compiled(X[0], Y[0])
    before = values(net, optimizer)
    fail.append(True)
    with pytest.raises(ValueError, match="on purpose"):
        compiled(X[0][:3], Y[0][:3])  # another shape: it is traced
    expect_equal(values(net, optimizer), before, rtol=0)
    fail.clear()
    assert np.isfinite(compiled(X[0], Y[0]).item())


def test_a_shape_error_inside_a_compiled_step_reads_as_outside():
    net, optimizer, step = made()
    with pytest.raises(ShapeError, match="layer 0, Linear: the input has shape"):
        jit(step, net, optimizer)(np.ones((2, 7), np.float32), Y[0][:2])


def test_a_shared_variable_is_lifted_once():
    shared = Linear(3, 3)
    net = Sequential(shared, Tanh(), shared)
    variables, _ = signature([net, SGD(net, lr=0.1)])
    assert len(variables) == len({id(v) for v in variables}) == 2 + 3  # and those of SGD


def test_two_variables_may_hold_one_array():
    a, b = Linear(2, 2), Linear(2, 2)
    b.weight.data = a.weight.data
    state = a.state_dict()
    compiled = jit(lambda x: a(x) + b(x), a, b)
    x = np.ones((1, 2), np.float32)
    first = compiled(x).tolist()
    assert compiled(x).tolist() == first
    np.testing.assert_array_equal(state["weight"], a.weight.numpy())


def test_a_gradient_left_by_a_compiled_step_arrives_and_adds_up():
    net = Linear(2, 1)
    compiled = jit(lambda x: net(x).sum().backward(), net)
    x = np.array([[1.0, 2.0]], np.float32)
    compiled(x)
    assert net.weight.grad[:, 0].tolist() == [1, 2]
    compiled(x)
    assert net.weight.grad[:, 0].tolist() == [2, 4]


def test_a_scanned_step_may_not_leave_gradients_behind():
    net = Linear(2, 1)
    compiled = jit(lambda x: net(x).sum().backward(), net)
    with pytest.raises(TrainingError, match="left gradients behind"):
        compiled.scan(np.ones((3, 1, 2), np.float32))
    assert net.weight.grad is None


def test_arguments_and_results_may_be_nested():
    net = Linear(2, 1)
    out = jit(lambda d: {"sum": net(d["x"][0]).sum(), "n": d["n"] * 2}, net)(
        {"x": [Tensor(np.ones((1, 2)))], "n": 3}
    )
    assert isinstance(out["sum"], Tensor) and out["n"].item() == 6


def test_types_of_variables_stay_in_a_scan():
    net = Linear(2, 1).astype(jnp.bfloat16)
    optimizer = Adam(net, lr=0.1)

    def step(x):
        ops.mean(net(x)).backward()
        optimizer.step()

    jit(step, net, optimizer).scan(np.ones((3, 1, 2), np.float32))
    assert net.weight.dtype == jnp.bfloat16
    assert optimizer.state["m"][0].dtype == jnp.bfloat16


def test_a_variable_that_no_owner_holds_is_named_with_the_call_to_write():
    net, other = ct.Linear(3, 1), ct.Linear(3, 1)
    optimizer = ct.Adam(net)
    x = np.ones((4, 3), np.float32)

    def step(x):
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    before = net.weight.numpy().copy()
    with pytest.raises(OptionError, match=r"optimizer\.\S+, a Buffer") as caught:
        ct.jit(step, net)(x)
    assert "jit(step, ..., optimizer)" in str(caught.value)
    # nothing was touched, and no tracer is left behind
    np.testing.assert_array_equal(net.weight.numpy(), before)
    assert net.weight.grad is None and int(optimizer.step_count.numpy()) == 0
    ct.jit(step, net, optimizer)(x)
    assert not np.array_equal(net.weight.numpy(), before)

    with pytest.raises(OptionError, match=r"other\.weight, a Parameter of shape \(3, 1\)"):
        ct.jit(lambda x: net(x) - other(x), net)(x)  # its value would be frozen into the program
    alone = ct.nn.Parameter(np.ones(2))
    with pytest.raises(OptionError, match=r"touches alone, a Parameter of shape \(2,\)"):
        ct.jit(lambda x: alone * x)(np.ones(2))
    hidden = {"deep": [other]}
    with pytest.raises(OptionError, match=r"hidden\.deep\.0\.weight"):
        ct.jit(lambda x: hidden["deep"][0](x))(x)


def test_what_belongs_to_no_name_in_sight_is_told_by_its_shape():
    def make():
        held = [ct.Linear(2, 5)]
        return lambda: held[0]

    get = make()
    with pytest.raises(OptionError, match=r"a Parameter of shape \(2, 5\) that none of its owners"):
        ct.jit(lambda x: get()(x))(np.ones((1, 2), np.float32))


class Tempered(ct.Module):
    """Divides by a plain attribute, as a module of one's own may."""

    def __init__(self):
        self.inner = Linear(3, 2)
        self.temperature = 1.0

    def forward(self, x):
        return self.inner(x) / self.temperature


def test_an_attribute_that_changes_at_each_call_is_warned_of_by_its_path():
    net = Sequential(Tempered())
    compiled = jit(lambda x: net(x), net)
    plain = net[0].inner(X[0]).numpy()
    for k in range(4):  # a few values are what attributes are for
        net[0].temperature = 1.0 + k
        np.testing.assert_allclose(compiled(X[0]).numpy(), plain / (1.0 + k), rtol=1e-6)
    compiled(X[0])
    net.eval()
    compiled(X[0])
    net.train()
    net[0].temperature = 7.5
    compiled(X[0])
    net[0].temperature = 8.5
    with pytest.warns(UserWarning, match=r"anew 5 times.*temperature[\s\S]*8\.5[\s\S]*ct\.Buffer"):
        out = compiled(X[0])
    np.testing.assert_allclose(out.numpy(), plain / 8.5, rtol=1e-6)


def test_values_that_come_back_and_frozen_parameters_are_no_change_at_each_call():
    net = Sequential(Tempered())
    compiled = jit(lambda x: net(x), net)
    for k in range(20):
        net[0].temperature = 1.0 + k % 2
        net[0].inner.weight.requires_grad = k % 3 == 0
        compiled(X[0])
    assert len(compiled.plans) == 4


def test_programs_of_shapes_no_longer_used_are_dropped(monkeypatch):
    monkeypatch.setattr(lifting, "MOST_PROGRAMS", 3)
    net = Linear(3, 2)
    compiled = jit(lambda x: net(x), net)
    alive = jax.devices()[0].client.live_executables
    before = len(alive())
    for rows in range(1, 9):
        compiled(np.zeros((rows, 3), np.float32))
        compiled(np.zeros((1, 3), np.float32))  # in use: it stays
    assert len(compiled.plans) == 8  # none of them twice
    gc.collect()
    assert len(alive()) - before <= 3


def test_while_a_step_is_traced_other_threads_see_the_variables_as_they_are():
    net, optimizer, step = made()
    before = values(net, optimizer)
    inside, seen = threading.Event(), threading.Event()

    def slow_step(x, y):
        loss = step(x, y)
        inside.set()
        assert seen.wait(60)
        return loss

    found = {}

    def read():
        assert inside.wait(60)
        try:
            found["values"] = values(net, optimizer)
            found["gradients"] = [p.grad for p in net.parameters()]
            found["out"] = net(X[0]).numpy()
        finally:
            seen.set()

    reader = threading.Thread(target=read)
    reader.start()
    jit(slow_step, net, optimizer)(X[0], Y[0])
    reader.join()
    expect_equal(found["values"], before, rtol=0)
    assert found["gradients"] == [None] * len(net.parameters())
    assert np.isfinite(found["out"]).all()
    assert not np.array_equal(net[0].weight.numpy(), before["0.0.weight"])


def test_held_values_are_those_of_one_thread_and_gone_after_it():
    net = Linear(2, 1)
    weight = net.weight.numpy()
    others = []
    with Held([net.weight], [(jnp.zeros((2, 1)), None)]) as held:
        assert net.weight.numpy().sum() == 0
        net.weight.data = jnp.ones((2, 1))
        net.bias.data = jnp.full((1,), 5.0)  # not held: written itself
        reader = threading.Thread(target=lambda: others.append(net.weight.numpy()))
        reader.start()
        reader.join()
        assert held.values()[0][0].sum() == 2
    np.testing.assert_array_equal(others[0], weight)
    np.testing.assert_array_equal(net.weight.numpy(), weight)
    assert net.bias.item() == 5.0


def test_a_part_of_a_step_may_not_write_what_is_not_its_own():
    net, other = Linear(3, 1), Linear(3, 1)

    def part(x):
        other.weight.data = other.weight.data * 2
        return net(x).sum()

    compiled = jit(lambda xs: accumulate_over(part, xs, net).sum(), net, other)
    with pytest.raises(OptionError, match=r"other\.weight"):
        compiled(X)
    assert np.isfinite(other.weight.numpy()).all()


def test_a_copy_of_a_compiled_step_compiles_for_the_copied_network():
    class Both(ct.Module):
        def __init__(self):
            self.inner = ct.Linear(2, 1)

    parts = {"net": Both()}
    parts["step"] = ct.jit(parts["net"].inner, parts["net"])
    x = np.ones((1, 2), np.float32)
    before = parts["step"](x).numpy()
    copied = copy.deepcopy(parts)
    copied["net"].inner.bias.data = copied["net"].inner.bias.data + 1
    np.testing.assert_array_equal(copied["step"](x).numpy(), before + 1)
    np.testing.assert_array_equal(parts["step"](x).numpy(), before)


def test_a_step_that_was_prepared_has_not_run_and_compiles_no_more():
    net = ct.Linear(2, 1)

    def grow(x):
        net.bias.data = net.bias.data + x.data

    step = ct.jit(grow, net)
    step.prepare(np.ones(1, np.float32))
    assert net.bias.numpy().tolist() == [0.0] and len(step.plans) == 1
    step(np.ones(1, np.float32))
    assert net.bias.numpy().tolist() == [1.0] and len(step.plans) == 1
